//! Task: has something done, and waits for the answer.

use asl::{Dynamic, State, state::Task};
use serde_json::Value;

use crate::{
    Command, EventType, Fact, Json, ScheduledTask, Timer, TimerPurpose, data_flow,
    driver::{Came, Driver, Outcome, View},
    failure::{Failure, TIMEOUT, type_name},
    history::{EventDetails, TaskCredentials},
    limits::Limits,
    path::PathId,
    random,
    record::{TaskFact, TaskToken},
    time,
};

pub(crate) use self::resource::Integration;
use self::resource::Scheduling;

mod resource;

/// Whether a Resource begins a job and waits for its end (`.sync`, `.sync:2`).
pub(crate) fn is_job(resource: &str) -> bool {
    Integration::of(resource).is_job()
}

pub(crate) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    task: &'machine Task,
) -> Result<Outcome<'machine>, Failure> {
    let integration = Integration::of(&task.resource);
    let event_id = driver.execution.last_event_id + 1;
    let token = integration.has_token().then(|| random::task_token(&driver.moment, event_id));
    let effective = data_flow::input(driver, path, state)?;
    let view = View { token: token.as_deref(), ..View::of_state(state, effective.value()) };
    let arguments = data_flow::arguments(driver, path, state, effective.clone(), token.as_deref())?;
    check_names(state, &task.resource, &arguments)?;
    let timeout_seconds = seconds(driver, path, state, view, task.timeout_seconds.as_ref(), "TimeoutSeconds")?;
    let heartbeat_seconds = seconds(driver, path, state, view, task.heartbeat_seconds.as_ref(), "HeartbeatSeconds")?;
    let credentials = credentials(driver, path, state, view, task)?;
    let region = driver.execution.start.as_ref().and_then(|start| start.state_machine_arn.split(':').nth(3));
    let scheduling = Scheduling {
        region: region.unwrap_or_default().to_owned(),
        arguments,
        timeout_seconds,
        heartbeat_seconds,
        credentials,
    };
    let (kind, details) = integration.scheduled(scheduling);
    driver.event(path, kind, details);
    let timeout_at = timeout_seconds.map(|seconds| time::later_by_seconds(driver.now(), seconds));
    // An activity's heart beats only once a worker has taken it.
    let heartbeat_at = heartbeat_seconds
        .filter(|_| !integration.is_activity())
        .map(|seconds| time::later_by_seconds(driver.now(), seconds));
    let token = token.map(TaskToken);
    let fact = TaskFact { resource: task.resource.clone(), token, heartbeat_at, timeout_at };
    driver.fact(path, Fact::Task(Box::new(fact)));
    if let Some((kind, details)) = integration.started() {
        driver.event(path, kind, details);
    }
    schedule(driver, path);
    Ok(Outcome::Wait)
}

fn schedule(driver: &mut Driver<'_, '_>, path: PathId) {
    let Some(scheduled) = scheduled(driver, path) else { return };
    driver.command(Command::ScheduleTask(Box::new(scheduled)));
    driver.start_timers(path);
}

/// An optimized integration takes the parameters that it knows, and wants some. What a state without `Parameters` or `Arguments` hands
/// on is for its performer to look at.
fn check_names(state: &State, resource: &str, arguments: &Json) -> Result<(), Failure> {
    let given = state.arguments.is_some() || state.parameters.is_some();
    let Some((row, _)) = asl::integration::of_resource(resource).filter(|_| given) else { return Ok(()) };
    let names = arguments.value().as_object().map(serde_json::Map::keys);
    let problems = row.problems(names.into_iter().flatten().map(String::as_str));
    if problems.is_empty() {
        return Ok(());
    }
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let field = if state.query_language == query::Language::Jsonata { "Arguments" } else { "Parameters" };
    Err(Failure::runtime(format!(
        "The {field} '{}' could not be used to start the Task: [{}]",
        arguments.text(),
        problems.join(", ")
    )))
}

/// The task of a path, to be performed.
fn scheduled(driver: &Driver<'_, '_>, path: PathId) -> Option<ScheduledTask> {
    let arn = driver.execution.start.as_ref().map_or("", |start| &start.execution_arn);
    let path = driver.path(path)?;
    Some(path.task()?.scheduled(&path.position.as_ref()?.name, arn))
}

