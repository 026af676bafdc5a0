//! Security Hub's findings in OCSF. Source: <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-cwe-event-formats.html>,
//! <https://schema.ocsf.io/1.5.0/classes/compliance_finding>, <https://schema.ocsf.io/1.5.0/classes/detection_finding>

use serde_json::Value;

use super::{Concerned, Reported, text};
use crate::{Event, finding::PRODUCT};

pub(super) fn read(finding: &Value, event: &Event) -> Option<Reported> {
    if text(finding, "/metadata/product/name") == Some(PRODUCT) {
        return None;
    }
    let account = text(finding, "/cloud/account/uid").unwrap_or(&event.account);
    let region = text(finding, "/cloud/region").unwrap_or(&event.region);
    let concerned = |resource: &Value| {
        Some(Concerned {
            resource_type: text(resource, "/type")?.to_owned(),
            id: text(resource, "/uid").or_else(|| text(resource, "/name"))?.to_owned(),
            account: account.to_owned(),
            region: text(resource, "/region").unwrap_or(region).to_owned(),
        })
    };
    Some(Reported {
        controls: controls(finding),
        is_failing: is_failing(finding)?,
        resources: finding.get("resources")?.as_array()?.iter().filter_map(concerned).collect(),
    })
}

/// As in ASFF: closed, resolved and passed are over; suppressed and unknown say nothing.
fn is_failing(finding: &Value) -> Option<bool> {
    let number = |pointer: &str| finding.pointer(pointer).and_then(Value::as_u64);
    match (number("/activity_id"), number("/status_id"), number("/compliance/status_id")) {
        (_, Some(3), _) => None,
        // Closed; resolved, archived, deleted; passed.
        (Some(3), ..) | (_, Some(4..=6), _) | (.., Some(1)) => Some(false),
        // A warning, a failure, or no check at all.
        (.., Some(2 | 3) | None) => Some(true),
        _ => None,
    }
}

fn controls(finding: &Value) -> Vec<String> {
    let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    let types = finding.pointer("/finding_info/types").and_then(Value::as_array).into_iter().flatten();
    let mut controls: Vec<String> = ["/compliance/control", "/metadata/event_code"]
        .iter()
        .filter_map(|pointer| text(finding, pointer).map(str::to_owned))
        .chain(text(finding, "/finding_info/analytic/uid").map(last))
        .collect();
    // GuardDuty's types, alone or after the categories of ASFF.
    controls.extend(
        types
            .filter_map(Value::as_str)
            .filter(|kind| kind.contains(':'))
            .flat_map(|kind| [kind.to_owned(), last(kind)]),
    );
    controls
}
