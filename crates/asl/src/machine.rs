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

impl StateMachine {
    /// Every state, those of branches and processors too, each with the flow it is in: a state before what is inside of it.
    pub fn states(&self) -> impl Iterator<Item = (&Flow, &Arc<State>)> {
        self.flow.all_states()
    }

    /// The state of a name, wherever it is: names are unique in a machine.
    pub fn find(&self, name: &str) -> Option<(&Flow, &Arc<State>)> {
        self.states().find(|(_, state)| state.name == name)
    }
}

impl Flow {
    /// The state of a name in this flow, not in those inside of its states.
    pub fn state(&self, name: &str) -> Option<&Arc<State>> {
        self.states.get(name)
    }

    /// Every state of this flow and of the flows inside of its states.
    pub fn all_states(&self) -> impl Iterator<Item = (&Flow, &Arc<State>)> {
        let mut open: Vec<(&Flow, &Arc<State>)> = self.states.values().rev().map(|state| (self, state)).collect();
        std::iter::from_fn(move || {
            let (flow, state) = open.pop()?;
            for inner in state.flows().iter().rev() {
                open.extend(inner.states.values().rev().map(|state| (inner.as_ref(), state)));
            }
            Some((flow, state))
        })
    }
}
