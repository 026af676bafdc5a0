//! What the world tells an execution.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::{Timer, limits::Quotas, map_run::MapRunFailure};

/// What an execution begins with, beside its machine: everything that the context object and `ExecutionStarted` show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecutionStart {
    /// `$$.Execution.Id`.
    pub execution_arn: String,
    /// `$$.Execution.Name`.
    pub name: String,
    /// `$$.StateMachine.Id`.
    pub state_machine_arn: String,
    /// `$$.StateMachine.Name`.
    pub state_machine_name: String,
    /// `$$.Execution.RoleArn`.
    pub role_arn: String,
    /// Whether its machine is of type EXPRESS: it has five minutes at most, and a history without a limit, which nobody keeps.
    pub express: bool,
    /// The input, as its text came: the first `StateEntered` shows it so, spaces and all.
    pub input: String,
    /// What may be larger than on AWS.
    #[serde(default)]
    pub quotas: Quotas,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Begin. The first input, and only the first.
    StartExecution(Box<ExecutionStart>),
    /// A task that waits for its token was handed over (`.waitForTaskToken`, and later `.sync`): `TaskSubmitted`.
    TaskSubmitted {
        /// The task.
        event_id: u64,
        /// What the called service answered.
        output: Value,
    },
    /// A task ended well, by its own answer or by `SendTaskSuccess`.
    TaskSucceeded {
        /// The task.
        event_id: u64,
        /// Its result.
        output: Value,
    },
    /// A task ended badly, by its own answer or by `SendTaskFailure`.
    TaskFailed {
        /// The task.
        event_id: u64,
        /// `Error`; `SendTaskFailure` may leave it out.
        error: Option<String>,
        /// `Cause`.
        cause: Option<String>,
    },
    /// `SendTaskHeartbeat`.
    TaskHeartbeat {
        /// The task.
        event_id: u64,
    },
    /// A worker wants an activity task (`ActivityStarted`): it is handed over. One that was taken already is handed over once more,
    /// without an event: whoever tells this knows that it got lost on its way to the worker.
    ActivityStarted {
        /// The task.
        event_id: u64,
        /// `workerName`.
        worker_name: Option<String>,
    },
    /// An activity task can't be offered to workers (`ActivityScheduleFailed`).
    ActivityScheduleFailed {
        /// The task.
        event_id: u64,
        /// `error`.
        error: String,
        /// `cause`.
        cause: String,
    },
    /// A map run has ended.
    MapRunEnded {
        /// Its `MapRunStarted`.
        event_id: u64,
        /// The result of its Map, or why it failed.
        outcome: Result<Value, MapRunFailure>,
    },
    /// A timer that was asked for has run out.
    TimerFired {
        /// Which one.
        timer: Timer,
    },
    /// `RedriveExecution`: one that ended badly goes on from there.
    Redrive,
    /// Go on where the last step ended before every path waits.
    Continue,
    /// `StopExecution`: ends ABORTED.
    StopExecution {
        /// `error`.
        error: Option<String>,
        /// `cause`.
        cause: Option<String>,
    },
}

/// An input that the execution can't take in its state. The late answer of a cancelled task, a doubled answer, a
/// cancelled timer and a `Continue` where all wait are not among these: they are normal, and give an empty step.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IllegalInput {
    /// It has been started already.
    #[error("the execution has been started already")]
    AlreadyStarted,
    /// It has not been started yet.
    #[error("the execution has not been started")]
    NotStarted,
    /// It has ended.
    #[error("the execution has ended")]
    Ended,
    /// It did not end badly, so there is nothing to redrive.
    #[error("the execution did not end badly")]
    NotRedrivable,
    /// The task is not known to it.
    #[error("no task with event id {0} was ever scheduled")]
    UnknownTask(u64),
    /// The input of StartExecution is no JSON.
    #[error("the input is not JSON: {0}")]
    InputNotJson(String),
    /// The step made a record that can't follow the others: a fault of this program. Throw the execution away and replay.
    #[error("a step of the execution contradicts itself ({0}): this is a fault of Rectify, please report it")]
    Inconsistent(String),
}
