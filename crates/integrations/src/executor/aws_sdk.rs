//! `arn:aws:states:::aws-sdk:SERVICE:ACTION`: any operation of any AWS service.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html>

use aws::{Aws, Call, CallError};
use engine::ports::Task;
use serde_json::Value;

use super::{Failure, home};

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

/// Makes the call, with the process's own credentials or as the role of the task's `Credentials`.
pub(super) async fn call(aws: &Aws, task: &Task, service: &str, action: &str) -> Result<Value, Failure> {
    request(aws, task, (service, action), task.scheduled.arguments.clone(), PATIENCE).await.map_err(Failure::from)
}

/// The same with parameters of one's own, its error as it came.
pub(super) async fn request(
    aws: &Aws,
    task: &Task,
    (service, action): (&str, &str),
    parameters: Value,
    patience: Patience,
) -> Result<Value, Error> {
    let (region, _) = home(task)?;
    let scheduled = &task.scheduled;
    let answer = aws
        .call(Call {
            service: service.to_owned(),
            action: action.to_owned(),
            parameters,
            region: Some(region.to_owned()),
            role_arn: scheduled.role_arn.clone(),
            idempotency_token: Some(scheduled.idempotency_token.clone()),
            attempts: patience.attempts,
            timeout_seconds: scheduled
                .timeout_seconds
                .map_or(patience.timeout_seconds, |seconds| seconds.clamp(1, patience.timeout_seconds)),
        })
        .await?;
    Ok(answer)
}

/// Why a request has no answer.
pub(super) enum Error {
    /// Before it was made.
    Failure(Failure),
    /// Of the call.
    Call(CallError),
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

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Failure(failure) => failure,
            Error::Call(CallError::Unknown { message } | CallError::Parameters { message }) => {
                Failure::runtime(message)
            }
            Error::Call(CallError::Service { name, cause, .. } | CallError::Client { name, cause }) => {
                Failure { error: name, cause }
            }
        }
    }
}
