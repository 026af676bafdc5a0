//! JSONata, as Step Functions has it: with `$partition`, `$range`, `$hash`, `$uuid`, `$parse` and a seeded `$random`, without `$eval`.
//!
//! Source: the Step Functions developer guide, "Transforming data with JSONata". The language itself is `jsonata-core`.

mod blame;
mod bounds;
mod convert;
mod errors;
mod functions;
mod guard;
mod names;
mod product;
mod references;
mod session;
mod tree;
mod words;

#[cfg(test)]
mod tests;

use std::{panic::catch_unwind, sync::Arc};

use jsonata_core::{
    ast::AstNode,
    parser::{self, ParserError},
};
use serde_json::{Map, Value};

pub use self::{names::is_function, references::References, session::Session};
use crate::{Error, Moment, Scope, SyntaxError, limits};

/// A compiled JSONata expression: parsed once, evaluated often.
#[derive(Clone, Debug)]
pub struct Expression {
    parsed: Arc<Parsed>,
}

#[derive(Debug)]
struct Parsed {
    text: String,
    tree: AstNode,
    /// How deep its evaluation nests at least.
    nesting: usize,
    /// Of the tree as it was written: what guards it has names of its own.
    references: References,
}

impl Expression {
    /// Parses the text between `{%` and `%}`.
    pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
        let text = text.trim();
        let fail = |message: String| SyntaxError::new(message, None);
        if text.len() > limits::JSONATA_LENGTH {
            return Err(fail(format!("the expression is longer than {} bytes", limits::JSONATA_LENGTH)));
        }
        let tree = catch_unwind(|| parser::parse(text))
            .map_err(|_| fail("the JSONata parser broke down on this expression".to_owned()))?
            .map_err(|error| fail(parser_words(&error, text)))?;
        let nesting = tree::nesting(&tree);
        let references = References::of(&tree);
        let tree = guard::guard(tree).map_err(fail)?;
        Ok(Expression { parsed: Arc::new(Parsed { text: text.to_owned(), tree, nesting, references }) })
    }

    /// The expression as it was written, without `{%` and `%}`.
    pub fn as_str(&self) -> &str {
        &self.parsed.text
    }

    /// What it evaluates to. Undefined and functions are errors, as in Step Functions. The same as
    /// [`Expression::evaluate_at`] with an empty place.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Error> {
        self.evaluate_at(scope, "")
    }

    /// What it evaluates to. `place` says where it stands (`TimeoutSeconds`, `Output/id`): the same expression at two
    /// places of one moment draws different randomness.
    pub fn evaluate_at(&self, scope: &Scope<'_>, place: &str) -> Result<Value, Error> {
        Session::new(scope).evaluate(self, place)
    }

    /// Why it fails, if it does so within a time that nobody notices: for checks of what is alike wherever it runs, of which there
    /// may be many. One that takes longer, or is stopped by a limit, is not said to fail.
    pub fn failure_at_once(&self, scope: &Scope<'_>) -> Option<Error> {
        Session::new(scope).failure_within(self, limits::JSONATA_MILLISECONDS_OF_CHECK)
    }

    /// What it evaluates to as plain JSONata with a root input, `None` for undefined and functions; the error is JSONata's
    /// own, code first. For the suites of the language, which have time limits of their own.
    #[doc(hidden)]
    pub fn evaluate_plainly(
        &self,
        input: Option<&Value>,
        bindings: &Map<String, Value>,
        moment: &Moment,
        milliseconds: u64,
    ) -> Result<Option<Value>, String> {
        session::evaluate_plainly(self, input, bindings, moment, milliseconds)
    }

    /// What it reads from outside.
    pub fn references(&self) -> &References {
        &self.parsed.references
    }

    fn tree(&self) -> &AstNode {
        &self.parsed.tree
    }

    /// Whether the expression can mean the variable or function `$name`: a quick look at its text.
    fn mentions(&self, name: &str) -> bool {
        self.parsed
            .text
            .match_indices('$')
            .any(|(at, _)| self.parsed.text.get(at + 1..).and_then(|rest| rest.strip_prefix(name)).is_some())
    }
}

/// What AWS says of a string that is half an expression.
pub const NOT_DELIMITED: &str = "JSONata string must start with {% and end with %}";

/// The expression in a string `{% … %}`, or `None` where the string is an ordinary one.
pub fn delimited(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}")
}

/// The parser's error as the language's own implementation words it, code first.
fn parser_words(error: &ParserError, text: &str) -> String {
    match error {
        ParserError::UnclosedString if is_regex_open(text) => {
            "S0302: No terminating / in regular expression".to_owned()
        }
        ParserError::InvalidSyntax(message) | ParserError::InvalidNumber(message) => words::with_symbols(message),
        ParserError::UnclosedComment => "S0106: Comment has no closing tag".to_owned(),
        other => words::with_symbols(&other.to_string()),
    }
}

/// Whether it is a regular expression and no text that has no end: the parser tells the same of both. A slash, or two after a
/// backslash, end the one and not the other.
fn is_regex_open(text: &str) -> bool {
    ["/", "//"].iter().any(|end| {
        let parsed = catch_unwind(|| parser::parse(&format!("{text}{end}")));
        !matches!(parsed, Ok(Err(ParserError::UnclosedString)))
    })
}
