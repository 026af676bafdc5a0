//! What a worker counts, and whom it tells of the ends of executions.

use std::sync::Arc;

use asl::integration;
use execution::{Command, Status};
use tokio::sync::mpsc;

use crate::{
    Clock, Figures, Options,
    engine::message::{Arn, Live},
    ports::ExecutionKind,
};

pub(super) struct Counting {
    figures: Arc<Figures>,
    ended: Option<mpsc::Sender<Arn>>,
}

impl Counting {
    pub(super) fn new(options: &Options) -> Counting {
        Counting { figures: options.figures.clone(), ended: options.ended.clone() }
    }

    /// An execution has begun, durably.
    pub(super) fn started(&self, live: &Live) {
        self.figures.started(live.new.kind);
    }

    /// An execution has ended, durably.
    pub(super) fn ended(&self, live: &Live, status: Status) {
        self.figures.ended(live.new.kind, status);
        if let Some(ended) = self.ended.as_ref().filter(|_| live.new.kind == ExecutionKind::Standard)
            && ended.try_send(live.new.arn.as_str().into()).is_err()
        {
            self.figures.executions_untraced.increment();
        }
    }

    /// A step asked for these: the first call of a response that leaves this process is timed from the event.
    pub(super) fn commanded(&self, is_awaited: &mut bool, live: &Live, commands: &[Command], clock: &dyn Clock) {
        if *is_awaited && commands.iter().any(leaves_process) {
            *is_awaited = false;
            // A clock that was set back tells nothing.
            if let Ok(took) = clock.now().duration_since(live.new.started_at).try_into() {
                self.figures.event_to_first_call.observe(took);
            }
        }
    }
}

/// Whether it asks for a task that is no function: those of a response are built in, or run here first of all.
fn leaves_process(command: &Command) -> bool {
    let Command::ScheduleTask(task) = command else { return false };
    integration::service_and_call(&task.resource).is_some_and(|(service, _)| service != "lambda")
}
