//! Succeed: ends its path well.

use asl::State;

use crate::{
    data_flow,
    driver::{Driver, Outcome},
    failure::Failure,
    path::PathId,
};

pub(crate) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
) -> Result<Outcome<'machine>, Failure> {
    let effective = data_flow::input(driver, path, state)?;
    let from = (state.output.as_ref(), state.assign.as_ref());
    data_flow::exit_with_input(driver, path, state, effective, from, None).map(Outcome::Leave)
}
