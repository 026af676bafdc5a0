//! An execution as it stands.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Command, Json, Timer, TimerPurpose,
    limits::Quotas,
    path::{Path, PathId, TaskStage},
    record::{Ready, Start},
};

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
#[serde(from = "Written")]
pub struct Ended {
    /// Never `Running`.
    pub status: Status,
    /// Of one that succeeded; it may be `null`.
    pub output: Option<Value>,
    /// Of one that did not.
    pub error: Option<String>,
    /// Of one that did not.
    pub cause: Option<String>,
}

/// The same as it is read: what has succeeded has an output, be it `null`.
#[derive(Deserialize)]
struct Written {
    status: Status,
    #[serde(default)]
    output: Value,
    error: Option<String>,
    cause: Option<String>,
}

impl From<Written> for Ended {
    fn from(written: Written) -> Ended {
        let Written { status, output, error, cause } = written;
        Ended { status, output: (status == Status::Succeeded).then_some(output), error, cause }
    }
}

/// An execution as it stands: made by [`step`](crate::step()) from its first input or by [`replay`](crate::replay()) from its journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Execution {
    /// What it was started with.
    pub(crate) start: Option<Start>,
    /// What `ExecutionStarted` says.
    pub(crate) started: Option<Started>,
    pub(crate) ended: Option<Ended>,
    /// Events are numbered from 1, without a gap.
    pub(crate) last_event_id: u64,
    /// The path that the next record is of.
    pub(crate) cursor: PathId,
    /// The number of the path that begins next.
    pub(crate) next_path: PathId,
    /// Those that have not ended.
    pub(crate) paths: BTreeMap<PathId, Path>,
    /// Those that failed or were given up, within a state that is not yet left: what a redrive goes on with.
    pub(crate) stopped: BTreeMap<PathId, Path>,
    /// How often it was redriven.
    pub(crate) redrives: u64,
    /// When it was redriven last.
    pub(crate) redriven_at: Option<Timestamp>,
    /// Every task that was ever scheduled, and the path that awaits it, if one still does. A late answer is no error.
    pub(crate) tasks: BTreeMap<u64, Option<PathId>>,
    /// What the last step left, in order: `Input::Continue` goes on with it.
    pub(crate) ready: VecDeque<Ready>,
}

/// What `ExecutionStarted` says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Started {
    pub(crate) at: Timestamp,
    pub(crate) input: Json,
    pub(crate) role_arn: String,
}

impl Execution {
    /// An execution that has not begun: it takes `StartExecution` and nothing else.
    pub fn new() -> Execution {
        Execution::default()
    }

    /// What it began with.
    pub(crate) fn quotas(&self) -> Quotas {
        self.start.as_ref().map_or(Quotas::AWS, |start| start.quotas)
    }

    /// Its status.
    pub fn status(&self) -> Status {
        self.ended.as_ref().map_or(Status::Running, |ended| ended.status)
    }

    /// How it ended, once it has.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// The id of its last history event; 0 before the first.
    pub fn last_event_id(&self) -> u64 {
        self.last_event_id
    }

    /// What was asked for and is unanswered: performed again after a crash. In the order in which it was asked for.
    pub fn outstanding(&self) -> impl Iterator<Item = Command> {
        let arn = self.start.as_ref().map_or("", |start| &start.execution_arn);
        let mut commands: Vec<(u64, Command)> =
            self.timeout().map(|(timer, at)| (0, Command::StartTimer { timer, at })).into_iter().collect();
        commands.extend(self.paths.values().flat_map(|path| path.outstanding(arn)));
        commands.sort_by_key(|(event_id, _)| *event_id);
        let goes_on = (!self.ready.is_empty()).then_some(Command::Continue);
        commands.into_iter().map(|(_, command)| command).chain(goes_on)
    }

    /// Whether it waits for nothing but timers, tokens, jobs, workers of activities and people: such a one can leave memory.
    pub fn only_waits(&self) -> bool {
        self.ready.is_empty() && self.paths.values().filter_map(Path::task).all(TaskStage::only_waits)
    }

    /// Whether it waits for the end of this task.
    pub fn awaits_task(&self, event_id: u64) -> bool {
        self.path_of_task(event_id).is_some()
    }

    /// The timer of its `TimeoutSeconds`.
    pub(crate) fn timeout(&self) -> Option<(Timer, Timestamp)> {
        let at = self.start.as_ref()?.timeout_at?;
        self.ended.is_none().then_some((Timer { event_id: 0, purpose: TimerPurpose::ExecutionTimeout }, at))
    }

    /// The path that waits for this task.
    pub(crate) fn path_of_task(&self, event_id: u64) -> Option<PathId> {
        self.tasks.get(&event_id).copied().flatten()
    }

    /// The path that waits for this timer.
    pub(crate) fn path_of_timer(&self, timer: Timer) -> Option<PathId> {
        let candidate = self.path_of_task(timer.event_id);
        let awaits = |path: &Path| path.timers().any(|(its, _)| its == timer);
        match candidate {
            Some(path) => self.paths.get(&path).is_some_and(awaits).then_some(path),
            None => self.paths.iter().find(|(_, path)| awaits(path)).map(|(id, _)| *id),
        }
    }

    /// The path that waits for the map run of this `MapRunStarted`.
    pub(crate) fn path_of_map_run(&self, event_id: u64) -> Option<PathId> {
        let awaits = |path: &Path| path.map_run().is_some_and(|(its, _)| its == event_id);
        self.paths.iter().find(|(_, path)| awaits(path)).map(|(id, _)| *id)
    }

    /// The paths of the branches or iterations of a path's state.
    pub(crate) fn children(&self, parent: PathId) -> Vec<PathId> {
        let is_child = |path: &Path| path.parent.is_some_and(|(its, _)| its == parent);
        self.paths.iter().filter(|(_, path)| is_child(path)).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_of_null_is_an_output() {
        let ended = |status, output, error: Option<&str>| Ended {
            status,
            output,
            error: error.map(str::to_owned),
            cause: None,
        };
        for ended in [
            ended(Status::Succeeded, Some(Value::Null), None),
            ended(Status::Succeeded, Some(Value::from(1)), None),
            ended(Status::Failed, None, Some("E")),
        ] {
            let text = serde_json::to_string(&ended).unwrap();
            assert_eq!(serde_json::from_str::<Ended>(&text).unwrap(), ended, "{text}");
        }
    }
}
