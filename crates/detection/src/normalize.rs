//! From what a source delivers to events, one file a source kind.

mod cloudtrail;
mod plain;
mod s3;
mod unknown;
mod wrapper;

use serde_json::{Deserializer, Value, error::Category};
use thiserror::Error;

use crate::{
    Event,
    source::{Received, Source},
};

pub use plain::{Piece, Plain, plain};
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
    Reader::default().body(body)
}

/// The same, and what is none of these is offered to the sources: the first that recognises it makes events of it.
pub fn read_with(body: &[u8], sources: &[Source], received: &Received) -> Read {
    Reader { mapping: Mapping::Any(sources, received), ..Reader::default() }.body(body)
}

/// Reads a body that comes from one source, by its webhook: each document has to be its own. Arrays and JSON Lines are several.
pub fn read_from(source: &Source, body: &[u8], received: &Received) -> Read {
    Reader { mapping: Mapping::One(source, received), ..Reader::default() }.body(body)
}

#[derive(Default)]
struct Reader<'a> {
    mapping: Mapping<'a>,
    read: Read,
    refused: usize,
}

/// Which sources a document may be of.
#[derive(Clone, Copy, Default)]
enum Mapping<'a> {
    #[default]
    None,
    Any(&'a [Source], &'a Received),
    One(&'a Source, &'a Received),
}

impl Reader<'_> {
    fn body(mut self, body: &[u8]) -> Read {
        self.text(body, 0);
        self.finish()
    }

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
        if let Mapping::One(source, received) = self.mapping {
            return self.mapped(source, object, received);
        }
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
        } else if cloudtrail::is_record(&object) {
            match cloudtrail::event(object) {
                Ok(event) => self.read.push(Ok(event)),
                Err((reason, record)) => self.refuse(|| record.to_string(), || reason),
            }
        } else if let Some((source, received)) = self.mapping.of(&object) {
            self.mapped(source, object, received);
        } else if let Some(Value::Array(records)) = object.get_mut("Records").map(Value::take) {
            self.value(Value::Array(records), wrappers + 1);
        } else {
            self.refuse(|| object.to_string(), || unknown::reason(&object));
        }
    }

    fn mapped(&mut self, source: &Source, document: Value, received: &Received) {
        if source.pattern.as_ref().is_some_and(|pattern| !pattern.matches(&document)) {
            let reason =
                || format!("this is no document of the source `{}`: its `pattern` does not match it", source.id);
            return self.refuse(|| document.to_string(), reason);
        }
        let mut unmapped = Vec::new();
        for event in source.events(&document, received) {
            match event {
                Ok(event) => self.read.push(Ok(event)),
                Err(reason) => unmapped.push(reason),
            }
        }
        // The whole is kept, which can be read again: a part alone could not be recognised.
        if let Some(first) = unmapped.first() {
            let more = match unmapped.len() {
                1 => String::new(),
                all => format!(" (and {} more of its parts)", all - 1),
            };
            self.refuse(|| document.to_string(), || format!("{first}{more}"));
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

impl<'a> Mapping<'a> {
    /// The source that recognises a document.
    fn of(self, document: &Value) -> Option<(&'a Source, &'a Received)> {
        let Mapping::Any(sources, received) = self else { return None };
        sources.iter().find(|source| source.recognises(document)).map(|source| (source, received))
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
