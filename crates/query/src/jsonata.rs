//! JSONata, as Step Functions has it: with `$partition`, `$range`, `$hash`, `$uuid`, `$parse` and a seeded `$random`, without `$eval`.

use serde_json::Value;

use crate::{Error, Scope, SyntaxError};

/// A compiled JSONata expression: parsed once, evaluated often.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
}

impl Expression {
    /// Parses the text between `{%` and `%}`.
    pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
        Ok(Expression { text: text.to_owned() })
    }

    /// The expression as it was written, without `{%` and `%}`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it evaluates to. Undefined and functions are errors, as in Step Functions.
    pub fn evaluate(&self, _scope: &Scope<'_>) -> Result<Value, Error> {
        todo!()
    }
}
