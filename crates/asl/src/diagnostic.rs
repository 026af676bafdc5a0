//! One problem of a file, at its place.

use std::fmt;

use serde::Serialize;

use crate::codes::is_of_aws;

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
    /// Where AWS says it is: `/States/Fix/Catch[0]/Next`; nothing where AWS names no place.
    pub location: Option<String>,
    /// Where in the text.
    pub span: Span,
}

impl Diagnostic {
    /// An error, at the beginning of the text until [`Diagnostic::at`] says where.
    pub fn error(code: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: code.into(),
            message: message.into(),
            help: None,
            pointer: String::new(),
            location: None,
            span: Span { start: 0, end: 0, line: 1, column: 1 },
        }
    }

    /// The same problem with what to do about it.
    pub fn with_help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The same problem with where AWS says it is.
    pub fn with_location(mut self, location: impl Into<String>) -> Diagnostic {
        self.location = Some(location.into());
        self
    }

    /// The message as the Step Functions API gives it: of a text that is no JSON, AWS says in it where, too.
    pub fn aws_message(&self) -> String {
        match &self.location {
            Some(location) if self.code == INVALID_JSON => format!("{}\n at {location}", self.message),
            _ => self.message.clone(),
        }
    }

    /// The same problem at its place.
    pub fn at(mut self, pointer: impl Into<String>, span: Span) -> Diagnostic {
        self.pointer = pointer.into();
        self.span = span;
        self
    }
}

/// One line for people: `line:column: error CODE: message (help)`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let Span { line, column, .. } = self.span;
        write!(formatter, "{line}:{column}: {severity} {}: {}", self.code, self.message)?;
        match &self.help {
            Some(help) => write!(formatter, " ({help})"),
            None => Ok(()),
        }
    }
}

/// The code of a text that is no JSON.
pub(crate) const INVALID_JSON: &str = "INVALID_JSON_DESCRIPTION";

/// The message of the Step Functions API's `InvalidDefinition`: every error with its code and its place, as AWS writes them. Errors
/// with codes of our own are told where there are no others.
pub fn invalid_definition(diagnostics: &[Diagnostic]) -> String {
    let mut errors = in_aws_order(diagnostics, Severity::Error);
    if errors.iter().any(|error| is_of_aws(&error.code)) {
        errors.retain(|error| is_of_aws(&error.code));
    }
    let texts: Vec<String> = errors.into_iter().map(definition_error).collect();
    format!("Invalid State Machine Definition: '{}'", texts.join(", "))
}

/// AWS writes the place of an error that has none as `null`. One of our own that has none is told of the whole.
fn definition_error(diagnostic: &Diagnostic) -> String {
    let nowhere = if is_of_aws(&diagnostic.code) { "null" } else { "/" };
    let location = diagnostic.location.as_deref().unwrap_or(nowhere);
    format!("{}: {} at {location}", diagnostic.code, diagnostic.aws_message())
}

/// The problems of this severity and worse, in AWS's order: first what is wrong with the parts in the order of the text, then the
/// transitions to nowhere, then that nothing ends, then the states that nothing leads to.
pub fn in_aws_order(diagnostics: &[Diagnostic], least: Severity) -> Vec<&Diagnostic> {
    let mut told: Vec<&Diagnostic> = diagnostics.iter().filter(|diagnostic| diagnostic.severity >= least).collect();
    told.sort_by_key(|diagnostic| match diagnostic.code.as_str() {
        "MISSING_TRANSITION_TARGET" if diagnostic.message.starts_with("Missing") => 1,
        "MISSING_END_STATE" => 2,
        "MISSING_TRANSITION_TARGET" => 3,
        _ => 0,
    });
    told
}

/// The most problems of one text that are told.
pub const MAX_PROBLEMS: usize = 1_000;

/// The problems found so far, up to [`MAX_PROBLEMS`].
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Diagnostic>,
    /// The worst of those that came when it was full.
    more: Option<Severity>,
}

impl Problems {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.is_full() {
            self.more = self.more.max(Some(diagnostic.severity));
        } else {
            self.found.push(diagnostic);
        }
    }

    /// Counts one that is not even looked at, since it would not be told.
    pub(crate) fn skip(&mut self, severity: Severity) {
        self.more = self.more.max(Some(severity));
    }

    /// Whether another one would not be told any more.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_PROBLEMS
    }

    /// Whether another error would change nothing.
    pub(crate) fn is_full_of_errors(&self) -> bool {
        let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
        self.more == Some(Severity::Error) || (self.is_full() && self.found.iter().any(is_error))
    }

    /// All of them in the order of the text, and last that there are more, if so.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| diagnostic.span.start);
        if let (Some(severity), Some(last)) = (self.more, self.found.last()) {
            let message = format!("there are more than {MAX_PROBLEMS} problems, and the others are not shown");
            let more = Diagnostic::error("TOO_MANY_PROBLEMS", message).at("", last.span);
            self.found.push(Diagnostic { severity, ..more });
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_tells_codes_of_ours_where_there_are_no_others() {
        let own = Diagnostic::error("DUPLICATE_KEY", "twice");
        let aws = Diagnostic::error("MISSING_END_STATE", "no end");
        let told = |problems: &[Diagnostic]| invalid_definition(problems);
        assert_eq!(told(std::slice::from_ref(&own)), "Invalid State Machine Definition: 'DUPLICATE_KEY: twice at /'");
        let both = "Invalid State Machine Definition: 'MISSING_END_STATE: no end at null'";
        assert_eq!(told(&[own, aws]), both);
    }
}
