//! Fail: ends its path badly.

use asl::{Dynamic, State, state::Fail};
use serde_json::Value;

use crate::{
    data_flow,
    driver::{Driver, Outcome, View},
    failure::{Failure, type_name},
    path::PathId,
};

pub(crate) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    fail: &'machine Fail,
) -> Result<Outcome<'machine>, Failure> {
    let input = data_flow::input(driver, path, state)?;
    let view = View::of_state(state, input.value());
    let error = text(driver, path, state, view, fail.error.as_ref(), "Error")?;
    let cause = text(driver, path, state, view, fail.cause.as_ref(), "Cause")?;
    Err(Failure::given(error, cause))
}

fn text(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    field: Option<&Dynamic>,
    name: &str,
) -> Result<Option<String>, Failure> {
    let Some(dynamic) = field else { return Ok(None) };
    let value = match dynamic {
        // A path here fails with the words of a template, not with those of InputPath.
        Dynamic::Path(found) => {
            let value = driver.query(path, state, view, |scope| found.evaluate(scope));
            value.map_err(|_| {
                Failure::runtime(format!(
                    "The JSONPath '{}' specified for the field '{name}Path' could not be found in the input '{}'",
                    found.as_str(),
                    view.input
                ))
            })?
        }
        dynamic => data_flow::dynamic(driver, path, state, view, dynamic, name)?,
    };
    match (value, dynamic) {
        (Value::String(text), _) => Ok(Some(text)),
        (value, Dynamic::Expression(expression)) => {
            Err(Failure::unexpected_type(expression.as_str(), name, "string", &value))
        }
        (value, Dynamic::Path(_) | Dynamic::Intrinsic(_)) => Err(Failure::runtime(format!(
            "The {name}Path field must refer to a string, but was '{}' for value: {value}",
            type_name(&value)
        ))),
        (value, Dynamic::Value(_)) => {
            Err(Failure::runtime(format!("The field '{name}' must be a string but was: {value}")))
        }
    }
}
