//! A JSON document that is written once, read when needed, and shared.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

/// A JSON document: its text, and its value once somebody asked for it. Cloning shares both.
///
/// Serializes as a string that holds the text, as inputs and outputs do in a history. Two are equal if their texts are.
#[derive(Clone)]
pub struct Json(Arc<Inner>);

struct Inner {
    text: Box<str>,
    value: OnceLock<Value>,
}

impl Json {
    /// A value, written compactly.
    pub fn new(value: Value) -> Json {
        let text = value.to_string().into_boxed_str();
        Json(Arc::new(Inner { text, value: OnceLock::from(value) }))
    }

    /// A text as it is, spaces and all. It is no JSON, or nests deeper than 127 levels: an error.
    pub fn parse(text: &str) -> Result<Json, serde_json::Error> {
        let value: Value = serde_json::from_str(text)?;
        Ok(Json(Arc::new(Inner { text: text.into(), value: OnceLock::from(value) })))
    }

    /// An array of documents, from their texts.
    pub fn array<'a>(elements: impl Iterator<Item = &'a Json>) -> Json {
        let mut text = String::from("[");
        for (index, element) in elements.enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(element.text());
        }
        text.push(']');
        Json(Arc::new(Inner { text: text.into_boxed_str(), value: OnceLock::new() }))
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The value.
    pub fn value(&self) -> &Value {
        // The text came from a value, or was parsed when it came in: it parses again.
        self.0.value.get_or_init(|| serde_json::from_str(&self.0.text).unwrap_or(Value::Null))
    }

    /// How deeply it nests arrays and objects.
    pub fn depth(&self) -> usize {
        let brackets = self.text().bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
        // Most documents have few brackets: then their number is answer enough.
        if brackets < 100 { brackets } else { depth(self.value()) }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text()
    }
}

impl Eq for Json {}

impl std::fmt::Debug for Json {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.text())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        let text = String::deserialize(deserializer)?;
        Json::parse(&text).map_err(D::Error::custom)
    }
}
