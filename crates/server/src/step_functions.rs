//! The Step Functions API, one file an action.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html>

mod constraints;
mod create_state_machine;
mod delete_state_machine;
mod describe_execution;
mod describe_map_run;
mod describe_state_machine;
mod get_execution_history;
mod list_executions;
mod list_map_runs;
mod list_state_machines;
mod page;
mod send_task;
mod start_execution;
mod stop_execution;
mod update_map_run;

use execution::Limits;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    App,
    access::Caller,
    aws_json::{ApiError, answer, request},
    router::unknown_operation,
};

/// Performs an action.
pub async fn call(app: &App, caller: &Caller, action: &str, body: &[u8]) -> Result<Value, ApiError> {
    let body = request(body)?;
    constraints::check(action, &body, Limits::AWS.payload_bytes)?;
    match action {
        "CreateStateMachine" => answer(create_state_machine::call(app, caller, read(body)?).await?),
        "DeleteStateMachine" => answer(delete_state_machine::call(app, read(body)?).await?),
        "DescribeExecution" => answer(describe_execution::call(app, read(body)?).await?),
        "DescribeMapRun" => answer(describe_map_run::call(app, read(body)?).await?),
        "DescribeStateMachine" => answer(describe_state_machine::call(app, read(body)?).await?),
        "GetExecutionHistory" => answer(get_execution_history::call(app, read(body)?).await?),
        "ListExecutions" => answer(list_executions::call(app, read(body)?).await?),
        "ListMapRuns" => answer(list_map_runs::call(app, read(body)?).await?),
        "ListStateMachines" => answer(list_state_machines::call(app, caller, read(body)?).await?),
        "SendTaskFailure" => answer(send_task::failure(app, read(body)?).await?),
        "SendTaskHeartbeat" => answer(send_task::heartbeat(app, read(body)?).await?),
        "SendTaskSuccess" => answer(send_task::success(app, read(body)?).await?),
        "StartExecution" => answer(start_execution::call(app, read(body)?).await?),
        "StopExecution" => answer(stop_execution::call(app, read(body)?).await?),
        "UpdateMapRun" => answer(update_map_run::call(app, read(body)?).await?),
        _ => Err(unknown_operation(&format!("AWSStepFunctions.{action}"))),
    }
}

/// A request that keeps to the constraints as what its action takes.
fn read<T: DeserializeOwned>(body: Value) -> Result<T, ApiError> {
    serde_json::from_value(body).map_err(|error| ApiError::validation(format!("1 validation error detected: {error}")))
}
