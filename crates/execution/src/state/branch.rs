//! What Parallel and Map have in common: paths within a state.

use asl::{Kind, State};

use crate::{
    EventDetails, EventType, Fact,
    driver::{Came, Driver, Outcome},
    failure::Failure,
    history::MapIteration,
    path::{PathId, Stage},
    record::BranchEnd,
    state,
};

/// Begins a branch or iteration, and gives its path.
pub(crate) fn begin(driver: &mut Driver<'_, '_>, parent: PathId, index: u64) -> PathId {
    let path = driver.execution.next_path;
    driver.bare_fact(Fact::Begin { path, parent, index });
    path
}

/// A branch or iteration has ended well.
pub(crate) fn succeeded<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    parent: PathId,
) -> Result<Outcome<'machine>, Failure> {
    end(driver, path, BranchEnd::Succeeded);
    let Some(state) = driver.state(parent) else { return Ok(Outcome::Wait) };
    match &state.kind {
        Kind::Parallel(parallel) => state::parallel::go_on(driver, parent, state, parallel),
        Kind::Map(map) => state::map::go_on(driver, parent, state, map),
        _ => Ok(Outcome::Wait),
    }
}

/// A branch or iteration has failed.
pub(crate) fn failed(driver: &mut Driver<'_, '_>, path: PathId, state: &State) {
    // A Parallel or Map in it has told its own failure.
    if matches!(state.kind, Kind::Task(_) | Kind::Wait(_))
        && let Some(aborted) = state::aborted(state)
    {
        driver.event(path, aborted, None);
    }
    end(driver, path, BranchEnd::Failed);
}

/// Gives up the branches or iterations of a path's state: it has failed.
pub(crate) fn abort_all(driver: &mut Driver<'_, '_>, parent: PathId) {
    for path in driver.execution.children(parent) {
        abort(driver, path);
    }
}

/// Gives up a path, and first those within its state.
fn abort(driver: &mut Driver<'_, '_>, path: PathId) {
    driver.cancel(path, Came::Nothing);
    driver.keep_next(path);
    driver.forget(path);
    abort_all(driver, path);
    if driver.path(path).and_then(|path| path.map_run()).is_some() {
        driver.event(path, EventType::MapRunAborted, None);
    }
    if let Some(aborted) = driver.state(path).and_then(state::aborted) {
        driver.event(path, aborted, None);
    }
    end(driver, path, BranchEnd::Aborted);
}

fn end(driver: &mut Driver<'_, '_>, path: PathId, end: BranchEnd) {
    let Some((parent, index)) = driver.path(path).and_then(|path| path.parent) else { return };
    let Some(position) = driver.position(parent) else { return };
    if !matches!(position.stage, Stage::Map { .. }) {
        return driver.fact(path, Fact::BranchEnded(end));
    }
    let iteration = MapIteration { name: position.name.clone(), index };
    match end {
        BranchEnd::Succeeded => {
            let details = EventDetails::MapIterationSucceeded(iteration);
            driver.event(path, EventType::MapIterationSucceeded, details)
        }
        BranchEnd::Failed => {
            driver.event(path, EventType::MapIterationFailed, EventDetails::MapIterationFailed(iteration))
        }
        BranchEnd::Aborted => {
            driver.event(path, EventType::MapIterationAborted, EventDetails::MapIterationAborted(iteration))
        }
    };
}
