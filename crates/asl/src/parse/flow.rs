//! States with an entry, and how they lead to each other.

use std::{collections::HashSet, sync::Arc};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{MISSING_TARGET, Object, Parser, SCHEMA};
use crate::{Flow, Severity, document::escape, nearest::did_you_mean};

impl Parser<'_> {
    /// `StartAt` and `States` of an object.
    pub(crate) fn flow(&mut self, object: &Object<'_>) -> Option<Flow> {
        let leads_anywhere = std::mem::take(&mut self.leads_anywhere);
        self.require(object, &["States", "StartAt"]);
        let start_at = self.text(object, "StartAt");
        let states = object.get("States")?;
        let pointer = object.at("States");
        let Some(states) = states.as_object() else {
            self.wrong_type(&pointer, "[OBJECT]", states);
            return None;
        };
        if states.is_empty() {
            self.problem(SCHEMA, pointer, "Value cannot be empty", None);
            return None;
        }
        let mut parsed = IndexMap::new();
        for (name, value) in states {
            let pointer = format!("{pointer}/{}", escape(name));
            if self.name(name, &pointer)
                && let Some(state) = self.state(name, value, &pointer)
            {
                parsed.insert(name.clone(), Arc::new(state));
            }
        }
        let ends = leads_anywhere || self.transitions(states, &pointer);
        let start_at = start_at?;
        if !states.contains_key(&start_at) {
            self.missing_target(&start_at, states, object.at("StartAt"));
        }
        // As at AWS, a machine that never ends is not told besides which states it does not reach.
        if ends || !object.pointer.is_empty() {
            self.unreachable(&start_at, states, &pointer);
        }
        Some(Flow { start_at, states: parsed })
    }

    /// Every transition leads to a state of the same flow, and one state at least ends it.
    fn transitions(&mut self, states: &Map<String, Value>, pointer: &str) -> bool {
        let mut ends = false;
        for (name, state) in states {
            let terminal = matches!(state.get("Type").and_then(Value::as_str), Some("Succeed" | "Fail"));
            ends |= terminal || state.get("End") == Some(&Value::Bool(true));
            for Transition { target, place } in transitions(state) {
                if !states.contains_key(target) {
                    self.missing_target(target, states, format!("{pointer}/{}{place}", escape(name)));
                }
            }
        }
        if !ends {
            let help = "set `End` to true in the last state, or add a Succeed or a Fail";
            if pointer == "/States" {
                let message = "Workflow has no terminal state";
                self.placeless_problem("MISSING_END_STATE", pointer, message, Some(help.to_owned()));
            } else {
                let message = "no state ends this flow, so that nothing comes behind it";
                self.warning("NEVER_ENDS", pointer, message, help);
            }
        }
        ends
    }

    /// AWS says `Next` of whatever field leads there.
    fn missing_target(&mut self, target: &str, states: &Map<String, Value>, pointer: String) {
        if self.problems.is_full() {
            return self.problems.skip(Severity::Error);
        }
        let help = did_you_mean(target, states.keys().map(String::as_str)).or_else(|| {
            self.names.contains_key(target).then(|| {
                "the state of that name is in another flow: a branch or a Map's processor is never left or entered so"
                    .to_owned()
            })
        });
        self.problem(MISSING_TARGET, pointer, format!("Missing 'Next' target: {target}"), help);
    }

    fn unreachable(&mut self, start_at: &str, states: &Map<String, Value>, pointer: &str) {
        let mut reached = HashSet::from([start_at]);
        let mut open = vec![start_at];
        while let Some(state) = open.pop().and_then(|name| states.get(name)) {
            for Transition { target, .. } in transitions(state) {
                if states.contains_key(target) && reached.insert(target) {
                    open.push(target);
                }
            }
        }
        for name in states.keys().filter(|name| !reached.contains(name.as_str())) {
            let message = format!("State \"{name}\" is not reachable.");
            let help = "lead to it by a `Next`, or take it out".to_owned();
            self.key_problem(MISSING_TARGET, &format!("{pointer}/{}", escape(name)), message, Some(help));
        }
    }
}

/// Where a state may go on: read from the definition itself, so that a state with other problems still leads on.
pub(super) struct Transition<'v> {
    pub(super) target: &'v str,
    /// The pointer from the state.
    place: String,
}

pub(super) fn transitions(state: &Value) -> Vec<Transition<'_>> {
    let mut found = Vec::new();
    for field in ["Next", "Default"] {
        if let Some(target) = state.get(field).and_then(Value::as_str) {
            found.push(Transition { target, place: format!("/{field}") });
        }
    }
    for list in ["Choices", "Catch"] {
        let items = state.get(list).and_then(Value::as_array).into_iter().flatten().enumerate();
        for (index, item) in items {
            if let Some(target) = item.get("Next").and_then(Value::as_str) {
                found.push(Transition { target, place: format!("/{list}/{index}/Next") });
            }
        }
    }
    found
}
