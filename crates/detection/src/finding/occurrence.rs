//! The parts of a finding: its occurrences, its question, the response under way, its timeline.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TaskToken;
use crate::decide::Decision;

/// One appearance of the problem on a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Occurrence {
    /// Its number, from 1.
    pub number: u64,
    /// The identities of the events that named it, at most [`EVENTS_LIMIT`](super::EVENTS_LIMIT).
    pub events: Vec<String>,
    /// Events beyond that limit.
    pub events_not_kept: u64,
    /// Who made the first of the calls: CloudTrail's `userIdentity`.
    pub actor: Option<Value>,
    /// When the first of the events happened, by its own word.
    pub event_at: Timestamp,
    /// When that event was noticed here.
    pub noticed_at: Timestamp,
    /// When an inspection found it non-compliant, or a rule matched.
    pub found_at: Option<Timestamp>,
    /// When somebody was told.
    pub told_at: Option<Timestamp>,
    /// When fixing began.
    pub fixing_at: Option<Timestamp>,
    /// When the fix was done.
    pub fixed_at: Option<Timestamp>,
    /// When an inspection proved it gone.
    pub proved_at: Option<Timestamp>,
    /// When its fix was taken back.
    pub undone_at: Option<Timestamp>,
    /// What was decided.
    pub decision: Option<Decision>,
    /// Why.
    pub why: Option<String>,
    /// Who owns the resource, as the function `owner` says.
    pub owner: Value,
    /// The question a person has been asked and has not answered.
    pub question: Option<Question>,
    /// What the person answered, or that nobody did in time.
    pub answer: Option<Answer>,
    /// All that undo needs, written once.
    pub before: Option<Value>,
    /// The generation at which the inspection began that said `before`: what came after it is not in there.
    pub before_generation: Option<u64>,
    /// How many undos of it began.
    pub undos: u64,
}

impl Occurrence {
    /// How long it took from the event to each step that was reached, in milliseconds: `(noticed, told, fixed, proved)`.
    pub fn milliseconds(&self) -> [(&'static str, Option<i64>); 4] {
        let since = |at: Option<Timestamp>| Some(at?.as_millisecond().saturating_sub(self.event_at.as_millisecond()));
        [
            ("noticed", since(Some(self.noticed_at))),
            ("told", since(self.told_at)),
            ("fixed", since(self.fixed_at)),
            ("proved", since(self.proved_at)),
        ]
    }

    /// Whether there is something to take back.
    pub fn is_undoable(&self) -> bool {
        self.before.is_some() && self.fixing_at.is_some() && self.undone_at.is_none()
    }

    /// Whether a fix of it began and has not been proved.
    pub(super) fn is_fix_unproved(&self) -> bool {
        self.fixing_at.is_some() && self.proved_at.is_none() && self.undone_at.is_none()
    }
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What answers it.
    pub task_token: TaskToken,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Until when it waits.
    pub deadline: Timestamp,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether the fix may be done.
    pub approved: bool,
    /// Who says so; nobody where the time ran out.
    pub person: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A response under way: an execution that deals with the finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnderWay {
    /// The execution's name.
    pub execution_name: String,
    /// Since when.
    pub since: Timestamp,
    /// How many inspections it began.
    pub inspections: u64,
    /// The generation at which the newest of them began.
    #[serde(default)]
    pub generation: u64,
    /// The newest event that it took along.
    pub absorbed: Option<Absorbed>,
}

/// An event that a response took along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Absorbed {
    /// The event's identity.
    pub event_id: String,
    /// When it happened.
    pub event_at: Timestamp,
    /// When it was noticed here.
    pub noticed_at: Timestamp,
    /// Who made the call.
    pub actor: Option<Value>,
}

/// One entry of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When; shown in milliseconds.
    pub at: Timestamp,
    /// What happened.
    pub what: Milestone,
    /// Who says so: an event's identity, an execution's ARN, a person.
    pub by: String,
    /// More of it, an object with PascalCase keys, `{}` if there is no more.
    pub detail: Value,
}

/// What a timeline entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// An event named the resource, and a response was started.
    Noticed,
    /// An event came while a response was under way, which took it along.
    Absorbed,
    /// An event came while the guardrail was suppressed on the resource: nothing was started.
    SuppressedSighting,
    /// A rule's match started a playbook.
    PlaybookStarted,
    /// An inspection began.
    Inspecting,
    /// An inspection ended.
    Inspected,
    /// It was decided what to do.
    Decided,
    /// Somebody was told, or should have been.
    Told,
    /// A person was asked.
    Asked,
    /// The person answered, or did not in time.
    Answered,
    /// `Before` was kept.
    BeforeKept,
    /// The fix began.
    Fixing,
    /// The fix was done.
    Fixed,
    /// The finding was closed: an inspection proved that nothing is wrong, or a person said that a rule's is dealt with.
    Closed,
    /// The response ended with the finding left open to people.
    Left,
    /// Something changed since the inspection began: it is inspected again.
    InspectAgain,
    /// Something failed.
    Failed,
    /// A person asked for an undo.
    UndoAsked,
    /// The undo began.
    Undoing,
    /// The fix was taken back.
    Undone,
    /// A person has the guardrail leave the resource alone.
    Excepted,
    /// The execution ended without an end of its own.
    ExecutionFailed,
}
