//! TestEventPattern.

use detection::{EventPattern, event::check_envelope};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws_json::ApiError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    event: String,
    event_pattern: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    result: bool,
}

pub fn call(request: Request) -> Result<Response, ApiError> {
    let pattern = EventPattern::parse(&request.event_pattern)
        .map_err(|invalid| ApiError::caller("InvalidEventPatternException", invalid.to_string()))?;
    let event: Value = serde_json::from_str(&request.event).map_err(|error| {
        ApiError::validation(format!("Parameter Event is not valid. Reason: it is not JSON: {error}"))
    })?;
    check_envelope(&event).map_err(ApiError::validation)?;
    Ok(Response { result: pattern.matches(&event) })
}
