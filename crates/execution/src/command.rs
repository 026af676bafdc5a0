//! What a step asks of the world. The list is closed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Ended,
    map_run::{MapRunRedrive, MapRunSpecification},
    state::task::Integration,
};

/// Something to be done once the records that asked for it are durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Perform a task; its answer comes back as an [`Input`](crate::Input). Asked for again with what the service answered to it,
    /// the job that it began is to be awaited.
    ScheduleTask(Box<ScheduledTask>),
    /// Nobody waits for this task any more: stop it where that is possible, and forget its token; a late answer is ignored.
    CancelTask {
        /// The task's event id.
        event_id: u64,
    },
    /// Send `Input::TimerFired` at the given time. Asked for again, the timer is put off: only the last time counts.
    StartTimer {
        /// Which timer.
        timer: Timer,
        /// When.
        at: Timestamp,
    },
    /// Nobody waits for this timer any more.
    CancelTimer {
        /// Which timer.
        timer: Timer,
    },
    /// A worker took an activity task: give it the task's token and input. Asked for only in answer to `Input::ActivityStarted`.
    HandOver(Box<ScheduledTask>),
    /// Begin a map run. It is a durable object of its own, to be kept in one write with the records that began it: so it is
    /// never outstanding. Its end comes back as [`Input::MapRunEnded`](crate::Input::MapRunEnded).
    StartMapRun(Box<MapRunSpecification>),
    /// Let a map run that failed or was given up go on, once it has ended. Kept in one write with the records that say so.
    RedriveMapRun(MapRunRedrive),
    /// Nobody waits for this map run any more: its child executions are to be stopped. Kept in one write with the records that
    /// say so.
    StopMapRun {
        /// Its ARN.
        arn: String,
    },
    /// Send `Input::Continue`: the step ended before every path of the execution waits.
    Continue,
    /// The execution has ended; nothing comes after.
    CompleteExecution(Ended),
}

/// A task to perform. `Debug` leaves out its arguments and its token: who has the token can answer it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduledTask {
    /// The id of its `TaskScheduled`, `LambdaFunctionScheduled` or `ActivityScheduled` event; names the task within the execution.
    pub event_id: u64,
    /// The state's name.
    pub state_name: String,
    /// The Task's `Resource`, as written.
    pub resource: String,
    /// Its evaluated Parameters or Arguments (or its input where it has none).
    pub arguments: Value,
    /// The evaluated `Credentials.RoleArn`.
    pub role_arn: Option<String>,
    /// The task token, where the Resource ends in `.waitForTaskToken` or names an activity. Unguessable: made from the step's seed.
    pub task_token: Option<String>,
    /// `TimeoutSeconds`, evaluated. The execution keeps its own timer; this tells the performer how long it is waited for.
    pub timeout_seconds: Option<u64>,
    /// `HeartbeatSeconds`, evaluated.
    pub heartbeat_seconds: Option<u64>,
    /// What the service answered when it was handed over (`.sync`): then the job is only to be awaited, not begun again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<Value>,
    /// The same for the same execution and event id: AWS calls that take a client token get this one. Shaped as a UUID.
    pub idempotency_token: String,
}

impl ScheduledTask {
    /// The ARN of the activity whose workers it waits for, where its Resource is one.
    pub fn activity(&self) -> Option<&str> {
        Integration::of(&self.resource).is_activity().then_some(self.resource.as_str())
    }
}

impl std::fmt::Debug for ScheduledTask {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ScheduledTask")
            .field("event_id", &self.event_id)
            .field("state_name", &self.state_name)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// A timer, named by the event that began what it times, and why it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timer {
    /// The event's id: a `WaitStateEntered`, a `TaskScheduled`, a `TaskFailed` … ; 0 for the execution itself.
    pub event_id: u64,
    /// Why it runs.
    pub purpose: TimerPurpose,
}

/// Why a timer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TimerPurpose {
    /// A Wait state.
    Wait,
    /// The pause before a retry.
    Retry,
    /// A task's `TimeoutSeconds`.
    TaskTimeout,
    /// A task's `HeartbeatSeconds`.
    Heartbeat,
    /// The machine's `TimeoutSeconds`.
    ExecutionTimeout,
}
