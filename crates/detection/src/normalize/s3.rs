//! S3's notifications: they tell that an object was written. They are no events themselves, but the object may hold some.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::Event;

/// What S3 sends to a queue by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An object was written.
    Object(Object),
    /// The test of a notification that was just set up.
    Test,
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket's name.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The Region that told of it.
    pub region: String,
    /// In bytes, where it is told.
    pub size: Option<u64>,
}

/// How the keys of logs end: CloudTrail's in `.json.gz`, GuardDuty's in `.jsonl.gz`.
const LOG_ENDINGS: [&str; 4] = [".json", ".json.gz", ".jsonl", ".jsonl.gz"];

/// The log object that an `Object Created` event tells of, by its key's ending. Other objects are only what the event is about.
pub fn object(event: &Event) -> Option<Object> {
    let is_created = event.source == "aws.s3" && event.detail_type == "Object Created";
    let text = |pointer| event.detail.pointer(pointer).and_then(Value::as_str);
    let is_log = |key: &&str| LOG_ENDINGS.iter().any(|ending| key.ends_with(ending));
    let key = text("/object/key").filter(|key| is_created && is_log(key))?;
    Some(Object {
        bucket: text("/bucket/name")?.to_owned(),
        key: key.to_owned(),
        region: event.region.clone(),
        size: event.detail.pointer("/object/size").and_then(Value::as_u64),
    })
}

/// What an S3 message says where no object is read, and what it is, where the object is one.
pub(super) fn notice(message: &Value) -> Option<(String, Option<Notice>)> {
    let text = |pointer| message.pointer(pointer).and_then(Value::as_str);
    if text("/Event") == Some("s3:TestEvent") {
        let bucket = text("/Bucket").unwrap_or("a bucket");
        let reason = format!("this is only S3's test of the notifications of `{bucket}`; it can be deleted");
        return Some((reason, Some(Notice::Test)));
    }
    if text("/eventSource") != Some("aws:s3") {
        return None;
    }
    let name = text("/eventName").unwrap_or_default();
    let (Some(bucket), Some(key)) = (text("/s3/bucket/name"), text("/s3/object/key").and_then(decoded)) else {
        return Some((
            format!(
                "this S3 notification of `{name}` can't be read: `s3.bucket.name` or `s3.object.key` is missing, or no URL-encoded text"
            ),
            None,
        ));
    };
    let place = format!("s3://{bucket}/{key}");
    if !name.starts_with("ObjectCreated:") {
        return Some((format!("this S3 notification of `{name}` names `{place}`; only new objects are read"), None));
    }
    let object = Object {
        bucket: bucket.to_owned(),
        key,
        region: text("/awsRegion").unwrap_or_default().to_owned(),
        size: message.pointer("/s3/object/size").and_then(Value::as_u64),
    };
    let reason = format!("this S3 notification names `{place}`, which is no event itself: give the file");
    Some((reason, Some(Notice::Object(object))))
}

/// A key as it is in notifications: URL-encoded as a form is, a space being a plus sign.
fn decoded(key: &str) -> Option<String> {
    let key = key.replace('+', " ");
    percent_decode_str(&key).decode_utf8().ok().map(Cow::into_owned)
}
