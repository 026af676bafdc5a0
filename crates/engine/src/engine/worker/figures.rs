//! What a worker counts.

use asl::integration;
use execution::Command;

use super::Worker;
use crate::engine::message::Live;

impl Worker {
    /// Notes how long it took from the event to the first call of its response that leaves this process.
    pub(super) fn note_first_call(&self, awaited: &mut bool, live: &Live, commands: &[Command]) {
        if *awaited && commands.iter().any(leaves_process) {
            *awaited = false;
            let took = self.clock.now().duration_since(live.new.started_at);
            // A clock that was set back tells nothing.
            if let Ok(took) = took.try_into() {
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
