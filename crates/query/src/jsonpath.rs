//! JSONPath: Reference Paths and the Jayway dialect.

use serde_json::Value;

use crate::{Error, Scope, SyntaxError};

/// A JSONPath as Step Functions takes it: `$…` of the input, `$$…` of the context object, or `$name…` of a variable.
#[derive(Clone, Debug)]
pub struct Path {
    text: String,
}

impl Path {
    /// Parses a path.
    pub fn parse(text: &str) -> Result<Path, SyntaxError> {
        Ok(Path { text: text.to_owned() })
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it can name at most one node (no `..`, `*`, slice, union or filter).
    pub fn is_definite(&self) -> bool {
        todo!()
    }

    /// Whether it is a Reference Path, as ResultPath wants it: `$`, names and indices only.
    pub fn is_reference_path(&self) -> bool {
        todo!()
    }

    /// What it finds: the node itself of a definite path, an array of the nodes of an indefinite one.
    pub fn evaluate(&self, _scope: &Scope<'_>) -> Result<Value, Error> {
        todo!()
    }

    /// Whether it finds anything: what a Choice's `IsPresent` asks.
    pub fn exists(&self, _scope: &Scope<'_>) -> bool {
        todo!()
    }

    /// `into` with `value` put at this Reference Path, objects made on the way where there are none (ResultPath).
    pub fn insert(&self, _into: Value, _value: Value) -> Result<Value, Error> {
        todo!()
    }
}
