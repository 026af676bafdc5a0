//! Objects of a definition and their fields.

use query::Language;
use serde_json::{Map, Value};

use super::{Parser, SCHEMA};
use crate::{document::escape, nearest::did_you_mean};

/// The fields that an object may have, by query language.
pub(crate) struct Allowed {
    pub(crate) both: &'static [&'static str],
    pub(crate) jsonpath: &'static [&'static str],
    pub(crate) jsonata: &'static [&'static str],
}

impl Allowed {
    fn own(&self, language: Language) -> &'static [&'static str] {
        match language {
            Language::JsonPath => self.jsonpath,
            Language::Jsonata => self.jsonata,
        }
    }

    pub(crate) fn permits(&self, field: &str, language: Language) -> bool {
        self.both.contains(&field) || self.own(language).contains(&field)
    }
}

/// An object of a definition: it shows only the fields that it may have.
pub(crate) struct Object<'a> {
    pub(crate) pointer: String,
    pub(crate) language: Language,
    fields: &'a Map<String, Value>,
    allowed: &'static Allowed,
}

impl<'a> Object<'a> {
    pub(crate) fn get(&self, field: &str) -> Option<&'a Value> {
        self.allowed.permits(field, self.language).then(|| self.fields.get(field)).flatten()
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    /// The pointer of a field.
    pub(crate) fn at(&self, field: &str) -> String {
        format!("{}/{}", self.pointer, escape(field))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a String> {
        self.fields.keys()
    }
}

impl Parser<'_> {
    /// An object with fields of these names, all others being problems.
    pub(crate) fn object<'v>(
        &mut self,
        value: &'v Value,
        pointer: &str,
        language: Language,
        allowed: &'static Allowed,
    ) -> Option<Object<'v>> {
        let Some(fields) = value.as_object() else {
            self.wrong_type(pointer, "an object", value);
            return None;
        };
        let object = Object { pointer: pointer.to_owned(), language, fields, allowed };
        for field in fields.keys().filter(|field| !allowed.permits(field, language)) {
            self.unknown_field(&object, field);
        }
        Some(object)
    }

    fn unknown_field(&mut self, object: &Object<'_>, field: &str) {
        if self.problems.is_full() {
            return self.problems.skip();
        }
        let Object { allowed, language, .. } = object;
        let (this, other, other_language) = match language {
            Language::JsonPath => ("JSONPath", "JSONata", Language::Jsonata),
            Language::Jsonata => ("JSONata", "JSONPath", Language::JsonPath),
        };
        let (message, help) = if allowed.permits(field, other_language) {
            let switch = format!("set `QueryLanguage` to `{other}` here");
            let may_switch = self.machine_language == Language::JsonPath;
            let help = match (instead(field), may_switch) {
                (Some(field), true) => Some(format!("write `{field}`, or {switch}")),
                (Some(field), false) => Some(format!("write `{field}`")),
                (None, true) => Some(format!("{switch} if that is what you want")),
                (None, false) => None,
            };
            (format!("the field `{field}` belongs to {other}, and this is {this}"), help)
        } else {
            let known = allowed.both.iter().chain(allowed.own(*language)).copied();
            (format!("the field `{field}` is not supported here"), did_you_mean(field, known))
        };
        self.key_problem(SCHEMA, &object.at(field), message, help);
    }

    /// Whether all these fields are there, in AWS's words if not.
    pub(crate) fn require(&mut self, object: &Object<'_>, fields: &[&str]) -> bool {
        let missing: Vec<&str> = fields.iter().copied().filter(|field| !object.has(field)).collect();
        if !missing.is_empty() {
            let message = format!("These fields are required: [{}]", missing.join(", "));
            self.problem(SCHEMA, object.pointer.clone(), message, None);
        }
        missing.is_empty()
    }

    /// Whether no more than one of these fields is there.
    pub(crate) fn at_most_one(&mut self, object: &Object<'_>, fields: &[&str]) -> bool {
        let present: Vec<&str> = fields.iter().copied().filter(|field| object.has(field)).collect();
        let Some((last, rest)) = present.split_last().filter(|(_, rest)| !rest.is_empty()) else { return true };
        let names: Vec<String> = rest.iter().map(|field| format!("`{field}`")).collect();
        let message = format!("{} and `{last}` can't be together", names.join(", "));
        self.key_problem(SCHEMA, &object.at(last), message, Some("keep one of them".to_owned()));
        false
    }

    /// A string.
    pub(crate) fn text(&mut self, object: &Object<'_>, field: &str) -> Option<String> {
        let value = object.get(field)?;
        let text = value.as_str();
        if text.is_none() {
            self.wrong_type(&object.at(field), "a string", value);
        }
        text.map(str::to_owned)
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, object: &Object<'_>, field: &str, least: u64, most: u64) -> Option<u64> {
        let value = object.get(field)?;
        match integer(value, least, most) {
            Ok(number) => Some(number),
            Err(message) => {
                self.problem(SCHEMA, object.at(field), message, None);
                None
            }
        }
    }

    /// The elements of an array that may not be empty, each with its pointer; none where there is no such array.
    pub(crate) fn items<'v>(&mut self, object: &Object<'v>, field: &str) -> Vec<(String, &'v Value)> {
        let pointer = object.at(field);
        match object.get(field) {
            Some(Value::Array(items)) if items.is_empty() => {
                self.problem(SCHEMA, pointer, format!("`{field}` can't be empty"), None);
                Vec::new()
            }
            Some(Value::Array(items)) => {
                items.iter().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)).collect()
            }
            Some(other) => {
                self.wrong_type(&pointer, "an array", other);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    pub(crate) fn wrong_type(&mut self, pointer: &str, expected: &str, value: &Value) {
        let message = format!("this must be {expected}, and it is {}", type_of(value));
        self.problem(SCHEMA, pointer, message, None);
    }
}

/// A whole number in a range, or what is wrong.
pub(crate) fn integer(value: &Value, least: u64, most: u64) -> Result<u64, String> {
    value
        .as_u64()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("this must be a whole number from {least} to {most}, and it is {}", shown(value)))
}

/// A value as a message shows it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Number(_) | Value::Bool(_) | Value::Null => format!("`{value}`"),
        Value::String(text) if text.len() <= 40 => format!("the string `{text}`"),
        other => type_of(other).to_owned(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The field of the other query language that does what this one does.
fn instead(field: &str) -> Option<&'static str> {
    match field {
        "Parameters" => Some("Arguments"),
        "Arguments" => Some("Parameters"),
        "ResultSelector" | "ResultPath" | "OutputPath" | "Result" => Some("Output"),
        "Output" => Some("ResultSelector"),
        "ItemsPath" => Some("Items"),
        "Items" => Some("ItemsPath"),
        "Variable" | "And" | "Or" | "Not" => Some("Condition"),
        "Condition" => Some("Variable"),
        "TimeoutSecondsPath" => Some("TimeoutSeconds"),
        "HeartbeatSecondsPath" => Some("HeartbeatSeconds"),
        "SecondsPath" => Some("Seconds"),
        "TimestampPath" => Some("Timestamp"),
        "ErrorPath" => Some("Error"),
        "CausePath" => Some("Cause"),
        "MaxConcurrencyPath" => Some("MaxConcurrency"),
        "ToleratedFailureCountPath" => Some("ToleratedFailureCount"),
        "ToleratedFailurePercentagePath" => Some("ToleratedFailurePercentage"),
        _ if crate::state::choice::comparator(field).is_some() => Some("Condition"),
        _ => None,
    }
}
