//! Fields that hold expressions.

use query::{
    Language, SyntaxError, Template,
    intrinsic::Call,
    jsonata::{self, Expression},
    jsonpath::Path,
};
use serde_json::Value;

use super::{INVALID_JSONATA, Object, Parser, SCHEMA, references::StatesHas};
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
            Ok(template) => {
                self.check_template(&template, &pointer, StatesHas::within(object, field));
                Some(template)
            }
            Err(errors) => {
                for error in errors {
                    self.template_problem(&pointer, object.language, error);
                }
                None
            }
        }
    }

    /// `Assign`: a template that is an object, its keys being variables' names.
    pub(crate) fn assign(&mut self, object: &Object<'_>) -> Option<Template> {
        let value = object.get("Assign")?;
        let Some(fields) = value.as_object() else {
            self.wrong_type(&object.at("Assign"), "[OBJECT]", value);
            return None;
        };
        for key in fields.keys() {
            let name = if object.language == Language::JsonPath { key.strip_suffix(".$").unwrap_or(key) } else { key };
            if let Err((code, message)) = variable_name(name) {
                let pointer = format!("{}/{}", object.at("Assign"), escape(key));
                let help = if name == "states" {
                    "take another name: `$states` is what Step Functions says of the state"
                } else {
                    "a letter, then letters, digits and `_`, 80 characters at most"
                };
                self.key_problem(code, &pointer, message, Some(help.to_owned()));
            }
        }
        self.template(object, "Assign")
    }

    /// A JSONPath.
    pub(crate) fn path(&mut self, object: &Object<'_>, field: &str) -> Option<Path> {
        let text = self.text(object, field)?;
        Path::parse(&text)
            .map_err(|error| self.path_problem(object, field, "Value must be a valid JSONPath.", error))
            .ok()
    }

    /// A path of a Choice: AWS calls it a Reference Path, and says what is wrong with it.
    pub(crate) fn compared_path(&mut self, object: &Object<'_>, field: &str) -> Option<Path> {
        let text = self.text(object, field)?;
        let refused = |error: SyntaxError| {
            let why = if text.starts_with('$') {
                format!("Value is not a Reference Path: {}", error.message.trim_end())
            } else {
                "Value is not a Reference Path: Reference path didn't start with '$'".to_owned()
            };
            self.path_problem(object, field, &why, error);
        };
        Path::parse(&text).map_err(refused).ok()
    }

    fn path_problem(&mut self, object: &Object<'_>, field: &str, message: &str, error: SyntaxError) {
        let pointer = object.at(field);
        let span = self.expression_span(&pointer, 0, error.offset);
        let detail = error.detail.unwrap_or_else(|| error.message.clone());
        let error = SyntaxError { message: message.to_owned(), detail: Some(detail), ..error };
        self.expression_problem(SCHEMA, (&pointer, &pointer), span, error);
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
            let help = "`$`, names and indices only, and nothing of the context or of variables";
            self.problem(SCHEMA, object.at("ResultPath"), "Value is not a Reference Path", Some(help.to_owned()));
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
                    let message = "Value must be a valid JSONPath or a valid intrinsic function call";
                    self.path_problem(object, field, message, error);
                    None
                }
            };
        }
        self.path(object, field).map(Dynamic::Path)
    }

    /// The expression of a text `{% … %}`.
    pub(crate) fn expression(&mut self, text: &str, pointer: &str) -> Option<Expression> {
        let Some(inside) = jsonata::delimited(text) else {
            self.problem(SCHEMA, pointer, jsonata::NOT_DELIMITED, None);
            return None;
        };
        match Expression::parse(inside) {
            Ok(expression) => {
                self.check_references(&expression, pointer, StatesHas::Nothing);
                Some(expression)
            }
            Err(error) => {
                self.jsonata_problem(pointer, error);
                None
            }
        }
    }

    /// AWS tells an error in JSONPath of the object that holds the field; the text shows the field itself.
    fn template_problem(&mut self, pointer: &str, language: Language, error: SyntaxError) {
        let inside = format!("{pointer}{}", error.pointer);
        if language == Language::Jsonata {
            return self.jsonata_problem(&inside, error);
        }
        let span = self.expression_span(&inside, 0, error.offset);
        let around = match error.pointer.rsplit_once('/') {
            Some((around, _)) => format!("{pointer}{around}"),
            None => pointer.to_owned(),
        };
        self.expression_problem(SCHEMA, (&inside, &around), span, error);
    }

    /// AWS shows the parser's words without their code.
    fn jsonata_problem(&mut self, pointer: &str, error: SyntaxError) {
        let is_code = |code: &str| code.len() == 5 && code.bytes().skip(1).all(|byte| byte.is_ascii_digit());
        let (code, message) = match error.message.split_once(": ") {
            Some((code, message)) if is_code(code) => (INVALID_JSONATA, message.to_owned()),
            _ if error.message == jsonata::NOT_DELIMITED => (SCHEMA, error.message.clone()),
            _ => (INVALID_JSONATA, error.message.clone()),
        };
        let span = self.expression_span(pointer, DELIMITER.len(), error.offset);
        self.expression_problem(code, (pointer, pointer), span, SyntaxError { message, ..error });
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

/// Names of variables: a Unicode letter, then letters, digits and `_`, 80 characters, `states` being taken. Else AWS's code and
/// words.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>.
fn variable_name(name: &str) -> Result<(), (&'static str, String)> {
    const INVALID: &str = "INVALID_VARIABLE_NAME";
    if name == "states" {
        let message = "Cannot assign to reserved variable '$states'.";
        return Err(("RESERVED_VARIABLE_NAME", message.to_owned()));
    }
    let mut letters = name.chars();
    let first = letters.next().is_some_and(char::is_alphabetic);
    if !first || !letters.all(|letter| letter.is_alphanumeric() || letter == '_') {
        let message = format!("Invalid variable name '{name}': the variable name contains invalid characters.");
        return Err((INVALID, message));
    }
    if name.chars().count() > 80 {
        let message = format!("Invalid variable name '{name}': the variable name is longer than 80 characters.");
        return Err((INVALID, message));
    }
    Ok(())
}
