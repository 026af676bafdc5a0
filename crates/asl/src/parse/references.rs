//! What expressions in JSONata read: AWS refuses what Step Functions can't give.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html> and what AWS has answered.

use query::{
    Template, TemplateExpression,
    jsonata::{self, Expression},
};
use serde_json::Value;

use super::{Object, Parser, UNSUPPORTED_JSONATA};
use crate::trail::Trail;

/// Which fields `$states` has at some place, besides `input` and `context`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StatesHas {
    /// Nothing more.
    #[default]
    Nothing,
    /// `result`.
    Result,
    /// `errorOutput`.
    ErrorOutput,
}

impl StatesHas {
    /// What it has in a field: in what comes out of a state that calls something, and of a catcher.
    pub(super) fn within(object: &Object<'_>, field: &str) -> StatesHas {
        match object.get("Type").and_then(Value::as_str) {
            Some("Task" | "Map" | "Parallel") if matches!(field, "Output" | "Assign") => StatesHas::Result,
            None if object.has("ErrorEquals") => StatesHas::ErrorOutput,
            _ => StatesHas::Nothing,
        }
    }
}

impl Parser<'_> {
    /// Looks at what the expressions of a template in JSONata read. They come in the order of its text.
    pub(super) fn check_template(&mut self, template: &Template, pointer: &str, has: StatesHas) {
        let mut expressions = template.expressions().into_iter().filter_map(|expression| match expression {
            TemplateExpression::Jsonata(expression) => Some(expression),
            _ => None,
        });
        let mut found = Vec::new();
        each_expression(template.source(), &Trail::at(pointer), &mut |place| {
            found.extend(expressions.next().map(|expression| (place, expression)));
        });
        for (place, expression) in found {
            self.check_references(expression, &place, has);
        }
    }

    /// Looks at what an expression reads.
    pub(crate) fn check_references(&mut self, expression: &Expression, pointer: &str, has: StatesHas) {
        let references = expression.references();
        let absent = |field: &&String| match field.as_str() {
            "input" | "context" => false,
            "result" => has != StatesHas::Result,
            "errorOutput" => has != StatesHas::ErrorOutput,
            _ => true,
        };
        for name in &references.top_level {
            let message = format!("Reference to '{name}' at the top level is not supported.");
            let help =
                format!("write `$states.input.{name}` if it is a field of the input, `${name}` if it is a variable");
            self.problem(UNSUPPORTED_JSONATA, pointer, message, Some(help));
        }
        if references.root {
            let help = "write `$states.input` for the state's input".to_owned();
            self.problem(UNSUPPORTED_JSONATA, pointer, "Reference to '$$' is not supported.", Some(help));
        }
        for field in references.states.iter().filter(absent) {
            let message = format!("Field '$states.{field}' does not exist.");
            let help = match field.as_str() {
                "result" => "there is a result in `Output` and `Assign` of a Task, a Map or a Parallel".to_owned(),
                "errorOutput" => "there is one in `Output` and `Assign` of a catcher".to_owned(),
                _ => "`$states` has `input`, `context`, `result` and `errorOutput`".to_owned(),
            };
            self.problem(UNSUPPORTED_JSONATA, pointer, message, Some(help));
        }
    }
}

/// Calls with the pointer of each expression in a value.
fn each_expression(value: &Value, trail: &Trail<'_>, found: &mut impl FnMut(String)) {
    match value {
        Value::String(text) if jsonata::delimited(text).is_some() => found(trail.to_string()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| each_expression(item, &trail.index(index), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| each_expression(value, &trail.key(key), found));
        }
        _ => {}
    }
}
