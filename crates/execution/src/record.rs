//! The journal: what a step writes down. Everything else about an execution can be found again from it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{HistoryEvent, Json, limits::Quotas};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// What AWS shows in `GetExecutionHistory`.
    Event(Box<HistoryEvent>),
    /// What AWS never shows, but replay needs.
    Fact(Fact),
}

/// What AWS never shows, but replay needs: the items of a Map, a retry's count and deadline, a Wait's deadline, evaluated
/// time-outs, assigned values.
///
/// Most events and facts concern one path (the execution itself, a branch of a Parallel, an iteration of a Map): the one
/// that the last [`Fact::Path`] or [`Fact::Begin`] named, at first the execution itself, which is path 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// What the execution was started with, beside what `ExecutionStarted` shows. Comes before it.
    Start(Box<Start>),
    /// The records that follow are of this path.
    Path(u32),
    /// A new path begins: a branch or an iteration. The records that follow are of it.
    Begin {
        /// Its number.
        path: u32,
        /// The path whose state it is a part of.
        parent: u32,
        /// Which branch or which item.
        index: u64,
    },
    /// A branch of a Parallel has ended (an iteration of a Map has its own events for that).
    BranchEnded(BranchEnd),
    /// More about the task whose `…Scheduled` event came just before.
    Task(Box<TaskFact>),
    /// The task waits for its next heartbeat until then.
    Heartbeat {
        /// The time.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        until: Timestamp,
    },
    /// The execution was redriven, and its `TimeoutSeconds` are over then.
    Timeout {
        /// The time.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        at: Timestamp,
    },
    /// A Wait waits until then.
    Wait {
        /// The time.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        until: Timestamp,
    },
    /// The state failed and is tried again.
    Retry {
        /// Which element of `Retry` said so.
        retrier: usize,
        /// When.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        at: Timestamp,
    },
    /// The pause before a retry is over.
    Retried,
    /// What a Map goes over.
    Items {
        /// An array.
        items: Json,
        /// How many iterations at once; 0 is no limit.
        max_concurrency: u64,
    },
    /// The step ends before this could go on.
    Ready {
        /// What.
        ready: Ready,
        /// Before all others that are ready, else after them.
        first: bool,
    },
    /// The first of what is ready goes on.
    Taken,
}

/// Something that can go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// The path that can.
    pub path: u32,
    /// With what.
    pub work: Work,
}

/// What a path goes on with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// It enters a state.
    Enter {
        /// The state's name.
        state: String,
        /// Its input.
        input: Json,
    },
    /// It is in a Map, whose next iterations begin.
    Iterate,
    /// It was redriven: it does once more what its state does.
    Again,
}

/// What an execution was started with, beside what `ExecutionStarted` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields of ExecutionStart")]
pub struct Start {
    pub execution_arn: String,
    pub name: String,
    pub state_machine_arn: String,
    pub state_machine_name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub express: bool,
    /// When its `TimeoutSeconds` are over.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub timeout_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Quotas::are_aws")]
    pub quotas: Quotas,
}

/// How a branch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BranchEnd {
    /// Well; its last state's output is its output.
    Succeeded,
    /// Badly.
    Failed,
    /// Not by itself.
    Aborted,
}

/// More about a task than its event shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFact {
    /// `Resource` as written.
    pub resource: String,
    /// Its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TaskToken>,
    /// When its heartbeat is missed, if none comes.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub heartbeat_at: Option<Timestamp>,
    /// When it times out.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub timeout_at: Option<Timestamp>,
}

/// A task token. Who has it can answer the task, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskToken(pub String);

impl std::fmt::Debug for TaskToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TaskToken(…)")
    }
}
