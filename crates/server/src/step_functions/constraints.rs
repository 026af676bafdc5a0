//! What the API's model demands of a request, told in AWS's words before an action looks at it: types, members that must be
//! there, lengths, ranges, patterns and enumerations.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html> (`ValidationException`)

use std::{collections::HashMap, sync::LazyLock};

use indexmap::IndexMap;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::aws_json::ApiError;

/// The model: written by the distil task, never by hand.
static MODEL: LazyLock<Option<Model>> = LazyLock::new(|| serde_json::from_str(include_str!("constraints.json")).ok());
/// How much of a value a text shows, in characters.
const SHOWN: usize = 4_096;
/// The shape of inputs and outputs, whose length is counted in bytes.
const PAYLOAD: &str = "SensitiveData";

/// AWS's texts list an enumeration in an order of their own, which is known of this one; the others are listed as in the model.
const EXECUTION_STATUS: (&str, &str) =
    ("ExecutionStatus", "SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING");

#[derive(Deserialize)]
struct Model {
    operations: HashMap<String, String>,
    shapes: HashMap<String, Shape>,
}

#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    members: IndexMap<String, String>,
    member: Option<String>,
    value: Option<String>,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<Pattern>,
    #[serde(rename = "enum")]
    values: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Double,
    Float,
    Boolean,
    Timestamp,
    Blob,
}

/// A pattern, which the whole text has to match; a look-ahead at its beginning is a pattern of its own.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Pattern {
    source: String,
    parts: Vec<Regex>,
}

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(source: String) -> Result<Pattern, regex::Error> {
        let inner = source.strip_prefix('^').unwrap_or(&source);
        let (ahead, rest) = match inner.strip_prefix("(?=").and_then(|inner| inner.split_once(')')) {
            Some((ahead, rest)) => (Some(ahead), rest),
            None => (None, inner),
        };
        let rest = rest.strip_suffix('$').unwrap_or(rest);
        let mut parts = vec![Regex::new(&format!("^(?s:{rest})$"))?];
        if let Some(ahead) = ahead {
            parts.push(Regex::new(&format!("^(?:{ahead})"))?);
        }
        Ok(Pattern { source, parts })
    }
}

/// Checks a request of an action. Inputs and outputs may have `payload_bytes` bytes.
///
/// # Errors
///
/// `SerializationException` where a value is of another type, `ValidationException` with every constraint that fails.
pub fn check(action: &str, request: &Value, payload_bytes: usize) -> Result<(), ApiError> {
    let Some(model) = MODEL.as_ref() else {
        return Err(ApiError::unavailable(
            "the model of the API can't be read: this is a fault of Rectify, please report it",
        ));
    };
    let Some(shape) = model.operations.get(action) else { return Ok(()) };
    let mut checking = Checking { model, payload_bytes: length(payload_bytes), problems: Vec::new() };
    checking.value(shape, "", request)?;
    match checking.problems.as_slice() {
        [] => Ok(()),
        [problem] => Err(ApiError::validation(format!("1 validation error detected: {problem}"))),
        problems => {
            Err(ApiError::validation(format!("{} validation errors detected: {}", problems.len(), problems.join("; "))))
        }
    }
}

struct Checking<'m> {
    model: &'m Model,
    payload_bytes: i64,
    problems: Vec<String>,
}

