//! A finding and its life: one guardrail on one resource.
//!
//! [`Finding::sight`] and [`Finding::apply`] are the legal table of that life: (finding, input) → (finding, answer). A store
//! calls them inside one conditional write; nothing else changes a finding.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::decide::{Decision, Facts, Settings};

/// AWS Config's compliance types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each is AWS Config's ComplianceType of the same name")]
pub enum Compliance {
    Compliant,
    NonCompliant,
    NotApplicable,
}

/// ASFF's `Severity.Label`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "each is ASFF's severity label of the same name")]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

/// ASFF's `Workflow.Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "each is ASFF's workflow status of the same name")]
pub enum WorkflowStatus {
    New,
    Notified,
    Resolved,
    Suppressed,
}

/// What we are doing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is told by its name")]
pub enum Stage {
    Inspecting,
    WaitingForAPerson,
    Fixing,
    Fixed,
    Failed,
    Reverted,
    Undone,
    /// Told, and left to people (mode `alert`, an exception).
    Told,
    /// Inspected, and nothing was wrong.
    Compliant,
}

/// A guardrail's event that named a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// The guardrail's id.
    pub guardrail: String,
    /// The guardrail's title.
    pub title: String,
    /// The guardrail's severity.
    pub severity: Severity,
    /// CloudFormation type, `AWS::S3::Bucket`.
    pub resource_type: String,
    /// The resource's id within its account and Region.
    pub resource: String,
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// The event's [identity](crate::Event::identity).
    pub event_id: String,
    /// When it happened.
    pub event_time: Timestamp,
    /// Who did it: CloudTrail's `userIdentity`, for the owner and the timeline.
    pub actor: Option<Value>,
}

/// One guardrail on one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable: a hash of guardrail, account, Region and resource. Lower-case letters and digits.
    pub id: String,
    /// Rises with every change: the condition of a conditional write.
    pub version: u64,
    // the rest is filled in by this crate: guardrail, title, severity, account, region, resource, status, compliance, stage,
    // generation, occurrences (each with its events, decision, Before), timeline, suppressed_until, ask …
}

/// What a sighting does to a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighted {
    /// The finding afterwards.
    pub finding: Finding,
    /// The response to start, unless one is under way that takes this along (its generation was raised).
    pub start: Option<Response>,
}

/// A response to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The execution's name: a hash of finding and occurrence, within 80 characters.
    pub execution_name: String,
    /// Its input: `{Action, FindingId, Resource: {Id, Type, Account, Region, Arn?}}` as JSON text.
    pub input: String,
}

/// What happens to a finding after it was noticed: the requests of the built-in function `finding`, and what people and the
/// engine do. Serialized as the function's payload: `{"Action": "record", …}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "Action", rename_all = "snake_case", rename_all_fields = "PascalCase")]
pub enum FindingInput {
    /// An inspection begins. Answer: `{Generation}`.
    Inspecting {},
    /// What an inspection said. Answer: `{Occurrence}`.
    Record {
        /// Its verdict.
        compliance: Compliance,
        /// In a sentence.
        reason: String,
    },
    /// What is to be done. Answer: `{Decision, Why}`.
    Decide {
        /// Candidates, from the function `owner`.
        #[serde(default)]
        owner: Value,
    },
    // … told, asked, answered, keep_before, fixing, close, failed, undoing, undone: filled in by this crate
}

/// A change of a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The finding afterwards.
    pub finding: Finding,
    /// What the caller is told.
    pub answer: Value,
    /// What was decided, where something was: the store counts it against the limits in the same write.
    pub decision: Option<Decision>,
}

/// An input that a finding can't take as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the finding can't take `{input}`: {reason}")]
pub struct IllegalFindingInput {
    /// The action.
    pub input: String,
    /// Why not, and what would do.
    pub reason: String,
}

impl Finding {
    /// The id of a finding.
    pub fn id_of(_guardrail: &str, _account: &str, _region: &str, _resource: &str) -> String {
        todo!()
    }

    /// What a sighting does to the finding that is there, or to none.
    pub fn sight(_finding: Option<&Finding>, _sighting: &Sighting, _now: Timestamp) -> Sighted {
        todo!()
    }

    /// What an input does to the finding. `execution` names who says it.
    pub fn apply(
        &self,
        _input: &FindingInput,
        _execution: &str,
        _settings: &Settings,
        _facts: &Facts,
        _now: Timestamp,
    ) -> Result<Change, IllegalFindingInput> {
        todo!()
    }
}
