//! A Map that is tested: its items and settings are evaluated, its iterations are what the mock says.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html>, "Testing Map and Parallel states"

use asl::{
    Dynamic, State,
    state::{Map, ProcessorMode},
};
use query::Language;
use serde_json::Value;

use super::{distributed, item_input, items, max_concurrency};
use crate::{
    EventDetails, EventType, Json,
    context::Item,
    data_flow,
    driver::{Driver, Outcome, View},
    failure::{EXCEED_TOLERATED_FAILURE_THRESHOLD, Failure},
    history::MapStateStarted,
    map_run::{self, Batching, Inputs, MapRunFailure, MapRunSpecification},
    path::PathId,
};

pub(super) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    map: &'machine Map,
) -> Result<Outcome<'machine>, Failure> {
    let effective = data_flow::input(driver, path, state)?;
    let view = View::of_state(state, effective.value());
    let items = match (written(map, "ItemReader"), &map.run.reader) {
        (Some(written), Some(reader)) => {
            let max_items = distributed::reading(driver, path, state, view, reader)?.max_items;
            match read(driver, written, max_items) {
                Ok(items) => items,
                Err(refusal) => return Ok(refuse(driver, refusal)),
            }
        }
        _ => items(driver, path, state, map, &effective)?,
    };
    if state.query_language == Language::JsonPath {
        driver.inspect(|data| data.after_items_path = Some(items.clone()));
    }
    let selected = select(driver, path, state, map, &effective, items)?;
    let iterations = match &map.run.batcher {
        Some(batcher) => {
            let batching = distributed::batching(driver, path, state, view, batcher)?;
            batch(driver, state, batching, selected)?
        }
        None => u64::try_from(selected.value().as_array().map_or(0, Vec::len)).unwrap_or(u64::MAX),
    };
    let details = MapStateStarted { length: iterations };
    driver.event(path, EventType::MapStateStarted, EventDetails::MapStateStarted(details));
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

/// What the iterations get.
fn select(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    map: &Map,
    effective: &Json,
    items: Json,
) -> Result<Json, Failure> {
    if map.item_selector.is_none() {
        return Ok(items);
    }
    let values = items.value().as_array().map(Vec::as_slice).unwrap_or_default();
    let mut inputs = Vec::with_capacity(values.len());
    for (index, value) in (0..).zip(values) {
        inputs.push(item_input(driver, path, state, map, effective, Item { index, value })?);
    }
    let inputs = Json::array(inputs.iter());
    driver.inspect(|data| data.after_item_selector = Some(inputs.clone()));
    Ok(inputs)
}

/// Makes batches, as a map run does; how many.
fn batch(driver: &mut Driver<'_, '_>, state: &State, batching: Batching, items: Json) -> Result<u64, Failure> {
    let run = MapRunSpecification {
        state_name: state.name.clone(),
        batching: Some(batching),
        ..MapRunSpecification::default()
    };
    let mut inputs = Inputs::new(&run, None, 0);
    let mut batches = Vec::new();
    let failed = |failure: MapRunFailure| Failure::given(failure.error, failure.cause);
    for value in items.value().as_array().into_iter().flatten() {
        let item = map_run::Item { value: value.clone(), key: None, source: String::new() };
        batches.extend(inputs.push(item).map_err(failed)?);
    }
    batches.extend(inputs.finish().map_err(failed)?);
    // They are texts that were made of JSON.
    let batches: Vec<Json> = batches.iter().filter_map(|batch| Json::parse(&batch.text).ok()).collect();
    let shown = Json::array(batches.iter());
    driver.inspect(|data| data.after_item_batcher = Some(shown));
    Ok(u64::try_from(batches.len()).unwrap_or(u64::MAX))
}

/// The items that the ItemReader is taken to have read: JSON, which the caller has made of other input types.
fn read(driver: &mut Driver<'_, '_>, reader: &Value, max_items: i64) -> Result<Json, String> {
    let data = driver.inspector.as_ref().and_then(|inspector| inspector.item_reader_data.as_deref());
    let data = data.ok_or("ItemReader data must be specified when testing a Map state with ItemReader specified.")?;
    let configuration = reader.get("ReaderConfig");
    let setting = |name: &str| configuration.and_then(|configuration| configuration.get(name)?.as_str());
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
    match (items.value().as_array(), usize::try_from(max_items)) {
        (Some(values), Ok(most)) if most > 0 && most < values.len() => {
            Ok(Json::new(Value::Array(values.iter().take(most).cloned().collect())))
        }
        (Some(_), _) => Ok(items),
        (None, _) => Err("The ItemReader data must be an array.".to_owned()),
    }
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
