//! Tests one state: it is run by the same code as in an execution, and what happens to its data on the way is kept.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html>

use std::sync::Arc;

use asl::{Flow, State, StateMachine};
use jiff::Timestamp;
use query::Moment;
use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::{
    Command, Execution, ExecutionStart, IllegalInput, Input, Json, ScheduledTask, Status, Step, Timer, context,
    driver::Driver,
    failure::{Failure, TIMEOUT},
    inspector::Inspector,
    limits::Limits,
    path::ROOT,
    step::{start_execution, take},
};

/// The name that every state has while it is tested: what AWS's context object calls it.
pub const STATE_NAME: &str = "StateName";

/// What TestState answers about a state.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// Of a state that was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// Of a state that failed, whatever became of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of a state that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What happened to its data; shown from the level DEBUG on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspection_data: Option<Box<InspectionData>>,
    /// Where it leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_state: Option<String>,
    /// What became of it.
    pub status: TestStatus,
}

/// What became of a tested state: `TestExecutionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TestStatus {
    /// It was left.
    Succeeded,
    /// It failed, and nothing in it helps.
    Failed,
    /// It failed and would be tried again.
    Retriable,
    /// It failed and goes on by its Catch.
    CaughtError,
}

/// A state's data, one field for each place where it can change: AWS's `InspectionData`. What the state has not reached, or its type
/// or query language does not have, is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each is the field of InspectionData of the same name")]
pub struct InspectionData {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_arguments: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_input_path: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_parameters: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_result_selector: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_result_path: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<InspectionDataRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<InspectionDataResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_details: Option<InspectionErrorDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_items_path: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_item_selector: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_item_batcher: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_items_pointer: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerated_failure_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerated_failure_percentage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u64>,
}

/// The request of an HTTP Task; shown at the level TRACE. `Debug` leaves all of it out: it may hold secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each is the field of InspectionDataRequest of the same name")]
pub struct InspectionDataRequest {
    pub protocol: String,
    pub method: String,
    pub url: String,
    /// `[name: value, …]`.
    pub headers: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// The answer to the request of an HTTP Task; shown at the level TRACE. `Debug` leaves all of it out.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each is the field of InspectionDataResponse of the same name")]
pub struct InspectionDataResponse {
    pub protocol: String,
    pub status_code: String,
    pub status_message: String,
    /// `[name: value, …]`.
    pub headers: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl std::fmt::Debug for InspectionDataRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("InspectionDataRequest").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for InspectionDataResponse {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("InspectionDataResponse").finish_non_exhaustive()
    }
}

/// Which Catch or Retry took the failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each is the field of InspectionErrorDetails of the same name")]
pub struct InspectionErrorDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_index: Option<usize>,
    /// In whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_backoff_interval_seconds: Option<u64>,
}

/// A state to test, and under which circumstances.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The state. Where it leads need not exist.
    pub state: Arc<State>,
    /// The execution's role; the context object shows `null` without one.
    pub role_arn: Option<String>,
    /// The variables that it sees.
    pub variables: Map<String, Value>,
    /// The whole context object, where it is not made of the other fields.
    pub context: Option<Value>,
    /// It is within a Map: the context object shows the input as the first item.
    pub within_map: bool,
    /// What a Task, Map or Parallel is taken to have done. Without one, a Task asks for its task; Map and Parallel need one.
    pub mock: Option<Mock>,
    /// How often the retrier that takes the mocked error has done so before; else what the context says.
    pub retry_count: Option<u64>,
    /// How many iterations of a Map are taken to have failed.
    pub failed_iterations: Option<u64>,
    /// What a Distributed Map's ItemReader is taken to have read, as it found it.
    pub item_reader_data: Option<String>,
}

/// What a state is taken to have done.
#[derive(Clone, Debug, PartialEq)]
pub enum Mock {
    /// It got this result.
    Result(Json),
    /// It failed.
    Error {
        /// `error`.
        error: String,
        /// `cause`.
        cause: Option<String>,
    },
}

/// Why a state can't be tested.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Untestable {
    /// The circumstances contradict the state: the caller's fault, told in AWS's words.
    #[error("{0}")]
    Trial(String),
    /// The input is no JSON, or the state could not be run.
    #[error(transparent)]
    Input(#[from] IllegalInput),
}

