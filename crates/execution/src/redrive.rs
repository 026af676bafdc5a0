//! Redrive: an execution that ended badly goes on from where it did.
//!
//! What failed or was given up is kept beside the paths that live, until the state around it is left or tried again. `ExecutionRedriven`
//! brings it back: what had succeeded stays, what had not is done again, with its retries and time-outs as at first.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html>

use asl::Kind;
use jiff::{SignedDuration, Timestamp};

use crate::{
    Command, EventDetails, EventType, Execution, Fact, Status,
    driver::Driver,
    history::ExecutionRedriven,
    limits::Limits,
    path::{Path, PathId, ROOT, Stage},
    record::Work,
    state::map::distributed,
    time,
};

/// Days after its end in which an execution can be redriven.
const PERIOD_DAYS: i64 = 14;
/// Days that an execution may take in all.
const OPEN_DAYS: i64 = 365;
/// How often an execution can be redriven.
const TIMES: u64 = 1000;

/// What decides whether an execution can be redriven.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Its status.
    pub status: Status,
    /// How often it was redriven.
    pub redrives: u64,
    /// The id of its last history event.
    pub last_event_id: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
}

/// Why an execution can't be redriven: `redriveStatusReason` of DescribeExecution, in AWS's words where it has some.
pub fn refusal(standing: &Standing, now: Timestamp) -> Option<&'static str> {
    let is_over = |since: Timestamp, days: i64| now.duration_since(since) > SignedDuration::from_hours(24 * days);
    match standing.status {
        Status::Running => return Some("Execution is RUNNING and cannot be redriven"),
        Status::Succeeded => return Some("Execution is SUCCEEDED and cannot be redriven"),
        Status::Failed | Status::TimedOut | Status::Aborted => {}
    }
    // Room for `ExecutionRedriven` and one more.
    if standing.last_event_id.saturating_add(2) > Limits::AWS.history_events {
        return Some("Execution history event limit exceeded");
    }
    if is_over(standing.started_at, OPEN_DAYS) {
        return Some("Execution has exceeded the max execution time");
    }
    if standing.stopped_at.is_some_and(|stopped_at| is_over(stopped_at, PERIOD_DAYS)) {
        return Some("Execution redrivable period exceeded");
    }
    (standing.redrives >= TIMES).then_some("Execution redrive limit exceeded")
}

impl Execution {
    /// How often it was redriven, and when last.
    pub fn redrives(&self) -> (u64, Option<Timestamp>) {
        (self.redrives, self.redriven_at)
    }

    /// Brings back what failed or was given up.
    pub(crate) fn bring_back(&mut self, redrives: u64, event_id: u64, at: Timestamp) -> Result<(), String> {
        if self.ended.take().is_none_or(|ended| ended.status == Status::Succeeded) {
            return Err("a redrive of what did not end badly".to_owned());
        }
        (self.redrives, self.redriven_at) = (redrives, Some(at));
        self.paths = std::mem::take(&mut self.stopped);
        for path in self.paths.values_mut() {
            path.previous = event_id;
            if let Some(position) = &mut path.position {
                position.retries.clear();
                if !matches!(position.stage, Stage::Parallel { .. } | Stage::Map { .. }) {
                    position.stage = Stage::Entered;
                }
            }
        }
        Ok(())
    }

    /// What failed or was given up within a path's state is of no use any more.
    pub(crate) fn forget_stopped(&mut self, parent: PathId) {
        let is_within = |path: &Path| path.parent.is_some_and(|(its, _)| its == parent);
        let within: Vec<PathId> = self.stopped.iter().filter(|(_, path)| is_within(path)).map(|(id, _)| *id).collect();
        for id in within {
            self.stopped.remove(&id);
            self.forget_stopped(id);
        }
    }
}

impl Driver<'_, '_> {
    /// Goes on from where the execution ended.
    pub(crate) fn redrive(&mut self) {
        let redrive_count = self.execution.redrives + 1;
        let details = EventDetails::ExecutionRedriven(ExecutionRedriven { redrive_count });
        let last = self.execution.last_event_id;
        self.event_after(ROOT, last, EventType::ExecutionRedriven, Some(details));
        let timeout_seconds = self.machine().timeout_seconds;
        if let Some(at) = timeout_seconds.map(|seconds| time::later_by_seconds(self.now(), seconds)) {
            self.bare_fact(Fact::Timeout { at });
        }
        if let Some((timer, at)) = self.execution.timeout() {
            self.command(Command::StartTimer { timer, at });
        }
        let works: Vec<(PathId, Work)> =
            self.execution.paths.iter().filter_map(|(id, path)| Some((*id, self.left_to_do(*id, path)?))).collect();
        works.into_iter().for_each(|(path, work)| self.later(path, work));
    }

    /// What a path that was brought back has to do; nothing where its branches go on.
    fn left_to_do(&self, id: PathId, path: &Path) -> Option<Work> {
        if let Some(next) = &path.next {
            return Some(next.clone());
        }
        let has_children = self.execution.paths.values().any(|path| path.parent.is_some_and(|(its, _)| its == id));
        match &path.position.as_ref()?.stage {
            Stage::Map { items: Some(items), outputs, .. } => {
                let all = items.value().as_array().map_or(0, Vec::len);
                Some(if has_children || outputs.len() < all { Work::Iterate } else { Work::Again })
            }
            Stage::Parallel { .. } if has_children => None,
            // All its branches had succeeded, and it failed of what they put out: they are run again.
            _ => Some(Work::Again),
        }
    }

    /// A path does what its state does once more. A Fail is entered again; the others are in their states still.
    pub(crate) fn again(&mut self, path: PathId) {
        let Some(state) = self.state(path) else { return };
        if matches!(state.kind, Kind::Fail(_)) {
            let input = self.input(path);
            return self.enter(path, &state.name, input);
        }
        if let Some(run) = self.position(path).and_then(|position| position.map_run.clone()) {
            return distributed::redrive(self, path, run);
        }
        self.perform(path);
    }
}
