//! A guardrail: one misconfiguration, how it is noticed, inspected, fixed and undone; and its compiler.

pub(crate) mod compile;
mod parse;
mod sightings;
pub mod test;
#[cfg(test)]
mod tests;

use query::jsonata::Expression;
use serde_json::{Map, Value};

use crate::{EventPattern, Severity, decide::Risk};

pub(crate) use parse::parameters;

pub use compile::{CompileOptions, RESERVED_VARIABLES, STATE_NAME_LIMIT};
pub use test::Test;

/// A guardrail file, parsed.
#[derive(Clone, Debug)]
pub struct Guardrail {
    /// `id`: lower-case letters, digits and `-`, at most 60 characters.
    pub id: String,
    /// `title`.
    pub title: String,
    /// `severity`.
    pub severity: Severity,
    /// `risk`.
    pub risk: Risk,
    /// `controls`: Security Hub's.
    pub controls: Vec<String>,
    /// `parameters`: name → (default, description).
    pub parameters: Vec<Parameter>,
    /// `resource.type`: CloudFormation's.
    pub resource_type: String,
    /// `resource.id`, made an array: sees `$event`; what it names is one finding each.
    pub resource_id: Expression,
    /// `event`.
    pub pattern: EventPattern,
    /// `list`, as written.
    pub list: Value,
    /// `inspect`, as written.
    pub inspect: Value,
    /// `fix`, as written.
    pub fix: Value,
    /// `undo`, as written.
    pub undo: Value,
    /// `tests`.
    pub tests: Vec<Test>,
}

/// A parameter of a guardrail.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value unless set.
    pub default: Value,
    /// What it does.
    pub description: String,
}

impl Guardrail {
    /// The guardrail's parameters: those that are set, the defaults of the others.
    pub fn parameters_with(&self, set: &Map<String, Value>) -> Map<String, Value> {
        let value = |parameter: &Parameter| set.get(&parameter.name).unwrap_or(&parameter.default).clone();
        self.parameters.iter().map(|parameter| (parameter.name.clone(), value(parameter))).collect()
    }
}
