//! A JSON document that is written once, read when needed, and shared.

use std::sync::{Arc, OnceLock};

use query::java;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::Value;

/// A JSON document: its text, and its value once somebody asked for it. Cloning shares both.
///
/// Serializes as a string that holds the text, as inputs and outputs do in a history. Two are equal if their texts are.
#[derive(Clone)]
pub struct Json(Arc<Inner>);

struct Inner {
    text: Box<str>,
    value: OnceLock<Value>,
    depth: OnceLock<usize>,
}

impl Json {
    /// A value, written compactly, its numbers as AWS writes them: `1.0E20`.
    pub fn new(value: Value) -> Json {
        Json::of(java::json(&value).into_boxed_str(), OnceLock::from(value))
    }

    fn of(text: Box<str>, value: OnceLock<Value>) -> Json {
        Json(Arc::new(Inner { text, value, depth: OnceLock::new() }))
    }

    /// A text as it is, spaces and all. It is no JSON, or nests deeper than 127 levels: an error.
    pub fn parse(text: &str) -> Result<Json, serde_json::Error> {
        let value: Value = serde_json::from_str(text)?;
        Ok(Json::of(text.into(), OnceLock::from(value)))
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
        Json::of(text.into_boxed_str(), OnceLock::new())
    }

    /// In a row of the journal: the same as the long text of this number.
    pub(crate) fn reference(number: usize) -> Json {
        Json::of(format!("#{number}").into_boxed_str(), OnceLock::new())
    }

    /// The number of the text that it stands for.
    pub(crate) fn referred(&self) -> Option<usize> {
        self.text().strip_prefix('#')?.parse().ok()
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The value.
    pub fn value(&self) -> &Value {
        // The text came from a value, or was checked when it came in, and its depth is limited: it can be parsed.
        self.0.value.get_or_init(|| serde_json::from_str(&self.0.text).unwrap_or(Value::Null))
    }

    /// The same, written compactly.
    pub fn compact(&self) -> Json {
        let text = java::json(self.value());
        if text == self.text() {
            return self.clone();
        }
        Json::of(text.into_boxed_str(), OnceLock::from(self.value().clone()))
    }

    /// How deeply it nests arrays and objects.
    pub fn depth(&self) -> usize {
        *self.0.depth.get_or_init(|| depth(&self.0.text))
    }
}

/// How deeply a JSON text nests: the greatest number of brackets that are open at once, outside of strings.
pub fn depth(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                open = open.saturating_add(1);
                deepest = deepest.max(open);
            }
            b']' | b'}' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
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
        let read = Json::of(text.into_boxed_str(), OnceLock::new());
        if read.referred().is_some() {
            return Ok(read);
        }
        // Of a long journal few values are ever asked for: that they can be parsed is enough.
        serde_json::from_str::<IgnoredAny>(read.text()).map_err(D::Error::custom)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let check = |text: &str, expected: usize| assert_eq!(Json::parse(text).unwrap().depth(), expected, "{text}");
        check("1", 0);
        check("[]", 1);
        check(r#"{"a":[{}],"b":[]}"#, 3);
        check(r#"["[[[\"[","\\",[]]"#, 2);
    }

    #[test]
    fn numbers_are_written_as_aws_writes_them() {
        for (given, written) in [("[ 1e20, 1.5 ]", "[1.0E20,1.5]"), ("1e-7", "1.0E-7"), ("{\"n\": 7}", "{\"n\":7}")] {
            let json = Json::parse(given).unwrap();
            assert_eq!((json.text(), json.compact().text()), (given, written));
            assert_eq!(Json::new(json.value().clone()).text(), written);
        }
    }

    #[test]
    fn texts_are_kept() {
        let spaced = Json::parse("{ \"a\": 1 }").unwrap();
        assert_eq!(spaced.text(), "{ \"a\": 1 }");
        assert_eq!(spaced.compact().text(), "{\"a\":1}");
        assert_eq!(Json::array([&spaced, &Json::new(json!(null))].into_iter()).value(), &json!([{"a": 1}, null]));
        let double = Json::new(json!(0.009_424_792_644_367_241));
        assert_eq!(
            Json::parse(double.text()).unwrap().value(),
            double.value(),
            "doubles are read as they were written"
        );
        let written = serde_json::to_string(&spaced).unwrap();
        assert_eq!(serde_json::from_str::<Json>(&written).unwrap(), spaced);
        assert!(serde_json::from_str::<Json>("\"{\"").is_err());
    }
}