/// `TimeoutSeconds`, `HeartbeatSeconds`.
fn seconds(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    dynamic: Option<&Dynamic>,
    field: &str,
) -> Result<Option<u64>, Failure> {
    let Some(dynamic) = dynamic else { return Ok(None) };
    let value = data_flow::dynamic(driver, path, state, view, dynamic, field)?;
    let whole = value.as_u64().or_else(|| {
        let double = value.as_f64().filter(|double| double.fract() == 0.0)?;
        u64::try_from(jiff::SignedDuration::try_from_secs_f64(double).ok()?.as_secs()).ok()
    });
    match (whole.filter(|seconds| (1..=Limits::AWS.wait_seconds).contains(seconds)), dynamic) {
        (Some(seconds), _) => Ok(Some(seconds)),
        (None, Dynamic::Expression(expression)) => {
            Err(Failure::unexpected_type(expression.as_str(), field, "positive integer", &value))
        }
        (None, Dynamic::Path(found)) => Err(Failure::runtime(format!(
            "The {field}Path parameter does not reference a positive integer: {} == {value}",
            found.as_str()
        ))),
        (None, _) => Err(Failure::runtime(format!("The {field} field is not a positive integer: {value}"))),
    }
}

/// `Credentials.RoleArn`.
fn credentials(
    driver: &mut Driver<'_, '_>,
    path: PathId,
    state: &State,
    view: View<'_>,
    task: &Task,
) -> Result<Option<TaskCredentials>, Failure> {
    let Some(template) = &task.credentials else { return Ok(None) };
    let field = if state.query_language == query::Language::Jsonata { "Credentials" } else { "" };
    let credentials = driver.evaluate(path, state, view, field, |scope| template.evaluate(scope))?;
    match credentials.get("RoleArn") {
        None => Ok(None),
        Some(Value::String(role_arn)) => Ok(Some(TaskCredentials { role_arn: role_arn.clone() })),
        Some(other) => {
            let cause = format!("The field 'Credentials/RoleArn' must be a string, but was '{}'.", type_name(other));
            Err(Failure::of_field(state.query_language, "Credentials/RoleArn", cause))
        }
    }
}

// --- What comes for a task ---

/// The integration of the task that a path waits for.
fn integration(driver: &Driver<'_, '_>, path: PathId) -> Option<Integration> {
    driver.path(path)?.task().map(|task| Integration::of(&task.resource))
}

/// The called service has it.
pub(crate) fn submitted(driver: &mut Driver<'_, '_>, event_id: u64, output: Value) {
    let Some(path) = driver.execution.path_of_task(event_id) else { return };
    let Some(integration) = integration(driver, path) else { return };
    if driver.path(path).and_then(|path| path.task()).is_none_or(|task| task.submitted) {
        return;
    }
    let Some((kind, details)) = integration.submitted(Json::new(output)) else { return };
    driver.event(path, kind, details);
    if let Some(awaited) = scheduled(driver, path).filter(|_| integration.is_job()) {
        driver.command(Command::ScheduleTask(Box::new(awaited)));
    }
}

/// A worker has it.
pub(crate) fn activity_started(driver: &mut Driver<'_, '_>, event_id: u64, worker_name: Option<String>) {
    let Some(path) = driver.execution.path_of_task(event_id) else { return };
    let (Some(task), Some(state)) = (driver.path(path).and_then(|path| path.task()), driver.state(path)) else {
        return;
    };
    if !Integration::of(&task.resource).is_activity() {
        return;
    }
    let arn = driver.execution.start.as_ref().map_or("", |start| &start.execution_arn);
    let (taken, heartbeat_seconds, scheduled) =
        (task.submitted, task.heartbeat_seconds, task.scheduled(&state.name, arn));
    if !taken {
        let details = EventDetails::ActivityStarted(crate::history::ActivityStarted { worker_name });
        driver.event(path, EventType::ActivityStarted, details);
        if let Some(seconds) = heartbeat_seconds {
            rearm(driver, path, event_id, seconds);
        }
    }
    driver.command(Command::HandOver(Box::new(scheduled)));
}

