//! SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat.

use serde::{Deserialize, Serialize};

use crate::{
    App,
    aws_json::{ApiError, not_json},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Success {
    task_token: String,
    output: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    task_token: String,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    task_token: String,
}

#[derive(Serialize)]
pub struct Response {}

/// `error` and its limit, in characters.
const ERROR_CHARACTERS: usize = 256;
/// `cause` and its limit, in characters.
const CAUSE_CHARACTERS: usize = 32_768;

fn within(field: &str, length: usize, limit: usize) -> Result<(), ApiError> {
    if length <= limit {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must have length less than or equal to {limit}"
    )))
}

pub async fn success(app: &App, request: Success) -> Result<Response, ApiError> {
    within("output", request.output.len(), app.engine.quotas().payload_bytes)?;
    let output = serde_json::from_str(&request.output).map_err(|_| {
        let why = not_json(&request.output);
        ApiError::caller("InvalidOutput", format!("Invalid Output: '{why}'"))
    })?;
    app.engine.send_task_success(&request.task_token, output).await?;
    Ok(Response {})
}

pub async fn failure(app: &App, request: Failure) -> Result<Response, ApiError> {
    let characters = |text: &Option<String>| text.as_deref().map_or(0, |text| text.chars().count());
    within("error", characters(&request.error), ERROR_CHARACTERS)?;
    within("cause", characters(&request.cause), CAUSE_CHARACTERS)?;
    app.engine.send_task_failure(&request.task_token, request.error, request.cause).await?;
    Ok(Response {})
}

pub async fn heartbeat(app: &App, request: Heartbeat) -> Result<Response, ApiError> {
    app.engine.send_task_heartbeat(&request.task_token).await?;
    Ok(Response {})
}
