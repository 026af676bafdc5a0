//! A finding and its life: one guardrail on one resource, or one rule's matches on one.
//!
//! [`Finding::sight`] and [`Finding::apply`] are the legal table of that life: (finding, input) → (finding, answer). A store
//! calls them inside one conditional write; nothing else changes a finding. What goes over the wire to the built-in functions
//! is told in [`request`].
//!
//! A *response* is one execution that deals with the finding; while one is under way, sightings are absorbed and raise the
//! `generation`. It ends with `close`, `failed`, `undone` or `execution_failed`, and with nothing else.

mod apply;
mod asff;
mod identity;
mod input;
mod matched;
mod occurrence;
mod ocsf;
pub mod request;
mod sight;
#[cfg(test)]
mod tests;
mod view;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use asff::{OURS, resource_type};
pub use input::{Change, FindingInput, IllegalFindingInput, TaskToken};
pub use matched::{DEFAULT_DEDUP_WINDOW_SECONDS, MatchedRule};
pub use occurrence::{Absorbed, Answer, Milestone, Occurrence, Question, TimelineEntry, UnderWay};
pub use ocsf::PRODUCT;
pub use sight::{Response, Sighted, Sighting};

/// How many timeline entries a finding keeps; older ones are forgotten, and counted.
pub const TIMELINE_LIMIT: usize = 200;
/// How many occurrences a finding keeps; older ones are forgotten, and counted.
pub const OCCURRENCES_LIMIT: usize = 20;
/// How many event ids an occurrence keeps; later ones are counted only.
pub const EVENTS_LIMIT: usize = 50;
/// How often one response inspects before it gives up on a resource that keeps changing.
pub const INSPECTIONS_LIMIT: u64 = 20;
/// For how long an undo suppresses the guardrail on the resource unless the person says otherwise, in days.
pub const SUPPRESSED_DAYS_AFTER_UNDO: i64 = 7;
/// Fixes whose calls happened within so many minutes of each other, one after the other, are taken back together: a tool that makes
/// five calls in a row means one thing by them.
pub const UNDONE_TOGETHER_MINUTES: i64 = 10;
/// How many characters a reason, an error or a cause keeps.
pub const TEXT_LIMIT: usize = 4096;

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
    /// An undo is under way.
    Undoing,
    /// Told, and left to people (mode `alert`, an exception).
    Told,
    /// A rule matched, and it is left to people without their being told (its severity, an exception).
    Left,
    /// Inspected, and nothing was wrong, or nothing is any more.
    Compliant,
}

/// One guardrail on one resource. Serialized, it is what a store keeps: the task token of an open question is in it, so show
/// people [`Finding::view`] or [`Finding::show`] instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable: a hash of guardrail, account, Region and resource. Lower-case letters and digits.
    pub id: String,
    /// Rises with every change: the condition of a conditional write.
    pub version: u64,
    /// The guardrail's id; the rule's, where it is a rule's.
    pub guardrail: String,
    /// The guardrail's title.
    pub title: String,
    /// The guardrail's severity.
    pub severity: Severity,
    /// Where it is a rule's and no guardrail's: what the rule said of its last match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<MatchedRule>,
    /// CloudFormation type.
    pub resource_type: String,
    /// The resource's id within its account and Region.
    pub resource: String,
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Its workflow status.
    pub status: WorkflowStatus,
    /// What the last inspection said; none before the first.
    pub compliance: Option<Compliance>,
    /// What the last inspection said, in a sentence.
    pub reason: String,
    /// What we are doing about it.
    pub stage: Stage,
    /// Rises with every sighting: only an inspection that began at this number can close the finding.
    pub generation: u64,
    /// The response under way, if one is.
    pub under_way: Option<UnderWay>,
    /// The number of the newest occurrence, from 1. It numbers responses too: the execution is named by it.
    pub occurrence: u64,
    /// The appearances of the problem, the oldest first, at most [`OCCURRENCES_LIMIT`].
    pub occurrences: Vec<Occurrence>,
    /// Older occurrences that were forgotten.
    pub occurrences_forgotten: u64,
    /// The guardrail leaves the resource alone until then, since a person undid its fix.
    pub suppressed_until: Option<Timestamp>,
    /// When it was first noticed.
    pub created_at: Timestamp,
    /// When it last changed: later with every change.
    pub updated_at: Timestamp,
    /// All that happened, the oldest first, at most [`TIMELINE_LIMIT`].
    pub timeline: Vec<TimelineEntry>,
    /// Older timeline entries that were forgotten.
    pub timeline_forgotten: u64,
}

impl Finding {
    /// The occurrence that is being, or was last, dealt with.
    pub fn current(&self) -> Option<&Occurrence> {
        self.occurrences.last()
    }

    /// The open question, if a person is being waited for. Its token answers it: `SendTaskSuccess` with `{Approved, Person}`.
    pub fn question(&self) -> Option<&Question> {
        self.current().and_then(|occurrence| occurrence.question.as_ref())
    }

    /// The newest occurrence that was fixed, or begun to be, and keeps its `Before`: what an undo takes back, with those before it
    /// that belong to it ([`UNDONE_TOGETHER_MINUTES`]).
    pub fn undoable(&self) -> Option<&Occurrence> {
        self.occurrences.iter().rev().find(|occurrence| occurrence.is_undoable())
    }

    /// Whether a moment falls into the time for which an undo suppresses the guardrail.
    pub fn is_suppressed(&self, now: Timestamp) -> bool {
        self.suppressed_until.is_some_and(|until| now < until)
    }

    fn record(&mut self, now: Timestamp, what: Milestone, by: &str, detail: Value) {
        self.version = self.version.saturating_add(1);
        // Later with every change, also where the clock was set back: who is told of changes goes by it (ASFF's `UpdatedAt`).
        let next = self.updated_at.checked_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX);
        self.updated_at = if self.version == 1 { now } else { now.max(next) };
        self.timeline.push(TimelineEntry { at: now, what, by: by.to_owned(), detail });
        while self.timeline.len() > TIMELINE_LIMIT {
            self.timeline.remove(0);
            self.timeline_forgotten = self.timeline_forgotten.saturating_add(1);
        }
    }
}