/// No worker will ever have it.
pub(crate) fn schedule_failed(driver: &mut Driver<'_, '_>, event_id: u64, error: String, cause: String) {
    let Some(path) = driver.execution.path_of_task(event_id) else { return };
    let Some(task) = driver.path(path).and_then(|path| path.task()) else { return };
    if task.submitted || !Integration::of(&task.resource).is_activity() {
        return;
    }
    driver.cancel(path, Came::Nothing);
    let failure = Failure::given(Some(error), Some(cause));
    let details = EventDetails::ActivityScheduleFailed(failure.details());
    driver.event(path, EventType::ActivityScheduleFailed, details);
    driver.fail(path, failure);
}

/// Its worker lives: the heartbeat timer starts anew.
pub(crate) fn heartbeat(driver: &mut Driver<'_, '_>, event_id: u64) {
    let Some(path) = driver.execution.path_of_task(event_id) else { return };
    let Some(task) = driver.path(path).and_then(|path| path.task()) else { return };
    if let (Some(seconds), Some(_)) = (task.heartbeat_seconds, task.heartbeat_at) {
        rearm(driver, path, event_id, seconds);
    }
}

fn rearm(driver: &mut Driver<'_, '_>, path: PathId, event_id: u64, seconds: u64) {
    let until = time::later_by_seconds(driver.now(), seconds);
    driver.fact(path, Fact::Heartbeat { until });
    let timer = Timer { event_id, purpose: TimerPurpose::Heartbeat };
    driver.command(Command::StartTimer { timer, at: until });
}

/// It ended well.
pub(crate) fn succeeded(driver: &mut Driver<'_, '_>, event_id: u64, output: Value) {
    let Some(path) = driver.execution.path_of_task(event_id) else { return };
    let (Some(integration), Some(state)) = (integration(driver, path), driver.state(path)) else { return };
    let output = Json::new(output);
    if !driver.execution.quotas().allow(&output) {
        return end_badly(driver, path, Failure::beyond_limits(integration.limited_as(), &output));
    }
    driver.cancel(path, Came::Answer);
    let (kind, details) = integration.succeeded(output.clone());
    driver.event(path, kind, details);
    driver.inspect(|data| data.result = Some(output.clone()));
    let exit = data_flow::exit_with_result(driver, path, state, output);
    driver.conclude(path, exit.map(Outcome::Leave));
}

/// It ended badly.
pub(crate) fn failed(driver: &mut Driver<'_, '_>, event_id: u64, error: Option<String>, cause: Option<String>) {
    let Some(path) = driver.execution.path_of_task(event_id) else { return };
    end_badly(driver, path, Failure::given(error, cause));
}

fn end_badly(driver: &mut Driver<'_, '_>, path: PathId, failure: Failure) {
    let Some(integration) = integration(driver, path) else { return };
    let submitted = driver.path(path).and_then(|path| path.task()).is_some_and(|task| task.submitted);
    driver.cancel(path, Came::Answer);
    let (kind, details) = match submitted {
        true => integration.failed(failure.details()),
        false => integration.submit_failed(failure.details()),
    };
    driver.event(path, kind, details);
    driver.fail(path, failure);
}

/// Its time is over, or a heartbeat was missed: AWS calls both `States.Timeout`.
pub(crate) fn timed_out(driver: &mut Driver<'_, '_>, path: PathId, timer: Timer) {
    let (Some(integration), Some(task)) = (integration(driver, path), driver.path(path).and_then(|path| path.task()))
    else {
        return;
    };
    let heartbeat = timer.purpose == TimerPurpose::Heartbeat;
    // The timer may have been on its way when a heartbeat put it off.
    if heartbeat && task.heartbeat_at.is_some_and(|at| driver.now() < at) {
        return;
    }
    driver.cancel(path, Came::Timer(timer));
    let failure = Failure { heartbeat, ..Failure::given(Some(TIMEOUT.to_owned()), None) };
    let (kind, details) = integration.timed_out(failure.details());
    driver.event(path, kind, details);
    driver.fail(path, failure);
}
