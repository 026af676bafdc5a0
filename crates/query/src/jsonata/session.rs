//! Evaluates expressions in a scope. The evaluator's values belong to one thread, so nothing of them leaves this module.

use std::{
    cell::{OnceCell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use jsonata_core::{
    ast::AstNode,
    evaluator::{Context, Evaluator, EvaluatorOptions},
    value::JValue,
};
use serde_json::{Map, Value};

use super::{
    Expression,
    blame::{self, Noted},
    bounds,
    convert::{self, Unsupported},
    errors, functions,
};
use crate::{Error, ErrorKind, Moment, Scope, limits, random};

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
        if expression.parsed.nesting > limits::JSONATA_NESTING {
            return Err(failure(expression, thrown("D1011: Stack overflow")));
        }
        let result = self.run(expression, place, limits::JSONATA_MILLISECONDS);
        let value = result.map_err(|message| match message.as_str() {
            bounds::INTERNAL => {
                let mut generator = random::generator(self.scope.moment, place, expression.as_str());
                let id = random::uuid(&mut generator);
                failure(expression, format!("threw an internal error during evaluation. {id}"))
            }
            message => failure(expression, thrown(message)),
        })?;
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
        let mut bindings = Vec::new();
        for (name, value) in self.scope.variables.iter().filter(|(name, _)| expression.mentions(name)) {
            bindings.push((name.clone(), convert::from_json(value)));
        }
        if expression.mentions("states") {
            bindings.push(("states".to_owned(), self.states.get_or_init(|| self.convert_states()).clone()));
        }
        run(expression, &bindings, &JValue::Undefined, self.scope.moment, place, milliseconds)
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
    let bindings: Vec<(String, JValue)> =
        bindings.iter().map(|(name, value)| (name.clone(), convert::from_json(value))).collect();
    let input = input.map_or(JValue::Undefined, convert::from_json);
    let value = run(expression, &bindings, &input, moment, "", milliseconds)?;
    Ok(convert::to_json(&value).ok().filter(|_| !value.is_undefined()))
}

/// Evaluates, and gives JSONata's own words for what went wrong.
fn run(
    expression: &Expression,
    bindings: &[(String, JValue)],
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
    let attempt = |tree: &AstNode, noted: Option<&Rc<RefCell<Noted>>>| {
        // The library is young; a panic of it must not take the process along. What it was working on is thrown away.
        catch_unwind(AssertUnwindSafe(|| {
            let mut context = Context::new();
            for (name, value) in bindings {
                context.bind(name.clone(), value.clone());
            }
            let mut evaluator = Evaluator::with_options(context, options.clone());
            functions::register(&mut evaluator, expression, moment, place)?;
            if let Some(noted) = noted {
                blame::register(&mut evaluator, noted)?;
            }
            evaluator.evaluate(tree, input).map(JValue::unwrap_sequence)
        }))
    };
    match attempt(expression.tree(), None) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(errors::words(error.message(), || {
            let noted = Rc::new(RefCell::new(Noted::default()));
            let again = attempt(&blame::with_notes(expression.tree().clone()), Some(&noted));
            // It has to be the same error, not for instance that the time ran out.
            let is_same = matches!(again, Ok(Err(other)) if other.code() == error.code());
            is_same.then(|| noted.borrow().clone())
        })),
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
