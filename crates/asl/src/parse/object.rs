//! Objects of a definition and their fields.

use query::Language;
use serde_json::{Map, Value};

use super::{Parser, SCHEMA};
use crate::{Severity, document::escape, nearest::did_you_mean};

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
            self.wrong_type(pointer, "[OBJECT]", value);
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
            return self.problems.skip(Severity::Error);
        }
        let Object { allowed, language, .. } = object;
        let (this, other, other_language) = match language {
            Language::JsonPath => ("JSONPath", "JSONata", Language::Jsonata),
            Language::Jsonata => ("JSONata", "JSONPath", Language::JsonPath),
        };
        if !allowed.permits(field, other_language) {
            let known = allowed.both.iter().chain(allowed.own(*language)).copied();
            let message = format!("Field '{field}' is not supported");
            return self.field_problem(object, field, message, did_you_mean(field, known));
        }
        if self.downgraded.as_deref() == Some(object.pointer.as_str()) {
            return;
        }
        let switch = format!("set `QueryLanguage` to `{other}` here");
        let may_switch = self.machine_language == Language::JsonPath;
        let help = match (instead(field), may_switch) {
            (Some(field), true) => Some(format!("write `{field}`, or {switch}")),
            (Some(field), false) => Some(format!("write `{field}`")),
            (None, true) => Some(format!("{switch} if that is what you want")),
            (None, false) => None,
        };
        let message = format!(
            "The QueryLanguage is set to '{this}', but field '{field}' is only supported for the '{other}' QueryLanguage"
        );
        self.field_problem(object, field, message, help);
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
        let mut present = fields.iter().filter(|field| object.has(field));
        let (Some(_), Some(second)) = (present.next(), present.next()) else { return true };
        let message = format!("There should only be one of the following fields: [{}]", fields.join(", "));
        self.field_problem(object, second, message, Some("keep one of them".to_owned()));
        false
    }

    /// Whether one of these fields is there, and no other.
    pub(crate) fn exactly_one(&mut self, object: &Object<'_>, fields: &[&str], help: &str) -> bool {
        if fields.iter().any(|field| object.has(field)) {
            return self.at_most_one(object, fields);
        }
        let message = format!("This object should have only one of the following fields: [{}]", fields.join(", "));
        self.key_problem(SCHEMA, &object.pointer, message, Some(help.to_owned()));
        false
    }

    /// A string out of a list.
    pub(crate) fn one_of(&mut self, object: &Object<'_>, field: &str, values: &[&'static str]) -> Option<&'static str> {
        let text = self.text(object, field)?;
        let found = values.iter().copied().find(|value| *value == text);
        if found.is_none() {
            let message = format!("Value should be one of the following: [{}]", values.join(", "));
            self.problem(SCHEMA, object.at(field), message, did_you_mean(&text, values.iter().copied()));
        }
        found
    }

    /// A string.
    pub(crate) fn text(&mut self, object: &Object<'_>, field: &str) -> Option<String> {
        let value = object.get(field)?;
        let text = value.as_str();
        if text.is_none() {
            self.wrong_type(&object.at(field), "[STRING]", value);
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
                self.problem(SCHEMA, pointer, "Value cannot be empty", None);
                Vec::new()
            }
            Some(Value::Array(items)) => {
                items.iter().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)).collect()
            }
            Some(other) => {
                self.wrong_type(&pointer, "[ARRAY]", other);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// `expected` is a type as AWS writes it: `[STRING]`, `[OBJECT]`, `[ARRAY]`, `[BOOLEAN]`.
    pub(crate) fn wrong_type(&mut self, pointer: &str, expected: &str, value: &Value) {
        let help = format!("it is {} here", shown(value));
        self.problem(SCHEMA, pointer, format!("Expected value of type {expected}"), Some(help));
    }
}

/// A whole number in a range, or what is wrong, in AWS's words.
pub(crate) fn integer(value: &Value, least: u64, most: u64) -> Result<u64, String> {
    if value.as_i64().is_some_and(|number| number < 0) {
        return Err(format!("Minimum value is {least}"));
    }
    match value.as_u64() {
        Some(number) if number < least => Err(format!("Minimum value is {least}")),
        Some(number) if number > most => Err(format!("Maximum value is {most}")),
        Some(number) => Ok(number),
        None => Err("Expected value of type Integer".to_owned()),
    }
}

/// A number in a range, or what is wrong, in AWS's words. `least` and `most` are written as AWS writes them.
pub(crate) fn decimal(value: &Value, least: (f64, &str), most: (f64, &str)) -> Result<f64, String> {
    match value.as_f64() {
        Some(number) if number < least.0 => Err(format!("Minimum value is {}", least.1)),
        Some(number) if number > most.0 => Err(format!("Maximum value is {}", most.1)),
        Some(number) => Ok(number),
        None => Err("Expected value of type [NUMBER]".to_owned()),
    }
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
