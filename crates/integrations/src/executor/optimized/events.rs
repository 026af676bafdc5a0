//! `events:putEvents`.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-eventbridge.html>

use asl::integration::Pattern;
use engine::ports::Task;
use serde_json::{Map, Value, json};

use super::{super::Failure, text};

/// Each entry's detail may be JSON, and its resources get the execution and the state machine.
pub(super) fn request(mut parameters: Map<String, Value>, task: &Task) -> Result<Map<String, Value>, Failure> {
    let entries = parameters.get_mut("Entries").and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(detail) = entry.get_mut("Detail") {
            *detail = text(detail);
        }
        if let Value::Array(resources) = entry.entry("Resources").or_insert_with(|| json!([])) {
            resources.extend([&task.execution_arn, &task.state_machine_arn].map(|arn| Value::from(arn.as_str())));
        }
    }
    Ok(parameters)
}

/// An entry that was not taken fails the task.
pub(super) fn answer(answer: Map<String, Value>, _: Pattern) -> Result<Map<String, Value>, Failure> {
    match answer.get("FailedEntryCount").and_then(Value::as_u64) {
        Some(0) | None => Ok(answer),
        Some(_) => {
            Err(Failure { error: "EventBridge.FailedEntry".to_owned(), cause: Value::Object(answer).to_string() })
        }
    }
}
