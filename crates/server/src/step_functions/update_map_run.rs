//! UpdateMapRun.

use serde::{Deserialize, Serialize};

use crate::{App, aws_json::ApiError};

/// The model's constraints have been checked: none is negative, and a percentage is at most 100.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    map_run_arn: String,
    max_concurrency: Option<u64>,
    tolerated_failure_count: Option<u64>,
    tolerated_failure_percentage: Option<f64>,
}

#[derive(Serialize)]
pub struct Response {}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let Request { map_run_arn, max_concurrency, tolerated_failure_count, tolerated_failure_percentage } = request;
    app.engine
        .update_map_run(&map_run_arn, max_concurrency, tolerated_failure_count, tolerated_failure_percentage)
        .await?;
    Ok(Response {})
}
