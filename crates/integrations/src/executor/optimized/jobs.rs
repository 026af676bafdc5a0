//! Jobs that were begun (`.sync`): what their services say of them, and how they are stopped. When is for the engine to say.

use aws::CallError;
use engine::ports::{JobStanding, Task, TaskOutcome};
use serde_json::{Value, json};

use super::{
    super::within_limit,
    super::{Executor, Failure, Resource, aws_sdk},
    PATIENCE, as_failure,
    row::{Argument, Job},
    row_of, table,
};

/// Questions in a row that may go unanswered.
const UNANSWERED_MAX: u32 = 60;
/// And answers in a row that know of no such job: a service may not know at once what it has begun.
///
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>
const UNKNOWN_MAX: u32 = 20;

/// How a job stands.
enum Standing {
    Running,
    Well(Value),
    Badly(Value),
    /// The answer, which has no status of it.
    Unknown(Value),
}

impl Executor {
    /// How a job stands by its service.
    pub(in super::super) async fn ask(&self, task: &Task) -> Result<JobStanding, Failure> {
        let Ok(Resource::Optimized { service, action, pattern }) = Resource::parse(&task.scheduled.resource) else {
            return Err(Failure::runtime(format!("`{}` begins no job", task.scheduled.resource)));
        };
        let row = row_of(service, action)?;
        let (Some(job), Some(answer)) = (&row.job, &task.scheduled.submitted) else {
            return Err(Failure::runtime(format!("`{service}:{action}` has begun no job")));
        };
        let caller = self.caller(row.aws_service, task)?;
        let parameters = Argument::all(job.by, &about(task, answer));
        let call = (row.aws_service, job.describe);
        let told = match aws_sdk::request_as_version_1(caller, task, call, parameters, PATIENCE).await {
            Ok(told) => told.result,
            Err(error) if job.gone && is_gone(&error) => return Ok(ended(json!({}))),
            Err(error) if may_be_answered_later(&error) => {
                return Ok(unclear(as_failure(row.service, error), UNANSWERED_MAX));
            }
            Err(error) => return Err(as_failure(row.service, error)),
        };
        let badly = |result: Value| Failure { error: "States.TaskFailed".to_owned(), cause: result.to_string() };
        Ok(match job.standing(told, answer) {
            Standing::Running => JobStanding::Running,
            Standing::Well(result) => {
                let result = (job.output)(result, pattern);
                within_limit(&result, service)?;
                ended(result)
            }
            Standing::Badly(result) => return Err(badly(result)),
            Standing::Unknown(result) => unclear(badly(result), UNKNOWN_MAX),
        })
    }

    /// The execution that a job is, where it runs in this process.
    pub(in super::super) fn own_execution(&self, task: &Task) -> Option<String> {
        let Ok(Resource::Optimized { service: "states", .. }) = Resource::parse(&task.scheduled.resource) else {
            return None;
        };
        let is_own = self.caller("sfn", task).is_ok_and(|caller| caller.own);
        let arn = task.scheduled.submitted.as_ref()?.get("ExecutionArn")?.as_str()?;
        is_own.then(|| arn.to_owned())
    }

    /// Stops a job, where its service can.
    pub(in super::super) async fn stop(&self, task: &Task) -> Result<(), Failure> {
        let Ok(Resource::Optimized { service, action, .. }) = Resource::parse(&task.scheduled.resource) else {
            return Ok(());
        };
        let Some(row) = table::find(service, action) else { return Ok(()) };
        let (Some(job), Some(answer)) = (&row.job, &task.scheduled.submitted) else { return Ok(()) };
        let Some((stop, arguments)) = job.stop else { return Ok(()) };
        let caller = self.caller(row.aws_service, task)?;
        let parameters = Argument::all(arguments, &about(task, answer));
        let stopped = aws_sdk::request(caller, task, (row.aws_service, stop), parameters, PATIENCE).await;
        stopped.map(drop).map_err(|error| as_failure(row.service, error))
    }
}

fn ended(result: Value) -> JobStanding {
    JobStanding::Ended(TaskOutcome::Succeeded(result))
}

fn unclear(Failure { error, cause }: Failure, allowed: u32) -> JobStanding {
    JobStanding::Unclear { outcome: TaskOutcome::Failed { error, cause }, allowed }
}

/// What the arguments of calls about a job are taken from.
fn about(task: &Task, answer: &Value) -> Value {
    let aborted = format!(
        "The Task state in AWS Step Functions execution [{}] which was managing this resource was aborted",
        task.execution_arn
    );
    json!({"Parameters": task.scheduled.arguments, "Answer": answer, "Aborted": aborted})
}

impl Job {
    fn standing(&self, told: Value, answer: &Value) -> Standing {
        let Some(status) = told.pointer(self.status).and_then(Value::as_str) else { return Standing::Unknown(told) };
        let (good, bad) = (self.good.contains(&status), self.bad.contains(&status));
        if !good && !bad {
            return Standing::Running;
        }
        let mut shown = told.pointer(self.shown).cloned().unwrap_or(Value::Null);
        if let Some(members) = shown.as_object_mut() {
            let kept = self.kept.iter().filter_map(|name| Some(((*name).to_owned(), answer.get(*name)?.clone())));
            members.extend(kept);
            members.retain(|name, _| !self.hidden.contains(&name.as_str()));
            members.sort_keys();
        }
        if good && (self.went_well)(&shown) { Standing::Well(shown) } else { Standing::Badly(shown) }
    }
}

fn is_gone(error: &aws_sdk::Error) -> bool {
    matches!(error, aws_sdk::Error::Call(CallError::Service { code, .. }) if code == "ResourceNotFoundException")
}

fn may_be_answered_later(error: &aws_sdk::Error) -> bool {
    match error {
        aws_sdk::Error::Call(CallError::Client { .. }) => true,
        aws_sdk::Error::Call(CallError::Service { status, throttled, .. }) => *throttled || *status >= 500,
        _ => false,
    }
}
