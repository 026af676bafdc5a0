//! What happens when a state fails: Retry, Catch, or the failure of its path.

use asl::{Kind, State, state::ProcessorMode};

use crate::{
    EventDetails, EventType, Fact, catch,
    driver::Driver,
    failure::Failure,
    history::EvaluationFailed,
    path::{PathId, ROOT, Stage},
    random, retry, state, time,
};

impl Driver<'_, '_> {
    /// A path's state failed: it is tried again, caught, or the path fails.
    pub(crate) fn fail(&mut self, path: PathId, failure: Failure) {
        let (Some(entered_id), Some(state)) =
            (self.position(path).map(|position| position.entered_id), self.state(path))
        else {
            return;
        };
        state::branch::abort_all(self, path);
        let had_run = self.position(path).is_some_and(|position| !matches!(position.stage, Stage::Map { .. }));
        let mut failure = failure.placed(&state.name, entered_id);
        if let Some(location) = failure.location.take() {
            self.evaluation_failed(path, state, &failure, location);
        }
        if self.retry(path, state, &failure) {
            return;
        }
        match &state.kind {
            // A Distributed Map that can't begin its run says no more than what ends the execution.
            Kind::Map(map) if map.mode == ProcessorMode::Distributed && failure.is_fatal() && !had_run => {}
            Kind::Map(_) => _ = self.event(path, EventType::MapStateFailed, None),
            Kind::Parallel(_) => _ = self.event(path, EventType::ParallelStateFailed, None),
            _ => {}
        }
        let Some((index, catcher)) = catch::find(state, &failure) else { return self.fail_path(path, state, failure) };
        if let Some(inspector) = &mut self.inspector {
            inspector.caught(index, &failure);
        }
        let left = catch::exit(self, path, state, catcher, &failure).and_then(|exit| self.try_leave(path, exit));
        if let Err(again) = left {
            let entered_id = self.position(path).map_or(0, |position| position.entered_id);
            let mut again = again.placed(&state.name, entered_id);
            if let Some(location) = again.location.take() {
                self.evaluation_failed(path, state, &again, location);
            }
            self.fail_path(path, state, again);
        }
    }

    fn evaluation_failed(&mut self, path: PathId, state: &State, failure: &Failure, location: String) {
        let Some((previous, position)) =
            self.path(path).and_then(|path| Some((path.previous, path.position.as_ref()?)))
        else {
            return;
        };
        // AWS lets it point over the entry, where nothing has happened since; but not over that of a Wait.
        let is_wait = matches!(state.kind, Kind::Wait(_));
        let previous = if previous == position.entered_id && !is_wait { position.entered_previous } else { previous };
        let details = EvaluationFailed {
            error: failure.error.clone().unwrap_or_default(),
            cause: failure.cause.clone(),
            location,
            state: state.name.clone(),
        };
        let details = EventDetails::EvaluationFailed(details);
        self.event_after(path, previous, EventType::EvaluationFailed, Some(details));
    }

    fn retry(&mut self, path: PathId, state: &State, failure: &Failure) -> bool {
        let Some(position) = self.position(path) else { return false };
        let moment = self.moment;
        let failed = self.path(path).map_or(0, |path| path.previous);
        let jitter = || random::jitter(&moment, failed);
        let retries = match &self.inspector {
            Some(inspector) => &vec![inspector.retry_count; state.retry.len()],
            None => &position.retries,
        };
        let Some((retrier, pause)) = retry::find(&state.retry, retries, failure, jitter) else {
            return false;
        };
        if let Some(inspector) = &mut self.inspector {
            inspector.retried(retrier, pause, failure);
            return true;
        }
        let at = time::later(moment.now, pause);
        self.fact(path, Fact::Retry { retrier, at });
        self.start_timers(path);
        true
    }

    /// Nobody caught it.
    fn fail_path(&mut self, path: PathId, state: &State, failure: Failure) {
        let Some((parent, _)) = self.path(path).and_then(|path| path.parent) else {
            let previous = self.path(ROOT).map_or(0, |path| path.previous);
            let details = EventDetails::ExecutionFailed(failure.details());
            return self.end(EventType::ExecutionFailed, previous, details);
        };
        state::branch::failed(self, path, state);
        self.fail(parent, failure);
    }
}
