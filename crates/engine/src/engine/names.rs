//! Names and ARNs of Step Functions.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html> (`name`), and the ARNs in the
//! service authorization reference.

use super::Refusal;

/// Characters in a name, at most.
const NAME_LIMIT: usize = 80;

/// Whether AWS takes it as the name of a state machine or an execution.
pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    let count = name.chars().count();
    if count == 0 || count > NAME_LIMIT || name.chars().any(forbidden) {
        return Err(Refusal::InvalidName(format!("Invalid Name: '{name}'")));
    }
    Ok(())
}

/// The partition that a Region is in.
fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The ARN of a state machine.
pub(crate) fn state_machine_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:{}:states:{region}:{account}:stateMachine:{name}", partition(region))
}

/// What stands behind a state machine's ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qualifier<'a> {
    /// The number of a version.
    Version(u64),
    /// The name of an alias.
    Alias(&'a str),
}

/// The machine's ARN, and which version or alias of it an ARN names; `None` if it names the machine itself.
pub(crate) fn qualified(arn: &str) -> Option<(&str, Qualifier<'_>)> {
    if arn.split(':').count() <= 7 {
        return None;
    }
    let (machine, qualifier) = arn.rsplit_once(':')?;
    Some((machine, qualifier.parse().map_or(Qualifier::Alias(qualifier), Qualifier::Version)))
}

/// The ARN of an activity.
pub(crate) fn activity_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:{}:states:{region}:{account}:activity:{name}", partition(region))
}

/// The ARN of an execution of a state machine; `None` if that is no state machine's ARN.
pub(crate) fn execution_arn(state_machine_arn: &str, name: &str) -> Option<String> {
    let arn = Arn::parse(state_machine_arn)?;
    (arn.kind == "stateMachine")
        .then(|| format!("arn:{}:states:{}:{}:execution:{}:{name}", arn.partition, arn.region, arn.account, arn.name))
}

/// The ARN of an execution of an Express state machine; `name` is its name, and behind a colon the id that tells it from others of
/// this name. (A state under test has no such id.)
pub(crate) fn express_arn(state_machine_arn: &str, name: &str) -> Option<String> {
    let arn = Arn::parse(state_machine_arn).filter(|arn| arn.kind == "stateMachine")?;
    Some(format!("arn:{}:states:{}:{}:express:{}:{name}", arn.partition, arn.region, arn.account, arn.name))
}

/// The account and the Region of an ARN of Step Functions.
pub(crate) fn account_and_region(arn: &str) -> Option<(&str, &str)> {
    Arn::parse(arn).map(|arn| (arn.account, arn.region))
}

/// Refuses what is no ARN of a state machine, in AWS's words.
pub(crate) fn check_state_machine_arn(arn: &str) -> Result<(), Refusal> {
    check_arn(arn, "stateMachine")
}

/// Refuses what is no ARN of a state machine as a whole: of a version, an alias or a Distributed Map of one.
pub(crate) fn check_unqualified(arn: &str) -> Result<(), Refusal> {
    check_state_machine_arn(arn)?;
    if qualified(arn).is_some() || arn.contains('/') {
        return Err(Refusal::Validation(format!("This operation takes no qualified state machine ARN: '{arn}'")));
    }
    Ok(())
}

/// Refuses what is no ARN of an activity, in AWS's words.
pub(crate) fn check_activity_arn(arn: &str) -> Result<(), Refusal> {
    check_arn(arn, "activity")
}

/// Refuses what is no ARN of an execution, in AWS's words.
pub(crate) fn check_execution_arn(arn: &str) -> Result<(), Refusal> {
    check_arn(arn, "execution")
}

/// Refuses what is no ARN of a map run, in AWS's words.
pub(crate) fn check_map_run_arn(arn: &str) -> Result<(), Refusal> {
    check_arn(arn, "mapRun")
}

fn check_arn(arn: &str, kind: &str) -> Result<(), Refusal> {
    match Arn::parse(arn) {
        Some(parsed) if parsed.kind == kind => Ok(()),
        Some(parsed) => {
            Err(Refusal::InvalidArn(format!("Invalid Arn: 'Resource type not valid in this context: {}'", parsed.kind)))
        }
        None => Err(Refusal::InvalidArn(format!("Invalid Arn: 'Invalid ARN prefix: {arn}'"))),
    }
}

struct Arn<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
    kind: &'a str,
    name: &'a str,
}

impl<'a> Arn<'a> {
    fn parse(arn: &'a str) -> Option<Arn<'a>> {
        let mut parts = arn.splitn(7, ':');
        let (prefix, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, kind, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        (prefix == "arn" && service == "states" && !name.is_empty()).then_some(Arn {
            partition,
            region,
            account,
            kind,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, fine: bool| assert_eq!(check_name(name).is_ok(), fine, "{name:?}");
        check("a", true);
        check("Ä-1_2.3", true);
        check(&"n".repeat(80), true);
        check(&"n".repeat(81), false);
        check("", false);
        for c in ["a b", "a:b", "a/b", "a*", "a\u{7}", "a$", "{a}"] {
            check(c, false);
        }
    }

    #[test]
    fn arns() {
        let arn = state_machine_arn("123456789012", "cn-north-1", "m");
        assert_eq!(arn, "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:m");
        assert_eq!(
            execution_arn(&arn, "e").as_deref(),
            Some("arn:aws-cn:states:cn-north-1:123456789012:execution:m:e")
        );
        assert_eq!(execution_arn("nonsense", "e"), None);
        assert_eq!(account_and_region(&arn), Some(("123456789012", "cn-north-1")));
        assert!(state_machine_arn("1", "us-gov-west-1", "m").starts_with("arn:aws-us-gov:"));
        let text = check_execution_arn("invalid_state_machine_arn").map_err(|refusal| refusal.to_string());
        assert_eq!(text, Err("Invalid Arn: 'Invalid ARN prefix: invalid_state_machine_arn'".to_owned()));
    }
}
