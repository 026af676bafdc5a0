//! What can go wrong with an expression.

use thiserror::Error as ThisError;

/// A text that is no expression of its language.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong, in Step Functions' words where they are known.
    pub message: String,
    /// What more there is to say, where Step Functions' words say little: which character, what was expected.
    pub detail: Option<String>,
    /// Where in the text, in bytes from its beginning, if it is known.
    pub offset: Option<usize>,
    /// Where in a template: a JSON pointer from the template's root, `""` for the root itself.
    pub pointer: String,
}

impl SyntaxError {
    /// An error of an expression by itself.
    pub(crate) fn new(message: impl Into<String>, offset: Option<usize>) -> SyntaxError {
        SyntaxError { message: message.into(), detail: None, offset, pointer: String::new() }
    }
}

/// An evaluation that failed.
///
/// `execution` puts the state's name and the field's name around `message`, as AWS does.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{message}")]
pub struct Error {
    /// Which kind of failure, which decides the error's name.
    pub kind: ErrorKind,
    /// Where in a template: its keys joined by `/` from the template's root, `""` for the root itself. As in AWS's
    /// `location`, less the name of the field that holds the template.
    pub location: String,
    /// The expression as it is written, with its `{% %}` or key as AWS shows it.
    pub expression: String,
    /// What happened, in AWS's words, for instance "could not be found in the input '{}'" or
    /// "returned nothing (undefined).".
    pub message: String,
}

impl Error {
    /// The failure as a sentence in AWS's words, `field` being the state's field that holds the expression. AWS puts "An
    /// error occurred while executing the state 'S' (entered at the event id #2). " before it.
    ///
    /// "The JSONPath '$.x' specified for the field 'x.$' could not be found in the input '{}'", "Invalid path '$.x' : No
    /// results for path: $['x']", "The JSONata expression '$x' specified for the field 'Output/y' returned nothing (undefined)."
    pub fn sentence(&self, field: &str) -> String {
        let Error { kind, location, expression, message } = self;
        match kind {
            ErrorKind::Path if message.starts_with("could not be found") => {
                let field = if location.is_empty() { field } else { location };
                format!("The JSONPath '{expression}' specified for the field '{field}' {message}")
            }
            ErrorKind::Path if message.starts_with("The function") => message.clone(),
            ErrorKind::Path => format!("Invalid path '{expression}' : {message}"),
            ErrorKind::Jsonata => {
                let place = self.place(field);
                format!("The JSONata expression '{expression}' specified for the field '{place}' {message}")
            }
            ErrorKind::Intrinsic | ErrorKind::ResultPath => message.clone(),
        }
    }

    /// AWS's `location` of an EvaluationFailed event: "Output/result", `field` being "Output".
    pub fn place(&self, field: &str) -> String {
        match self.location.as_str() {
            "" => field.to_owned(),
            location if location.starts_with('[') => format!("{field}{location}"),
            location => format!("{field}/{location}"),
        }
    }
}

/// The kinds of failed evaluations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A JSONPath found nothing, or not what was wanted: `States.Runtime`.
    Path,
    /// An intrinsic function refused its arguments: `States.IntrinsicFailure`.
    Intrinsic,
    /// A JSONata expression failed: `States.QueryEvaluationError`.
    Jsonata,
    /// A ResultPath can't be put into its input: `States.ResultPathMatchFailure`.
    ResultPath,
}
