//! UpdateMapRun.

use serde::{Deserialize, Serialize};

use crate::{App, aws_json::ApiError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    map_run_arn: String,
    max_concurrency: Option<i64>,
    tolerated_failure_count: Option<i64>,
    tolerated_failure_percentage: Option<f64>,
}

#[derive(Serialize)]
pub struct Response {}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let max_concurrency = natural("maxConcurrency", request.max_concurrency)?;
    let tolerated_failure_count = natural("toleratedFailureCount", request.tolerated_failure_count)?;
    if let Some(percentage) = request.tolerated_failure_percentage.filter(|number| !(0.0..=100.0).contains(number)) {
        let bound = if percentage < 0.0 { "greater than or equal to 0" } else { "less than or equal to 100" };
        return Err(constraint("toleratedFailurePercentage", &percentage.to_string(), bound));
    }
    app.engine
        .update_map_run(
            &request.map_run_arn,
            max_concurrency,
            tolerated_failure_count,
            request.tolerated_failure_percentage,
        )
        .await?;
    Ok(Response {})
}

fn natural(field: &str, number: Option<i64>) -> Result<Option<u64>, ApiError> {
    let Some(number) = number else { return Ok(None) };
    let natural = u64::try_from(number);
    natural.map(Some).map_err(|_| constraint(field, &number.to_string(), "greater than or equal to 0"))
}

fn constraint(field: &str, value: &str, bound: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: Member must have value {bound}"
    ))
}
