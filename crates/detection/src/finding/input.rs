//! What happens to a finding after it was noticed.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Compliance, Finding};
use crate::decide::{Decision, Exception};

/// The requests of the built-in function `finding`, and what people and the engine do. Serialized as the function's payload:
/// `{"Action": "record", "Compliance": "COMPLIANT", …}`; other keys (`FindingId`, `Execution` …) are passed over.
///
/// Answers are JSON objects with PascalCase keys, `{}` where nothing is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "Action", rename_all = "snake_case", rename_all_fields = "PascalCase")]
pub enum FindingInput {
    /// An inspection begins. Answer: `{Generation}`.
    Inspecting {},
    /// What the first inspection of a round said. Answer: `{Occurrence, Actor}`: its number, and who made the call
    /// (CloudTrail's `userIdentity`, or null).
    Record {
        /// Its verdict.
        compliance: Compliance,
        /// In a sentence.
        #[serde(default)]
        reason: String,
    },
    /// What is to be done. Answer: `{Decision: leave|tell|ask|fix, Why, Tell, DeadlineSeconds}`; `Tell` says whether
    /// somebody still has to be told of this occurrence, `DeadlineSeconds` how long a question waits.
    Decide {
        /// Candidates, from the function `owner`: `[{Name?, Email?, From, Confidence}]`.
        #[serde(default)]
        owner: Value,
    },
    /// Somebody was told. Answer: `{}`.
    Told {
        /// What of: `noticed`, `fixed`, `failed` … ([`request`](super::request) has them all).
        #[serde(default = "noticed")]
        kind: String,
        /// What became of each channel, as `tell` says: `[{Channel, Ok, Error?}]`. Empty: nobody is configured.
        #[serde(default)]
        results: Value,
    },
    /// A person is being asked: said by the function `ask` before it sends the question. Answer: `{AlreadyAsked}`; where that
    /// is true the stored token was replaced, and no second message is to be sent.
    Asked {
        /// What answers the question.
        task_token: TaskToken,
        /// How long it waits.
        deadline_seconds: u64,
    },
    /// The person answered, or did not in time. Answer: `{Approved}`.
    Answered {
        /// Whether the fix may be done.
        approved: bool,
        /// Who says so; nobody where the time ran out.
        #[serde(default)]
        person: Option<String>,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
    /// All that undo needs, before anything is changed: written once per occurrence, a second time changes nothing.
    /// Answer: `{Before}`, the one that is kept.
    KeepBefore {
        /// What the inspection said.
        #[serde(default)]
        before: Value,
    },
    /// The fix begins. Answer: `{}`.
    Fixing {},
    /// The response would end here, on the word of an inspection that began at a generation. Answer:
    /// `{Closed, InspectAgain, Tell}`. Moved the generation since: `Closed` is false and `InspectAgain` true; so too where a fix did not
    /// help and the generation moved since its `Before` was inspected. `Tell` is the kind of what somebody has to be told (`fixed`,
    /// `resolved`, `not_fixed`, `unsettled`), or null.
    Close {
        /// The generation at which the last inspection began.
        generation: u64,
        /// Its verdict.
        compliance: Compliance,
        /// In a sentence.
        #[serde(default)]
        reason: String,
    },
    /// The response to a rule's match ends: what had to be told was told, and the finding is left to people. Answer: `{}`.
    Leave {},
    /// A person says that a rule's finding is dealt with. Answer: `{}`.
    Resolve {
        /// Who.
        person: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// A person excepted the resource from the rule: its finding is suppressed at once. Answer: `{}`.
    Suppress {
        /// Who.
        person: String,
        /// Why.
        reason: String,
        /// Until when.
        until: Timestamp,
    },
    /// Something failed, and the response ends. Answer: `{}`.
    Failed {
        /// The error's name.
        #[serde(default)]
        error: String,
        /// Its cause.
        #[serde(default)]
        cause: String,
        /// In which state.
        #[serde(default)]
        at: Option<String>,
    },
    /// A person wants the fix taken back. Answer: `{ExecutionName, Input}`: the execution to start on the guardrail's machine
    /// (the same name and input when it is asked again before it began).
    UndoAsked {
        /// Who.
        person: String,
        /// Until when the guardrail leaves the resource alone; seven days unless said.
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// The undo of one fix begins. Answer: `{Wait, Before}`. While another response is under way, `Wait` is true and nothing has
    /// begun: it is to be asked again later. Of fixes that are taken back together the oldest comes first, so that where they meet
    /// it ends as it was before the newest.
    Undoing {},
    /// One fix was taken back. Answer: `{Until, More}`; `More` is true where another belongs to it: `undoing` is next.
    /// Where the resource is gone there is nothing to take back, and nothing to leave alone: `Until` is null.
    Undone {
        /// Until when the guardrail leaves the resource alone; seven days unless said.
        #[serde(default)]
        until: Option<Timestamp>,
        /// That the resource is gone, in a sentence; null where it is there.
        #[serde(default)]
        gone: Option<String>,
    },
    /// A person has the guardrail leave the resource alone: kept by the store in the same write. Answer: `{}`.
    Excepted {
        /// What is left alone, why, by whom and until when.
        exception: Exception,
    },
    /// The execution ended FAILED, TIMED_OUT or ABORTED: said by the engine, or by a status-change rule on AWS. Answer:
    /// `{Failed}`, false where the execution was not one that deals with this finding.
    ExecutionFailed {
        /// `FAILED`, `TIMED_OUT` or `ABORTED`.
        status: String,
        /// The error's name.
        #[serde(default)]
        error: String,
        /// Its cause.
        #[serde(default)]
        cause: String,
    },
}

fn noticed() -> String {
    "noticed".to_owned()
}

impl FindingInput {
    /// The action's name, as in `Action`.
    pub fn action(&self) -> &'static str {
        match self {
            FindingInput::Inspecting {} => "inspecting",
            FindingInput::Record { .. } => "record",
            FindingInput::Decide { .. } => "decide",
            FindingInput::Told { .. } => "told",
            FindingInput::Asked { .. } => "asked",
            FindingInput::Answered { .. } => "answered",
            FindingInput::KeepBefore { .. } => "keep_before",
            FindingInput::Fixing {} => "fixing",
            FindingInput::Close { .. } => "close",
            FindingInput::Leave {} => "leave",
            FindingInput::Resolve { .. } => "resolve",
            FindingInput::Suppress { .. } => "suppress",
            FindingInput::Failed { .. } => "failed",
            FindingInput::UndoAsked { .. } => "undo_asked",
            FindingInput::Undoing {} => "undoing",
            FindingInput::Undone { .. } => "undone",
            FindingInput::Excepted { .. } => "excepted",
            FindingInput::ExecutionFailed { .. } => "execution_failed",
        }
    }
}

/// A task token: a secret, which shows itself in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskToken(String);

impl TaskToken {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> TaskToken {
        TaskToken(token.into())
    }

    /// The token itself, for `SendTaskSuccess` and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TaskToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TaskToken(…)")
    }
}

/// A change of a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The finding afterwards.
    pub finding: Finding,
    /// What the caller is told.
    pub answer: Value,
    /// What was decided, where something was: the store counts a [`Decision::Fix`] against the limits in the same write.
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
