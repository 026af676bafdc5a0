//! Wait.

use serde_json::Value;

use super::Kind;
use crate::{
    Dynamic,
    parse::{Allowed, MAX_NUMBER, Object, Parser, integer},
    timestamp,
};

/// What only a Wait has.
#[derive(Clone, Debug)]
pub struct Wait {
    /// How long.
    pub until: WaitUntil,
}

/// How long a Wait waits.
#[derive(Clone, Debug)]
pub enum WaitUntil {
    /// `Seconds`, `SecondsPath`.
    Seconds(Dynamic),
    /// `Timestamp`, `TimestampPath`.
    Timestamp(Dynamic),
}

/// The fields of a Wait.
pub(super) const FIELDS: Allowed = Allowed {
    both: &["Type", "Comment", "QueryLanguage", "Next", "End", "Assign", "Seconds", "Timestamp"],
    jsonpath: &["SecondsPath", "TimestampPath", "InputPath", "OutputPath"],
    jsonata: &["Output"],
};

/// In the order in which AWS lists them.
const HOW_LONG: [&str; 4] = ["SecondsPath", "Seconds", "TimestampPath", "Timestamp"];

pub(super) fn parse(parser: &mut Parser<'_>, object: &Object<'_>) -> Option<Kind> {
    let help = "say how long by one of them (in JSONata by `Seconds` or `Timestamp`)";
    if !parser.exactly_one(object, &HOW_LONG, help) {
        return None;
    }
    let seconds = parser.dynamic(object, "Seconds", |value| integer(value, 0, MAX_NUMBER).map(drop));
    let timestamp = parser.dynamic(object, "Timestamp", is_timestamp);
    let until = seconds.map(WaitUntil::Seconds).or_else(|| timestamp.map(WaitUntil::Timestamp))?;
    Some(Kind::Wait(Wait { until }))
}

fn is_timestamp(value: &Value) -> Result<(), String> {
    match value.as_str().and_then(timestamp::parse) {
        Some(_) => Ok(()),
        None => Err("String does not match RFC3339 timestamp".to_owned()),
    }
}
