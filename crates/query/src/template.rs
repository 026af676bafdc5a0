//! Payload templates: JSON with expressions in it.

use serde_json::Value;

use crate::{Error, Scope, SyntaxError};

/// The query language of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// JSONPath: a field whose name ends in `.$` holds a path or an intrinsic function.
    #[default]
    JsonPath,
    /// JSONata: a string `{% … %}` holds an expression.
    Jsonata,
}

/// A JSON value with expressions in it, all parsed: Parameters, ResultSelector, Arguments, Output, Assign, ItemSelector ….
#[derive(Clone, Debug)]
pub struct Template {
    source: Value,
}

impl Template {
    /// Parses a template, and tells every expression in it that is none.
    pub fn parse(source: &Value, _language: Language) -> Result<Template, Vec<SyntaxError>> {
        Ok(Template { source: source.clone() })
    }

    /// The template as it was written.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// The template with every expression replaced by its value. In JSONPath static fields come first, then those of
    /// expressions in the order of a Java HashMap, as AWS has it; in JSONata the order is the template's.
    pub fn evaluate(&self, _scope: &Scope<'_>) -> Result<Value, Error> {
        todo!()
    }
}
