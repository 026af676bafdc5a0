//! Fields that hold expressions.

use query::{Language, SyntaxError, Template, intrinsic::Call, jsonata::Expression, jsonpath::Path};
use serde_json::Value;

use super::{Object, Parser, SCHEMA};
use crate::{Dynamic, state::Selector};

impl Parser<'_> {
    /// A payload template in the object's language.
    pub(crate) fn template(&mut self, object: &Object<'_>, field: &str) -> Option<Template> {
        let value = object.get(field)?;
        let pointer = object.at(field);
        if object.language == Language::JsonPath {
            self.warn_without_dollar(value, &pointer);
        }
        match Template::parse(value, object.language) {
            Ok(template) => Some(template),
            Err(errors) => {
                for error in errors {
                    self.template_problem(&pointer, error);
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
                let pointer = format!("{}/{}", object.at("Assign"), crate::document::escape(key));
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
                self.problem(SCHEMA, object.at(field), message, None);
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
            && let Some(text) = value.as_str().and_then(expression_text)
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
                    self.problem(SCHEMA, object.at(field), message, None);
                    None
                }
            };
        }
        self.path(object, field).map(Dynamic::Path)
    }

    /// The text between `{%` and `%}`, parsed.
    pub(crate) fn expression(&mut self, text: &str, pointer: &str) -> Option<Expression> {
        match Expression::parse(text) {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.problem(SCHEMA, pointer, error.message, None);
                None
            }
        }
    }

    /// AWS tells a template's errors of the object that holds the field; the text shows the field itself.
    fn template_problem(&mut self, pointer: &str, error: SyntaxError) {
        let place = format!("{pointer}{}", error.pointer);
        let around = match error.pointer.rsplit_once('/') {
            Some((around, _)) => format!("{pointer}{around}"),
            None => pointer.to_owned(),
        };
        self.inner_problem(&around, &place, error.message);
    }
}

/// What is between `{%` and `%}`.
pub(crate) fn expression_text(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}")
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