/// A state under test.
#[derive(Debug)]
pub struct StateTest {
    machine: StateMachine,
    execution: Execution,
    inspector: Inspector,
}

/// How a test stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// It is over.
    Inspected(Box<Inspection>),
    /// The world is asked: the answer of the task, or the timer that comes first, is to be handed to [`StateTest::go_on`].
    Waits {
        /// To be performed.
        task: Option<Box<ScheduledTask>>,
        /// That run.
        timers: Vec<(Timer, Timestamp)>,
    },
}

impl StateTest {
    /// Begins a test, and goes as far as it goes without the world. `start` has the input, and what the context object shows.
    pub fn begin(trial: Trial, start: ExecutionStart, moment: Moment) -> Result<(StateTest, Progress), Untestable> {
        let state = Arc::new(State { name: STATE_NAME.to_owned(), ..State::clone(&trial.state) });
        let flow = Flow { start_at: STATE_NAME.to_owned(), states: [(STATE_NAME.to_owned(), state)].into() };
        let machine =
            StateMachine { comment: None, query_language: trial.state.query_language, timeout_seconds: None, flow };
        let mut test =
            StateTest { machine, execution: Execution::new(), inspector: Inspector::of(&trial, &start.input) };
        let Trial { variables, mock, context, role_arn, .. } = trial;
        let is_task =
            matches!(test.machine.flow.states.first(), Some((_, state)) if matches!(state.kind, asl::Kind::Task(_)));
        let step = test.step(moment, |driver| {
            start_execution(driver, start)?;
            driver.set_up(variables, |execution| context.unwrap_or_else(|| context_of(execution, role_arn.as_deref())));
            Ok(())
        })?;
        let progress = test.progress(step)?;
        match (&progress, mock) {
            (Progress::Waits { task: Some(task), .. }, Some(mock)) if is_task => {
                let event_id = task.event_id;
                let answer = match mock {
                    Mock::Result(result) => Input::TaskSucceeded { event_id, output: result.value().clone() },
                    Mock::Error { error, cause } => Input::TaskFailed { event_id, error: Some(error), cause },
                };
                let progress = test.go_on(answer, moment)?;
                Ok((test, progress))
            }
            _ => Ok((test, progress)),
        }
    }

    /// Takes an answer of the world.
    pub fn go_on(&mut self, input: Input, moment: Moment) -> Result<Progress, Untestable> {
        let step = self.step(moment, |driver| take(driver, input))?;
        self.progress(step)
    }

    fn step(
        &mut self,
        moment: Moment,
        what: impl FnOnce(&mut Driver<'_, '_>) -> Result<(), IllegalInput>,
    ) -> Result<Step, Untestable> {
        let mut driver =
            Driver::new(&self.machine, &mut self.execution, moment, Limits::AWS.step).inspected_by(&mut self.inspector);
        what(&mut driver)?;
        driver.run();
        Ok(driver.finish(true)?)
    }

    fn progress(&mut self, step: Step) -> Result<Progress, Untestable> {
        if let Some(refusal) = self.inspector.refusal.take() {
            return Err(Untestable::Trial(refusal));
        }
        if let Some(inspection) = self.inspector.inspection(self.execution.ended()) {
            return Ok(Progress::Inspected(Box::new(inspection)));
        }
        let task = step.commands.into_iter().find_map(|command| match command {
            Command::ScheduleTask(task) => Some(task),
            _ => None,
        });
        let timers = self.execution.paths.get(&ROOT).map(|path| path.timers().collect()).unwrap_or_default();
        Ok(Progress::Waits { task, timers })
    }
}

/// The context object of an execution that is none: like that of an Express one, it can't be redriven.
fn context_of(execution: &Execution, role_arn: Option<&str>) -> Value {
    let mut context = context::of_execution(execution);
    if let Some(execution) = context.get_mut("Execution").and_then(Value::as_object_mut) {
        execution.shift_remove("RedriveCount");
        execution.insert("RoleArn".to_owned(), json!(role_arn));
    }
    context
}

impl StateTest {
    /// What is known of a state that took too long.
    pub fn timed_out(&self) -> Inspection {
        self.inspector.failed(&Failure::given(Some(TIMEOUT.to_owned()), None))
    }
}

impl From<Status> for TestStatus {
    fn from(status: Status) -> TestStatus {
        if status == Status::Succeeded { TestStatus::Succeeded } else { TestStatus::Failed }
    }
}
