//! Task.

use query::Template;
use serde_json::Value;

use super::Kind;
use crate::{
    Dynamic,
    parse::{Allowed, MAX_NUMBER, Object, Parser, SCHEMA, integer},
};

/// What only a Task has.
#[derive(Clone, Debug)]
pub struct Task {
    /// `Resource`.
    pub resource: String,
    /// `TimeoutSeconds`, `TimeoutSecondsPath`.
    pub timeout_seconds: Option<Dynamic>,
    /// `HeartbeatSeconds`, `HeartbeatSecondsPath`.
    pub heartbeat_seconds: Option<Dynamic>,
    /// `Credentials`: `{RoleArn}`.
    pub credentials: Option<Template>,
}

/// The fields of a Task.
pub(super) const FIELDS: Allowed = Allowed {
    both: &[
        "Type",
        "Comment",
        "QueryLanguage",
        "Resource",
        "TimeoutSeconds",
        "HeartbeatSeconds",
        "Credentials",
        "Retry",
        "Catch",
        "Assign",
        "Next",
        "End",
    ],
    jsonpath: &[
        "InputPath",
        "Parameters",
        "ResultSelector",
        "ResultPath",
        "OutputPath",
        "TimeoutSecondsPath",
        "HeartbeatSecondsPath",
    ],
    jsonata: &["Arguments", "Output"],
};

pub(super) fn parse(parser: &mut Parser<'_>, object: &Object<'_>) -> Option<Kind> {
    parser.require(object, &["Resource"]);
    let resource = parser.resource(object);
    let seconds = |value: &Value| integer(value, 1, MAX_NUMBER).map(drop);
    let timeout_seconds = parser.dynamic(object, "TimeoutSeconds", seconds);
    let heartbeat_seconds = parser.dynamic(object, "HeartbeatSeconds", seconds);
    if let (Some(Dynamic::Value(timeout)), Some(Dynamic::Value(heartbeat))) = (&timeout_seconds, &heartbeat_seconds)
        && heartbeat.as_u64() >= timeout.as_u64()
    {
        let message = format!("`HeartbeatSeconds` must be smaller than `TimeoutSeconds`, which is {timeout}");
        parser.problem(SCHEMA, object.at("HeartbeatSeconds"), message, None);
    }
    let credentials = match object.get("Credentials") {
        Some(Value::Object(_)) => parser.template(object, "Credentials"),
        Some(other) => {
            parser.wrong_type(&object.at("Credentials"), "an object", other);
            None
        }
        None => None,
    };
    Some(Kind::Task(Box::new(Task { resource: resource?, timeout_seconds, heartbeat_seconds, credentials })))
}
