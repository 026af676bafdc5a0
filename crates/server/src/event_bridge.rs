//! The EventBridge API: PutEvents and TestEventPattern.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Operations.html>

mod put_events;
mod test_event_pattern;

use serde_json::Value;

use crate::{
    App,
    access::Caller,
    aws_json::{ApiError, answer, request},
    router::unknown_operation,
};

/// Performs an action.
pub async fn call(app: &App, caller: &Caller, action: &str, body: &[u8]) -> Result<Value, ApiError> {
    match action {
        "PutEvents" => answer(put_events::call(app, caller, request(body)?).await?),
        "TestEventPattern" => answer(test_event_pattern::call(request(body)?)?),
        _ => Err(unknown_operation(&format!("AWSEvents.{action}"))),
    }
}
