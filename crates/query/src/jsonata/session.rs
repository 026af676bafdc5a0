//! Evaluates expressions in a scope. The evaluator's values belong to one thread, so nothing of them leaves this module.

use std::{
    cell::OnceCell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use jsonata_core::{
    evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions},
    value::JValue,
};
use serde_json::{Map, Value};

use super::{
    Expression,
    convert::{self, Unsupported},
    functions,
};
use crate::{Error, ErrorKind, Moment, Scope, limits};

/// A scope whose `$states` is converted once for all the expressions that are evaluated in it: those of a template, of a
/// Choice. It belongs to one thread.
pub struct Session<'a> {
    scope: &'a Scope<'a>,
    states: OnceCell<JValue>,
}

impl<'a> Session<'a> {
    /// A session in this scope.
    pub fn new(scope: &'a Scope<'a>) -> Session<'a> {
        Session { scope, states: OnceCell::new() }
    }

    /// What `expression` evaluates to at `place`. The error's location is left empty.
    pub fn evaluate(&self, expression: &Expression, place: &str) -> Result<Value, Error> {
        let result = self.run(expression, place, limits::JSONATA_MILLISECONDS);
        let value = result.map_err(|message| failure(expression, thrown(&message)))?;
        settled(expression, &value)
    }

    /// Why `expression` fails within so many milliseconds; what reaches a limit does not count.
    pub fn failure_within(&self, expression: &Expression, milliseconds: u64) -> Option<Error> {
        match self.run(expression, "", milliseconds) {
            Ok(value) => settled(expression, &value).err(),
            Err(message) => beyond(&message).is_none().then(|| failure(expression, thrown(&message))),
        }
    }

    fn run(&self, expression: &Expression, place: &str, milliseconds: u64) -> Result<JValue, String> {
        let mut context = Context::new();
        for (name, value) in self.scope.variables.iter().filter(|(name, _)| expression.mentions(name)) {
            context.bind(name.clone(), convert::from_json(value));
        }
        if expression.mentions("states") {
            context.bind("states".to_owned(), self.states.get_or_init(|| self.convert_states()).clone());
        }
        run(expression, context, &JValue::Undefined, self.scope.moment, place, milliseconds)
    }

    /// `$states`.
    fn convert_states(&self) -> JValue {
        let parts = [
            ("input", Some(self.scope.input)),
            ("result", self.scope.result),
            ("errorOutput", self.scope.error_output),
            ("context", Some(self.scope.context)),
        ];
        let parts = parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), convert::from_json(part?))));
        JValue::object(parts.collect())
    }
}

/// A value as JSON. Undefined and functions are errors, and so is what is too large.
fn settled(expression: &Expression, value: &JValue) -> Result<Value, Error> {
    let fail = |message: String| failure(expression, message);
    if value.is_undefined() {
        return Err(fail("returned nothing (undefined).".to_owned()));
    }
    convert::to_json(value).map_err(|unsupported| match unsupported {
        Unsupported::Kind => fail("returned an unsupported result type.".to_owned()),
        Unsupported::Size => fail(format!("returned a value of more than {} bytes.", limits::VALUE_SIZE)),
        Unsupported::Depth => fail(format!("returned a value that nests deeper than {}.", limits::VALUE_DEPTH)),
    })
}

fn failure(expression: &Expression, message: String) -> Error {
    Error { kind: ErrorKind::Jsonata, location: String::new(), expression: expression.as_str().to_owned(), message }
}

/// As plain JSONata, see [`Expression::evaluate_plainly`].
pub fn evaluate_plainly(
    expression: &Expression,
    input: Option<&Value>,
    bindings: &Map<String, Value>,
    moment: &Moment,
    milliseconds: u64,
) -> Result<Option<Value>, String> {
    let mut context = Context::new();
    for (name, value) in bindings {
        context.bind(name.clone(), convert::from_json(value));
    }
    let input = input.map_or(JValue::Undefined, convert::from_json);
    let value = run(expression, context, &input, moment, "", milliseconds)?;
    Ok(convert::to_json(&value).ok().filter(|_| !value.is_undefined()))
}

/// Evaluates, and gives JSONata's own words for what went wrong.
fn run(
    expression: &Expression,
    context: Context,
    input: &JValue,
    moment: &Moment,
    place: &str,
    milliseconds: u64,
) -> Result<JValue, String> {
    let options = EvaluatorOptions {
        timeout_ms: Some(milliseconds),
        max_stack_depth: Some(limits::JSONATA_DEPTH),
        max_sequence_length: Some(limits::JSONATA_SEQUENCE),
        ..EvaluatorOptions::default()
    };
    // The library is young; a panic of it must not take the process along. What it was working on is thrown away.
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut evaluator = Evaluator::with_options(context, options);
        functions::register(&mut evaluator, expression, moment, place)?;
        evaluator.evaluate(expression.tree(), input).map(JValue::unwrap_sequence)
    }));
    match result {
        Ok(result) => result.map_err(|error| words(&error)),
        Err(_) => Err("the JSONata library broke down on this expression".to_owned()),
    }
}

/// An error in AWS's words. What is beyond a limit has no code there, and a colon before it.
fn thrown(message: &str) -> String {
    match beyond(message) {
        Some(limit) => format!("threw an error during evaluation: {limit}"),
        None => format!("threw an error during evaluation. {message}"),
    }
}

/// What AWS says of the limit that was reached, if the error is that.
fn beyond(message: &str) -> Option<&'static str> {
    match message.get(..5)? {
        "D1010" | "D2015" => Some("Expression evaluation memory limit exceeded: Check for excessive memory usage"),
        "D1011" | "U1001" => Some(
            "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive",
        ),
        "D1012" => Some("Expression evaluation timeout: Check for infinite loop"),
        _ => None,
    }
}

/// The error as the language's own implementation words it, code first.
fn words(error: &EvaluatorError) -> String {
    match error.code() {
        Some(code @ ("T1005" | "T1006")) => format!("{code}: Attempted to invoke a non-function"),
        _ => {
            let message = error.message();
            message.strip_prefix("Signature validation failed: ").unwrap_or(message).to_owned()
        }
    }
}
