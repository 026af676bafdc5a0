//! How data flows through a state: InputPath → Parameters → ResultSelector → ResultPath → OutputPath in JSONPath,
//! Arguments → Output in JSONata, and Assign in both.

use asl::{Dynamic, Kind, State, state::Selector};
use indexmap::IndexMap;
use query::{Language, Template};
use serde_json::{Map, Value};

use crate::{
    Json,
    driver::{Driver, Exit, View},
    failure::Failure,
    limits::Limits,
    path::PathId,
};

/// Variables and their new values.
pub(crate) type Assigned = IndexMap<String, Json>;

/// The input, after `InputPath`.
pub(crate) fn input(driver: &mut Driver<'_, '_>, path: PathId, state: &State) -> Result<Json, Failure> {
    let input = driver.input(path);
    let effective = select(driver, path, state, &state.input_path, input)?;
    if state.query_language == Language::JsonPath {
        driver.inspect(|data| data.after_input_path = Some(effective.clone()));
    }
    Ok(effective)
}

/// What a Task, Parallel or Pass works on: `Parameters` or `Arguments`, else its effective input. `token` is the task's.
pub(crate) fn arguments(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    effective: Json,
    token: Option<&str>,
) -> Result<Json, Failure> {
    let (template, field) = match state.query_language {
        Language::JsonPath => (&state.parameters, ""),
        Language::Jsonata => (&state.arguments, "Arguments"),
    };
    let arguments = match template {
        Some(template) => {
            let view = View { token, ..View::of_state(state, effective.value()) };
            let arguments = driver.evaluate(path, state, view, field, |scope| template.evaluate(scope))?;
            limited(driver, state, Json::new(arguments))?
        }
        None => effective,
    };
    match (state.query_language, &state.kind) {
        (Language::JsonPath, _) => driver.inspect(|data| data.after_parameters = Some(arguments.clone())),
        (Language::Jsonata, Kind::Task(_)) => driver.inspect(|data| data.after_arguments = Some(arguments.clone())),
        // AWS does not show those of a Parallel.
        (Language::Jsonata, _) => {}
    }
    Ok(arguments)
}

/// A payload, if it is within the limits.
pub(crate) fn limited(driver: &Driver<'_, '_>, state: &State, payload: Json) -> Result<Json, Failure> {
    match driver.execution.quotas().allow(&payload) {
        true => Ok(payload),
        false => Err(Failure::beyond_limits(&state.name, &payload)),
    }
}

/// The way out of a state that has a result.
pub(crate) fn exit_with_result<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    result: Json,
) -> Result<Exit<'machine>, Failure> {
    let next = state.next.as_deref();
    let input = driver.input(path);
    if state.query_language == Language::Jsonata {
        let view = View { result: Some(result.value()), ..View::of(input.value()) };
        let output = output(driver, path, state, state.output.as_ref(), view, &result)?;
        let assigned = assign(driver, path, state, state.assign.as_ref(), view)?;
        return Ok(Exit { output, assigned, next });
    }
    let result = match &state.result_selector {
        Some(template) => {
            let view = View { root: result.value(), ..View::of(input.value()) };
            Json::new(driver.evaluate(path, state, view, "", |scope| template.evaluate(scope))?)
        }
        None => result,
    };
    combine(driver, path, state, input, result)
}

/// JSONPath: `Assign`, the result put into the raw input by `ResultPath`, and `OutputPath`.
pub(crate) fn combine<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    input: Json,
    result: Json,
) -> Result<Exit<'machine>, Failure> {
    driver.inspect(|data| data.after_result_selector = Some(result.clone()));
    let view = View { root: result.value(), ..View::of(input.value()) };
    let assigned = assign(driver, path, state, state.assign.as_ref(), view)?;
    let output = match &state.result_path {
        Selector::Whole => result,
        Selector::Null => input,
        Selector::Path(result_path) => {
            let output = result_path.insert(input.value().clone(), result.value().clone());
            Json::new(output.map_err(|error| Failure::of_query(error, "ResultPath"))?)
        }
    };
    driver.inspect(|data| data.after_result_path = Some(output.clone()));
    let output = select(driver, path, state, &state.output_path, output)?;
    Ok(Exit { output, assigned, next: state.next.as_deref() })
}

