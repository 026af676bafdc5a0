//! The one place where decisions are made.

use asl::StateMachine;

use crate::{
    Command, EventDetails, EventType, Execution, ExecutionStart, Fact, IllegalInput, Input, Json, Moment, Record,
    Status, Timer, TimerPurpose,
    driver::Driver,
    history::{DataDetails, ErrorDetails, ExecutionStarted},
    limits::{Budget, Limits},
    path::ROOT,
    record::Start,
    state, time,
};

/// What a step decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// To be made durable first, in one write.
    pub records: Vec<Record>,
    /// To be performed afterwards.
    pub commands: Vec<Command>,
}

/// Takes one input: runs on until every path of the execution waits for something or has ended, or the budget of a step
/// ([`Limits::step`]) is spent. What is ready then goes on with [`Input::Continue`] and with no other input.
///
/// `execution` is changed as the records say; if they can't be made durable, throw it away and replay.
pub fn step(
    machine: &StateMachine,
    execution: &mut Execution,
    input: Input,
    moment: Moment,
) -> Result<Step, IllegalInput> {
    step_within(Limits::AWS.step, machine, execution, input, moment)
}

pub(crate) fn step_within(
    budget: Budget,
    machine: &StateMachine,
    execution: &mut Execution,
    input: Input,
    moment: Moment,
) -> Result<Step, IllegalInput> {
    check(execution, &input)?;
    // While something is left from before, a step goes on only if it is asked to: then all else is short.
    let goes_on = execution.ready.is_empty() || input == Input::Continue;
    let mut driver = Driver::new(machine, execution, moment, budget);
    take(&mut driver, input)?;
    if goes_on {
        driver.run();
    }
    driver.finish(goes_on)
}

/// What an input does at once, before anything else goes on.
pub(crate) fn take(driver: &mut Driver<'_, '_>, input: Input) -> Result<(), IllegalInput> {
    match input {
        Input::StartExecution(start) => start_execution(driver, *start)?,
        Input::TaskSubmitted { event_id, output } => state::task::submitted(driver, event_id, output),
        Input::TaskSucceeded { event_id, output } => state::task::succeeded(driver, event_id, output),
        Input::TaskFailed { event_id, error, cause } => state::task::failed(driver, event_id, error, cause),
        Input::TaskHeartbeat { event_id } => state::task::heartbeat(driver, event_id),
        Input::ActivityStarted { event_id, worker_name } => {
            state::task::activity_started(driver, event_id, worker_name);
        }
        Input::ActivityScheduleFailed { event_id, error, cause } => {
            state::task::schedule_failed(driver, event_id, error, cause);
        }
        Input::MapRunEnded { event_id, outcome } => state::map::distributed::ended(driver, event_id, outcome),
        Input::TimerFired { timer } => timer_fired(driver, timer),
        Input::Continue => {}
        Input::Redrive => driver.redrive(),
        Input::StopExecution { error, cause } => {
            driver.stop(EventType::ExecutionAborted, ErrorDetails { error, cause });
        }
    }
    Ok(())
}

/// Whether an execution can take an input.
fn check(execution: &Execution, input: &Input) -> Result<(), IllegalInput> {
    match input {
        Input::StartExecution(_) if execution.started.is_some() => Err(IllegalInput::AlreadyStarted),
        Input::StartExecution(_) => Ok(()),
        _ if execution.started.is_none() => Err(IllegalInput::NotStarted),
        Input::Redrive if matches!(execution.status(), Status::Running | Status::Succeeded) => {
            Err(IllegalInput::NotRedrivable)
        }
        Input::StopExecution { .. } if execution.status() != Status::Running => Err(IllegalInput::Ended),
        Input::TaskSubmitted { event_id, .. }
        | Input::TaskSucceeded { event_id, .. }
        | Input::TaskFailed { event_id, .. }
        | Input::TaskHeartbeat { event_id }
        | Input::ActivityStarted { event_id, .. }
        | Input::ActivityScheduleFailed { event_id, .. } => {
            if execution.tasks.contains_key(event_id) {
                Ok(())
            } else {
                Err(IllegalInput::UnknownTask(*event_id))
            }
        }
        Input::MapRunEnded { .. }
        | Input::TimerFired { .. }
        | Input::Continue
        | Input::Redrive
        | Input::StopExecution { .. } => Ok(()),
    }
}

pub(crate) fn start_execution(driver: &mut Driver<'_, '_>, start: ExecutionStart) -> Result<(), IllegalInput> {
    let input = Json::parse(&start.input).map_err(|error| IllegalInput::InputNotJson(error.to_string()))?;
    if input.depth() > Limits::AWS.depth {
        let reason = format!("arrays and objects nest deeper than {} levels", Limits::AWS.depth);
        return Err(IllegalInput::InputNotJson(reason));
    }
    let machine = driver.machine();
    let express = start.express.then_some(Limits::AWS.express_seconds);
    let timeout_seconds = machine.timeout_seconds.into_iter().chain(express).min();
    let timeout_at = timeout_seconds.map(|seconds| time::later_by_seconds(driver.now(), seconds));
    driver.bare_fact(Fact::Start(Box::new(Start {
        execution_arn: start.execution_arn,
        name: start.name,
        state_machine_arn: start.state_machine_arn,
        state_machine_name: start.state_machine_name,
        express: start.express,
        timeout_at,
        quotas: start.quotas,
    })));
    let details =
        ExecutionStarted { input: input.clone(), input_details: DataDetails::default(), role_arn: start.role_arn };
    driver.event(ROOT, EventType::ExecutionStarted, EventDetails::ExecutionStarted(details));
    if let Some((timer, at)) = driver.execution.timeout() {
        driver.command(Command::StartTimer { timer, at });
    }
    driver.go_to(ROOT, &machine.flow.start_at, input);
    Ok(())
}

/// A timer that nobody waits for any more does nothing.
fn timer_fired(driver: &mut Driver<'_, '_>, timer: Timer) {
    if timer.purpose == TimerPurpose::ExecutionTimeout {
        if driver.execution.timeout().is_some() {
            driver.stop(EventType::ExecutionTimedOut, ErrorDetails::default());
        }
        return;
    }
    let Some(path) = driver.execution.path_of_timer(timer) else { return };
    match timer.purpose {
        TimerPurpose::Wait => {
            let outcome = state::wait::over(driver, path);
            driver.conclude(path, outcome);
        }
        TimerPurpose::Retry => {
            driver.fact(path, Fact::Retried);
            driver.perform(path);
        }
        TimerPurpose::TaskTimeout | TimerPurpose::Heartbeat => state::task::timed_out(driver, path, timer),
        TimerPurpose::ExecutionTimeout => {}
    }
}
