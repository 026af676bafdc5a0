//! A JSON or YAML text as a value whose every part knows its place.

use serde_json::Value;

use crate::{Diagnostic, Span};

/// The format of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2. JSON is YAML too, but its errors are told in JSON's words.
    Yaml,
}

/// A parsed text: its value, and the place of every part of it.
#[derive(Clone, Debug)]
pub struct Document {
    value: Value,
}

impl Document {
    /// Parses a text. A text that can't be parsed gives one problem, as nothing can be known behind it; duplicate keys,
    /// unknown tags and too many aliases are problems too.
    pub fn parse(_text: &str, _format: Format) -> Result<Document, Vec<Diagnostic>> {
        todo!()
    }

    /// The value, keys in the order of the text.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The place of the value at a JSON pointer, or of the nearest part around it that is there.
    pub fn span(&self, _pointer: &str) -> Span {
        todo!()
    }

    /// The place of the key whose value is at a JSON pointer, or of the value where it has no key.
    pub fn key_span(&self, _pointer: &str) -> Span {
        todo!()
    }
}
