//! Findings of AWS's own detectors: which control failed or passed, on which resource. A guardrail that names the control looks at
//! the resource then, as it does at one that its event named: what somebody else found is a reason to inspect, and no proof.
//!
//! | event | controls by which it is known |
//! |---|---|
//! | `Security Hub Findings - Imported`, `- Custom Action` (ASFF) | ids of Security Hub's controls, of standards' rules, and types |
//! | `Findings Imported V2` (OCSF) | the same |
//! | `GuardDuty Finding` | its type |
//! | `Config Rules Compliance Change` | the rule's name |
//! | `Config Rule Invocation` (AWS Config asks) | the rule's name |

mod asff;
mod config;
mod evaluation;
mod guardduty;
mod ocsf;

pub use evaluation::{Answerable, RuleInvocation};
use serde_json::Value;

use crate::{Event, Guardrail, Sighting, arn, finding::resource_type};

/// How many resources of one event are looked at.
const RESOURCES_LIMIT: usize = 1000;

/// What somebody else's finding says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The names by which the control is known.
    pub controls: Vec<String>,
    /// Whether it failed and is not dealt with, or is asked about; else it passed, or is over.
    pub is_failing: bool,
    /// The resources concerned.
    pub resources: Vec<Concerned>,
}

/// A resource as somebody else's finding names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concerned {
    /// CloudFormation's type, or ASFF's.
    pub resource_type: String,
    /// Its ARN, or its id.
    pub id: String,
    /// Account, unless the ARN has one.
    pub account: String,
    /// Region, unless the ARN has one.
    pub region: String,
}

/// A sighting by somebody else's finding.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedSighting {
    /// What the guardrail is to look at.
    pub sighting: Sighting,
    /// Whether the other says that it is wrong. One that says that all is well (again) concerns only a finding that is open.
    pub is_failing: bool,
}

/// What an event says, where it is somebody else's finding: nothing where it is ours, or neither failed nor passed.
pub fn reported(event: &Event) -> Vec<Reported> {
    let findings = || event.detail.get("findings").and_then(Value::as_array).into_iter().flatten();
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.securityhub", "Security Hub Findings - Imported" | "Security Hub Findings - Custom Action") => {
            findings().filter_map(|finding| asff::read(finding, event)).collect()
        }
        ("aws.securityhub", "Findings Imported V2") => {
            findings().filter_map(|finding| ocsf::read(finding, event)).collect()
        }
        ("aws.guardduty", "GuardDuty Finding") => guardduty::read(event).into_iter().collect(),
        ("aws.config", "Config Rules Compliance Change") => config::read(event).into_iter().collect(),
        ("aws.config", evaluation::INVOCATION) => config::asked(event).into_iter().collect(),
        _ => Vec::new(),
    }
}

impl Guardrail {
    /// What the guardrail has to look at because of a finding that somebody else [reported].
    pub fn reported_sightings(&self, reported: &Reported, event: &Event) -> Vec<ReportedSighting> {
        let is_named = |control: &String| reported.controls.iter().any(|named| is_same_control(control, named));
        if !self.controls.iter().any(is_named) {
            return Vec::new();
        }
        let mut sightings: Vec<ReportedSighting> = Vec::new();
        for concerned in reported.resources.iter().take(RESOURCES_LIMIT) {
            let Some(sighting) = self.reported_sighting(concerned, event) else { continue };
            if !sightings.iter().any(|known| known.sighting == sighting) {
                sightings.push(ReportedSighting { sighting, is_failing: reported.is_failing });
            }
        }
        sightings
    }

    fn reported_sighting(&self, concerned: &Concerned, event: &Event) -> Option<Sighting> {
        let kind = concerned.resource_type.as_str();
        if kind != self.resource_type && (kind == "Other" || kind != resource_type(&self.resource_type)) {
            return None;
        }
        let named = arn::named_by(&self.resource_type, &concerned.id)?;
        let or = |part: &str, otherwise: &str| if part.is_empty() { otherwise } else { part }.to_owned();
        Some(Sighting {
            rule: None,
            guardrail: self.id.clone(),
            title: self.title.clone(),
            severity: self.severity,
            resource_type: self.resource_type.clone(),
            resource: named.id.to_owned(),
            account: or(named.account, &concerned.account),
            region: or(named.region, &concerned.region),
            event_id: event.identity().to_owned(),
            event_time: event.time,
            // As CloudTrail names a service that acts by itself: nobody who could own the resource.
            actor: Some(serde_json::json!({"type": "AWSService", "invokedBy": service_of(&event.source)})),
        })
    }
}

/// `aws.securityhub` → `securityhub.amazonaws.com`.
fn service_of(source: &str) -> String {
    format!("{}.amazonaws.com", source.strip_prefix("aws.").unwrap_or(source))
}

/// Whether a guardrail's control is the one that is named: without case, `_` and `/` as `-` (identifiers of AWS Config's managed rules
/// and of GuardDuty's types are written so elsewhere), and without what Security Hub and conformance packs put around a rule's name.
fn is_same_control(control: &str, named: &str) -> bool {
    let (control, named) = (plain(control), plain(named));
    control == named || rule_within(&named).is_some_and(|rule| rule == control)
}

fn plain(name: &str) -> String {
    name.trim().chars().map(|letter| if "_/".contains(letter) { '-' } else { letter.to_ascii_lowercase() }).collect()
}

/// `securityhub-s3-bucket-ssl-requests-only-1a2b3c4d`, `s3-bucket-ssl-requests-only-conformance-pack-abc123` → the rule between.
fn rule_within(name: &str) -> Option<&str> {
    if let Some((rule, _)) = name.split_once("-conformance-pack-") {
        return Some(rule);
    }
    let (rule, suffix) = name.strip_prefix("securityhub-")?.rsplit_once('-')?;
    suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(rule)
}

/// A text of a document; nothing where it is empty.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
