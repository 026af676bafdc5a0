//! TestEventPattern.

use detection::{EventPattern, event::check_envelope};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws_json::{ApiError, not_json};

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
    let event: Value = serde_json::from_str(&request.event).map_err(|_| {
        let why = not_json(&request.event);
        ApiError::validation(format!("Parameter Event is not valid. Reason: it is not JSON: {why}"))
    })?;
    check_envelope(&event).map_err(ApiError::validation)?;
    Ok(Response { result: pattern.matches(&event) })
}
