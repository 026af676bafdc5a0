//! A path of an execution: the execution itself, a branch of a Parallel, an iteration of a Map.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    Command, Json, ScheduledTask, Timer, TimerPurpose,
    record::{TaskToken, Work},
    state::task::Integration,
};

/// The number of a path. The execution itself is 0.
pub(crate) type PathId = u32;

/// The execution itself.
pub(crate) const ROOT: PathId = 0;

/// A path as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    /// The path whose Parallel or Map it belongs to, and which branch or item it is.
    pub(crate) parent: Option<(PathId, u64)>,
    /// The `previousEventId` of its next event.
    pub(crate) previous: u64,
    /// The state it is in.
    pub(crate) position: Option<Position>,
    /// The output of the state it left last.
    pub(crate) output: Option<Json>,
    /// The state that it was about to enter when it was given up.
    pub(crate) next: Option<Work>,
    /// The variables it sees: its own, and those outside as they were when it began.
    pub(crate) variables: Arc<Map<String, Value>>,
}

/// A state that was entered and not yet left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Position {
    /// The state's name.
    pub(crate) name: String,
    /// Its `StateEntered`.
    pub(crate) entered_id: u64,
    /// The event before that.
    pub(crate) entered_previous: u64,
    /// When.
    pub(crate) entered_at: Timestamp,
    /// The raw input.
    pub(crate) input: Json,
    /// How often each element of `Retry` has made it try again.
    pub(crate) retries: Vec<u64>,
    /// What it does.
    pub(crate) stage: Stage,
    /// The map run that goes on if it is redriven.
    pub(crate) map_run: Option<MapRunOfState>,
}

/// A map run as the state knows it that began it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MapRunOfState {
    /// Its ARN.
    pub(crate) arn: String,
    /// How often it was redriven.
    pub(crate) redrive_count: u64,
}

impl Position {
    /// `$$.State.RetryCount`.
    pub(crate) fn retry_count(&self) -> u64 {
        self.retries.iter().sum()
    }
}

/// What a state does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    /// It decides; never between two steps.
    Entered,
    /// It waits for a task.
    Task(Box<TaskStage>),
    /// It waits for a time.
    Wait {
        /// Which.
        until: Timestamp,
    },
    /// It waits to be tried again.
    Retry {
        /// The last event of the attempt that failed.
        failed: u64,
        /// When.
        at: Timestamp,
    },
    /// It waits for its branches; their outputs so far.
    Parallel {
        /// One for each branch that has begun.
        outputs: Vec<Option<Json>>,
    },
    /// It waits for its iterations.
    Map {
        /// What it goes over.
        items: Option<Json>,
        /// How many at once; 0 is no limit.
        max_concurrency: u64,
        /// One for each iteration that has begun.
        outputs: Vec<Option<Json>>,
        /// What the iteration that begins next points to: the last event within the one before it.
        last: u64,
    },
    /// It waits for a map run.
    MapRun {
        /// Its `MapRunStarted`.
        event_id: u64,
        /// Its ARN.
        arn: String,
    },
}

/// A task that was scheduled and has not ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskStage {
    pub(crate) event_id: u64,
    pub(crate) resource: String,
    pub(crate) arguments: Json,
    pub(crate) role_arn: Option<String>,
    pub(crate) token: Option<TaskToken>,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) heartbeat_seconds: Option<u64>,
    pub(crate) timeout_at: Option<Timestamp>,
    pub(crate) heartbeat_at: Option<Timestamp>,
    /// It was handed over: only its token, its worker or its timers end it.
    pub(crate) submitted: bool,
    /// What the service answered then, where a job was begun whose end is awaited.
    pub(crate) job: Option<Json>,
}

impl TaskStage {
    /// Whether its performer has nothing more to do for it.
    pub(crate) fn only_waits(&self) -> bool {
        self.submitted || self.is_activity()
    }

    /// Whether workers ask for it.
    pub(crate) fn is_activity(&self) -> bool {
        Integration::of(&self.resource).is_activity()
    }

    /// The timers that run for it.
    pub(crate) fn timers(&self) -> impl Iterator<Item = (Timer, Timestamp)> {
        let timer = |purpose| Timer { event_id: self.event_id, purpose };
        let timeout = self.timeout_at.map(|at| (timer(TimerPurpose::TaskTimeout), at));
        let heartbeat = self.heartbeat_at.map(|at| (timer(TimerPurpose::Heartbeat), at));
        timeout.into_iter().chain(heartbeat)
    }

    /// What is to be performed.
    pub(crate) fn scheduled(&self, state_name: &str, execution_arn: &str) -> ScheduledTask {
        ScheduledTask {
            event_id: self.event_id,
            state_name: state_name.to_owned(),
            resource: self.resource.clone(),
            arguments: self.arguments.value().clone(),
            role_arn: self.role_arn.clone(),
            task_token: self.token.as_ref().map(|token| token.0.clone()),
            timeout_seconds: self.timeout_seconds,
            heartbeat_seconds: self.heartbeat_seconds,
            submitted: self.job.as_ref().map(|job| job.value().clone()),
            idempotency_token: crate::random::idempotency_token(execution_arn, self.event_id),
        }
    }
}

impl Path {
    /// The timers that run for it.
    pub(crate) fn timers(&self) -> impl Iterator<Item = (Timer, Timestamp)> {
        let own = self.position.as_ref().and_then(|position| match &position.stage {
            Stage::Wait { until } => {
                Some((Timer { event_id: position.entered_id, purpose: TimerPurpose::Wait }, *until))
            }
            Stage::Retry { failed, at } => Some((Timer { event_id: *failed, purpose: TimerPurpose::Retry }, *at)),
            Stage::Entered | Stage::Task(_) | Stage::Parallel { .. } | Stage::Map { .. } | Stage::MapRun { .. } => None,
        });
        own.into_iter().chain(self.task().into_iter().flat_map(TaskStage::timers))
    }

    /// The task it waits for.
    pub(crate) fn task(&self) -> Option<&TaskStage> {
        match &self.position.as_ref()?.stage {
            Stage::Task(task) => Some(task),
            _ => None,
        }
    }

    /// The map run it waits for.
    pub(crate) fn map_run(&self) -> Option<(u64, &str)> {
        match &self.position.as_ref()?.stage {
            Stage::MapRun { event_id, arn } => Some((*event_id, arn)),
            _ => None,
        }
    }

    /// What it asked for and has no answer to, each with the event that asked.
    pub(crate) fn outstanding(&self, execution_arn: &str) -> Vec<(u64, Command)> {
        let mut commands = Vec::new();
        if let (Some(task), Some(position)) = (self.task(), &self.position)
            && (!task.submitted || task.job.is_some())
        {
            let scheduled = task.scheduled(&position.name, execution_arn);
            commands.push((task.event_id, Command::ScheduleTask(Box::new(scheduled))));
        }
        commands.extend(self.timers().map(|(timer, at)| (timer.event_id, Command::StartTimer { timer, at })));
        commands
    }
}
