//! Map: does one thing for each item.

pub(crate) mod distributed;

use asl::{
    Dynamic, State,
    state::{Map, ProcessorMode},
};
use query::Language;
use serde_json::Value;

use crate::{
    EventDetails, EventType, Fact, Json,
    context::Item,
    data_flow,
    driver::{Driver, Outcome, View},
    failure::Failure,
    history::{MapIteration, MapStateStarted},
    path::{PathId, Stage},
    state::branch,
};

mod inspect;

pub(crate) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    map: &'machine Map,
) -> Result<Outcome<'machine>, Failure> {
    if driver.inspector.is_some() {
        return inspect::perform(driver, path, state, map);
    }
    if map.mode == ProcessorMode::Distributed {
        return distributed::perform(driver, path, state, map);
    }
    let effective = data_flow::input(driver, path, state)?;
    let items = items(driver, path, state, map, &effective)?;
    let length = items.value().as_array().map_or(0, Vec::len);
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    driver.event(path, EventType::MapStateStarted, EventDetails::MapStateStarted(MapStateStarted { length }));
    let view = View::of_state(state, effective.value());
    let max_concurrency = max_concurrency(driver, path, state, view, map)?;
    driver.fact(path, Fact::Items { items, max_concurrency });
    go_on(driver, path, state, map)
}

/// An iteration has ended, or none has begun: the next ones, or the end.
pub(crate) fn go_on<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    map: &'machine Map,
) -> Result<Outcome<'machine>, Failure> {
    let Some(Stage::Map { items: Some(items), max_concurrency, outputs, .. }) =
        driver.position(path).map(|position| &position.stage)
    else {
        return Ok(Outcome::Wait);
    };
    let (items, begun) = (items.clone(), outputs.len());
    let running = outputs.iter().filter(|output| output.is_none()).count();
    let room = match usize::try_from(*max_concurrency) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit.saturating_sub(running),
    };
    let remaining = items.value().as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate().skip(begun);
    if running == 0 && remaining.len() == 0 {
        let result = Json::array(outputs.iter().flatten());
        driver.event(path, EventType::MapStateSucceeded, None);
        return data_flow::exit_with_result(driver, path, state, result).map(Outcome::Leave);
    }
    let effective = data_flow::input(driver, path, state)?;
    let mut any = false;
    for (index, value) in remaining.take(room) {
        if any && driver.is_spent() {
            driver.iterate_first(path);
            break;
        }
        any = true;
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        let input = item_input(driver, path, state, map, &effective, Item { index, value })?;
        let iteration = branch::begin(driver, path, index);
        let details = MapIteration { name: state.name.clone(), index };
        driver.event(iteration, EventType::MapIterationStarted, EventDetails::MapIterationStarted(details));
        driver.go_later_to(iteration, &map.processor.start_at, input);
    }
    Ok(Outcome::Wait)
}

/// What an iteration gets: the item, or what `ItemSelector` makes of it.
fn item_input(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    map: &Map,
    effective: &Json,
    item: Item<'_>,
) -> Result<Json, Failure> {
    let Some(template) = &map.item_selector else { return Ok(Json::new(item.value.clone())) };
    let view = View { item: Some(item), ..View::of_state(state, effective.value()) };
    let field = if state.query_language == Language::Jsonata { "ItemSelector" } else { "" };
    let input = driver.evaluate(path, state, view, field, |scope| template.evaluate(scope))?;
    data_flow::limited(driver, state, Json::new(input))
}

/// What it goes over: an array.
fn items(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    map: &Map,
    effective: &Json,
) -> Result<Json, Failure> {
    let view = View::of_state(state, effective.value());
    if let Some(template) = &map.items {
        let items = driver.evaluate(path, state, view, "Items", |scope| template.evaluate(scope))?;
        return match (items, expression(template.source())) {
            (items @ Value::Array(_), _) => data_flow::limited(driver, state, Json::new(items)),
            (items @ Value::Object(_), _) if map.mode == ProcessorMode::Distributed => {
                data_flow::limited(driver, state, Json::new(items))
            }
            (other, Some(expression)) => Err(Failure::unexpected_type(expression, "Items", "array", &other)),
            (other, None) => {
                Err(Failure::jsonata("Items", format!("Map state input must be an array but was: {other}")))
            }
        };
    }
    let (items, items_path) = match &map.items_path {
        Some(items_path) => {
            let items = driver.evaluate(path, state, view, "ItemsPath", |scope| items_path.evaluate(scope))?;
            (Json::new(items), items_path.as_str())
        }
        None => (effective.clone(), "$"),
    };
    match (items.value(), state.query_language) {
        (Value::Array(_), _) => data_flow::limited(driver, state, items),
        (Value::Object(_), _) if map.mode == ProcessorMode::Distributed => data_flow::limited(driver, state, items),
        (other, Language::Jsonata) => {
            Err(Failure::jsonata("Items", format!("Map state input must be an array but was: {other}")))
        }
        (_, Language::JsonPath) => {
            Err(Failure::runtime(format!("Reference path \"{items_path}\" must point to array.")))
        }
    }
}

/// The expression between `{%` and `%}`, where a template is nothing else.
fn expression(source: &Value) -> Option<&str> {
    source.as_str()?.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

fn max_concurrency(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    map: &Map,
) -> Result<u64, Failure> {
    const FIELD: &str = "MaxConcurrency";
    let Some(number) = integer(driver, path, state, view, map.max_concurrency.as_ref(), FIELD)? else { return Ok(0) };
    u64::try_from(number)
        .map_err(|_| Failure::of_field(state.query_language, FIELD, format!("{FIELD} cannot be negative: {number}")))
}

/// A field that is an integer, or says where one is.
fn integer(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    dynamic: Option<&Dynamic>,
    field: &str,
) -> Result<Option<i64>, Failure> {
    let Some(dynamic) = dynamic else { return Ok(None) };
    let value = data_flow::dynamic(driver, path, state, view, dynamic, field)?;
    let number = match &value {
        Value::String(text) => text.parse::<i64>().ok(),
        other => other.as_i64().or_else(|| whole(other.as_f64()?)),
    };
    number.map(Some).ok_or_else(|| not_a(dynamic, field, "integer", &value))
}

/// A field of another type than it must be.
fn not_a(dynamic: &Dynamic, field: &str, wanted: &str, value: &Value) -> Failure {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match dynamic {
        Dynamic::Expression(expression) => Failure::unexpected_type(expression.as_str(), field, wanted, value),
        Dynamic::Path(found) => Failure::runtime(format!(
            "The {field}Path field refers to value \"{text}\" which is not a valid {wanted}: {}",
            found.as_str()
        )),
        Dynamic::Value(_) | Dynamic::Intrinsic(_) => {
            Failure::runtime(format!("The {field} field is \"{text}\", which is not a valid {wanted}."))
        }
    }
}

/// A double that is an integer.
fn whole(double: f64) -> Option<i64> {
    let duration = jiff::SignedDuration::try_from_secs_f64(double).ok()?;
    (double.fract() == 0.0).then(|| duration.as_secs())
}
