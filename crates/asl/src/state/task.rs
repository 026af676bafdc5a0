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
            parser.wrong_type(&object.at("Credentials"), "[OBJECT]", other);
            None
        }
        None => None,
    };
    parser.credentials(object, resource.as_deref());
    if let Some(resource) = &resource {
        parser.parameter_fields(object, resource);
    }
    Some(Kind::Task(Box::new(Task { resource: resource?, timeout_seconds, heartbeat_seconds, credentials })))
}

impl Parser<'_> {
    /// `Credentials` name a role, and activities have none.
    fn credentials(&mut self, object: &Object<'_>, resource: Option<&str>) {
        let Some(Value::Object(fields)) = object.get("Credentials") else { return };
        let pointer = object.at("Credentials");
        if !fields.contains_key("RoleArn") && !fields.contains_key("RoleArn.$") {
            self.problem(SCHEMA, pointer.clone(), "The field 'RoleArn' is required but was missing", None);
        }
        if resource.is_some_and(is_activity) {
            self.problem(SCHEMA, pointer, "The field 'Credentials' is not supported for activities", None);
        }
    }
}

/// Whether a Resource is `arn:PARTITION:states:REGION:ACCOUNT:activity:NAME`.
fn is_activity(resource: &str) -> bool {
    let parts: Vec<&str> = resource.splitn(7, ':').collect();
    matches!(parts.as_slice(), ["arn", _, "states", _, _, "activity", _])
}
