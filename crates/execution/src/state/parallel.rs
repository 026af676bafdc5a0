//! Parallel: does several things at once.

use asl::{State, state::Parallel};

use crate::{
    EventType, Json, data_flow,
    driver::{Driver, Outcome},
    failure::Failure,
    path::{PathId, Stage},
    state::branch,
};

pub(crate) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    parallel: &'machine Parallel,
) -> Result<Outcome<'machine>, Failure> {
    let effective = data_flow::input(driver, path, state)?;
    let input = data_flow::arguments(driver, path, state, effective, None)?;
    driver.event(path, EventType::ParallelStateStarted, None);
    if let Some(mocked) = driver.mocked() {
        return data_flow::exit_with_result(driver, path, state, mocked?).map(Outcome::Leave);
    }
    for (index, flow) in (0..).zip(&parallel.branches) {
        let branch = branch::begin(driver, path, index);
        driver.go_later_to(branch, &flow.start_at, input.clone());
    }
    go_on(driver, path, state, parallel)
}

/// A branch has ended, or none has to begin: is that all?
pub(crate) fn go_on<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    parallel: &'machine Parallel,
) -> Result<Outcome<'machine>, Failure> {
    let Some(Stage::Parallel { outputs }) = driver.position(path).map(|position| &position.stage) else {
        return Ok(Outcome::Wait);
    };
    if outputs.len() < parallel.branches.len() || outputs.iter().any(Option::is_none) {
        return Ok(Outcome::Wait);
    }
    let result = Json::array(outputs.iter().flatten());
    driver.event(path, EventType::ParallelStateSucceeded, None);
    data_flow::exit_with_result(driver, path, state, result).map(Outcome::Leave)
}
