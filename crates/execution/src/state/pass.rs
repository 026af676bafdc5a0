//! Pass: hands on its input, or a result.

use asl::{State, state::Pass};
use query::Language;

use crate::{
    Json, data_flow,
    driver::{Driver, Outcome},
    failure::Failure,
    path::PathId,
};

pub(crate) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    pass: &'machine Pass,
) -> Result<Outcome<'machine>, Failure> {
    let exit = match state.query_language {
        Language::Jsonata => {
            let effective = data_flow::input(driver, path, state)?;
            let from = (state.output.as_ref(), state.assign.as_ref());
            data_flow::exit_with_input(driver, path, state, effective, from, state.next.as_deref())
        }
        Language::JsonPath => {
            let result = match &pass.result {
                // What would make a result of the input is not even looked at.
                Some(result) => {
                    let result = Json::new(result.clone());
                    driver.inspect(|data| data.result = Some(result.clone()));
                    result
                }
                None => {
                    let effective = data_flow::input(driver, path, state)?;
                    data_flow::arguments(driver, path, state, effective, None)?
                }
            };
            let input = driver.input(path);
            data_flow::combine(driver, path, state, input, result)
        }
    };
    exit.map(Outcome::Leave)
}
