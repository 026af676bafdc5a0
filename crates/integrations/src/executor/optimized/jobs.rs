//! Jobs that were begun (`.sync`): asked after until they end, and stopped when nobody waits any more.

use std::time::Duration;

use asl::integration::Pattern;
use aws::CallError;
use engine::ports::Task;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    super::{Executor, Failure, Resource, aws_sdk},
    PATIENCE, as_failure,
    row::{Argument, Job, Row},
    table,
};

/// A job is asked after when it has run for so much longer.
const LONGER: u32 = 10;
/// But never later than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The same of a job in this process.
const LONGEST_OWN_PAUSE: Duration = Duration::from_secs(5);
/// And the shortest pause then.
const SHORTEST_OWN_PAUSE: Duration = Duration::from_millis(50);
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
    /// Waits until a job has ended; its result.
    pub(super) async fn job_ended(
        &self,
        row: &Row,
        job: &Job,
        pattern: Pattern,
        task: &Task,
        answer: &Value,
    ) -> Result<Value, Failure> {
        let caller = self.caller(row.aws_service, task)?;
        let parameters = Argument::all(job.by, &about(task, answer));
        let (shortest, longest) = match caller.own {
            true => (SHORTEST_OWN_PAUSE, LONGEST_OWN_PAUSE),
            false => (self.poll_after, LONGEST_PAUSE),
        };
        let begun = Instant::now();
        let (mut unanswered, mut unknown) = (0, 0);
        loop {
            tokio::time::sleep((begun.elapsed() / LONGER).clamp(shortest.min(longest), longest)).await;
            let call = (row.aws_service, job.describe);
            let told = aws_sdk::request_as_version_1(caller, task, call, parameters.clone(), PATIENCE).await;
            match told {
                Ok(told) => match job.standing(told.result, answer) {
                    Standing::Running => (unanswered, unknown) = (0, 0),
                    Standing::Well(result) => return Ok((job.output)(result, pattern)),
                    Standing::Unknown(_) if unknown < UNKNOWN_MAX => unknown += 1,
                    Standing::Badly(result) | Standing::Unknown(result) => {
                        return Err(Failure { error: "States.TaskFailed".to_owned(), cause: result.to_string() });
                    }
                },
                Err(error) if job.gone && is_gone(&error) => return Ok(json!({})),
                Err(error) if unanswered < UNANSWERED_MAX && may_be_answered_later(&error) => unanswered += 1,
                Err(error) => return Err(as_failure(row.service, error)),
            }
        }
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
