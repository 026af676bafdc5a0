//! From a document to a state machine, with every problem of it at once.

use crate::{Diagnostic, Document, StateMachine};

/// What AWS says of a text that is no object.
pub(crate) const NO_OBJECT: &str = "Definition must be a valid JSON object";

/// What a Task's Resource may be is known outside this crate: `validate` asks this of each.
pub trait Resources {
    /// Whether a Resource can be called; else what is wrong with it (its text names the thing and the way out).
    fn check(&self, resource: &str) -> Result<(), UnknownResource>;
}

/// A Resource that can't be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownResource {
    /// What is wrong.
    pub message: String,
    /// What to do, for instance the nearest known name.
    pub help: Option<String>,
}

/// Every Resource will do: for those who have nothing to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyResource;

impl Resources for AnyResource {
    fn check(&self, _resource: &str) -> Result<(), UnknownResource> {
        Ok(())
    }
}

/// Parses and validates a definition. The machine comes with its warnings; one error, and there is no machine.
pub fn parse(
    _document: &Document,
    _resources: &dyn Resources,
) -> Result<(StateMachine, Vec<Diagnostic>), Vec<Diagnostic>> {
    todo!()
}

/// The fragment at `pointer` (an object with `StartAt` and `States`) as a flow in JSONata: how a guardrail's parts are read.
pub fn parse_fragment(
    _document: &Document,
    _pointer: &str,
    _resources: &dyn Resources,
) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    todo!()
}
