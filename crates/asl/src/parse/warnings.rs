//! What works, but not as its author thinks: AWS's warnings.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html>.

use query::Language;
use serde_json::Value;

use super::{Object, Parser};
use crate::trail::Trail;

impl Parser<'_> {
    /// A path in a JSONPath template under a key without `.$` comes out as the text that it is.
    pub(super) fn warn_without_dollar(&mut self, value: &Value, trail: &Trail<'_>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields.iter().filter(|(key, _)| !key.ends_with(".$")) {
                    let inside = trail.key(key);
                    match value.as_str() {
                        Some(text) if looks_like_a_query(text) => {
                            let message = format!("`{key}` will be the text `{text}`, not what it names");
                            let help = format!("write `{key}.$` if the value is a path or an intrinsic function");
                            self.warning("NO_DOLLAR", &inside.to_string(), message, help);
                        }
                        _ => self.warn_without_dollar(value, &inside),
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.warn_without_dollar(item, &trail.index(index));
                }
            }
            _ => {}
        }
    }

    /// A field that is no path, with what looks like one.
    pub(crate) fn warn_without_path(&mut self, object: &Object<'_>, field: &str) {
        let text = object.get(field).and_then(Value::as_str).filter(|text| looks_like_a_query(text));
        if let Some(text) = text.filter(|_| object.language == Language::JsonPath) {
            let message = format!("`{field}` will be the text `{text}`, not what it names");
            self.warning("NO_PATH", &object.at(field), message, format!("write `{field}Path` if it is a path"));
        }
    }

    /// A Pass's `Result` is no template.
    pub(crate) fn warn_of_static_result(&mut self, object: &Object<'_>) {
        let pointer = object.at("Result");
        if object.get("Result").is_some_and(holds_a_query) {
            let message = "`Result` comes out as it is written: paths in it are not looked up";
            self.warning("PASS_RESULT_IS_STATIC", &pointer, message, "write `Parameters` if they should be");
        }
    }
}

fn looks_like_a_query(text: &str) -> bool {
    text == "$" || ["$.", "$$.", "$["].iter().any(|start| text.starts_with(start)) || {
        text.starts_with("States.") && text.contains('(') && text.ends_with(')')
    }
}

fn holds_a_query(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| key.ends_with(".$") || holds_a_query(value)),
        Value::Array(items) => items.iter().any(holds_a_query),
        Value::String(text) => looks_like_a_query(text),
        _ => false,
    }
}
