//! Security Hub's findings in ASFF. Source: <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html>

use serde_json::Value;

use super::{Concerned, Reported, text};
use crate::{Event, finding::OURS};

pub(super) fn read(finding: &Value, event: &Event) -> Option<Reported> {
    let generator = text(finding, "/GeneratorId").unwrap_or_default();
    // What we sent to Security Hub comes back as an event: it is no news.
    let product = text(finding, "/ProductArn").unwrap_or_default();
    if generator.starts_with(OURS) && product.ends_with("/default") {
        return None;
    }
    let account = text(finding, "/AwsAccountId").unwrap_or(&event.account);
    let region = text(finding, "/Region").unwrap_or(&event.region);
    let concerned = |resource: &Value| {
        Some(Concerned {
            resource_type: text(resource, "/Type")?.to_owned(),
            id: text(resource, "/Id")?.to_owned(),
            account: account.to_owned(),
            region: text(resource, "/Region").unwrap_or(region).to_owned(),
        })
    };
    Some(Reported {
        controls: controls(finding, generator),
        is_failing: is_failing(finding)?,
        resources: finding.get("Resources")?.as_array()?.iter().filter_map(concerned).collect(),
    })
}

/// Whether the check failed and somebody has to look, or passed or is over; nothing where neither can be said: it was suppressed, or
/// could not be checked.
fn is_failing(finding: &Value) -> Option<bool> {
    let (workflow, compliance) = (text(finding, "/Workflow/Status"), text(finding, "/Compliance/Status"));
    match (text(finding, "/RecordState"), workflow, compliance) {
        (_, Some("SUPPRESSED"), _) => None,
        (Some("ARCHIVED"), ..) | (_, Some("RESOLVED"), _) | (.., Some("PASSED")) => Some(false),
        // What is no check (GuardDuty's and Macie's findings) has no compliance.
        (.., Some("FAILED" | "WARNING") | None) => Some(true),
        _ => None,
    }
}

/// `security-control/S3.2`, `aws-foundational-security-best-practices/v/1.0.0/S3.2`, `arn:…:ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/2.7`
/// and the type of a finding that GuardDuty has made: `TTPs/Initial Access/UnauthorizedAccess:EC2-SSHBruteForce`.
fn controls(finding: &Value, generator: &str) -> Vec<String> {
    let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    let types = finding.get("Types").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let rule = generator.split_once(":ruleset/").map(|(_, rule)| rule.replace("/rule/", "/"));
    let mut controls: Vec<String> =
        text(finding, "/Compliance/SecurityControlId").map(str::to_owned).into_iter().collect();
    match rule {
        // `2.7` says nothing without its standard.
        Some(rule) => controls.push(rule),
        None if generator.starts_with("cis-") => controls.push(generator.to_owned()),
        // A detector's ARN is no control.
        None if generator.starts_with("arn:") => {}
        None => controls.push(last(generator)),
    }
    controls.extend(types.filter(|kind| kind.contains(':')).map(last));
    controls.extend(text(finding, "/ProductFields/aws~1config~1ConfigRuleName").map(str::to_owned));
    controls.extend(related_rule(finding));
    controls.retain(|control| !control.is_empty());
    controls.dedup();
    controls
}

/// The AWS Config rule behind a control: `ProductFields: {"RelatedAWSResources:0/name": …}`.
fn related_rule(finding: &Value) -> Option<String> {
    let is_rule = text(finding, "/ProductFields/RelatedAWSResources:0~1type")? == "AWS::Config::ConfigRule";
    let name = text(finding, "/ProductFields/RelatedAWSResources:0~1name")?;
    is_rule.then(|| name.to_owned())
}
