//! JSONPath: Reference Paths and the Jayway dialect.
//!
//! Sources: the Amazon States Language, "Paths" and "Reference Paths"; the documentation and behaviour of Jayway JsonPath.

mod characters;
mod evaluator;
mod filter;
mod filter_parser;
mod function;
mod insert;
mod operator;
mod parser;
mod token;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;

use self::{evaluator::Failure, token::Token};
use crate::{Error, ErrorKind, Scope, SyntaxError};

/// A JSONPath as Step Functions takes it: `$…` of the input, `$$…` of the context object, or `$name…` of a variable.
#[derive(Clone, Debug)]
pub struct Path {
    text: String,
    origin: Origin,
    tokens: Arc<[Token]>,
}

/// What a path starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// `$`: the document.
    Root,
    /// `$$`: the context object.
    Context,
    /// `$name`.
    Variable(String),
}

impl Path {
    /// Parses a path.
    pub fn parse(text: &str) -> Result<Path, SyntaxError> {
        let (origin, skipped) = origin(text)?;
        let rest = text.get(skipped..).unwrap_or_default();
        let tokens = parser::parse(&format!("${rest}"), 0).map_err(|mut error| {
            error.offset = error.offset.map(|offset| offset + skipped.saturating_sub(1));
            error
        })?;
        Ok(Path { text: text.to_owned(), origin, tokens: tokens.into() })
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The variable it starts from, if it is one.
    pub fn variable(&self) -> Option<&str> {
        match &self.origin {
            Origin::Variable(name) => Some(name),
            Origin::Root | Origin::Context => None,
        }
    }

    /// Whether it starts from the context object: `$$…`.
    pub fn is_of_context(&self) -> bool {
        self.origin == Origin::Context
    }

    /// Whether it can name at most one node (no `..`, `*`, slice, union or filter).
    pub fn is_definite(&self) -> bool {
        token::is_definite(&self.tokens)
    }

    /// Whether it is a Reference Path, as ResultPath wants it: `$`, names and indices only.
    pub fn is_reference_path(&self) -> bool {
        self.tokens.iter().all(|token| match token {
            Token::Property { names, .. } => names.len() == 1,
            Token::Index(indices) => matches!(indices.as_slice(), [index] if *index >= 0),
            _ => false,
        })
    }

    /// What it finds: the node itself of a definite path, an array of the nodes of an indefinite one.
    ///
    /// The error's message is Jayway's ("No results for path: $['NoSuch']"), which AWS shows for InputPath, OutputPath and
    /// the like after "Invalid path '$.NoSuch' : ".
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Error> {
        self.find(scope).map(Cow::into_owned).map_err(|failure| self.error(failure.into_message()))
    }

    /// What it finds, as fields of templates, arguments of intrinsic functions, ErrorPath and CausePath take it: where an
    /// indefinite path finds no way, it is an empty array, and where a definite one does, the error's message is AWS's
    /// "could not be found in the input '{…}'".
    pub fn evaluate_for_field(&self, scope: &Scope<'_>) -> Result<Value, Error> {
        match self.find(scope) {
            Ok(found) => Ok(found.into_owned()),
            Err(Failure::NotFound(_)) if !self.is_definite() => Ok(Value::Array(Vec::new())),
            Err(_) => Err(self.error(not_found(scope.root))),
        }
    }

    /// Whether it finds anything: what a Choice's `IsPresent` asks.
    pub fn exists(&self, scope: &Scope<'_>) -> bool {
        match self.find(scope) {
            Ok(Cow::Owned(Value::Array(found))) if !self.is_definite() => !found.is_empty(),
            found => found.is_ok(),
        }
    }

    /// `into` with `value` put at this Reference Path, objects made on the way where there are none (ResultPath).
    pub fn insert(&self, mut into: Value, value: Value) -> Result<Value, Error> {
        insert::insert(&mut into, &self.tokens, value).map_err(|message| Error {
            kind: ErrorKind::ResultPath,
            location: String::new(),
            expression: self.text.clone(),
            message,
        })?;
        Ok(into)
    }

    fn error(&self, message: String) -> Error {
        Error { kind: ErrorKind::Path, location: String::new(), expression: self.text.clone(), message }
    }

    fn find<'v>(&self, scope: &Scope<'v>) -> Result<Cow<'v, Value>, Failure> {
        let document = match &self.origin {
            Origin::Root => scope.root,
            Origin::Context => scope.context,
            Origin::Variable(name) => scope
                .variables
                .get(name)
                .ok_or_else(|| Failure::NotFound(format!("The variable '{name}' is not defined")))?,
        };
        evaluator::evaluate(&self.tokens, document, document)
    }
}

/// AWS's words for a path that finds nothing: "could not be found in the input '{…}'".
pub(crate) fn not_found(input: &Value) -> String {
    format!("could not be found in the input '{input}'")
}

/// What the path starts from, and how many bytes say so.
fn origin(text: &str) -> Result<(Origin, usize), SyntaxError> {
    let Some(rest) = text.strip_prefix('$') else {
        return Err(SyntaxError::new("Path must start with '$'", Some(0)));
    };
    if rest.starts_with('$') {
        return Ok((Origin::Context, 2));
    }
    let is_part = |found: char| found == '_' || found.is_alphanumeric();
    let name: String = rest.chars().take_while(|found| is_part(*found)).collect();
    if name.is_empty() || name.starts_with(|first: char| first.is_numeric()) {
        return Ok((Origin::Root, 1));
    }
    let skipped = 1 + name.len();
    Ok((Origin::Variable(name), skipped))
}
