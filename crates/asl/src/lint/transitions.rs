//! Where a machine goes.

use std::collections::{HashMap, HashSet};

use super::{Linter, Place, inner_flows, state_pointer};
use crate::{Flow, Kind, State};

impl Linter<'_> {
    /// A Choice where no rule holds fails with an error that nothing catches.
    pub(super) fn choice_without_default(&mut self, place: &Place<'_>) {
        let Kind::Choice(choice) = &place.state.kind else { return };
        let certain = choice.rules.iter().any(|rule| matches!(rule.condition, crate::state::Condition::Constant(true)));
        if choice.default.is_none() && !certain {
            let message = "where no rule holds, the Choice fails with `States.NoChoiceMatched`".to_owned();
            self.warn_at_key(
                "CHOICE_WITHOUT_DEFAULT",
                &place.pointer,
                message,
                "say by `Default` where it goes on then, if need be to a Fail that says what was not expected",
            );
        }
    }

    /// States from which no way leads to an end, in a flow that has one.
    pub(super) fn endless_loops(&mut self, flow: &Flow, pointer: &str) {
        let mut leads_to: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut open: Vec<&str> = Vec::new();
        for state in flow.states.values() {
            if ends(state) {
                open.push(&state.name);
            }
            for next in next_of(state) {
                leads_to.entry(next).or_default().push(&state.name);
            }
        }
        let has_end = !open.is_empty();
        let mut ending: HashSet<&str> = open.iter().copied().collect();
        while let Some(name) = open.pop() {
            for before in leads_to.get(name).into_iter().flatten() {
                if ending.insert(before) {
                    open.push(before);
                }
            }
        }
        let first = flow.states.values().find(|state| has_end && !ending.contains(state.name.as_str()));
        if let Some(state) = first {
            let message = format!("no way leads from `{}` to an end: it goes on and on", state.name);
            let help = "let a Choice leave the loop, or end the machine by a Fail after so many rounds";
            self.warn_at_key("ENDLESS_LOOP", &state_pointer(pointer, &state.name), message, help);
        }
        for state in flow.states.values() {
            for (flow, pointer) in inner_flows(state, &state_pointer(pointer, &state.name)) {
                self.endless_loops(flow, &pointer);
            }
        }
    }
}

/// Whether a state ends its flow.
fn ends(state: &State) -> bool {
    state.next.is_none() && !matches!(state.kind, Kind::Choice(_))
}

/// Where a state may go on.
pub(super) fn next_of(state: &State) -> Vec<&str> {
    let mut found: Vec<&str> = state.next.iter().map(String::as_str).collect();
    found.extend(state.catch.iter().map(|catcher| catcher.next.as_str()));
    if let Kind::Choice(choice) = &state.kind {
        found.extend(choice.rules.iter().map(|rule| rule.next.as_str()));
        found.extend(choice.default.iter().map(String::as_str));
    }
    found
}
