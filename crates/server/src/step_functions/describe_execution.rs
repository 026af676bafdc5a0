//! DescribeExecution.

use execution::Status;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    App,
    aws_json::{ApiError, epoch_seconds, optional_epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    execution_arn: String,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    status: Status,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    input_details: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    redrive_count: u32,
    redrive_status: &'static str,
    redrive_status_reason: &'static str,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let execution = app.engine.describe_execution(&request.execution_arn).await?;
    let included = request.included_data.as_deref() != Some("METADATA_ONLY");
    let (output, error, cause) =
        execution.ended.map_or((None, None, None), |ended| (ended.output, ended.error, ended.cause));
    Ok(Response {
        execution_arn: execution.arn,
        state_machine_arn: execution.state_machine_arn,
        name: execution.name,
        status: execution.status,
        start_date: execution.started_at,
        stop_date: execution.stopped_at,
        input: included.then_some(execution.input),
        input_details: json!({"included": included}),
        output_details: output.is_some().then(|| json!({"included": included})),
        output: output.filter(|_| included).map(|output| output.to_string()),
        error,
        cause,
        map_run_arn: execution.map_run_arn,
        redrive_count: 0,
        redrive_status: "NOT_REDRIVABLE",
        redrive_status_reason: match execution.status {
            Status::Running => "Execution is RUNNING and cannot be redriven",
            Status::Succeeded => "Execution is SUCCEEDED and cannot be redriven",
            Status::Failed | Status::TimedOut | Status::Aborted => "RedriveExecution is not served here",
        },
    })
}
