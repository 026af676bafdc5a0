//! A state machine and its flows.

use std::sync::Arc;

use indexmap::IndexMap;
use query::{Language, jsonata::Expression, jsonpath::Path};
use serde_json::Value;

use crate::State;

/// A whole state machine, its expressions parsed.
#[derive(Clone, Debug)]
pub struct StateMachine {
    /// `Comment`.
    pub comment: Option<String>,
    /// `QueryLanguage` of the machine; each state knows its own.
    pub query_language: Language,
    /// `TimeoutSeconds` of a whole execution.
    pub timeout_seconds: Option<u64>,
    /// Its states.
    pub flow: Flow,
}

/// States with an entry: the machine's own, a Parallel's branch, a Map's ItemProcessor.
#[derive(Clone, Debug)]
pub struct Flow {
    /// `StartAt`.
    pub start_at: String,
    /// `States`, in the order of the text.
    pub states: IndexMap<String, Arc<State>>,
}

/// A field that holds a value, or says where to find it: `TimeoutSeconds` beside `TimeoutSecondsPath`, or `{% … %}`.
#[derive(Clone, Debug)]
pub enum Dynamic {
    /// The value itself.
    Value(Value),
    /// `…Path`: a JSONPath.
    Path(Path),
    /// A JSONPath field that may be an intrinsic function (`ErrorPath`, `CausePath`).
    Intrinsic(query::intrinsic::Call),
    /// A JSONata expression.
    Expression(Expression),
}
