//! StopExecution.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    execution_arn: String,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    #[serde(serialize_with = "epoch_seconds")]
    stop_date: Timestamp,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let stop_date = app.engine.stop_execution(&request.execution_arn, request.error, request.cause).await?;
    Ok(Response { stop_date })
}
