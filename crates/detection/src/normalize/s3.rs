//! S3's notifications: they tell that an object was written, they are no events themselves.

use serde_json::Value;

/// Why an S3 notification can't be read, where the object is one.
pub(super) fn refuse(object: &Value) -> Option<String> {
    if object.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        let bucket = object.get("Bucket").and_then(Value::as_str).unwrap_or("a bucket");
        return Some(format!(
            "this is only S3's test of the notifications of `{bucket}`; it can be deleted. {}",
            what_to_do("Their objects are not read")
        ));
    }
    if object.get("eventSource").and_then(Value::as_str) != Some("aws:s3") {
        return None;
    }
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    let place = format!("s3://{}/{}", text("/s3/bucket/name"), text("/s3/object/key"));
    Some(format!(
        "this S3 notification names `{place}`. {}",
        what_to_do("Reading log objects from S3 is not supported")
    ))
}

fn what_to_do(limit: &str) -> String {
    format!(
        "{limit}: have an EventBridge rule send CloudTrail's events to the queue, or give downloaded log files to `rectify backtest`"
    )
}
