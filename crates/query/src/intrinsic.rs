//! Intrinsic functions: `States.Format`, `States.MathAdd` and the others.

use serde_json::Value;

use crate::{Error, Scope, SyntaxError};

/// A call of an intrinsic function, its arguments parsed.
#[derive(Clone, Debug)]
pub struct Call {
    text: String,
}

impl Call {
    /// Parses `States.Name(arguments)`.
    pub fn parse(text: &str) -> Result<Call, SyntaxError> {
        Ok(Call { text: text.to_owned() })
    }

    /// The call as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its answer.
    pub fn evaluate(&self, _scope: &Scope<'_>) -> Result<Value, Error> {
        todo!()
    }
}
