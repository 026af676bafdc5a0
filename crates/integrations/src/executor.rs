//! Performs tasks: the engine's `TaskExecutor`.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use aws::Aws;
use detection::Finding;
use engine::{
    FindingStore, TaskExecutor,
    ports::{ItemsToRead, ObjectToPut, Task, TaskOutcome},
};
use execution::map_run::Item;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    Channels, Function,
    functions::{GuardrailSettings, Records, ask::Ask, finding::ChangeFinding, owner::Owner, tell::Tell},
    resource::{Resource, UnsupportedResource},
};

mod aws_sdk;
mod lambda;
mod map_run;
#[cfg(test)]
mod tests;

/// Of a task's result as JSON text, in bytes: Step Functions' limit of a state's data.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const RESULT_BYTES_MAX: usize = 256 * 1024;

/// Performs tasks. Dropping the future of a task cancels it.
pub struct Executor {
    aws: Aws,
    /// What the service `sfn` is called with: where this process is Step Functions itself, its own API.
    states: Aws,
    /// The built-in functions by their names, `rectify-` included.
    functions: HashMap<String, Arc<dyn Function>>,
    tell: Tell,
}

impl Executor {
    /// An executor with the built-in functions: they change `findings` by `settings` and tell people by `channels`.
    pub fn new(aws: Aws, findings: Arc<dyn FindingStore>, settings: GuardrailSettings, channels: Channels) -> Executor {
        let records = Records { findings, settings };
        let tell = Tell::new(records.clone(), channels);
        Executor { states: aws.clone(), aws: aws.clone(), functions: HashMap::new(), tell: tell.clone() }
            .with_function(ChangeFinding::new(records.clone()))
            .with_function(Owner::new(aws))
            .with_function(Ask::new(records, tell.clone()))
            .with_function(tell)
    }

    /// Adds a function, or puts it in the place of the one of that name.
    #[must_use]
    pub fn with_function(mut self, function: impl Function + 'static) -> Executor {
        self.functions.insert(format!("rectify-{}", function.name()), Arc::new(function));
        self
    }

    /// Sends `aws-sdk:sfn:*` tasks elsewhere: to this process's own API, with its own credentials.
    #[must_use]
    pub fn with_states(self, states: Aws) -> Executor {
        Executor { states, ..self }
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Executor")
            .field("aws", &self.aws)
            .field("functions", &self.functions.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TaskExecutor for Executor {
    async fn perform(&self, task: Task) -> TaskOutcome {
        let answer = match Resource::parse(&task.scheduled.resource) {
            Err(unsupported) => Err(unsupported.into()),
            Ok(resource) => self.dispatch(&task, &resource).await,
        };
        match answer {
            Ok(outcome) => outcome,
            Err(Failure { error, cause }) => TaskOutcome::Failed { error, cause },
        }
    }

    /// The built-in functions are.
    fn is_local(&self, task: &Task) -> bool {
        let arguments = &task.scheduled.arguments;
        match Resource::parse(&task.scheduled.resource) {
            Ok(Resource::LambdaInvoke { .. }) => {
                self.is_built_in(task, arguments.get("FunctionName").and_then(Value::as_str))
            }
            Ok(Resource::LambdaFunction(arn)) => self.is_built_in(task, Some(&arn)),
            Ok(Resource::AwsSdk { .. }) | Err(_) => false,
        }
    }

    async fn read_items(&self, items: ItemsToRead, pages: mpsc::Sender<Vec<Item>>) -> Result<(), String> {
        map_run::read_items(&self.aws, items, pages).await
    }

    async fn put_object(&self, object: ObjectToPut) -> Result<(), String> {
        map_run::put_object(&self.aws, object).await
    }

    async fn tell_of_failure(&self, finding: &Finding) -> Result<(), String> {
        self.tell.of_failure(finding).await
    }
}

impl Executor {
    async fn dispatch(&self, task: &Task, resource: &Resource) -> Result<TaskOutcome, Failure> {
        let (result, waits, named) = match resource {
            Resource::AwsSdk { service, action, waits } => {
                let aws = if service == "sfn" { &self.states } else { &self.aws };
                (aws_sdk::call(aws, task, service, action).await?, *waits, task.scheduled.state_name.as_str())
            }
            Resource::LambdaInvoke { waits } => (self.invoke_optimized(task).await?, *waits, "lambda"),
            Resource::LambdaFunction(arn) => (self.invoke_directly(task, arn).await?, false, arn.as_str()),
        };
        within_limit(&result, named)?;
        Ok(if waits { TaskOutcome::Submitted(result) } else { TaskOutcome::Succeeded(result) })
    }
}

/// A task's failure, as Step Functions shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    error: String,
    cause: String,
}

impl Failure {
    /// What no Retry and no Catch can help with.
    fn runtime(cause: impl Into<String>) -> Failure {
        Failure { error: "States.Runtime".to_owned(), cause: cause.into() }
    }
}

impl From<UnsupportedResource> for Failure {
    fn from(unsupported: UnsupportedResource) -> Failure {
        Failure::runtime(unsupported.to_string())
    }
}

fn within_limit(result: &Value, named: &str) -> Result<(), Failure> {
    if result.to_string().len() <= RESULT_BYTES_MAX {
        return Ok(());
    }
    Err(Failure {
        error: "States.DataLimitExceeded".to_owned(),
        cause: format!(
            "The state/task '{named}' returned a result with a size exceeding the maximum number of bytes service limit."
        ),
    })
}

/// The Region and the account of a state machine's ARN (`arn:PARTITION:states:REGION:ACCOUNT:stateMachine:NAME`).
fn home(task: &Task) -> Result<(&str, &str), Failure> {
    let mut parts = task.state_machine_arn.split(':').skip(3);
    match (parts.next(), parts.next()) {
        (Some(region), Some(account)) if !region.is_empty() => Ok((region, account)),
        _ => Err(Failure::runtime(format!(
            "the state machine's ARN `{}` names no Region: a task calls the Region of its state machine",
            task.state_machine_arn
        ))),
    }
}
