//! The optimized integrations: `arn:aws:states:::SERVICE:ACTION`, a row of a table each.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html>

mod dynamo_db;
mod elastic_map_reduce;
mod error;
mod events;
mod jobs;
mod metadata;
mod row;
mod table;
#[cfg(test)]
mod tests;

use asl::integration::Pattern;
use aws::{CallError, VersionOneAnswer};
use engine::ports::{Task, TaskOutcome};
use serde_json::{Map, Value, json};

use self::row::Row;
use super::{
    Executor, Failure,
    aws_sdk::{self, Patience},
    within_limit,
};

pub(super) use self::{error::as_failure, metadata::with_metadata};

/// For the call that an integration makes. What takes longer is for a Retrier.
const PATIENCE: Patience = Patience { attempts: 3, timeout_seconds: 60 };

/// Whether the integration is one of those here.
pub(crate) fn is_known(service: &str, action: &str) -> bool {
    table::find(service, action).is_some()
}

/// The service and the action that an integration calls, as the `aws-sdk` integration names them.
pub(crate) fn called(service: &str, action: &str) -> Option<(&'static str, &'static str)> {
    table::find(service, action).map(|row| (row.aws_service, row.aws_action))
}

impl Executor {
    /// Calls the service.
    pub(super) async fn optimized(
        &self,
        task: &Task,
        (service, action): (&str, &str),
        pattern: Pattern,
    ) -> Result<TaskOutcome, Failure> {
        let row = row_of(service, action)?;
        let result = self.begin(row, pattern, task).await?;
        within_limit(&result, service)?;
        Ok(match pattern {
            Pattern::RequestResponse => TaskOutcome::Succeeded(result),
            Pattern::Sync | Pattern::Sync2 | Pattern::WaitForTaskToken => TaskOutcome::Submitted(result),
        })
    }

    async fn begin(&self, row: &Row, pattern: Pattern, task: &Task) -> Result<Value, Failure> {
        let parameters = (row.request)(parameters(row, task)?, task)?;
        let call = (row.aws_service, row.aws_action);
        let caller = self.caller(row.aws_service, task)?;
        let answer = aws_sdk::request_as_version_1(caller, task, call, Value::Object(parameters), PATIENCE).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => match self.started_before(row, task, &error).await {
                Some(answer) => answer,
                None => {
                    return Err(match error.of_parameters(&task.scheduled.arguments) {
                        Ok(failure) => failure,
                        Err(error) => as_failure(row.service, error),
                    });
                }
            },
        };
        let result = (row.answer)(members(answer.result), pattern)?;
        Ok(with_metadata(result, &VersionOneAnswer { result: Value::Null, ..answer }))
    }
}

impl Executor {
    /// The execution that this very task started before a crash, where it has ended since: starting it by the same name is refused then.
    async fn started_before(&self, row: &Row, task: &Task, error: &aws_sdk::Error) -> Option<VersionOneAnswer> {
        let aws_sdk::Error::Call(CallError::Service { code, cause, .. }) = error else { return None };
        // Told in the error: Execution Already Exists: 'ARN'.
        let arn = cause.split('\'').nth(1).filter(|_| row.service == "states" && code == "ExecutionAlreadyExists")?;
        let is_its_own = task.scheduled.arguments.get("Name").is_none_or(Value::is_null);
        if !is_its_own || arn.rsplit(':').next() != Some(task.scheduled.idempotency_token.as_str()) {
            return None;
        }
        let caller = self.caller(row.aws_service, task).ok()?;
        let call = (row.aws_service, "describeExecution");
        let told =
            aws_sdk::request_as_version_1(caller, task, call, json!({"ExecutionArn": arn}), PATIENCE).await.ok()?;
        let mut begun = members(told.result);
        begun.retain(|name, _| ["ExecutionArn", "StartDate"].contains(&name.as_str()));
        Some(VersionOneAnswer { result: Value::Object(begun), ..told })
    }
}

fn row_of(service: &str, action: &str) -> Result<&'static Row, Failure> {
    table::find(service, action)
        .ok_or_else(|| Failure::runtime(format!("the integration `{service}:{action}` is not supported here")))
}

/// The task's parameters, those that travel as text made text.
fn parameters(row: &Row, task: &Task) -> Result<Map<String, Value>, Failure> {
    let arguments = &task.scheduled.arguments;
    let Value::Object(given) = arguments else { return Err(Failure::no_object(arguments)) };
    if let Some(known) = asl::integration::find(row.service, row.action) {
        let problems = known.problems(given.keys().map(String::as_str));
        if !problems.is_empty() {
            return Err(Failure::unusable(arguments, &problems));
        }
    }
    let given = given.iter().filter(|(_, value)| !value.is_null());
    let parameters = given.map(|(name, value)| {
        let is_text = row.texts.contains(&name.as_str());
        (name.clone(), if is_text { text(value) } else { value.clone() })
    });
    Ok(parameters.collect())
}

/// JSON where the API has text.
fn text(value: &Value) -> Value {
    match value {
        Value::String(_) => value.clone(),
        other => Value::String(other.to_string()),
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
