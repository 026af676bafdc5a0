//! A Map that is tested: its items and settings are evaluated, its iterations are what the mock says.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html>, "Testing Map and Parallel states"

use asl::{
    Dynamic, State,
    state::{Map, ProcessorMode},
};
use query::Language;
use serde_json::Value;

use super::{item_input, items, max_concurrency};
use crate::{
    EventDetails, EventType, Json,
    context::Item,
    data_flow,
    driver::{Driver, Outcome, View},
    failure::{EXCEED_TOLERATED_FAILURE_THRESHOLD, Failure},
    history::MapStateStarted,
    path::PathId,
};

pub(super) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    map: &'machine Map,
) -> Result<Outcome<'machine>, Failure> {
    let effective = data_flow::input(driver, path, state)?;
    if written(map, "ItemBatcher").is_some() {
        return Ok(refuse(
            driver,
            "Rectify does not test a Map with an ItemBatcher yet: leave it out of the test".to_owned(),
        ));
    }
    let items = match written(map, "ItemReader") {
        Some(reader) => match read(driver, reader) {
            Ok(items) => items,
            Err(refusal) => return Ok(refuse(driver, refusal)),
        },
        None => items(driver, path, state, map, &effective)?,
    };
    if state.query_language == Language::JsonPath {
        driver.inspect(|data| data.after_items_path = Some(items.clone()));
    }
    let iterations = select(driver, path, state, map, &effective, &items)?;
    let details = MapStateStarted { length: iterations };
    driver.event(path, EventType::MapStateStarted, EventDetails::MapStateStarted(details));
    let view = View::of_state(state, effective.value());
    let max_concurrency = max_concurrency(driver, path, state, view, map)?;
    driver.inspect(|data| data.max_concurrency = Some(max_concurrency));
    let tolerance = tolerance(driver, path, state, view, map)?;
    let failed = driver.inspector.as_ref().and_then(|inspector| inspector.failed_iterations).unwrap_or(0);
    if failed > iterations {
        let text = "Map iteration failure count must be less than or equal to the number of Map iterations.";
        return Ok(refuse(driver, text.to_owned()));
    }
    let mocked = driver.mocked().unwrap_or_else(|| Ok(Json::array(std::iter::empty())));
    // Where nothing is tolerated, the mocked error is that of the iteration.
    let is_named = tolerance.count.is_some() || tolerance.percentage.is_some() || mocked.is_ok();
    if map.mode == ProcessorMode::Distributed && is_named && tolerance.is_exceeded(failed, iterations) {
        let cause = "The specified tolerated failure threshold was exceeded".to_owned();
        return Err(Failure::given(Some(EXCEED_TOLERATED_FAILURE_THRESHOLD.to_owned()), Some(cause)));
    }
    let result = mocked?;
    let is_whole =
        |results: &Vec<Value>| u64::try_from(results.len()).is_ok_and(|length| length == iterations - failed);
    if !result.value().as_array().is_none_or(is_whole) {
        return Ok(refuse(driver, "Input array does not equal the mocked result array's size.".to_owned()));
    }
    driver.event(path, EventType::MapStateSucceeded, None);
    data_flow::exit_with_result(driver, path, state, result).map(Outcome::Leave)
}

/// A field of a Distributed Map, as written.
fn written<'map>(map: &'map Map, field: &str) -> Option<&'map Value> {
    map.distributed.as_ref()?.get(field)
}

/// The test makes no sense: it ends here.
fn refuse<'machine>(driver: &mut Driver<'machine, '_>, refusal: String) -> Outcome<'machine> {
    if let Some(inspector) = &mut driver.inspector {
        inspector.refusal = Some(refusal);
    }
    Outcome::Wait
}

/// What the iterations get, and how many there are.
fn select(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    map: &Map,
    effective: &Json,
    items: &Json,
) -> Result<u64, Failure> {
    let values = items.value().as_array().map(Vec::as_slice).unwrap_or_default();
    if map.item_selector.is_some() {
        let mut inputs = Vec::with_capacity(values.len());
        for (index, value) in (0..).zip(values) {
            inputs.push(item_input(driver, path, state, map, effective, Item { index, value })?);
        }
        let inputs = Json::array(inputs.iter());
        driver.inspect(|data| data.after_item_selector = Some(inputs));
    }
    Ok(u64::try_from(values.len()).unwrap_or(u64::MAX))
}

/// The items that the ItemReader is taken to have read.
fn read(driver: &mut Driver<'_, '_>, reader: &Value) -> Result<Json, String> {
    let data = driver.inspector.as_ref().and_then(|inspector| inspector.item_reader_data.as_deref());
    let data = data.ok_or("ItemReader data must be specified when testing a Map state with ItemReader specified.")?;
    let configuration = reader.get("ReaderConfig");
    let setting = |name: &str| configuration.and_then(|configuration| configuration.get(name)?.as_str());
    if let Some(other) = setting("InputType").filter(|input_type| *input_type != "JSON") {
        return Err(format!("Rectify tests an ItemReader of InputType JSON, and not yet one of {other}"));
    }
    let read = Json::parse(data).map_err(|error| format!("The ItemReader data is not JSON: {error}"))?;
    let items = match setting("ItemsPointer") {
        Some(pointer) => {
            let items = read.value().pointer(pointer).cloned();
            let items = Json::new(items.ok_or_else(|| format!("There is nothing at the ItemsPointer '{pointer}'."))?);
            driver.inspect(|data| data.after_items_pointer = Some(items.clone()));
            items
        }
        None => read,
    };
    if items.value().is_array() { Ok(items) } else { Err("The ItemReader data must be an array.".to_owned()) }
}

/// How many iterations may fail.
struct Tolerance {
    count: Option<u64>,
    percentage: Option<f64>,
}

impl Tolerance {
    /// Without a word, none may.
    fn is_exceeded(&self, failed: u64, iterations: u64) -> bool {
        let double = |whole: u64| std::time::Duration::from_secs(whole).as_secs_f64();
        let share = if iterations == 0 { 0.0 } else { double(failed) * 100.0 / double(iterations) };
        match (self.count, self.percentage) {
            (None, None) => failed > 0,
            (count, percentage) => {
                count.is_some_and(|count| failed > count) || percentage.is_some_and(|percentage| share > percentage)
            }
        }
    }
}

fn tolerance(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    map: &Map,
) -> Result<Tolerance, Failure> {
    let mut number = |dynamic: &Option<Dynamic>, field: &str, limit: f64| -> Result<Option<f64>, Failure> {
        let Some(dynamic) = dynamic else { return Ok(None) };
        let value = data_flow::dynamic(driver, path, state, view, dynamic, field)?;
        match value.as_f64().filter(|number| (0.0..=limit).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let cause = format!("{field} is {value}, and must be a number from 0 to {limit}.");
                Err(Failure::of_field(state.query_language, field, cause))
            }
        }
    };
    let count = number(&map.tolerated_failure_count, "ToleratedFailureCount", f64::from(u32::MAX))?;
    let percentage = number(&map.tolerated_failure_percentage, "ToleratedFailurePercentage", 100.0)?;
    let count = count.and_then(|count| std::time::Duration::try_from_secs_f64(count).ok()).map(|count| count.as_secs());
    driver.inspect(|data| {
        data.tolerated_failure_count = count;
        data.tolerated_failure_percentage = percentage;
    });
    Ok(Tolerance { count, percentage })
}
