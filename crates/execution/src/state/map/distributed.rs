//! Map in Mode DISTRIBUTED: begins a map run, whose child executions do the work, and waits for its end.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html>

use asl::{
    Dynamic, State,
    state::{ItemBatcher, ItemReader, Map, ResultWriter},
};
use query::{Language, Template};
use serde_json::Value;

use super::{integer, items, max_concurrency, not_a};
use crate::{
    Command, EventDetails, EventType, Json, data_flow,
    driver::{Driver, Outcome, View},
    failure::Failure,
    history::{MapRunRedriven, MapRunStarted, MapStateStarted},
    map_run::{
        Batching, Destination, ItemSource, MapRunFailure, MapRunLimits, MapRunRedrive, MapRunSpecification, OutputType,
        Reading, Surroundings, Transformation, Writing,
    },
    path::{MapRunOfState, PathId},
    random,
};

pub(crate) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    map: &'machine Map,
) -> Result<Outcome<'machine>, Failure> {
    if driver.execution.start.as_ref().is_some_and(|start| start.express) {
        return Err(Failure::runtime("A Map in Mode DISTRIBUTED can't run in an EXPRESS execution.".to_owned()));
    }
    let effective = data_flow::input(driver, path, state)?;
    // With a reader, what the state was given holds no items.
    let items = match &map.run.reader {
        Some(_) => None,
        None => Some(items(driver, path, state, map, &effective)?),
    };
    let length = items.as_ref().map_or(0, |items| match items.value() {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    });
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    driver.event(path, EventType::MapStateStarted, EventDetails::MapStateStarted(MapStateStarted { length }));
    let fields = Fields { path, state, view: View::of_state(state, effective.value()) };
    let limits = MapRunLimits {
        max_concurrency: max_concurrency(driver, path, state, fields.view, map)?,
        tolerated_failure_count: fields.tolerated_count(driver, map.tolerated_failure_count.as_ref())?,
        tolerated_failure_percentage: fields.tolerated_percentage(driver, map.tolerated_failure_percentage.as_ref())?,
    };
    let source = match (&map.run.reader, items) {
        (Some(reader), _) => ItemSource::Reader(fields.reading(driver, reader)?),
        (None, items) => ItemSource::Items(items.unwrap_or_else(|| Json::new(Value::Array(Vec::new())))),
    };
    let batching = map.run.batcher.as_ref().map(|batcher| fields.batching(driver, batcher)).transpose()?;
    let writing = map.run.writer.as_ref().map(|writer| fields.writing(driver, writer)).transpose()?;
    let surroundings = map.item_selector.as_ref().map(|_| {
        let (context, variables) = driver.surroundings(path, state);
        Surroundings { input: effective.clone(), context, variables, now: driver.moment.now, seed: driver.moment.seed }
    });
    start(driver, path, state, map, |started| MapRunSpecification {
        source,
        limits,
        batching,
        writing,
        surroundings,
        ..started
    });
    Ok(Outcome::Wait)
}

/// Begins the run.
fn start(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    map: &Map,
    fill: impl FnOnce(MapRunSpecification) -> MapRunSpecification,
) {
    let event_id = driver.execution.last_event_id + 1;
    let entered_id = driver.position(path).map_or(0, |position| position.entered_id);
    let (Some(start), Some(started)) = (&driver.execution.start, &driver.execution.started) else { return };
    // A child execution's machine is named `MACHINE/LABEL`: its own map runs are the machine's.
    let machine = start.state_machine_arn.split('/').next().unwrap_or_default();
    let label = map.run.label.clone().unwrap_or_else(|| random::label(machine, &state.name));
    let name = random::map_run_name(&driver.moment, event_id);
    let arn = format!("{}/{label}:{name}", machine.replacen(":stateMachine:", ":mapRun:", 1));
    let specification = fill(MapRunSpecification {
        arn: arn.clone(),
        execution_arn: start.execution_arn.clone(),
        event_id,
        entered_id,
        started_at: driver.moment.now,
        state_name: state.name.clone(),
        state_machine_arn: format!("{machine}/{label}"),
        role_arn: started.role_arn.clone(),
        is_express: map.run.is_express,
        quotas: start.quotas,
        ..MapRunSpecification::default()
    });
    driver.event(path, EventType::MapRunStarted, EventDetails::MapRunStarted(MapRunStarted { map_run_arn: arn }));
    driver.command(Command::StartMapRun(Box::new(specification)));
}

/// A path was redriven whose map run had failed or was given up: the same run goes on.
pub(crate) fn redrive(driver: &mut Driver<'_, '_>, path: PathId, run: MapRunOfState) {
    let (event_id, redrive_count) = (driver.execution.last_event_id + 1, run.redrive_count.saturating_add(1));
    let details = MapRunRedriven { map_run_arn: run.arn.clone(), redrive_count };
    driver.event(path, EventType::MapRunRedriven, EventDetails::MapRunRedriven(details));
    let redrive = MapRunRedrive { arn: run.arn, event_id, count: redrive_count, at: driver.now() };
    driver.command(Command::RedriveMapRun(redrive));
}

/// A map run has ended.
pub(crate) fn ended(driver: &mut Driver<'_, '_>, event_id: u64, outcome: Result<Value, MapRunFailure>) {
    let Some(path) = driver.execution.path_of_map_run(event_id) else { return };
    let Some(state) = driver.state(path) else { return };
    let result = outcome
        .map_err(|failure| Failure::given(failure.error, failure.cause))
        .map(Json::new)
        .and_then(|result| data_flow::limited(driver, state, result));
    match result {
        Ok(result) => {
            driver.event(path, EventType::MapRunSucceeded, None);
            driver.event(path, EventType::MapStateSucceeded, None);
            let exit = data_flow::exit_with_result(driver, path, state, result);
            driver.conclude(path, exit.map(Outcome::Leave));
        }
        Err(failure) => {
            driver.event(path, EventType::MapRunFailed, EventDetails::MapRunFailed(failure.details()));
            driver.fail(path, failure);
        }
    }
}