impl Checking<'_> {
    fn value(&mut self, name: &str, at: &str, value: &Value) -> Result<(), ApiError> {
        let Some(shape) = self.model.shapes.get(name) else { return Ok(()) };
        match (shape.kind, value) {
            (Kind::Structure, Value::Object(members)) => {
                for (member, of) in &shape.members {
                    let at = if at.is_empty() { member.clone() } else { format!("{at}.{member}") };
                    match members.get(member) {
                        None | Some(Value::Null) if shape.required.contains(member) => {
                            let problem =
                                format!("Value null at '{at}' failed to satisfy constraint: Member must not be null");
                            self.problems.push(problem);
                        }
                        None | Some(Value::Null) => {}
                        Some(value) => self.value(of, &at, value)?,
                    }
                }
            }
            (Kind::List, Value::Array(items)) => {
                self.bounds(name, at, value, "length", length(items.len()));
                for (index, item) in items.iter().enumerate() {
                    self.value(
                        shape.member.as_deref().unwrap_or_default(),
                        &format!("{at}.{}.member", index + 1),
                        item,
                    )?;
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                for (key, entry) in entries {
                    self.value(shape.value.as_deref().unwrap_or_default(), &format!("{at}.{key}.member"), entry)?;
                }
            }
            (Kind::String | Kind::Blob, Value::String(text)) => self.text(shape, name, at, value, text),
            (Kind::Integer | Kind::Long, Value::Number(number)) if number.as_i64().is_some() => {
                self.bounds(name, at, value, "value", number.as_i64().unwrap_or_default());
            }
            (Kind::Double | Kind::Float, Value::Number(number)) => {
                self.range(shape, name, at, value, number.as_f64().unwrap_or(f64::NAN));
            }
            (Kind::Timestamp, Value::Number(_)) | (Kind::Boolean, Value::Bool(_)) => {}
            (kind, value) => return Err(mistyped(kind, value)),
        }
        Ok(())
    }

    fn text(&mut self, shape: &Shape, name: &str, at: &str, value: &Value, text: &str) {
        let size = if name == PAYLOAD { text.len() } else { text.chars().count() };
        self.bounds(name, at, value, "length", length(size));
        if let Some(values) = &shape.values
            && !values.iter().any(|allowed| allowed == text)
        {
            let values = if name == EXECUTION_STATUS.0 { EXECUTION_STATUS.1.to_owned() } else { values.join(", ") };
            self.problem(name, at, value, &format!("Member must satisfy enum value set: [{values}]"));
        }
        if let Some(pattern) = &shape.pattern
            && !pattern.parts.iter().all(|part| part.is_match(text))
        {
            self.problem(
                name,
                at,
                value,
                &format!("Member must satisfy regular expression pattern: {}", pattern.source),
            );
        }
    }

    fn bounds(&mut self, name: &str, at: &str, value: &Value, what: &str, size: i64) {
        let Some(shape) = self.model.shapes.get(name) else { return };
        let max = if name == PAYLOAD { Some(self.payload_bytes) } else { shape.max };
        if let Some(max) = max.filter(|max| size > *max) {
            self.problem(name, at, value, &format!("Member must have {what} less than or equal to {max}"));
        }
        if let Some(min) = shape.min.filter(|min| size < *min) {
            self.problem(name, at, value, &format!("Member must have {what} greater than or equal to {min}"));
        }
    }

    /// The bounds of a number with a fraction.
    fn range(&mut self, shape: &Shape, name: &str, at: &str, value: &Value, number: f64) {
        #[expect(clippy::cast_precision_loss, reason = "the model's bounds are small")]
        let (min, max) = (shape.min.map(|min| min as f64), shape.max.map(|max| max as f64));
        if let Some(max) = max.filter(|max| number.is_nan() || number > *max) {
            self.problem(name, at, value, &format!("Member must have value less than or equal to {max}"));
        }
        if let Some(min) = min.filter(|min| number < *min) {
            self.problem(name, at, value, &format!("Member must have value greater than or equal to {min}"));
        }
    }

    fn problem(&mut self, name: &str, at: &str, value: &Value, constraint: &str) {
        let secret = self.model.shapes.get(name).is_some_and(|shape| shape.sensitive);
        let shown = if secret { String::new() } else { format!(" '{}'", self.shown(name, value)) };
        self.problems.push(format!("Value{shown} at '{at}' failed to satisfy constraint: {constraint}"));
    }

    /// A value as AWS's texts show it: as Java prints it, cut where it is very long.
    fn shown(&self, name: &str, value: &Value) -> String {
        let shape = self.model.shapes.get(name);
        let text = match (value, shape) {
            (Value::String(text), _) => text.clone(),
            (Value::Array(items), Some(Shape { member: Some(member), .. })) => {
                let items: Vec<String> = items.iter().map(|item| self.shown(member, item)).collect();
                format!("[{}]", items.join(", "))
            }
            (Value::Object(entries), Some(shape)) if shape.kind == Kind::Structure => {
                let members = shape.members.iter().filter_map(|(member, of)| {
                    let shown = self.shown(of, entries.get(member)?);
                    Some(format!("{member}={shown}"))
                });
                format!("{name}({})", members.collect::<Vec<_>>().join(", "))
            }
            (other, _) => other.to_string(),
        };
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }
}

