//! `arn:aws:states:::aws-sdk:SERVICE:ACTION`: any operation of any AWS service.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html>

use asl::integration::{self, ParameterProblem};
use aws::{Aws, Call, CallError, ParameterFault, VersionOneAnswer};
use engine::ports::Task;
use serde_json::Value;

use super::{ANSWER_BYTES_MAX, Failure, beyond_limit, home};

/// How patient a call is.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// In all, for throttling and lost connections. A Retrier is for what takes longer.
    pub(super) attempts: u32,
    /// For one attempt, where the task has no shorter time-out of its own.
    pub(super) timeout_seconds: u64,
}

/// More than the minute that GetActivityTask waits for a task.
const PATIENCE: Patience = Patience { attempts: 3, timeout_seconds: 70 };

/// So much longer than its task may a call take: it is the task's time-out that tells that it took too long.
const GRACE_SECONDS: u64 = 5;

/// Who makes a task's calls.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) aws: &'a Aws,
    /// The role that is assumed first.
    pub(super) role_arn: Option<&'a str>,
    /// Whether it is this process that is called.
    pub(super) own: bool,
}

/// Makes the call, with the process's own credentials or as the role of the task's `Credentials`.
pub(super) async fn call(caller: Caller<'_>, task: &Task, service: &str, action: &str) -> Result<Value, Failure> {
    let arguments = &task.scheduled.arguments;
    let answer = request(caller, task, (service, action), arguments.clone(), PATIENCE).await;
    answer.map_err(|error| {
        error.of_parameters(arguments).unwrap_or_else(|other| other.into_failure(&task.scheduled.state_name))
    })
}

/// The same with parameters of one's own, its error as it came.
pub(super) async fn request(
    caller: Caller<'_>,
    task: &Task,
    action: (&str, &str),
    parameters: Value,
    patience: Patience,
) -> Result<Value, Error> {
    Ok(caller.aws.call(call_of(caller, task, action, parameters, patience)?).await?)
}

/// The same, its answer as the AWS SDK for Java 1 shows it.
pub(super) async fn request_as_version_1(
    caller: Caller<'_>,
    task: &Task,
    action: (&str, &str),
    parameters: Value,
    patience: Patience,
) -> Result<VersionOneAnswer, Error> {
    Ok(caller.aws.call_as_version_1(call_of(caller, task, action, parameters, patience)?).await?)
}

fn call_of(
    caller: Caller<'_>,
    task: &Task,
    (service, action): (&str, &str),
    parameters: Value,
    patience: Patience,
) -> Result<Call, Failure> {
    let (region, _) = home(task)?;
    let scheduled = &task.scheduled;
    // What is asked of a job outlives its task: only the answer to its begin tells what to stop.
    let is_job = integration::of_resource(&scheduled.resource).is_some_and(|(_, pattern)| pattern.is_job());
    let own_timeout = scheduled.timeout_seconds.filter(|_| !is_job);
    Ok(Call {
        service: service.to_owned(),
        action: action.to_owned(),
        parameters,
        region: Some(region.to_owned()),
        role_arn: caller.role_arn.map(str::to_owned),
        idempotency_token: Some(scheduled.idempotency_token.clone()),
        attempts: patience.attempts,
        timeout_seconds: own_timeout.map_or(patience.timeout_seconds, |seconds| {
            seconds.min(patience.timeout_seconds).saturating_add(GRACE_SECONDS)
        }),
        answer_bytes: Some(ANSWER_BYTES_MAX),
    })
}

/// Why a request has no answer.
pub(super) enum Error {
    /// Before it was made.
    Failure(Failure),
    /// Of the call.
    Call(CallError),
}

impl Error {
    /// AWS's text of it, where it is the task's parameters that do not fit; else the error as it is.
    pub(super) fn of_parameters(self, arguments: &Value) -> Result<Failure, Error> {
        match self {
            Error::Call(CallError::Parameters { problems, .. }) if problems.iter().any(|one| one.field.is_empty()) => {
                Ok(Failure::no_object(arguments))
            }
            Error::Call(CallError::Parameters { problems, .. }) if !problems.is_empty() => {
                let problems = problems.into_iter().map(|problem| match problem.fault {
                    ParameterFault::Unknown => ParameterProblem::Unsupported(problem.field),
                    ParameterFault::Missing => ParameterProblem::Missing(problem.field),
                    ParameterFault::Invalid => ParameterProblem::Invalid(problem.field),
                });
                Ok(Failure::unusable(arguments, &problems.collect::<Vec<_>>()))
            }
            other => Err(other),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        Error::Failure(failure)
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Error {
        Error::Call(error)
    }
}

impl Error {
    /// As Step Functions shows it; `named` is what it calls the task.
    pub(super) fn into_failure(self, named: &str) -> Failure {
        match self {
            Error::Failure(failure) => failure,
            Error::Call(CallError::Unknown { message } | CallError::Parameters { message, .. }) => {
                Failure::runtime(message)
            }
            Error::Call(CallError::Service { name, cause, .. } | CallError::Client { name, cause }) => {
                Failure { error: name, cause }
            }
            Error::Call(CallError::TooLong { .. }) => beyond_limit(named),
        }
    }
}