/// `ItemReader`, evaluated.
pub(super) fn reading(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    reader: &ItemReader,
) -> Result<Reading, Failure> {
    Fields { path, state, view }.reading(driver, reader)
}

/// `ItemBatcher`, evaluated.
pub(super) fn batching(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    batcher: &ItemBatcher,
) -> Result<Batching, Failure> {
    Fields { path, state, view }.batching(driver, batcher)
}

/// The fields of a Map, to be evaluated.
#[derive(Clone, Copy)]
struct Fields<'view> {
    path: PathId,
    state: &'view State,
    view: View<'view>,
}

impl Fields<'_> {
    fn integer(
        &self,
        driver: &mut Driver<'_, '_>,
        dynamic: Option<&Dynamic>,
        field: &str,
    ) -> Result<Option<i64>, Failure> {
        integer(driver, self.path, self.state, self.view, dynamic, field)
    }

    fn template(&self, driver: &mut Driver<'_, '_>, template: &Template, field: &str) -> Result<Value, Failure> {
        let field = if self.state.query_language == Language::Jsonata { field } else { "" };
        driver.evaluate(self.path, self.state, self.view, field, |scope| template.evaluate(scope))
    }

    fn invalid(&self, field: &str, cause: String) -> Failure {
        Failure::of_field(self.state.query_language, field, cause)
    }

    fn tolerated_count(&self, driver: &mut Driver<'_, '_>, dynamic: Option<&Dynamic>) -> Result<Option<u64>, Failure> {
        const FIELD: &str = "ToleratedFailureCount";
        let Some(number) = self.integer(driver, dynamic, FIELD)? else { return Ok(None) };
        u64::try_from(number).map(Some).map_err(|_| self.invalid(FIELD, format!("{FIELD} cannot be negative.")))
    }

    fn tolerated_percentage(
        &self,
        driver: &mut Driver<'_, '_>,
        dynamic: Option<&Dynamic>,
    ) -> Result<Option<f64>, Failure> {
        const FIELD: &str = "ToleratedFailurePercentage";
        let Some(dynamic) = dynamic else { return Ok(None) };
        let value = data_flow::dynamic(driver, self.path, self.state, self.view, dynamic, FIELD)?;
        let number = match &value {
            Value::String(text) => text.parse::<f64>().ok(),
            other => other.as_f64(),
        };
        match number {
            Some(number) if (0.0..=100.0).contains(&number) => Ok(Some(number)),
            Some(_) => Err(self.invalid(FIELD, format!("{FIELD} must be between 0 and 100."))),
            None => Err(not_a(dynamic, FIELD, "float", &value)),
        }
    }

    fn reading(&self, driver: &mut Driver<'_, '_>, reader: &ItemReader) -> Result<Reading, Failure> {
        let max_items = self.integer(driver, reader.max_items.as_ref(), "MaxItems")?.unwrap_or(0);
        let arguments = match &reader.arguments {
            Some(template) => self.template(driver, template, "ItemReader/Arguments")?,
            None => Value::Object(serde_json::Map::new()),
        };
        Ok(Reading {
            resource: reader.resource.clone(),
            arguments,
            config: reader.config.clone().unwrap_or_default(),
            max_items,
        })
    }

    fn batching(&self, driver: &mut Driver<'_, '_>, batcher: &ItemBatcher) -> Result<Batching, Failure> {
        let mut positive = |dynamic: Option<&Dynamic>, field: &str| match self.integer(driver, dynamic, field)? {
            None => Ok(None),
            Some(number) => match u64::try_from(number) {
                Ok(number) if number > 0 => Ok(Some(number)),
                _ => Err(self.invalid(field, format!("{field} must be a positive integer: {number}"))),
            },
        };
        let max_items = positive(batcher.max_items.as_ref(), "MaxItemsPerBatch")?;
        let max_bytes = positive(batcher.max_bytes.as_ref(), "MaxInputBytesPerBatch")?;
        let input = match &batcher.input {
            Some(template) => Some(self.template(driver, template, "ItemBatcher/BatchInput")?),
            None => None,
        };
        Ok(Batching { max_items, max_bytes, input })
    }

    fn writing(&self, driver: &mut Driver<'_, '_>, writer: &ResultWriter) -> Result<Writing, Failure> {
        let destination = match (&writer.resource, &writer.arguments) {
            (Some(_), Some(template)) => {
                let arguments = self.template(driver, template, "ResultWriter/Arguments")?;
                let text = |field: &str| arguments.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                Some(Destination { bucket: text("Bucket"), prefix: text("Prefix") })
            }
            (Some(_), None) => Some(Destination::default()),
            (None, _) => None,
        };
        let transformation = match (writer.transformation.as_deref(), &destination) {
            (Some("NONE"), _) | (None, Some(_)) => Transformation::None,
            (Some("FLATTEN"), _) => Transformation::Flatten,
            _ => Transformation::Compact,
        };
        let output_type = match writer.output_type.as_deref() {
            Some("JSONL") => OutputType::JsonLines,
            _ => OutputType::Json,
        };
        Ok(Writing { destination, transformation, output_type })
    }
}
