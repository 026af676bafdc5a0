//! TestState: one state, without a machine, an execution or a record of it.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html>

use std::sync::Arc;

use asl::{Document, Format, Kind, State, diagnostic::invalid_definition, parse::AnyResource};
use execution::{
    ExecutionStart, IllegalInput, Input, Inspection, Moment, ScheduledTask, StateTest, Timer, Trial,
    inspection::{Progress, STATE_NAME, Untestable},
};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::task::JoinSet;

use super::{Engine, Refusal, names};
use crate::ports::{StoreError, Task, TaskOutcome, Trace};

/// AWS lets a state take no longer.
const TIME_LIMIT: SignedDuration = SignedDuration::from_mins(5);

/// What the world says, and what went over the wire for it.
type Answer = (Input, Option<Trace>);

/// A state that is to be tested.
#[derive(Clone, Debug)]
pub struct Testee {
    /// The state, as its definition has it.
    pub state: Arc<State>,
    /// It is within a Map.
    pub within_map: bool,
}

/// Why a state was not tested.
#[derive(Debug, Error)]
pub enum TestRefusal {
    /// The circumstances contradict the state: `ValidationException`.
    #[error("{0}")]
    Validation(String),
    /// Another error of the API.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl Testee {
    /// The state that a definition consists of, or the one of that name in the definition of a whole machine.
    pub fn find(definition: &str, name: Option<&str>) -> Result<Testee, TestRefusal> {
        let refused = |problems: Vec<_>| Refusal::InvalidDefinition(invalid_definition(&problems));
        let document = Document::parse(definition, Format::Json).map_err(refused)?;
        let Some(name) = name else {
            // AWS reads a single state as one of a machine, and names its problems so.
            let machine = serde_json::json!({"StartAt": STATE_NAME, "States": {STATE_NAME: document.value()}});
            let document = Document::parse(&machine.to_string(), Format::Json).map_err(refused)?;
            let (machine, _) = asl::parse::parse_open(&document, &AnyResource).map_err(refused)?;
            return Testee::of(&machine, STATE_NAME);
        };
        let (machine, _) = asl::parse::parse(&document, &AnyResource).map_err(refused)?;
        Testee::of(&machine, name)
    }

    fn of(machine: &asl::StateMachine, name: &str) -> Result<Testee, TestRefusal> {
        let (_, state) =
            machine.find(name).ok_or_else(|| TestRefusal::Validation("State not found in definition".to_owned()))?;
        let holds = |state: &State| match &state.kind {
            Kind::Map(map) => map.processor.all_states().any(|(_, inner)| inner.name == name),
            _ => false,
        };
        let within_map = machine.states().any(|(_, outer)| holds(outer));
        Ok(Testee { state: state.clone(), within_map })
    }
}

impl Engine {
    /// TestState: runs one state, and performs its task where there is no mock. Nothing of it is kept. `reveal_secrets`: the trace
    /// of an HTTP Task shows them.
    pub async fn test_state(
        &self,
        account: &str,
        region: &str,
        input: &str,
        trial: Trial,
        reveal_secrets: bool,
    ) -> Result<Inspection, TestRefusal> {
        super::executions::check_input(input, self.shared().options.quotas.payload_bytes)?;
        let _permit = self.shared().tests.acquire().await;
        let deadline = self.shared().clock.now().saturating_add(TIME_LIMIT).unwrap_or(Timestamp::MAX);
        let machine = uuid::Uuid::new_v4().to_string();
        let name = uuid::Uuid::new_v4().to_string();
        let state_machine_arn = names::state_machine_arn(account, region, &machine);
        let start = ExecutionStart {
            execution_arn: names::express_arn(&state_machine_arn, &name).unwrap_or_default(),
            name,
            state_machine_arn,
            express: true,
            quotas: self.shared().options.quotas,
            state_machine_name: machine,
            role_arn: trial.role_arn.clone().unwrap_or_default(),
            input: input.to_owned(),
        };
        let whose = (start.execution_arn.clone(), start.state_machine_arn.clone());
        let moment = self.moment();
        let (mut test, mut progress) = aside(move || StateTest::begin(trial, start, moment)).await??;
        let mut trace = None;
        loop {
            let (task, timers) = match progress {
                Progress::Inspected(inspection) => return Ok(with_trace(*inspection, trace)),
                Progress::Waits { task, timers } => (task, timers),
            };
            let task = task.map(|scheduled| self.perform(&whose, *scheduled, reveal_secrets));
            let Some(answer) = self.first(task, &timers, deadline).await else {
                return Ok(with_trace(test.timed_out(), trace));
            };
            let (input, seen) = answer;
            trace = seen.or(trace);
            let moment = self.moment();
            (test, progress) = aside(move || test.go_on(input, moment).map(|progress| (test, progress))).await??;
        }
    }

