//! A playbook: a state machine, and what starts it: events that match a pattern, or that a rule matched. See docs/writing-a-playbook.md.

mod parse;
mod start;
mod test;
#[cfg(test)]
mod tests;

use query::Template;
use serde_json::{Map, Value};

pub use self::{
    parse::split,
    start::Match,
    test::{Test, failures},
};
use crate::{EventPattern, Severity, guardrail::Parameter};

/// How many executions of a playbook run at once unless said.
pub const DEFAULT_CONCURRENCY: u32 = 10;
/// The most that can be said.
pub const CONCURRENCY_MAX: u32 = 1000;

/// A playbook file, parsed.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// `id`: lower-case letters, digits and `-`, at most 60 characters; the file's name without `.asl.yaml`.
    pub id: String,
    /// `title`.
    pub title: String,
    /// `severity`.
    pub severity: Severity,
    /// `event` or `rules`.
    pub trigger: Trigger,
    /// `input`: what an execution begins with; the event's envelope unless said.
    input: Option<Template>,
    /// `concurrency`: executions at once; the others wait, in the order in which they came.
    pub concurrency: u32,
    /// `parameters`: seen by `input` as `$parameters`.
    pub parameters: Vec<Parameter>,
    /// The state machine, as written.
    pub definition: Value,
    /// `tests`.
    pub tests: Vec<Test>,
}

/// What starts a playbook.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// `event`: an event that matches.
    Event(EventPattern),
    /// `rules`: an event that one of these rules matched, by their ids.
    Rules(Vec<String>),
}

impl Playbook {
    /// The playbook's parameters: those that are set, the defaults of the others.
    pub fn parameters_with(&self, set: &Map<String, Value>) -> Map<String, Value> {
        let value = |parameter: &Parameter| set.get(&parameter.name).unwrap_or(&parameter.default).clone();
        self.parameters.iter().map(|parameter| (parameter.name.clone(), value(parameter))).collect()
    }
}