fn length(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// A value that can't be read as what the model says.
fn mistyped(expected: Kind, found: &Value) -> ApiError {
    let wanted = match expected {
        Kind::Structure | Kind::Map => "a structure",
        Kind::List => "a list",
        Kind::String | Kind::Blob => "a String",
        Kind::Integer => "an Integer",
        Kind::Long => "a Long",
        Kind::Double | Kind::Float => "a Double",
        Kind::Boolean => "a Boolean",
        Kind::Timestamp => "a Timestamp",
    };
    let token = match found {
        Value::Object(_) => return serialization("Start of structure or map found where not expected."),
        Value::Array(_) => {
            return serialization("Unrecognized collection type: start of a list found where not expected.");
        }
        Value::String(_) => "STRING_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Null => "NULL_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
    };
    serialization(&format!("{token} can not be converted to {wanted}"))
}

fn serialization(message: &str) -> ApiError {
    ApiError::caller("SerializationException", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(action: &str, request: Value, expected: &str) {
        let error = check(action, &request, 262_144).unwrap_err();
        assert_eq!(format!("{}: {}", error.code, error.message), expected);
    }

    #[test]
    fn the_model_can_be_read() {
        assert!(MODEL.is_some(), "{:?}", serde_json::from_str::<Model>(include_str!("constraints.json")).err());
    }

    #[test]
    fn requests_are_refused_in_the_words_of_aws() {
        refused(
            "ListExecutions",
            json!({"stateMachineArn": "a", "maxResults": 1001}),
            "ValidationException: 1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000",
        );
        refused(
            "CreateStateMachine",
            json!({"name": "", "definition": "{}"}),
            "ValidationException: 2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
        );
        refused(
            "StartExecution",
            json!({"stateMachineArn": "a", "input": "x".repeat(262_145)}),
            "ValidationException: 1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than or equal to 262144",
        );
        refused(
            "CreateStateMachineAlias",
            json!({"name": "17", "routingConfiguration": [{"stateMachineVersionArn": "v", "weight": 101}]}),
            "ValidationException: 2 validation errors detected: Value '17' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$; Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100",
        );
        refused(
            "CreateStateMachineAlias",
            json!({"name": "a", "routingConfiguration": [{"stateMachineVersionArn": "v", "weight": 1}, {"stateMachineVersionArn": "w", "weight": 2}, {"stateMachineVersionArn": "x", "weight": 97}]}),
            "ValidationException: 1 validation error detected: Value '[RoutingConfigurationListItem(stateMachineVersionArn=v, weight=1), RoutingConfigurationListItem(stateMachineVersionArn=w, weight=2), RoutingConfigurationListItem(stateMachineVersionArn=x, weight=97)]' at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2",
        );
        refused(
            "ListExecutions",
            json!({"statusFilter": "DONE"}),
            "ValidationException: 1 validation error detected: Value 'DONE' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]",
        );
        refused(
            "ListExecutions",
            json!({"maxResults": "1"}),
            "SerializationException: STRING_VALUE can not be converted to an Integer",
        );
        refused(
            "StartExecution",
            json!({"stateMachineArn": 1}),
            "SerializationException: NUMBER_VALUE can not be converted to a String",
        );
        refused(
            "StartExecution",
            json!({"input": {}}),
            "SerializationException: Start of structure or map found where not expected.",
        );
    }

    #[test]
    fn numbers_with_a_fraction_keep_to_their_range() {
        let update = |percentage: Value| json!({"mapRunArn": "a", "toleratedFailurePercentage": percentage});
        let told = |value: &str, bound: &str| {
            format!(
                "ValidationException: 1 validation error detected: Value '{value}' at 'toleratedFailurePercentage' failed to satisfy constraint: Member must have value {bound}"
            )
        };
        refused("UpdateMapRun", update(json!(101.0)), &told("101.0", "less than or equal to 100"));
        refused("UpdateMapRun", update(json!(101)), &told("101", "less than or equal to 100"));
        refused("UpdateMapRun", update(json!(1e300)), &told("1e+300", "less than or equal to 100"));
        refused("UpdateMapRun", update(json!(-0.5)), &told("-0.5", "greater than or equal to 0"));
        for word in ["NaN", "Infinity", "-Infinity"] {
            let expected = "SerializationException: STRING_VALUE can not be converted to a Double";
            refused("UpdateMapRun", update(json!(word)), expected);
        }
        for allowed in [json!(0), json!(100.0), json!(33.3), Value::Null] {
            assert_eq!(check("UpdateMapRun", &update(allowed), 262_144), Ok(()));
        }
    }

    #[test]
    fn what_the_model_allows_passes() {
        let request = json!({"name": "a", "routingConfiguration": [{"stateMachineVersionArn": "v", "weight": 100}]});
        assert_eq!(check("CreateStateMachineAlias", &request, 262_144), Ok(()));
        assert_eq!(
            check("StartExecution", &json!({"stateMachineArn": "a", "name": null, "unknown": 1}), 262_144),
            Ok(())
        );
        assert_eq!(check("NoSuchAction", &json!([]), 262_144), Ok(()));
    }
}