/// The way out of a state that has no result: what it was given, through `OutputPath` or `Output`.
pub(crate) fn exit_with_input<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    effective: Json,
    from: (Option<&Template>, Option<&Template>),
    next: Option<&'machine str>,
) -> Result<Exit<'machine>, Failure> {
    let view = View::of_state(state, effective.value());
    let (output_template, assign_template) = from;
    let assigned = assign(driver, path, state, assign_template, view)?;
    let output = match state.query_language {
        Language::Jsonata => output(driver, path, state, output_template, view, &effective)?,
        Language::JsonPath => select(driver, path, state, &state.output_path, effective.clone())?,
    };
    Ok(Exit { output, assigned, next })
}

/// `Output`, else what there is without it.
fn output(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    template: Option<&Template>,
    view: View<'_>,
    otherwise: &Json,
) -> Result<Json, Failure> {
    match template {
        Some(template) => driver.evaluate(path, state, view, "Output", |scope| template.evaluate(scope)).map(Json::new),
        None => Ok(otherwise.clone()),
    }
}

/// `Assign`: it sees the variables as they were.
pub(crate) fn assign(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    template: Option<&Template>,
    view: View<'_>,
) -> Result<Option<Assigned>, Failure> {
    let Some(template) = template else { return Ok(None) };
    let field = if state.query_language == Language::Jsonata { "Assign" } else { "" };
    let Value::Object(values) = driver.evaluate(path, state, view, field, |scope| template.evaluate(scope))? else {
        return Err(Failure::of_field(state.query_language, "Assign", "Assign must be an object.".to_owned()));
    };
    let assigned: Assigned = values.into_iter().map(|(name, value)| (name, Json::new(value))).collect();
    if are_allowed(driver, path, &assigned) { Ok(Some(assigned)) } else { Err(Failure::data_limit(&state.name)) }
}

/// Whether what is assigned is within the limits, all of it together, and all that the path sees then.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>
fn are_allowed(driver: &Driver<'_, '_>, path: PathId, assigned: &Assigned) -> bool {
    let quotas = driver.execution.quotas();
    let together: usize = assigned.values().map(|value| value.text().len()).sum();
    let kept = driver.path(path).map_or(0, |path| {
        let others = path.variables.iter().filter(|(name, _)| !assigned.contains_key(*name));
        others.map(|(_, value)| value.to_string().len()).sum()
    });
    let all = together.saturating_add(kept);
    together <= quotas.payload_bytes
        && all <= Limits::AWS.variables_bytes
        && assigned.values().all(|value| quotas.allow(value))
}

/// `InputPath`, `OutputPath`.
fn select(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    selector: &Selector,
    from: Json,
) -> Result<Json, Failure> {
    match selector {
        Selector::Whole => Ok(from),
        Selector::Null => Ok(Json::new(Value::Object(Map::new()))),
        Selector::Path(selected) => {
            let view = View { root: from.value(), ..View::of(from.value()) };
            driver.evaluate(path, state, view, "", |scope| selected.evaluate(scope)).map(Json::new)
        }
    }
}

/// A field that may say where to find its value. `field` is its name without `Path`.
pub(crate) fn dynamic(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    dynamic: &Dynamic,
    field: &str,
) -> Result<Value, Failure> {
    match dynamic {
        Dynamic::Value(value) => Ok(value.clone()),
        Dynamic::Path(found) => driver.evaluate(path, state, view, field, |scope| found.evaluate(scope)),
        Dynamic::Intrinsic(call) => {
            let field = format!("{field}Path");
            driver.evaluate(path, state, view, &field, |scope| call.evaluate(scope))
        }
        Dynamic::Expression(expression) => {
            driver.evaluate(path, state, view, field, |scope| expression.evaluate(scope))
        }
    }
}