    /// What comes first: the task's answer or a timer; nothing in time.
    async fn first(
        &self,
        task: Option<impl Future<Output = Answer> + Send + 'static>,
        timers: &[(Timer, Timestamp)],
        deadline: Timestamp,
    ) -> Option<Answer> {
        let first = timers.iter().min_by_key(|(_, at)| *at).filter(|(_, at)| *at <= deadline);
        let until = first.map_or(deadline, |(_, at)| *at);
        // Dropped, and with it the task, when something else came first.
        let mut performed = JoinSet::new();
        task.map(|task| performed.spawn(task));
        let slept = async {
            while self.shared().clock.now() < until {
                self.shared().sleep_until(Some(until)).await;
            }
        };
        tokio::select! {
            Some(Ok(answer)) = performed.join_next() => Some(answer),
            () = slept => first.map(|(timer, _)| (Input::TimerFired { timer: *timer }, None)),
        }
    }

    /// Has a task performed; a panic of its performer is its failure.
    fn perform(
        &self,
        (execution_arn, state_machine_arn): &(String, String),
        scheduled: ScheduledTask,
        reveal_secrets: bool,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let (execution_arn, state_machine_arn) = (execution_arn.clone(), state_machine_arn.clone());
        let event_id = scheduled.event_id;
        let task = Task { execution_arn, state_machine_arn, scheduled };
        let executor = self.shared().executor.clone();
        async move {
            let mut performing = JoinSet::new();
            performing.spawn(async move { executor.perform_traced(task, reveal_secrets).await });
            let (outcome, trace) = match performing.join_next().await {
                Some(Ok(answer)) => answer,
                _ => (panicked(), None),
            };
            let input = match outcome {
                // Those that wait for a token are refused before: what was submitted is the answer.
                TaskOutcome::Succeeded(output) | TaskOutcome::Submitted(output) => {
                    Input::TaskSucceeded { event_id, output }
                }
                TaskOutcome::Failed { error, cause } => {
                    Input::TaskFailed { event_id, error: Some(error), cause: Some(cause) }
                }
                TaskOutcome::ScheduleFailed { error, cause } => {
                    Input::ActivityScheduleFailed { event_id, error, cause }
                }
            };
            (input, trace)
        }
    }

    fn moment(&self) -> Moment {
        Moment { now: self.shared().clock.now(), seed: self.shared().clock.seed() }
    }
}

fn panicked() -> TaskOutcome {
    tracing::error!("the performer of a tested task panicked; this is a bug");
    TaskOutcome::Failed {
        error: "States.Runtime".to_owned(),
        cause: "the task's performer panicked; this is a bug: please report it".to_owned(),
    }
}

fn with_trace(mut inspection: Inspection, trace: Option<Trace>) -> Inspection {
    if let (Some(data), Some(Trace { request, response })) = (&mut inspection.inspection_data, trace) {
        data.request = Some(request);
        data.response = response;
    }
    inspection
}

/// Computes where that may take its time.
async fn aside<T: Send + 'static>(compute: impl FnOnce() -> T + Send + 'static) -> Result<T, TestRefusal> {
    tokio::task::spawn_blocking(compute).await.map_err(|_| {
        let error = "testing a state panicked; this is a bug: please report it".to_owned();
        TestRefusal::Refusal(Refusal::Store(StoreError::Damaged(error)))
    })
}

impl From<Untestable> for TestRefusal {
    fn from(untestable: Untestable) -> TestRefusal {
        match untestable {
            Untestable::Trial(text) => TestRefusal::Validation(text),
            Untestable::Input(IllegalInput::InputNotJson(error)) => {
                TestRefusal::Refusal(super::executions::invalid_input(&error))
            }
            Untestable::Input(error) => TestRefusal::Refusal(Refusal::Store(StoreError::Damaged(error.to_string()))),
        }
    }
}
