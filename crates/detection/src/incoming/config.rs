//! AWS Config's change of a resource's compliance with a rule.
//! Source: <https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html>

use super::{Concerned, Reported, text};
use crate::Event;

/// Services whose resources AWS Config names by an internal id (`AIDA…`, `db-ABC…`) and not by their name, which nobody else knows.
const NAMED_INTERNALLY: [&str; 2] = ["AWS::IAM::", "AWS::RDS::"];

pub(super) fn read(event: &Event) -> Option<Reported> {
    let is_failing = match text(&event.detail, "/newEvaluationResult/complianceType")? {
        "NON_COMPLIANT" => true,
        "COMPLIANT" | "NOT_APPLICABLE" => false,
        _ => return None,
    };
    of_rule(event, is_failing)
}

/// A custom rule's invocation: somebody wants to know.
pub(super) fn asked(event: &Event) -> Option<Reported> {
    of_rule(event, true)
}

fn of_rule(event: &Event, is_failing: bool) -> Option<Reported> {
    let detail = &event.detail;
    let resource_type = text(detail, "/resourceType")?;
    let is_named_internally = NAMED_INTERNALLY.iter().any(|service| resource_type.starts_with(service));
    let concerned = Concerned {
        resource_type: resource_type.to_owned(),
        id: text(detail, "/resourceId")?.to_owned(),
        account: text(detail, "/awsAccountId").unwrap_or(&event.account).to_owned(),
        region: text(detail, "/awsRegion").unwrap_or(&event.region).to_owned(),
    };
    Some(Reported {
        controls: vec![text(detail, "/configRuleName")?.to_owned()],
        is_failing,
        resources: if is_named_internally { Vec::new() } else { vec![concerned] },
    })
}
