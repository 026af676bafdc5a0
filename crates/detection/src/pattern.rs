//! Event patterns, exactly as EventBridge takes them.

use serde_json::Value;
use thiserror::Error;

/// A pattern that EventBridge would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Event pattern is not valid. Reason: {reason}")]
pub struct InvalidPattern {
    /// What is wrong, in AWS's words where they are known.
    pub reason: String,
    /// The JSON pointer of what is wrong, `""` where it is no JSON.
    pub pointer: String,
}

/// A parsed pattern.
#[derive(Clone, Debug)]
pub struct EventPattern {
    source: Value,
}

impl EventPattern {
    /// Parses a pattern's JSON text. The last of duplicate keys wins, as on AWS.
    pub fn parse(_text: &str) -> Result<EventPattern, InvalidPattern> {
        todo!()
    }

    /// Parses a pattern that is a JSON value already.
    pub fn from_value(_value: &Value) -> Result<EventPattern, InvalidPattern> {
        todo!()
    }

    /// The pattern as JSON.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Whether it matches any JSON object (naively: the oracle of the compiled [`Matcher`](crate::Matcher)).
    pub fn matches(&self, _event: &Value) -> bool {
        todo!()
    }
}
