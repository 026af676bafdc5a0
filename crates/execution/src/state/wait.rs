//! Wait: waits for a time.

use asl::{
    Dynamic, Kind, State,
    state::{Wait, WaitUntil},
};
use jiff::Timestamp;
use query::Language;
use serde_json::Value;

use crate::{
    Fact, data_flow,
    driver::{Driver, Outcome, View},
    failure::Failure,
    limits::Limits,
    path::PathId,
    time,
};

pub(crate) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    wait: &'machine Wait,
) -> Result<Outcome<'machine>, Failure> {
    let effective = data_flow::input(driver, path, state)?;
    let view = View::of_state(state, effective.value());
    let until = match &wait.until {
        WaitUntil::Seconds(dynamic) => {
            let value = evaluate(driver, path, state, view, dynamic, "Seconds")?;
            let seconds = seconds(state.query_language, dynamic, &value)?;
            if seconds > Limits::AWS.wait_seconds {
                return Err(Failure::of_field(
                    state.query_language,
                    "Seconds",
                    "Wait state delay is too long.".to_owned(),
                ));
            }
            time::later_by_seconds(driver.now(), seconds)
        }
        WaitUntil::Timestamp(dynamic) => {
            let value = evaluate(driver, path, state, view, dynamic, "Timestamp")?;
            let until = timestamp(state.query_language, dynamic, &value)?;
            let limit = time::later_by_seconds(driver.now(), Limits::AWS.wait_seconds);
            if until > limit {
                return Err(Failure::of_field(
                    state.query_language,
                    "Timestamp",
                    "Wait state delay is too long.".to_owned(),
                ));
            }
            time::to_milliseconds(until)
        }
    };
    driver.fact(path, Fact::Wait { until });
    driver.start_timers(path);
    Ok(Outcome::Wait)
}

/// The time has come.
pub(crate) fn over<'machine>(driver: &mut Driver<'machine, '_>, path: PathId) -> Result<Outcome<'machine>, Failure> {
    let Some(state) = driver.state(path).filter(|state| matches!(state.kind, Kind::Wait(_))) else {
        return Ok(Outcome::Wait);
    };
    let effective = data_flow::input(driver, path, state)?;
    let from = (state.output.as_ref(), state.assign.as_ref());
    data_flow::exit_with_input(driver, path, state, effective, from, state.next.as_deref()).map(Outcome::Leave)
}

fn evaluate(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    dynamic: &Dynamic,
    field: &str,
) -> Result<Value, Failure> {
    match dynamic {
        Dynamic::Path(found) => driver.query(path, state, view, |scope| found.evaluate(scope)).map_err(|_| {
            Failure::runtime(format!("The {field}Path parameter does not reference an input value: {}", found.as_str()))
        }),
        dynamic => data_flow::dynamic(driver, path, state, view, dynamic, field),
    }
}

fn seconds(language: Language, dynamic: &Dynamic, value: &Value) -> Result<u64, Failure> {
    // A JSONata number may come as a double.
    let whole = match (value.as_i64(), value.as_f64()) {
        (Some(whole), _) => Some(whole),
        (None, Some(double)) if language == Language::Jsonata && double.fract() == 0.0 => {
            jiff::SignedDuration::try_from_secs_f64(double).ok().map(|duration| duration.as_secs())
        }
        _ => None,
    };
    let field = match dynamic {
        Dynamic::Path(found) => found.as_str(),
        _ => "Seconds",
    };
    let subject = match dynamic {
        Dynamic::Path(_) => "SecondsPath parameter",
        _ => "Seconds field",
    };
    let Some(whole) = whole else {
        let cause = match dynamic {
            Dynamic::Expression(expression) if !value.is_number() => {
                return Err(Failure::unexpected_type(expression.as_str(), "Seconds", "integer", value));
            }
            Dynamic::Expression(_) => format!("The Seconds field cannot be parsed as a long value: {value}"),
            _ => format!("The {subject} cannot be parsed as a long value: {field} == {value}"),
        };
        return Err(Failure::of_field(language, "Seconds", cause));
    };
    u64::try_from(whole).map_err(|_| {
        let cause = match dynamic {
            Dynamic::Path(_) => format!("The {subject} references a negative value: {field} == {value}"),
            _ => format!("The Seconds field references a negative value: {value}"),
        };
        Failure::of_field(language, "Seconds", cause)
    })
}

fn timestamp(language: Language, dynamic: &Dynamic, value: &Value) -> Result<Timestamp, Failure> {
    let text = match (value, dynamic) {
        (Value::String(text), _) => text.clone(),
        (value, Dynamic::Expression(expression)) => {
            return Err(Failure::unexpected_type(expression.as_str(), "Timestamp", "string", value));
        }
        (value, _) => value.to_string(),
    };
    time::parse(&text).ok_or_else(|| {
        let cause = match dynamic {
            Dynamic::Path(found) => format!(
                "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {} == {text}",
                found.as_str()
            ),
            _ => {
                format!("The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}")
            }
        };
        Failure::of_field(language, "Timestamp", cause)
    })
}
