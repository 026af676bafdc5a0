//! An execution as it stands.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Command;

/// `status` of DescribeExecution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each is the status of the same name in DescribeExecution")]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Never `Running`.
    pub status: Status,
    /// Of one that succeeded.
    pub output: Option<Value>,
    /// Of one that did not.
    pub error: Option<String>,
    /// Of one that did not.
    pub cause: Option<String>,
}

/// An execution as it stands: made by [`step`](crate::step()) from its first input or by [`replay`](crate::replay()) from its journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Execution {
    // filled in by this crate
}

impl Execution {
    /// An execution that has not begun: it takes `StartExecution` and nothing else.
    pub fn new() -> Execution {
        Execution::default()
    }

    /// Its status.
    pub fn status(&self) -> Status {
        todo!()
    }

    /// How it ended, once it has.
    pub fn ended(&self) -> Option<&Ended> {
        todo!()
    }

    /// What was asked for and is unanswered: performed again after a crash. In the order in which it was asked for.
    pub fn outstanding(&self) -> impl Iterator<Item = Command> {
        std::iter::empty()
    }

    /// Whether it waits for nothing but timers, tokens and people: such a one can leave memory.
    pub fn only_waits(&self) -> bool {
        todo!()
    }
}
