//! Fields that hold expressions.

use query::{
    Language, SyntaxError, Template,
    intrinsic::Call,
    jsonata::{self, Expression},
    jsonpath::Path,
};
use serde_json::Value;

use super::{Object, Parser, SCHEMA};
use crate::{Dynamic, document::escape, state::Selector, trail::Trail};

impl Parser<'_> {
    /// A payload template in the object's language.
    pub(crate) fn template(&mut self, object: &Object<'_>, field: &str) -> Option<Template> {
        let value = object.get(field)?;
        let pointer = object.at(field);
        if object.language == Language::JsonPath {
            self.warn_without_dollar(value, &Trail::at(&pointer));
            self.no_doubles(value, &Trail::at(&pointer));
        }
        match Template::parse(value, object.language) {
            Ok(template) => Some(template),
            Err(errors) => {
                let skipped = if object.language == Language::Jsonata { DELIMITER.len() } else { 0 };
                for error in errors {
                    self.template_problem(&pointer, skipped, error);
                }
                None
            }
        }
    }

    /// `Assign`: a template that is an object, its keys being variables' names.
    pub(crate) fn assign(&mut self, object: &Object<'_>) -> Option<Template> {
        let value = object.get("Assign")?;
        let Some(fields) = value.as_object() else {
            self.wrong_type(&object.at("Assign"), "an object", value);
            return None;
        };
        for key in fields.keys() {
            let name = if object.language == Language::JsonPath { key.strip_suffix(".$").unwrap_or(key) } else { key };
            if let Err(message) = variable_name(name) {
                let pointer = format!("{}/{}", object.at("Assign"), escape(key));
                self.key_problem(SCHEMA, &pointer, message, None);
            }
        }
        self.template(object, "Assign")
    }

    /// A JSONPath.
    pub(crate) fn path(&mut self, object: &Object<'_>, field: &str) -> Option<Path> {
        let text = self.text(object, field)?;
        match Path::parse(&text) {
            Ok(path) => Some(path),
            Err(error) => {
                let message = format!("`{text}` is no JSONPath: {}", error.message.trim());
                let span = self.expression_span(&object.at(field), 0, error.offset);
                self.inner_problem(&object.at(field), span, message, error.detail.map(trimmed));
                None
            }
        }
    }

    /// `InputPath`, `OutputPath`: a path, `null` or nothing.
    pub(crate) fn selector(&mut self, object: &Object<'_>, field: &str) -> Selector {
        match object.get(field) {
            None => Selector::Whole,
            Some(Value::Null) => Selector::Null,
            Some(_) => self.path(object, field).map_or(Selector::Whole, Selector::Path),
        }
    }

    /// `ResultPath`: a Reference Path, `null` or nothing.
    pub(crate) fn result_path(&mut self, object: &Object<'_>) -> Selector {
        let selector = self.selector(object, "ResultPath");
        if let Selector::Path(path) = &selector
            && (!path.is_reference_path() || path.is_of_context() || path.variable().is_some())
        {
            let message = format!("`{}` is no Reference Path: `$`, names and indices only", path.as_str());
            self.problem(SCHEMA, object.at("ResultPath"), message, None);
        }
        selector
    }

    /// A field that holds a value (which `check` looks at), or says where to find it: by `FieldPath` in JSONPath, by
    /// `{% … %}` in JSONata.
    pub(crate) fn dynamic(
        &mut self,
        object: &Object<'_>,
        field: &str,
        check: impl Fn(&Value) -> Result<(), String>,
    ) -> Option<Dynamic> {
        let path_field = format!("{field}Path");
        if !self.at_most_one(object, &[field, path_field.as_str()]) {
            return None;
        }
        if object.has(&path_field) {
            return self.dynamic_path(object, &path_field);
        }
        let value = object.get(field)?;
        if object.language == Language::Jsonata
            && let Some(text) = value.as_str().filter(|text| text.starts_with("{%") || text.ends_with("%}"))
        {
            return self.expression(text, &object.at(field)).map(Dynamic::Expression);
        }
        match check(value) {
            Ok(()) => Some(Dynamic::Value(value.clone())),
            Err(message) => {
                self.problem(SCHEMA, object.at(field), message, None);
                None
            }
        }
    }

    /// A path; `ErrorPath` and `CausePath` may be intrinsic functions too.
    fn dynamic_path(&mut self, object: &Object<'_>, field: &str) -> Option<Dynamic> {
        let text = self.text(object, field)?;
        if matches!(field, "ErrorPath" | "CausePath") && text.starts_with("States.") {
            return match Call::parse(&text) {
                Ok(call) => Some(Dynamic::Intrinsic(call)),
                Err(error) => {
                    let message = format!("`{text}` is no intrinsic function call: {}", error.message.trim());
                    let span = self.expression_span(&object.at(field), 0, error.offset);
                    self.inner_problem(&object.at(field), span, message, error.detail.map(trimmed));
                    None
                }
            };
        }
        self.path(object, field).map(Dynamic::Path)
    }

    /// The expression of a text `{% … %}`.
    pub(crate) fn expression(&mut self, text: &str, pointer: &str) -> Option<Expression> {
        let Some(inside) = jsonata::delimited(text) else {
            self.problem(SCHEMA, pointer, "an expression begins with `{%` and ends with `%}`", None);
            return None;
        };
        match Expression::parse(inside) {
            Ok(expression) => Some(expression),
            Err(error) => {
                let span = self.expression_span(pointer, DELIMITER.len(), error.offset);
                self.inner_problem(pointer, span, error.message, error.detail.map(trimmed));
                None
            }
        }
    }

    /// AWS tells a template's errors of the object that holds the field; the text shows the field itself.
    fn template_problem(&mut self, pointer: &str, skipped: usize, error: SyntaxError) {
        let span = self.expression_span(&format!("{pointer}{}", error.pointer), skipped, error.offset);
        let around = match error.pointer.rsplit_once('/') {
            Some((around, _)) => format!("{pointer}{around}"),
            None => pointer.to_owned(),
        };
        self.inner_problem(&around, span, error.message, error.detail.map(trimmed));
    }

    /// A name that stands in a JSONPath template both as it is and with `.$` would come out twice.
    fn no_doubles(&mut self, value: &Value, trail: &Trail<'_>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let inside = trail.key(key);
                    if let Some(name) = key.strip_suffix(".$").filter(|name| fields.contains_key(*name)) {
                        let message = format!("`{name}` is here twice, as `{name}` and as `{key}`");
                        self.key_problem(SCHEMA, &inside.to_string(), message, Some("keep one of them".to_owned()));
                    }
                    self.no_doubles(value, &inside);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.no_doubles(item, &trail.index(index));
                }
            }
            _ => {}
        }
    }
}

/// What an expression in JSONata begins with.
const DELIMITER: &str = "{%";

/// Some messages end in a blank, where they list what was expected.
fn trimmed(text: String) -> String {
    text.trim_end().to_owned()
}

/// Names of variables: a Unicode letter or `_`, then letters, digits and `_`, 80 characters, `states` being taken.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>.
fn variable_name(name: &str) -> Result<(), String> {
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|letter| letter.is_alphabetic() || letter == '_');
    if !first || !letters.all(|letter| letter.is_alphanumeric() || letter == '_') {
        return Err(format!(
            "`{name}` is no name for a variable: it takes letters, digits and `_`, and no digit first"
        ));
    }
    if name.chars().count() > 80 {
        return Err("a variable's name has at most 80 characters".to_owned());
    }
    if name == "states" {
        return Err("`states` can't be assigned: it is what Step Functions says about the state".to_owned());
    }
    Ok(())
}
