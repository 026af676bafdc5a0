//! Catch: where a failed state goes on.

use asl::{Catcher, State, state::Selector};
use query::Language;
use serde_json::{Value, json};

use crate::{
    Json, data_flow,
    driver::{Driver, Exit, View},
    failure::{Failure, TIMEOUT},
    path::PathId,
};

/// The element of `Catch` that names a failure, and which it is.
pub(crate) fn find<'state>(state: &'state State, failure: &Failure) -> Option<(usize, &'state Catcher)> {
    if failure.is_fatal() {
        return None;
    }
    state.catch.iter().enumerate().find(|(_, catcher)| failure.is_named_by(&catcher.error_equals))
}

/// What a Catch sees of a failure. A missing cause is `null`, but that of a time-out is empty.
fn error_output(failure: &Failure) -> Value {
    let is_timeout = failure.error.as_deref() == Some(TIMEOUT);
    let cause = failure.cause.as_deref().or(is_timeout.then_some(""));
    json!({"Error": failure.error, "Cause": cause})
}

/// The way out of the state through a catcher.
pub(crate) fn exit<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    catcher: &'machine Catcher,
    failure: &Failure,
) -> Result<Exit<'machine>, Failure> {
    let input = driver.input(path);
    let error_output = error_output(failure);
    let null = Value::Null;
    let root = if state.query_language == Language::Jsonata { &null } else { &error_output };
    let view = View { root, error_output: Some(&error_output), ..View::of(input.value()) };
    let assigned = data_flow::assign(driver, path, state, catcher.assign.as_ref(), view)?;
    let output = match state.query_language {
        Language::Jsonata => match &catcher.output {
            Some(template) => {
                Json::new(driver.evaluate(path, state, view, "Output", |scope| template.evaluate(scope))?)
            }
            None => Json::new(error_output),
        },
        Language::JsonPath => match &catcher.result_path {
            Selector::Whole => Json::new(error_output),
            Selector::Null => input,
            Selector::Path(result_path) => {
                let output = result_path.insert(input.value().clone(), error_output);
                Json::new(output.map_err(|error| Failure::of_query(error, "ResultPath"))?)
            }
        },
    };
    Ok(Exit { output, assigned, next: Some(&catcher.next) })
}
