//! A document looked at by pointer, and what was found wrong with it so far.

use asl::{Diagnostic, Document, Severity, document::escape, nearest::nearest};
use query::jsonata::Expression;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::EventPattern;

/// A document, and its problems so far.
pub(crate) struct Reader<'a> {
    pub(crate) document: &'a Document,
    /// What the whole is called: "the guardrail".
    whole: &'static str,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(document: &'a Document, whole: &'static str) -> Reader<'a> {
        Reader { document, whole, diagnostics: Vec::new() }
    }

    /// The warnings if there are but warnings, else all problems, in the order of the text.
    pub(crate) fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
        if self.diagnostics.iter().any(is_error) { Err(self.diagnostics) } else { Ok(self.diagnostics) }
    }

    pub(crate) fn problem(&mut self, code: &str, pointer: &str, message: impl Into<String>, help: Option<&str>) {
        let span = match code {
            "UNKNOWN_KEY" => self.document.key_span(pointer),
            _ => self.document.span(pointer),
        };
        let diagnostic = Diagnostic::error(code, message).at(pointer, span);
        self.diagnostics.push(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
    }

    pub(crate) fn warning(&mut self, code: &str, pointer: &str, message: &str, help: Option<&str>) {
        self.problem(code, pointer, message, help);
        if let Some(diagnostic) = self.diagnostics.last_mut() {
            diagnostic.severity = Severity::Warning;
        }
    }

    pub(crate) fn add(&mut self, diagnostics: Vec<Diagnostic>) {
        self.diagnostics.extend(diagnostics);
    }

    pub(crate) fn value(&self, pointer: &str) -> Option<&'a Value> {
        self.document.value().pointer(pointer)
    }

    /// On which line a value begins, from 1.
    pub(crate) fn line(&self, pointer: &str) -> usize {
        self.document.span(pointer).line
    }

    /// An object whose keys may be anything.
    pub(crate) fn any_object(&mut self, pointer: &str) -> Option<&'a Map<String, Value>> {
        let object = self.value(pointer)?.as_object();
        if object.is_none() {
            self.problem("INVALID_VALUE", pointer, format!("{} has to be an object", self.shown(pointer)), None);
        }
        object
    }

    /// An object: keys beyond the known ones are problems, and so are required ones that are missing.
    pub(crate) fn object(
        &mut self,
        pointer: &str,
        known: &[&str],
        required: &[&str],
    ) -> Option<&'a Map<String, Value>> {
        let object = self.any_object(pointer)?;
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = format!("there is no key `{key}` here");
            let help = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", known.join(", ")),
            };
            self.problem("UNKNOWN_KEY", &format!("{pointer}/{}", escape(key)), message, Some(&help));
        }
        for key in required.iter().filter(|key| !object.contains_key(**key)) {
            let message = format!("the key `{key}` is missing in {}", self.shown(pointer));
            self.problem("MISSING_KEY", pointer, message, None);
        }
        Some(object)
    }

    /// A text that is not empty, nor longer than so many characters. What is not there has been told already.
    pub(crate) fn text(&mut self, pointer: &str, limit: usize) -> Option<String> {
        let value = self.value(pointer)?;
        let message = match value.as_str() {
            None => format!("{} has to be a text", self.shown(pointer)),
            Some(text) if text.trim().is_empty() => format!("{} is empty", self.shown(pointer)),
            Some(text) if text.chars().count() > limit => {
                format!("{} has more than {limit} characters", self.shown(pointer))
            }
            Some(text) => return Some(text.to_owned()),
        };
        self.problem("INVALID_VALUE", pointer, message, None);
        None
    }

    /// A text that is the serialized form of a value.
    pub(crate) fn one_of<T: Deserialize<'a>>(&mut self, pointer: &str, known: &[&str]) -> Option<T> {
        let value: &'a Value = self.value(pointer)?;
        if let Ok(value) = T::deserialize(value) {
            return Some(value);
        }
        let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let message = format!("`{written}` is none of {}", known.join(", "));
        let help = value.as_str().and_then(|text| nearest(text, known.iter().copied()));
        let help = help.map(|near| format!("did you mean `{near}`?"));
        self.problem("INVALID_VALUE", pointer, message, help.as_deref());
        None
    }

    /// An id: lower-case letters, digits and `-`.
    pub(crate) fn id(&mut self, pointer: &str, limit: usize) -> Option<String> {
        let id = self.text(pointer, limit)?;
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if id.chars().all(plain) {
            return Some(id);
        }
        let message = format!("the id `{id}` has to be made of lower-case letters, digits and `-`");
        self.problem("INVALID_VALUE", pointer, message, None);
        None
    }

    /// An event pattern.
    pub(crate) fn pattern(&mut self, pointer: &str) -> Option<EventPattern> {
        let value = self.value(pointer)?;
        match EventPattern::from_value(value) {
            Ok(pattern) => Some(pattern),
            Err(invalid) => {
                // Behind the first line AWS repeats the pattern.
                let reason = invalid.reason.lines().next().unwrap_or_default();
                let message = format!("the event pattern is not valid: {reason}");
                self.problem("INVALID_PATTERN", &format!("{pointer}{}", invalid.pointer), message, None);
                None
            }
        }
    }

    fn shown(&self, pointer: &str) -> String {
        match pointer {
            "" => self.whole.to_owned(),
            pointer => format!("`{}`", pointer.trim_start_matches('/').replace('/', ".")),
        }
    }

    /// The tests, of different names; `name` says that of each, and `check` looks at each that is taken.
    pub(crate) fn tests<T: Deserialize<'a>>(
        &mut self,
        help: &str,
        name: impl Fn(&T) -> &str,
        check: impl Fn(&mut Self, &str, &T),
    ) -> Vec<T> {
        let Some(value) = self.value("/tests") else {
            let message = format!("{} has no tests", self.whole);
            self.warning("NO_TESTS", "", &message, Some(help));
            return Vec::new();
        };
        let Some(written) = value.as_array() else {
            self.problem("INVALID_VALUE", "/tests", "`tests` has to be an array", None);
            return Vec::new();
        };
        let mut tests: Vec<T> = Vec::new();
        for (index, value) in written.iter().enumerate() {
            let pointer = format!("/tests/{index}");
            match T::deserialize(value) {
                Ok(test) if tests.iter().any(|other| name(other) == name(&test)) => {
                    let message = format!("there are two tests named `{}`", name(&test));
                    self.problem("DUPLICATE_NAME", &format!("{pointer}/name"), message, None);
                }
                Ok(test) => {
                    check(self, &pointer, &test);
                    tests.push(test);
                }
                Err(error) => self.problem("INVALID_TEST", &pointer, format!("the test can't be read: {error}"), None),
            }
        }
        tests
    }

    /// Every expression within a value has to be JSONata.
    pub(crate) fn check_expressions(&mut self, pointer: &str, value: &Value) {
        match value {
            Value::String(text) => self.check_expression(pointer, text),
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    self.check_expressions(&format!("{pointer}/{index}"), value);
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.check_expressions(&format!("{pointer}/{}", escape(key)), value);
                }
            }
            _ => {}
        }
    }

    /// A text that is written as an expression has to be JSONata.
    pub(crate) fn check_expression(&mut self, pointer: &str, text: &str) {
        if let Some(expression) = expression_of(text)
            && let Err(error) = Expression::parse(expression)
        {
            let message = format!("the JSONata expression can't be read: {}", error.message);
            self.problem("INVALID_EXPRESSION", pointer, message, None);
        }
    }
}

/// The expression of a text `{% … %}`.
pub(crate) fn expression_of(text: &str) -> Option<&str> {
    text.trim().strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}
