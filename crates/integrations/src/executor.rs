//! Performs tasks: the engine's `TaskExecutor`.

use std::{collections::HashMap, sync::Arc};

use asl::integration::ParameterProblem;
use async_trait::async_trait;
use aws::{Aws, http::Destinations};
use detection::Finding;
use engine::{
    FindingStore, TaskExecutor,
    ports::{ItemPage, ItemsToRead, JobStanding, ObjectToPut, Task, TaskOutcome, Trace},
};
use serde_json::Value;
use tokio::sync::mpsc;

pub use map_run::item_reader_data;

use http_invoke::{HttpTasks, Tracing};

use crate::{
    Channels, Figures, Function, LocalFunctions,
    functions::{GuardrailSettings, Records, ask::Ask, finding::ChangeFinding, owner::Owner, tell::Tell},
    resource::{Resource, UnsupportedResource},
};

mod api_gateway;
mod aws_sdk;
mod http_answer;
mod http_invoke;
mod http_parameters;
mod lambda;
mod map_run;
pub(crate) mod optimized;
#[cfg(test)]
mod tests;

/// Of a task's result as JSON text, in bytes: the most that any execution takes. Each has its own limit beside it.
const RESULT_BYTES_MAX: usize = execution::Quotas::HIGHEST.payload_bytes;

/// The longest answer of a service that is read for a result, as it is sent: XML and escapes take more room than the result.
const ANSWER_BYTES_MAX: usize = 4 * RESULT_BYTES_MAX;

/// Performs tasks. Dropping the future of a task cancels it.
pub struct Executor {
    aws: Aws,
    /// What the service `sfn` is called with: where this process is Step Functions itself, its own API.
    states: Aws,
    /// For APIs that are not AWS's own.
    http: HttpTasks,
    /// Whether that is this process.
    own_states: bool,
    /// Functions of the user's on this machine: they come before all others.
    local: Option<LocalFunctions>,
    /// The built-in functions by their names, `rectify-` included.
    functions: HashMap<String, Arc<dyn Function>>,
    tell: Tell,
    figures: Arc<Figures>,
}

