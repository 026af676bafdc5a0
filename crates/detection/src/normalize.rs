//! From what a source delivers to events, one file a source kind.

mod cloudtrail;
mod s3;
mod unknown;
mod wrapper;

use serde_json::{Deserializer, Value, error::Category};
use thiserror::Error;

use crate::Event;

/// How many wrappers (SNS in SQS in …) may be around an event.
const WRAPPERS_MAX: usize = 8;

/// A body that is no event. It is kept with this reason, never dropped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// What it lacks, or where it ends, and what was expected.
    pub reason: String,
}

/// What a body held: each of its records read, or not.
pub type Read = Vec<Result<Event, Unreadable>>;

/// Reads a body: an EventBridge envelope, a bare CloudTrail record, a CloudTrail log object (`{"Records": […]}`), an array
/// of these, several of these one after the other (JSON Lines), or an SNS notification or a Lambda batch around them, told apart by
/// their content. A byte-order mark is skipped. At least one result comes of every body; how long it may be is the caller's to say.
pub fn read(body: &[u8]) -> Read {
    let mut read = Read::new();
    read_text(body, 0, &mut read);
    read
}

fn read_text(body: &[u8], wrappers: usize, read: &mut Read) {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    if let Some(reason) = no_text(body) {
        return read.push(unreadable(reason));
    }
    for value in Deserializer::from_slice(body).into_iter::<Value>() {
        match value {
            Ok(value) => read_value(value, wrappers, read),
            Err(error) => read.push(unreadable(no_json(&error))),
        }
    }
}

fn read_value(value: Value, wrappers: usize, read: &mut Read) {
    if wrappers > WRAPPERS_MAX {
        return read.push(unreadable(format!("more than {WRAPPERS_MAX} arrays or wrappers are around each other")));
    }
    match value {
        Value::Array(records) if records.is_empty() => read.push(unreadable("the array is empty: it holds no event")),
        Value::Array(records) => records.into_iter().for_each(|record| read_value(record, wrappers + 1, read)),
        Value::Object(_) => read_object(value, wrappers, read),
        _ => read.push(unreadable(format!("`{}` is no event: expected a JSON object", unknown::shown(&value)))),
    }
}

fn read_object(mut object: Value, wrappers: usize, read: &mut Read) {
    if object.get("detail-type").is_some() || object.get("detail").is_some() && object.get("source").is_some() {
        let event = Event::from_envelope(&object);
        read.push(
            event.map_err(|fault| Unreadable { reason: format!("this EventBridge event can't be read: {fault}") }),
        );
    } else if let Some(wrapped) = wrapper::unwrap(&object) {
        match wrapped {
            Ok(body) => read_text(body.as_bytes(), wrappers + 1, read),
            Err(reason) => read.push(unreadable(reason)),
        }
    } else if let Some(reason) = s3::refuse(&object) {
        read.push(unreadable(reason));
    } else if let Some(Value::Array(records)) = object.get_mut("Records").map(Value::take) {
        read_value(Value::Array(records), wrappers + 1, read);
    } else if cloudtrail::is_record(&object) {
        read.push(cloudtrail::event(object).map_err(|reason| Unreadable { reason }));
    } else {
        read.push(unreadable(unknown::reason(&object)));
    }
}

fn unreadable(reason: impl Into<String>) -> Result<Event, Unreadable> {
    Err(Unreadable { reason: reason.into() })
}

/// Why a body can't be JSON at all, where its first bytes tell.
fn no_text(body: &[u8]) -> Option<&'static str> {
    if body.iter().all(u8::is_ascii_whitespace) {
        Some("the body is empty: expected an event as JSON")
    } else if body.starts_with(&[0x1f, 0x8b]) {
        Some(
            "the body is compressed with gzip, and its sender did not say so: decompress it, or send it with `Content-Encoding: gzip`",
        )
    } else if body.starts_with(&[0xff, 0xfe]) || body.starts_with(&[0xfe, 0xff]) {
        Some("the body is UTF-16: JSON has to be sent as UTF-8")
    } else {
        None
    }
}

fn no_json(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof => {
            format!("the JSON breaks off at line {line}, column {column}: it was cut short, send it whole")
        }
        _ => format!("this is no JSON: {error}"),
    }
}

#[cfg(test)]
mod tests;
