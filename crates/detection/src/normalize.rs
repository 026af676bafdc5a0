//! From what a source delivers to events, one file a source kind.

mod cloudtrail;
mod s3;
mod unknown;
mod wrapper;

use serde_json::{Deserializer, Value, error::Category};
use thiserror::Error;

use crate::Event;

pub use s3::{Notice, Object, object};

/// How many wrappers (SNS in SQS in …) may be around an event.
const WRAPPERS_MAX: usize = 8;
/// How many records of one body are refused one by one; those after are only counted.
const REFUSED_MAX: usize = 100;

/// A body that is no event. It is kept with this reason, never dropped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// What it lacks, or where it ends, and what was expected.
    pub reason: String,
    /// The text of the part that it is about; `None` is the whole body.
    pub part: Option<String>,
    /// Set where it is a message of S3's: no event itself, but it may lead to some.
    pub notice: Option<Notice>,
}

/// What a body held: each of its records read, or not.
pub type Read = Vec<Result<Event, Unreadable>>;

/// Reads a body: an EventBridge envelope, a bare CloudTrail record, a CloudTrail log object (`{"Records": […]}`), an array
/// of these, several of these one after the other (JSON Lines), or an SNS notification or a Lambda batch around them, told apart by
/// their content. A byte-order mark is skipped. At least one result comes of every body; how long it may be is the caller's to say.
pub fn read(body: &[u8]) -> Read {
    let mut reader = Reader::default();
    reader.text(body, 0);
    reader.finish()
}

#[derive(Default)]
struct Reader {
    read: Read,
    refused: usize,
}

impl Reader {
    fn text(&mut self, body: &[u8], wrappers: usize) {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        if let Some(reason) = no_text(body) {
            return self.refuse(|| String::from_utf8_lossy(body).into_owned(), || reason.to_owned());
        }
        let mut values = Deserializer::from_slice(body).into_iter::<Value>();
        loop {
            let rest = body.get(values.byte_offset()..).unwrap_or_default();
            match values.next() {
                None => break,
                Some(Ok(value)) => self.value(value, wrappers),
                Some(Err(error)) => self.refuse(|| String::from_utf8_lossy(rest).into_owned(), || no_json(&error)),
            }
        }
    }

    fn value(&mut self, value: Value, wrappers: usize) {
        if wrappers > WRAPPERS_MAX {
            let reason = || format!("more than {WRAPPERS_MAX} arrays or wrappers are around each other");
            return self.refuse(|| value.to_string(), reason);
        }
        match value {
            Value::Array(records) if records.is_empty() => {
                self.refuse(|| "[]".to_owned(), || "the array is empty: it holds no event".to_owned());
            }
            Value::Array(records) => records.into_iter().for_each(|record| self.value(record, wrappers + 1)),
            Value::Object(_) => self.object(value, wrappers),
            _ => self.refuse(
                || value.to_string(),
                || format!("`{}` is no event: expected a JSON object", unknown::shown(&value)),
            ),
        }
    }

    fn object(&mut self, mut object: Value, wrappers: usize) {
        let has = |field: &str| object.get(field).is_some();
        if has("detail-type") || has("detail") && has("source") {
            self.envelope(object);
        } else if let Some(wrapped) = wrapper::unwrap(&object) {
            match wrapped {
                Ok(body) => self.text(body.as_bytes(), wrappers + 1),
                Err(reason) => self.refuse(|| object.to_string(), || reason),
            }
        } else if let Some((reason, notice)) = s3::notice(&object) {
            self.refuse_with(|| object.to_string(), || reason, notice);
        } else if let Some(Value::Array(records)) = object.get_mut("Records").map(Value::take) {
            self.value(Value::Array(records), wrappers + 1);
        } else if cloudtrail::is_record(&object) {
            match cloudtrail::event(object) {
                Ok(event) => self.read.push(Ok(event)),
                Err((reason, record)) => self.refuse(|| record.to_string(), || reason),
            }
        } else {
            self.refuse(|| object.to_string(), || unknown::reason(&object));
        }
    }

    fn envelope(&mut self, mut envelope: Value) {
        // Its detail is nearly all of it, and goes into the event uncopied; what can't be read is put together again.
        let detail = envelope.get_mut("detail").map(Value::take);
        match (Event::from_envelope(envelope.clone()), detail) {
            (Ok(event), None) => self.read.push(Ok(event)),
            (Ok(event), Some(detail)) => self.read.push(Ok(Event { detail, ..event })),
            (Err(fault), detail) => {
                if let (Some(place), Some(detail)) = (envelope.get_mut("detail"), detail) {
                    *place = detail;
                }
                self.refuse(|| envelope.to_string(), || format!("this EventBridge event can't be read: {fault}"));
            }
        }
    }

    fn refuse(&mut self, part: impl FnOnce() -> String, reason: impl FnOnce() -> String) {
        self.refuse_with(part, reason, None);
    }

    fn refuse_with(&mut self, part: impl FnOnce() -> String, reason: impl FnOnce() -> String, notice: Option<Notice>) {
        self.refused += 1;
        if self.refused <= REFUSED_MAX {
            self.read.push(Err(Unreadable { reason: reason(), part: Some(part()), notice }));
        }
    }

    fn finish(mut self) -> Read {
        if let Some(more) = self.refused.checked_sub(REFUSED_MAX).filter(|more| *more > 0) {
            let reason = format!("{more} more records of this body can't be read: send it in parts to see why");
            self.read.push(Err(Unreadable { reason, part: Some(String::new()), notice: None }));
        }
        if let [Err(only)] = self.read.as_mut_slice() {
            only.part = None;
        }
        self.read
    }
}

/// Why a body can't be JSON at all, where its first bytes tell.
fn no_text(body: &[u8]) -> Option<&'static str> {
    if body.iter().all(u8::is_ascii_whitespace) {
        Some("the body is empty: expected an event as JSON")
    } else if body.starts_with(&[0x1f, 0x8b]) {
        Some("the body is compressed with gzip, and nothing here inflates it: decompress it before it is sent")
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