impl Executor {
    /// An executor with the built-in functions: they change `findings` by `settings` and tell people by `channels`.
    pub fn new(aws: Aws, findings: Arc<dyn FindingStore>, settings: GuardrailSettings, channels: Channels) -> Executor {
        let records = Records { findings, settings };
        let figures = channels.figures();
        let tell = Tell::new(records.clone(), channels);
        let executor = Executor {
            states: aws.clone(),
            own_states: false,
            http: HttpTasks::new(Destinations::default()),
            aws: aws.clone(),
            local: None,
            functions: HashMap::new(),
            tell: tell.clone(),
            figures,
        };
        executor
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

    /// Runs these functions here, before all others of their names.
    #[must_use]
    pub fn with_local_functions(self, local: LocalFunctions) -> Executor {
        Executor { local: Some(local), ..self }
    }

    /// Lets `http:invoke` and `apigateway:invoke` call more than public hosts by HTTPS.
    #[must_use]
    pub fn with_destinations(self, destinations: Destinations) -> Executor {
        Executor { http: HttpTasks::new(destinations), ..self }
    }

    /// Sends `states:*` and `aws-sdk:sfn:*` tasks elsewhere: to this process's own API, with its own credentials.
    #[must_use]
    pub fn with_own_states(self, states: Aws) -> Executor {
        Executor { states, own_states: true, ..self }
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
        self.outcome(&task, None).await
    }

    async fn perform_traced(&self, task: Task, reveal_secrets: bool) -> (TaskOutcome, Option<Trace>) {
        let tracing = Tracing::new(reveal_secrets);
        let outcome = self.outcome(&task, Some(&tracing)).await;
        (outcome, tracing.into_trace())
    }

    async fn ask_job(&self, task: Task) -> JobStanding {
        self.ask(&task)
            .await
            .unwrap_or_else(|Failure { error, cause }| JobStanding::Ended(TaskOutcome::Failed { error, cause }))
    }

    fn awaited_execution(&self, task: &Task) -> Option<String> {
        self.own_execution(task)
    }

    async fn stop_job(&self, task: Task) -> Result<(), String> {
        self.stop(&task).await.map_err(|Failure { error, cause }| format!("{error}: {cause}"))
    }

    /// The built-in functions are.
    fn is_local(&self, task: &Task) -> bool {
        let arguments = &task.scheduled.arguments;
        match Resource::parse(&task.scheduled.resource) {
            Ok(Resource::LambdaInvoke { .. }) => {
                self.is_built_in(task, arguments.get("FunctionName").and_then(Value::as_str))
            }
            Ok(Resource::LambdaFunction(arn)) => self.is_built_in(task, Some(&arn)),
            _ => false,
        }
    }

    /// Calls to this process's own Step Functions are.
    fn calls_engine(&self, task: &Task) -> bool {
        let is_states = match Resource::parse(&task.scheduled.resource) {
            Ok(Resource::AwsSdk { service, .. }) => service == "sfn",
            Ok(Resource::Optimized { service, .. }) => service == "states",
            _ => false,
        };
        is_states && self.caller("sfn", task).is_ok_and(|caller| caller.own)
    }

    async fn read_items(&self, items: ItemsToRead, pages: mpsc::Sender<ItemPage>) -> Result<(), String> {
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
    async fn outcome(&self, task: &Task, tracing: Option<&Tracing>) -> TaskOutcome {
        let answer = match Resource::parse(&task.scheduled.resource) {
            Err(unsupported) => Err(unsupported.into()),
            Ok(resource) => self.dispatch(task, &resource, tracing).await,
        };
        match answer {
            Ok(outcome) => outcome,
            Err(Failure { error, cause }) => TaskOutcome::Failed { error, cause },
        }
    }

    async fn dispatch(
        &self,
        task: &Task,
        resource: &Resource,
        tracing: Option<&Tracing>,
    ) -> Result<TaskOutcome, Failure> {
        let (result, waits, named) = match resource {
            Resource::AwsSdk { service, action, waits } if self.is_invoked_here(task, service, action) => {
                (self.invoke_as_sdk(task).await?, *waits, task.scheduled.state_name.as_str())
            }
            Resource::AwsSdk { service, action, waits } => {
                let caller = self.caller(service, task)?;
                (aws_sdk::call(caller, task, service, action).await?, *waits, task.scheduled.state_name.as_str())
            }
            Resource::Optimized { service, action, pattern } => {
                return self.optimized(task, (service, action), *pattern).await;
            }
            Resource::LambdaInvoke { waits } => (self.invoke_optimized(task).await?, *waits, "lambda"),
            Resource::HttpInvoke => (self.invoke_http(task, tracing).await?, false, task.scheduled.state_name.as_str()),
            Resource::ApiGatewayInvoke { waits } => {
                (self.invoke_api(task).await?, *waits, task.scheduled.state_name.as_str())
            }
            Resource::Activity(arn) => {
                return Err(Failure::runtime(format!(
                    "workers ask the engine for the tasks of `{arn}`: nothing else performs them"
                )));
            }
            Resource::LambdaFunction(arn) => (self.invoke_directly(task, arn).await?, false, arn.as_str()),
        };
        within_limit(&result, named)?;
        Ok(if waits { TaskOutcome::Submitted(result) } else { TaskOutcome::Succeeded(result) })
    }
}

impl Executor {
    /// Who calls a service for a task. This process is called as itself, whatever role the task has; but a role of another account is
    /// for that account's Step Functions.
    fn caller<'a>(&'a self, service: &str, task: &'a Task) -> Result<aws_sdk::Caller<'a>, Failure> {
        let role_arn = task.scheduled.role_arn.as_deref();
        let (_, account) = home(task)?;
        let elsewhere = role_arn.and_then(|role| role.split(':').nth(4)).is_some_and(|its| its != account);
        Ok(match service {
            "sfn" if self.own_states && !elsewhere => aws_sdk::Caller { aws: &self.states, role_arn: None, own: true },
            _ => aws_sdk::Caller { aws: &self.aws, role_arn, own: false },
        })
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

    /// Parameters that nothing can be called with, in AWS's words.
    fn unusable(arguments: &Value, problems: &[ParameterProblem]) -> Failure {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::not_started(arguments, &problems.join(", "))
    }

    /// Parameters that are none.
    fn no_object(arguments: &Value) -> Failure {
        Failure::not_started(arguments, "The value of the parameters has an invalid format")
    }

    fn not_started(arguments: &Value, why: &str) -> Failure {
        Failure::runtime(format!("The Parameters '{arguments}' could not be used to start the Task: [{why}]"))
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
    Err(beyond_limit(named))
}

fn beyond_limit(named: &str) -> Failure {
    Failure {
        error: "States.DataLimitExceeded".to_owned(),
        cause: format!(
            "The state/task '{named}' returned a result with a size exceeding the maximum number of bytes service limit."
        ),
    }
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
