//! Catch.

use query::Template;
use serde_json::Value;

use super::Selector;
use crate::parse::{Allowed, Object, Parser};

/// One element of `Catch`.
#[derive(Clone, Debug)]
pub struct Catcher {
    /// `ErrorEquals`.
    pub error_equals: Vec<String>,
    /// `Next`.
    pub next: String,
    /// `ResultPath` (JSONPath).
    pub result_path: Selector,
    /// `Output` (JSONata).
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Template>,
}

const FIELDS: Allowed =
    Allowed { both: &["ErrorEquals", "Next", "Assign", "Comment"], jsonpath: &["ResultPath"], jsonata: &["Output"] };

impl Parser<'_> {
    /// `Catch` of a state.
    pub(crate) fn catchers(&mut self, object: &Object<'_>) -> Vec<Catcher> {
        if object.get("Catch").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            return Vec::new();
        }
        let items = self.items(object, "Catch");
        let last = items.len();
        let catcher = |(index, (pointer, value)): (usize, (String, &Value))| {
            self.catcher(value, &pointer, object, index.saturating_add(1) == last)
        };
        items.into_iter().enumerate().filter_map(catcher).collect()
    }

    fn catcher(&mut self, value: &Value, pointer: &str, state: &Object<'_>, last: bool) -> Option<Catcher> {
        let object = self.object(value, pointer, state.language, &FIELDS)?;
        let error_equals = self.error_equals(&object, last);
        self.require(&object, &["Next"]);
        self.text(&object, "Comment");
        Some(Catcher {
            error_equals,
            result_path: self.result_path(&object),
            output: self.template(&object, "Output"),
            assign: self.assign(&object),
            next: self.text(&object, "Next")?,
        })
    }
}
