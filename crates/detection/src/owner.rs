//! Who owns a resource: candidates from its tags and from who made the call, the likeliest first.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many candidates are given at most.
pub const CANDIDATES_LIMIT: usize = 10;

/// Tag keys that name an owner, the most telling first; compared without case, `-`, `_`, blanks and any prefix up to `:` or `/`.
const OWNER_TAGS: &[&str] =
    &["owner", "owneremail", "ownedby", "contact", "contactemail", "maintainer", "team", "squad"];
/// Tag keys that name whoever made the resource, who may have left it to others since.
const CREATOR_TAGS: &[&str] = &["createdby", "creator", "createdbyuser"];

/// How sure it is that a candidate is the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Somebody who can be expected to know: made the call, or once made the resource.
    Low,
    /// A person who made the call.
    Medium,
    /// The resource says so.
    High,
}

/// Somebody who may own a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Candidate {
    /// A name: a user's, a team's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// A mail address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// Where it comes from: `tag Owner`, `CloudTrail IAMUser` …
    pub from: String,
    /// How sure it is.
    pub confidence: Confidence,
}

impl Candidate {
    /// A text is a mail address or a name.
    fn new(text: &str, from: String, confidence: Confidence) -> Option<Candidate> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let is_email = text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !text.contains(char::is_whitespace) && !host.contains('@')
        });
        let (name, email) = if is_email { (None, Some(text.to_owned())) } else { (Some(text.to_owned()), None) };
        Some(Candidate { name, email, from, confidence })
    }
}

/// The candidates that a resource's tags (key, value) and the call's `userIdentity` name, the likeliest first, each person once,
/// at most [`CANDIDATES_LIMIT`].
///
/// Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>
pub fn candidates(tags: &[(String, String)], identity: Option<&Value>) -> Vec<Candidate> {
    let from_tags = |names: &'static [&'static str], confidence: Confidence| {
        names.iter().flat_map(move |name| {
            tags.iter()
                .filter(move |(key, _)| plain(key) == *name)
                .filter_map(move |(key, value)| Candidate::new(value, format!("tag {key}"), confidence))
        })
    };
    let found = from_tags(OWNER_TAGS, Confidence::High)
        .chain(identity.and_then(from_identity))
        .chain(from_tags(CREATOR_TAGS, Confidence::Low));
    let mut candidates: Vec<Candidate> = Vec::new();
    for candidate in found {
        if !candidates.iter().any(|known| known.name == candidate.name && known.email == candidate.email) {
            candidates.push(candidate);
        }
    }
    candidates.truncate(CANDIDATES_LIMIT);
    candidates
}

/// A tag's key, less its prefix (`company:Owner`), case and separators.
fn plain(key: &str) -> String {
    let key = key.rsplit([':', '/']).next().unwrap_or(key);
    key.chars().filter(|letter| !matches!(letter, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Who made a call. Services are nobody.
fn from_identity(identity: &Value) -> Option<Candidate> {
    let text = |pointer: &str| identity.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = text("/type").unwrap_or("Unknown");
    if text("/invokedBy").is_some() || matches!(kind, "AWSService" | "AWSAccount") {
        return None;
    }
    let from = format!("CloudTrail {kind}");
    match kind {
        "Root" => {
            let account = text("/accountId").unwrap_or("unknown");
            Candidate::new(&format!("root user of account {account}"), from, Confidence::Medium)
        }
        "AssumedRole" | "FederatedUser" => {
            let session = text("/arn").or(text("/principalId")).and_then(|arn| arn.rsplit(['/', ':']).next())?;
            let role = text("/sessionContext/sessionIssuer/userName").unwrap_or_default();
            // A mail address is a person's (IAM Identity Center names its sessions so); other sessions may be anything's.
            let confidence = match session.contains('@') || role.starts_with("AWSReservedSSO_") {
                true => Confidence::Medium,
                false => Confidence::Low,
            };
            let from = if role.is_empty() { from } else { format!("{from} {role}") };
            Candidate::new(session, from, confidence)
        }
        _ => {
            let name = text("/userName").or(text("/onBehalfOf/userId"));
            let name = name.or_else(|| text("/arn").and_then(|arn| arn.rsplit('/').next()))?;
            Candidate::new(name, from, Confidence::Medium)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(tags: &[(&str, &str)], identity: Value, expected: &[(&str, &str, Confidence)]) {
        let tags: Vec<_> = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let found = candidates(&tags, Some(&identity));
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.email.as_deref().or(one.name.as_deref()).unwrap(), one.from.as_str(), one.confidence))
            .collect();
        assert_eq!(found, expected, "{tags:?} {identity}");
    }

    #[test]
    fn tags_come_before_identity() {
        use Confidence::*;
        let ann = json!({"type": "IAMUser", "userName": "ann", "arn": "arn:aws:iam::111122223333:user/ann"});
        check(&[], ann.clone(), &[("ann", "CloudTrail IAMUser", Medium)]);
        check(
            &[("Team", "payments"), ("CreatedBy", "eve"), ("company:owner-email", "bob@example.com"), ("Name", "x")],
            ann.clone(),
            &[
                ("bob@example.com", "tag company:owner-email", High),
                ("payments", "tag Team", High),
                ("ann", "CloudTrail IAMUser", Medium),
                ("eve", "tag CreatedBy", Low),
            ],
        );
        check(&[("Owner", "ann"), ("owner", " ")], ann, &[("ann", "tag Owner", High)]);
    }

    #[test]
    fn identities() {
        use Confidence::*;
        let role = |arn: &str, role: &str| json!({"type": "AssumedRole", "arn": arn, "sessionContext": {"sessionIssuer": {"userName": role}}});
        for (identity, expected) in [
            (
                json!({"type": "Root", "accountId": "111122223333"}),
                vec![("root user of account 111122223333", "CloudTrail Root", Medium)],
            ),
            (json!({"type": "AWSService", "invokedBy": "config.amazonaws.com"}), vec![]),
            (json!({"type": "AssumedRole", "invokedBy": "cloudformation.amazonaws.com", "arn": "arn:x/y"}), vec![]),
            (
                role(
                    "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_1/eve@example.com",
                    "AWSReservedSSO_Admin_1",
                ),
                vec![("eve@example.com", "CloudTrail AssumedRole AWSReservedSSO_Admin_1", Medium)],
            ),
            (
                role("arn:aws:sts::111122223333:assumed-role/ci/i-0abc", "ci"),
                vec![("i-0abc", "CloudTrail AssumedRole ci", Low)],
            ),
            (json!({"type": "SAMLUser", "userName": "zoe"}), vec![("zoe", "CloudTrail SAMLUser", Medium)]),
            (json!({"type": "AssumedRole"}), vec![]),
            (json!({}), vec![]),
            (json!("no object"), vec![]),
        ] {
            check(&[], identity, &expected);
        }
    }
}
