//! StartExecution.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    state_machine_arn: String,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    execution_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: Timestamp,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let input = request.input.as_deref().unwrap_or("{}");
    let execution = app.engine.start_execution(&request.state_machine_arn, request.name.as_deref(), input).await?;
    if let Some(trace_header) = request.trace_header {
        app.engine.keep_trace_header(&execution.arn, trace_header).await?;
    }
    Ok(Response { execution_arn: execution.arn, start_date: execution.started_at })
}
