//! Variables and the flows that they belong to: an inner flow can't give a name again that a flow around it assigns.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>.

use std::collections::{BTreeSet, HashMap};

use query::Language;
use serde_json::{Map, Value};

use super::{Parser, flow::transitions};
use crate::document::escape;

impl Parser<'_> {
    /// Looks at the flow in the object at `pointer` and at those inside of it; `around` are the names that were given before it
    /// begins, as far as it assigns them. Read from the text itself, so that a state with other problems counts too.
    pub(super) fn scopes(&mut self, flow: &Value, pointer: &str, around: &BTreeSet<&str>) {
        let Some(states) = flow.get("States").and_then(Value::as_object) else { return };
        let at = |name: &str| format!("{pointer}/States/{}", escape(name));
        let mut before = Before::of(states);
        for (index, (name, state)) in states.iter().enumerate() {
            for (variable, key, place) in self.assigned(state) {
                if around.contains(variable) {
                    let message = format!("The variable name '{variable}' was already defined in a parent scope.");
                    let help = "take another name: what is around can be read here, and not be assigned";
                    let place = format!("{}{place}/Assign/{}", at(name), escape(key));
                    self.key_problem("DUPLICATE_VARIABLE_NAME", &place, message, Some(help.to_owned()));
                }
                before.assigned.entry(variable).or_default().push(index);
            }
        }
        for (index, (name, state)) in states.iter().enumerate() {
            for (inner, place) in inner_flows(state) {
                let mut wanted = BTreeSet::new();
                self.assigned_within(inner, &mut wanted);
                if wanted.is_empty() {
                    continue;
                }
                // The child executions of a distributed Map have their own variables alone.
                let own = inner.pointer("/ProcessorConfig/Mode").is_some_and(|mode| mode == "DISTRIBUTED");
                wanted.retain(|variable| !own && (around.contains(variable) || before.gives(variable, index)));
                self.scopes(inner, &format!("{}/{place}", at(name)), &wanted);
            }
        }
    }

    /// Every variable that the states of a flow and of the flows in it assign.
    fn assigned_within<'v>(&self, flow: &'v Value, found: &mut BTreeSet<&'v str>) {
        for state in flow.get("States").and_then(Value::as_object).into_iter().flat_map(Map::values) {
            found.extend(self.assigned(state).into_iter().map(|(variable, ..)| variable));
            inner_flows(state).into_iter().for_each(|(inner, _)| self.assigned_within(inner, found));
        }
    }

    /// The variables that a state assigns, each with its key and the pointer from the state to the object with the `Assign`.
    fn assigned<'v>(&self, state: &'v Value) -> Vec<(&'v str, &'v str, String)> {
        let language = match state.get("QueryLanguage").and_then(Value::as_str) {
            Some("JSONPath") => Language::JsonPath,
            Some(_) => Language::Jsonata,
            None => self.machine_language,
        };
        let mut places = vec![(state, String::new())];
        for list in ["Choices", "Catch"] {
            let items = state.get(list).and_then(Value::as_array).into_iter().flatten().enumerate();
            places.extend(items.map(|(index, item)| (item, format!("/{list}/{index}"))));
        }
        let mut found = Vec::new();
        for (object, place) in places {
            for key in object.get("Assign").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                let name = match language {
                    Language::JsonPath => key.strip_suffix(".$").unwrap_or(key),
                    Language::Jsonata => key,
                };
                found.push((name, key.as_str(), place.clone()));
            }
        }
        found
    }
}

/// The flows inside of a state, each with the pointer to it from the state.
fn inner_flows(state: &Value) -> Vec<(&Value, String)> {
    let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten().enumerate();
    let branches = branches.map(|(index, branch)| (branch, format!("Branches/{index}")));
    let processors = ["ItemProcessor", "Iterator"].into_iter();
    branches.chain(processors.filter_map(|field| Some((state.get(field)?, field.to_owned())))).collect()
}

/// What is given before a state of a flow begins. States are told by their number.
struct Before<'v> {
    /// The states that assign each variable, in their order.
    assigned: HashMap<&'v str, Vec<usize>>,
    /// The states that lead to each.
    leading: Vec<Vec<usize>>,
    /// For which question each state was looked at last.
    seen: Vec<usize>,
    questions: usize,
    /// How often a state was looked at, for all questions.
    looks: usize,
}

impl<'v> Before<'v> {
    fn of(states: &'v Map<String, Value>) -> Before<'v> {
        let numbers: HashMap<&str, usize> =
            states.keys().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let mut leading = vec![Vec::new(); states.len()];
        for (index, state) in states.values().enumerate() {
            for transition in transitions(state) {
                let target = numbers.get(transition.target).and_then(|target| leading.get_mut(*target));
                target.into_iter().for_each(|leading| leading.push(index));
            }
        }
        Before { assigned: HashMap::new(), seen: vec![0; states.len()], leading, questions: 0, looks: 0 }
    }

    /// Whether a state that leads to `state` assigns `variable`. That one itself does not count: what it assigns comes after its
    /// flows.
    fn gives(&mut self, variable: &str, state: usize) -> bool {
        let Some(assigning) = self.assigned.get(variable).filter(|assigning| assigning.iter().any(|one| *one != state))
        else {
            return false;
        };
        self.questions = self.questions.saturating_add(1);
        let mut open = vec![state];
        while let Some(target) = open.pop() {
            for before in self.leading.get(target).into_iter().flatten() {
                self.looks = self.looks.saturating_add(1);
                let Some(seen) = self.seen.get_mut(*before).filter(|seen| **seen != self.questions) else { continue };
                *seen = self.questions;
                if *before == state {
                    continue;
                }
                if assigning.binary_search(before).is_ok() {
                    return true;
                }
                open.push(*before);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// So many Parallels in a row, each of which assigns a variable.
    fn row(count: usize) -> Value {
        let states = (0..count).map(|index| {
            let inner = json!({"StartAt": format!("i{index}"), "States": {format!("i{index}"): {"Type": "Pass", "End": true}}});
            let state = json!({"Type": "Parallel", "Branches": [inner], "Assign": {format!("v{index}"): 1}, "Next": format!("p{}", index + 1)});
            (format!("p{index}"), state)
        });
        Value::Object(states.collect())
    }

    #[test]
    fn only_what_is_asked_for_is_looked_for() {
        let states = row(1_000);
        let states = states.as_object().unwrap();
        let mut before = Before::of(states);
        before.assigned.extend([("first", vec![0]), ("last", vec![999]), ("every", (0..1_000).collect())]);
        assert!(!before.gives("of nobody", 999) && !before.gives("last", 999));
        assert_eq!(before.looks, 0);
        assert!(before.gives("every", 999));
        assert_eq!(before.looks, 1);
        assert!(before.gives("first", 999) && !before.gives("last", 998));
        assert_eq!(before.looks, 1 + 999 + 998);
    }

    #[test]
    fn what_a_state_assigns_itself_comes_after_its_flows() {
        let states = json!({"a": {"Next": "b"}, "b": {"Next": "a"}, "c": {"Next": "b"}});
        let mut before = Before::of(states.as_object().unwrap());
        before.assigned.extend([("a", vec![0]), ("c", vec![2])]);
        assert!(before.gives("a", 1) && !before.gives("a", 0));
        assert!(before.gives("c", 0) && !before.gives("c", 2));
    }
}
