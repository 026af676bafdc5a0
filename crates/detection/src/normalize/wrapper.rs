//! What puts events into texts of its own: SNS notifications, and Lambda's batches of SNS and SQS messages.

use serde_json::Value;

/// The wrapped body, where the object is a wrapper; or why it holds none.
pub(super) fn unwrap(object: &Value) -> Option<Result<&str, String>> {
    let is = |field: &str, expected: &str| object.get(field).and_then(Value::as_str) == Some(expected);
    if is("EventSource", "aws:sns") {
        return Some(body(object.pointer("/Sns/Message"), "SNS message", "Sns.Message"));
    }
    if is("eventSource", "aws:sqs") {
        return Some(body(object.get("body"), "SQS message", "body"));
    }
    if object.get("TopicArn").is_none() && !is("Type", "Notification") {
        return None;
    }
    match object.get("Type").and_then(Value::as_str) {
        Some("Notification") => Some(body(object.get("Message"), "SNS notification", "Message")),
        Some(kind @ ("SubscriptionConfirmation" | "UnsubscribeConfirmation")) => Some(Err(format!(
            "this is SNS's {kind}, no event: confirm the subscription by opening its `SubscribeURL`, and it will not come again"
        ))),
        _ => None,
    }
}

fn body<'object>(body: Option<&'object Value>, what: &str, field: &str) -> Result<&'object str, String> {
    match body {
        Some(Value::String(body)) => Ok(body),
        Some(_) => Err(format!("this {what} can't be read: `{field}` must be a text")),
        None => Err(format!("this {what} can't be read: `{field}` is missing")),
    }
}
