//! One problem of a file, at its place.

use serde::Serialize;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Works, but not as its author thinks.
    Warning,
    /// Refused.
    Error,
}

/// A place in a text: a half-open range of bytes, and where it begins for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One problem of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// AWS's code where AWS has one (`SCHEMA_VALIDATION_FAILED`, `MISSING_TRANSITION_TARGET` …), else ours, in the same style.
    pub code: String,
    /// What is wrong: lower case, no full stop, what the user wrote in backticks.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The JSON pointer of the value concerned, for instance `/States/Fix/Next`.
    pub pointer: String,
    /// Where in the text.
    pub span: Span,
}
