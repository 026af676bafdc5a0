//! Variables and the flows that they belong to: an inner flow can't give a name again that a flow around it assigns.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>.

use std::collections::{BTreeSet, HashMap, HashSet};

use query::Language;
use serde_json::{Map, Value};

use super::{Parser, flow::transitions};
use crate::document::escape;

impl Parser<'_> {
    /// Looks at the flow in the object at `pointer` and at those inside of it; `around` are the names that were given before it
    /// begins. Read from the text itself, so that a state with other problems counts too.
    pub(super) fn scopes(&mut self, flow: &Value, pointer: &str, around: &BTreeSet<String>) {
        let Some(states) = flow.get("States").and_then(Value::as_object) else { return };
        let at = |name: &str| format!("{pointer}/States/{}", escape(name));
        for (name, state) in states {
            for (variable, place) in self.assigned(state, &at(name)) {
                if around.contains(&variable) {
                    let message = format!("The variable name '{variable}' was already defined in a parent scope.");
                    let help = "take another name: what is around can be read here, and not be assigned";
                    self.key_problem("DUPLICATE_VARIABLE_NAME", &place, message, Some(help.to_owned()));
                }
            }
        }
        let mut assigned = HashMap::new();
        for (name, state) in states {
            let variables: Vec<String> = self.assigned(state, "").into_iter().map(|(variable, _)| variable).collect();
            if !variables.is_empty() {
                assigned.insert(name.as_str(), variables);
            }
        }
        let leading = if assigned.is_empty() { HashMap::new() } else { leading_to(states) };
        for (name, state) in states.iter().filter(|(_, state)| holds_flows(state)) {
            let mut given = around.clone();
            for before in states_before(&leading, name) {
                given.extend(assigned.get(before).into_iter().flatten().cloned());
            }
            let pointer = at(name);
            let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
            for (index, branch) in branches.enumerate() {
                self.scopes(branch, &format!("{pointer}/Branches/{index}"), &given);
            }
            for field in ["ItemProcessor", "Iterator"] {
                let Some(processor) = state.get(field) else { continue };
                // The child executions of a distributed Map have their own variables alone.
                let own = processor.pointer("/ProcessorConfig/Mode").is_some_and(|mode| mode == "DISTRIBUTED");
                let seen = if own { &BTreeSet::new() } else { &given };
                self.scopes(processor, &format!("{pointer}/{field}"), seen);
            }
        }
    }

    /// The variables that a state assigns, each with the pointer of the assignment.
    fn assigned(&self, state: &Value, pointer: &str) -> Vec<(String, String)> {
        let language = match state.get("QueryLanguage").and_then(Value::as_str) {
            Some("JSONPath") => Language::JsonPath,
            Some(_) => Language::Jsonata,
            None => self.machine_language,
        };
        let mut places = vec![(state, pointer.to_owned())];
        for list in ["Choices", "Catch"] {
            let items = state.get(list).and_then(Value::as_array).into_iter().flatten().enumerate();
            places.extend(items.map(|(index, item)| (item, format!("{pointer}/{list}/{index}"))));
        }
        let mut found = Vec::new();
        for (object, pointer) in places {
            for key in object.get("Assign").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                let name = match language {
                    Language::JsonPath => key.strip_suffix(".$").unwrap_or(key),
                    Language::Jsonata => key,
                };
                found.push((name.to_owned(), format!("{pointer}/Assign/{}", escape(key))));
            }
        }
        found
    }
}

fn holds_flows(state: &Value) -> bool {
    ["Branches", "ItemProcessor", "Iterator"].iter().any(|field| state.get(field).is_some())
}

/// Which states lead to each.
fn leading_to(states: &Map<String, Value>) -> HashMap<&str, Vec<&str>> {
    let mut leading: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, state) in states {
        for transition in transitions(state) {
            leading.entry(transition.target).or_default().push(name);
        }
    }
    leading
}

/// The states that lead to another, less that one itself: what it assigns itself comes after its flows.
fn states_before<'v>(leading: &HashMap<&'v str, Vec<&'v str>>, name: &'v str) -> HashSet<&'v str> {
    let mut found = HashSet::new();
    let mut open = vec![name];
    while let Some(target) = open.pop() {
        for before in leading.get(target).into_iter().flatten() {
            if *before != name && found.insert(*before) {
                open.push(before);
            }
        }
    }
    found
}
