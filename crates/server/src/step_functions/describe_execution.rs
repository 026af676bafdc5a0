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
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
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
    trace_header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    redrive_count: u64,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    redrive_date: Option<Timestamp>,
    redrive_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status_reason: Option<&'static str>,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let execution = app.engine.describe_execution(&request.execution_arn).await?;
    let reason = app.engine.not_redrivable(&execution);
    let included = request.included_data.as_deref() != Some("METADATA_ONLY");
    let (output, error, cause) =
        execution.ended.map_or((None, None, None), |ended| (ended.output, ended.error, ended.cause));
    Ok(Response {
        execution_arn: execution.arn,
        state_machine_arn: execution.state_machine_arn,
        state_machine_version_arn: execution.version_arn,
        state_machine_alias_arn: execution.alias_arn,
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
        trace_header: execution.trace_header,
        redrive_count: execution.redrive_count,
        redrive_date: execution.redriven_at,
        redrive_status: match (reason, &execution.map_run_arn) {
            (Some(_), _) => "NOT_REDRIVABLE",
            (None, Some(_)) => "REDRIVABLE_BY_MAP_RUN",
            (None, None) => "REDRIVABLE",
        },
        map_run_arn: execution.map_run_arn,
        redrive_status_reason: reason,
    })
}
