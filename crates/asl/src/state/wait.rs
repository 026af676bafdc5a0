//! Wait.

use serde_json::Value;

use super::Kind;
use crate::{
    Dynamic,
    parse::{Allowed, MAX_NUMBER, Object, Parser, SCHEMA, integer},
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

const HOW_LONG: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];

pub(super) fn parse(parser: &mut Parser<'_>, object: &Object<'_>) -> Option<Kind> {
    if !parser.at_most_one(object, &HOW_LONG) {
        return None;
    }
    if !HOW_LONG.iter().any(|field| object.has(field)) {
        let help =
            "set one of `Seconds`, `SecondsPath`, `Timestamp`, `TimestampPath` (in JSONata `Seconds` or `Timestamp`)";
        let message = "the Wait does not say how long";
        parser.key_problem(SCHEMA, &object.pointer, message, Some(help.to_owned()));
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
