//! The services that run jobs (`.sync`), and nested executions, which are jobs too.

use std::time::Duration;

use execution::Status;
use serde_json::{Value, json};

use super::{
    machines::NESTED,
    tasks::{WorldExecutor, answer, script},
    world::Answer,
};
use crate::{
    engine::Refusal,
    ports::{JobStanding, Task, TaskOutcome},
};

/// One that never ends by itself.
const NEVER: Duration = Duration::from_secs(1_000_000_000);
/// How often stopping a job fails while the weather is bad, in hundredths.
const STOPPING_FAILS: u64 = 30;

/// A job, as its service knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceJob {
    /// When it ends, in simulated time.
    ends_at: Duration,
    /// Its service was asked to stop it, and did.
    pub(super) is_stopped: bool,
}

/// How a nested execution's end is told.
pub(super) fn nested(status: Status, output: Option<&Value>) -> Answer {
    match status {
        Status::Succeeded => Answer::Output(json!({"Output": output})),
        _ => Answer::Error("States.TaskFailed".to_owned(), "the nested execution failed".to_owned()),
    }
}

/// The nested execution that a task began.
pub(super) fn nested_execution(task: &Task) -> Option<String> {
    task.scheduled.submitted.as_ref()?["ExecutionArn"].as_str().map(str::to_owned)
}

fn key(task: &Task) -> (String, u64) {
    (task.execution_arn.clone(), task.scheduled.event_id)
}

impl WorldExecutor {
    /// Begins a job; what was begun before with this token goes on.
    pub(super) fn begin_job(&self, task: &Task, never_ends: bool) -> TaskOutcome {
        let mut state = self.0.state();
        let milliseconds = if state.random.chance(30) { 0 } else { state.random.between(1, 30_000) };
        let ends_at = if never_ends { NEVER } else { state.elapsed() + Duration::from_millis(milliseconds) };
        state.ledger.jobs.entry(key(task)).or_insert(ServiceJob { ends_at, is_stopped: false });
        TaskOutcome::Submitted(json!({"JobRunId": "j"}))
    }

    /// `states:startExecution.sync:2`: the task's token for idempotency is the name, so that it is begun once.
    pub(super) async fn begin_nested(&self, task: &Task) -> TaskOutcome {
        let Some(engine) = self.0.engine() else { return std::future::pending().await };
        let arguments = &task.scheduled.arguments;
        let machine = arguments["StateMachineArn"].as_str().unwrap_or_default();
        let name = &task.scheduled.idempotency_token;
        let arn = format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"));
        let input = arguments["Input"].to_string();
        loop {
            match engine.start_execution(machine, Some(name), &input).await {
                Ok(_) | Err(Refusal::ExecutionAlreadyExists(_)) => break,
                Err(Refusal::Store(_)) => tokio::time::sleep(Duration::from_millis(500)).await,
                Err(refusal) => {
                    self.0.violation(format_args!("a nested execution is refused: {refusal}"));
                    break;
                }
            }
        }
        self.0.state().ledger.jobs.entry(key(task)).or_default();
        TaskOutcome::Submitted(json!({"ExecutionArn": arn}))
    }

    pub(super) fn ask_service(&self, task: &Task) -> JobStanding {
        let script = script(&task.scheduled.resource, &task.scheduled.arguments);
        let may_fail = script["MayFail"].as_bool().unwrap_or_default();
        let mut guard = self.0.state();
        let state = &mut *guard;
        state.count("jobs asked after");
        let chance = if state.weather.is_calm { 0 } else { state.weather.tasks.2 };
        if state.random.chance(chance) {
            state.count("fault: a service did not say how its job stands");
            let (error, cause) = ("Broken".to_owned(), "nobody says".to_owned());
            if may_fail {
                let answer = Answer::Error(error.clone(), cause.clone());
                state.ledger.tasks.entry(key(task)).or_default().answers.push(answer);
            }
            let outcome = TaskOutcome::Failed { error, cause };
            return JobStanding::Unclear { outcome, allowed: if may_fail { 1 } else { u32::MAX } };
        }
        let Some(job) = state.ledger.jobs.get(&key(task)) else {
            state.violation(format_args!("{}: a job is asked after that never began", task.execution_arn));
            return JobStanding::Running;
        };
        if state.elapsed() < job.ends_at {
            state.count("jobs that still ran");
            return JobStanding::Running;
        }
        drop(guard);
        JobStanding::Ended(self.answered(task, answer(&script)))
    }

    pub(super) async fn ask_nested(&self, task: &Task, arn: &str) -> JobStanding {
        let Some(engine) = self.0.engine() else { return std::future::pending().await };
        self.0.count("nested executions asked after");
        match engine.describe_execution(arn).await {
            Ok(record) => match record.ended {
                Some(ended) => JobStanding::Ended(self.answered(task, nested(ended.status, ended.output.as_ref()))),
                None => {
                    if record.redrive_count == 0 {
                        self.0.violation(format_args!("{arn}: is asked after, and has not ended"));
                    }
                    JobStanding::Running
                }
            },
            Err(Refusal::Store(error)) => {
                let outcome = TaskOutcome::Failed { error: "Broken".to_owned(), cause: error.to_string() };
                JobStanding::Unclear { outcome, allowed: u32::MAX }
            }
            Err(refusal) => {
                self.0.violation(format_args!("{arn}: a nested execution is gone: {refusal}"));
                JobStanding::Running
            }
        }
    }

    /// Stops a job, or not.
    pub(super) async fn stop(&self, task: &Task) -> Result<(), String> {
        let (arn, event_id) = key(task);
        self.0.note(format_args!("stop job {arn} {event_id}"));
        self.0.pause(0, 1000).await;
        {
            let mut state = self.0.state();
            if !state.weather.is_calm && state.random.chance(STOPPING_FAILS) {
                state.count("fault: a job was not stopped");
                return Err("not now".to_owned());
            }
        }
        if task.scheduled.resource == NESTED {
            let nested = nested_execution(task).unwrap_or_default();
            let Some(engine) = self.0.engine() else { return std::future::pending().await };
            match engine.stop_execution(&nested, None, None).await {
                Ok(_) => self.0.count("nested executions stopped"),
                Err(Refusal::Store(error)) => return Err(error.to_string()),
                Err(refusal) => self.0.violation(format_args!("{nested}: its stop is refused: {refusal}")),
            }
        }
        let mut state = self.0.state();
        state.count("jobs stopped");
        state.ledger.jobs.entry((arn, event_id)).or_default().is_stopped = true;
        Ok(())
    }
}
