//! StartSyncExecution: runs an Express machine, and answers when it has ended.

use engine::engine::SyncExecution;
use execution::Status;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

/// Memory is billed in steps of so many megabytes; an execution here is always within the first.
const MEMORY_STEP_MB: u64 = 64;
/// Durations are billed in steps of so many milliseconds.
const DURATION_STEP_MS: u64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    state_machine_arn: String,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "epoch_seconds")]
    stop_date: Timestamp,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    input_details: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_header: Option<String>,
    billing_details: BillingDetails,
}

#[derive(Serialize)]
struct BillingDetails {
    #[serde(rename = "billedMemoryUsedInMB")]
    billed_memory_used_in_mb: u64,
    #[serde(rename = "billedDurationInMilliseconds")]
    billed_duration_in_milliseconds: u64,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let input = request.input.as_deref().unwrap_or("{}");
    let done = app.engine.start_sync_execution(&request.state_machine_arn, request.name.as_deref(), input).await?;
    let SyncExecution { record, ended, stopped_at } = done;
    let included = request.included_data.as_deref() != Some("METADATA_ONLY");
    let milliseconds = u64::try_from(stopped_at.duration_since(record.started_at).as_millis()).unwrap_or(0);
    Ok(Response {
        execution_arn: record.arn,
        state_machine_arn: record.state_machine_arn,
        name: record.name,
        start_date: record.started_at,
        stop_date: stopped_at,
        status: ended.status,
        error: ended.error,
        cause: ended.cause,
        input: included.then_some(record.input),
        input_details: json!({"included": included}),
        output_details: ended.output.is_some().then(|| json!({"included": included})),
        output: ended.output.filter(|_| included).map(|output| output.to_string()),
        trace_header: request.trace_header,
        billing_details: BillingDetails {
            billed_memory_used_in_mb: MEMORY_STEP_MB,
            billed_duration_in_milliseconds: milliseconds.max(1).next_multiple_of(DURATION_STEP_MS),
        },
    })
}
