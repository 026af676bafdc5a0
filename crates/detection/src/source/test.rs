//! The tests of a source file: published samples, and what is made of them.

use asl::{Diagnostic, Document};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Received, Source};
use crate::normalize;

/// A test of a source.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// What arrives: a text as it is, anything else as JSON.
    pub input: Value,
    /// What the event holds at least, in the envelope's names; of several events an array, one after the other.
    pub expect: Expected,
}

/// What is made of a sample.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Expected {
    /// One event.
    One(Map<String, Value>),
    /// So many.
    Several(Vec<Map<String, Value>>),
}

/// The tests of a source that fail, at their places in its file.
pub fn failures(source: &Source, document: &Document) -> Vec<Diagnostic> {
    let failure = |(index, test): (usize, &Test)| {
        let reason = source.check(test).err()?;
        let pointer = format!("/tests/{index}");
        let message = format!("the test `{}` fails: {reason}", test.name);
        let span = document.span(&pointer);
        Some(Diagnostic::error("TEST_FAILED", message).at(&pointer, span))
    };
    source.tests.iter().enumerate().filter_map(failure).collect()
}

impl Source {
    /// Runs a test. It is received at the beginning of 2026 in the account 123456789012 and `us-east-1`.
    pub fn check(&self, test: &Test) -> Result<(), String> {
        let received = Received {
            at: Timestamp::constant(1_767_225_600, 0),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let body = test.input.as_str().map_or_else(|| test.input.to_string(), str::to_owned);
        // Without a pattern it comes by the webhook alone.
        let events = match self.pattern {
            Some(_) => normalize::read_with(body.as_bytes(), std::slice::from_ref(self), &received),
            None => normalize::read_from(self, body.as_bytes(), &received),
        };
        let expected = match &test.expect {
            Expected::One(event) => std::slice::from_ref(event),
            Expected::Several(events) => events,
        };
        if events.len() != expected.len() {
            return Err(format!("it gives {} events instead of {}", events.len(), expected.len()));
        }
        for (number, (event, expected)) in events.iter().zip(expected).enumerate() {
            let event = event.as_ref().map_err(ToString::to_string)?.envelope();
            let expected = Value::Object(expected.clone());
            if let Some(difference) = difference(&event, &expected, "") {
                return Err(format!("event {}: {difference}", number + 1));
            }
        }
        Ok(())
    }
}

/// Where a value lacks something of what is expected: objects may hold more.
fn difference(value: &Value, expected: &Value, place: &str) -> Option<String> {
    match (value, expected) {
        (Value::Object(fields), Value::Object(expected)) => expected.iter().find_map(|(name, expected)| {
            let value = fields.get(name).unwrap_or(&Value::Null);
            difference(value, expected, &format!("{place}/{name}"))
        }),
        _ if value == expected => None,
        _ => Some(format!("{place} is {value} instead of {expected}")),
    }
}
