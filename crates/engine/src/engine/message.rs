//! All that makes a worker do something, and all that it may ask for. Both lists are closed.

use std::{sync::Arc, time::Duration};

use asl::StateMachine;
use execution::{Ended, Execution, Input, ScheduledTask};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{ExecutionRecord, Refusal};
use crate::ports::{Begun, ExecutionKind, NewExecution, Progress, Standing, StoreError, Task, TaskOutcome};

/// An execution's ARN, shared by all that name it.
pub(super) type Arn = Arc<str>;

/// The right of one execution to be in memory.
pub(super) type Room = OwnedSemaphorePermit;

/// Something that happened.
pub(super) enum Message {
    /// An execution is to begin.
    Begin(Box<Beginning>),
    /// An execution is in the store and has something to do: it is loaded, unless it is here.
    TakeUp { arn: Arn, room: Option<Room> },
    /// Somebody outside tells an execution something; it is loaded, unless it is here.
    Deliver { arn: Arn, input: Input, reply: oneshot::Sender<Result<Delivered, StoreError>> },
    /// An execution that ended badly is to go on.
    Redrive(Box<Redriving>),
    /// What [`Effect::Load`] asked for: `None` where there is no such execution, or it has ended.
    Loaded { arn: Arn, outcome: Result<Option<Box<Live>>, StoreError> },
    /// What [`Effect::Begin`] asked for.
    BeginWritten { arn: Arn, outcome: Result<Begun, StoreError> },
    /// What [`Effect::Write`] asked for.
    Written { arn: Arn, outcome: Result<(), StoreError> },
    /// What [`Effect::Perform`] asked for.
    TaskEnded { arn: Arn, event_id: u64, outcome: TaskOutcome },
    /// Somebody wants to know when an execution ends, and that it will be told. Does not load it.
    Watch { arn: Arn, watching: oneshot::Sender<()>, reply: oneshot::Sender<Ended> },
    /// The simulator looks at what is in memory.
    #[cfg(feature = "simulator")]
    Look { look: super::simulated::Look, done: oneshot::Sender<()> },
    /// Others want to get into memory.
    MakeRoom,
    /// Something ended that nobody waits for.
    Nothing,
    /// The time that [`Worker::due`](super::worker::Worker::due) named has come.
    Tick,
}

/// An execution to begin.
pub(super) struct Beginning {
    pub(super) new: NewExecution,
    pub(super) machine: Arc<StateMachine>,
    /// The number under which its start is in the store already.
    pub(super) kept_as: Option<u64>,
    /// Who wants to know when it ends.
    pub(super) watcher: Option<oneshot::Sender<Ended>>,
    /// Without it, it begins in the store only, if there is then something to do.
    pub(super) room: Option<Room>,
    pub(super) reply: oneshot::Sender<Result<Started, Refusal>>,
}

/// An execution to go on.
pub(super) struct Redriving {
    pub(super) arn: Arn,
    pub(super) client_token: Option<String>,
    pub(super) room: Room,
    pub(super) reply: oneshot::Sender<Result<Delivered, StoreError>>,
}

/// What became of an execution to begin.
#[derive(Debug)]
pub(super) enum Started {
    /// It has begun, durably.
    New(Box<ExecutionRecord>),
    /// There is one of this ARN; where it is not told, the store knows it.
    Exists(Option<Box<ExecutionRecord>>),
}

/// What became of an input from outside.
#[derive(Debug, PartialEq)]
pub(super) enum Delivered {
    /// The execution took it, at that time, durably.
    Taken(Timestamp),
    /// It took it, durably, and gives an activity task to the worker who asked.
    HandedOver(Box<ScheduledTask>),
    /// It comes too late: nobody waits for it any more, or the execution has ended.
    Late,
}

/// An execution in memory.
pub(super) struct Live {
    /// Its number in the store; 0 until it has one.
    pub(super) number: u64,
    pub(super) new: Arc<NewExecution>,
    pub(super) machine: Arc<StateMachine>,
    pub(super) execution: Execution,
    pub(super) next_seq: u64,
    /// As the store has it.
    pub(super) standing: Standing,
}

impl Live {
    /// As it is shown.
    pub(super) fn record(&self) -> ExecutionRecord {
        let (ended, stopped_at) = match &self.standing {
            Standing::Ended { ended, at } => (Some(ended.clone()), Some(*at)),
            Standing::Working | Standing::Waiting { .. } => (None, None),
        };
        let (redrive_count, redriven_at) = self.execution.redrives();
        ExecutionRecord {
            arn: self.new.arn.clone(),
            name: self.new.name.clone(),
            state_machine_arn: self.new.state_machine_arn.clone(),
            version_arn: self.new.version_arn.clone(),
            alias_arn: self.new.alias_arn.clone(),
            redrive_count,
            redriven_at,
            redrive_tokens: Vec::new(),
            trace_header: None,
            last_event_id: self.execution.last_event_id(),
            input: self.new.input.clone(),
            status: self.execution.status(),
            ended,
            started_at: self.new.started_at,
            stopped_at,
            map_run_arn: self.new.map_run.as_ref().map(|child| child.arn.clone()),
            item_count: None,
        }
    }
}

/// Something to do. Its answer, where there is one, comes back as a [`Message`].
pub(super) enum Effect {
    /// Read an execution from the store and replay it.
    Load { arn: Arn, even_if_ended: bool, after: Duration },
    /// Keep a new execution.
    Begin { arn: Arn, new: Arc<NewExecution>, kept_as: Option<u64>, progress: Progress },
    /// A new execution is in the store only, for want of room: take it up when there is some.
    PutOff { number: u64 },
    /// Keep what an execution's steps said.
    Write { arn: Arn, kind: ExecutionKind, number: u64, progress: Progress },
    /// Perform a task.
    Perform { arn: Arn, task: Box<Task> },
    /// An activity task waits for a worker: wake one that asks.
    Offer { arn: Arn, activity: String, event_id: u64 },
    /// A job was begun, durably: it is asked after from now on.
    Submitted { arn: Arn, event_id: u64 },
    /// A task was answered by its token: it is not begun any more. What has begun goes on, as a function does on AWS.
    Withdraw { arn: Arn, event_id: u64 },
    /// Stop performing a task.
    Cancel { arn: Arn, event_id: u64 },
    /// An execution left memory until then: see that it is taken up.
    Evicted { next_timer_at: Option<Timestamp> },
    /// A finding failed, and somebody has to be told.
    Alert,
    /// A map run has something to do: it has begun, was stopped, or a child of it has ended.
    DriveMapRun { arn: Arn },
}
