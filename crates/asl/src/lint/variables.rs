//! Variables that nothing assigns, and those that nothing reads.

use std::collections::{BTreeMap, BTreeSet};

use query::{Language, Template, TemplateExpression, jsonata};

use super::{Linter, inner_flows, state_pointer, templates, variables_of};
use crate::{
    Dynamic, Flow, Kind, State,
    nearest::nearest,
    state::{Condition, Operand, ProcessorMode, Selector, WaitUntil},
};

impl Linter<'_> {
    /// Looks at the variables of a machine; `pointer` is that of the object with `States`.
    pub(super) fn variables(&mut self, flow: &Flow, pointer: &str) {
        self.scope(flow, pointer, None);
    }

    /// A flow sees its own variables and those around it; gives what it reads of the latter.
    fn scope(&mut self, flow: &Flow, pointer: &str, around: Option<&Visible<'_>>) -> BTreeSet<String> {
        let mut assigned: BTreeMap<String, String> = BTreeMap::new();
        for state in flow.states.values() {
            for (name, place) in assignments(state, &state_pointer(pointer, &state.name)) {
                assigned.entry(name).or_insert(place);
            }
        }
        let visible = Visible { own: &assigned, around };
        let mut read = BTreeSet::new();
        for state in flow.states.values() {
            let pointer = state_pointer(pointer, &state.name);
            for (name, field) in reads(state) {
                let is_function = state.query_language == Language::Jsonata && jsonata::is_function(&name);
                if !visible.contains(&name) && !is_function {
                    self.never_assigned(&name, &format!("{pointer}/{field}"), &visible);
                }
                read.insert(name);
            }
            if let Kind::Map(map) = &state.kind {
                read.extend(map.distributed.iter().flat_map(of_written));
            }
            // The child executions of a distributed Map see no variables from outside.
            let seen = (!is_distributed(state)).then_some(&visible);
            for (flow, pointer) in inner_flows(state, &pointer) {
                read.extend(self.scope(flow, &pointer, seen));
            }
        }
        for (name, place) in &assigned {
            if !read.contains(name) && !around.is_some_and(|around| around.contains(name)) {
                let message = format!("nothing reads the variable `{name}`");
                self.warn_at_key("VARIABLE_NEVER_READ", place, message, "take it out, or read it");
            }
        }
        read
    }

    fn never_assigned(&mut self, name: &str, pointer: &str, visible: &Visible<'_>) {
        let message = format!("nothing assigns the variable `{name}` that this reads");
        let help = match nearest(name, visible.names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "assign it in a state before, by `Assign`".to_owned(),
        };
        self.warn("VARIABLE_NEVER_ASSIGNED", pointer, message, &help);
    }
}

/// The variables that a flow sees: its own, each with the pointer of an assignment, and those around it.
struct Visible<'a> {
    own: &'a BTreeMap<String, String>,
    around: Option<&'a Visible<'a>>,
}

impl<'a> Visible<'a> {
    fn contains(&self, name: &str) -> bool {
        self.own.contains_key(name) || self.around.is_some_and(|around| around.contains(name))
    }

    fn names(&'a self) -> impl Iterator<Item = &'a str> {
        let scopes = std::iter::successors(Some(self), |visible| visible.around);
        scopes.flat_map(|visible| visible.own.keys().map(String::as_str))
    }
}

fn is_distributed(state: &State) -> bool {
    matches!(&state.kind, Kind::Map(map) if map.mode == ProcessorMode::Distributed)
}

/// The variables that a state assigns, each with the pointer of the assignment.
fn assignments(state: &State, pointer: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (field, template) in templates(state) {
        if field != "Assign" && !field.ends_with("/Assign") {
            continue;
        }
        for key in template.source().as_object().into_iter().flat_map(serde_json::Map::keys) {
            let name = match state.query_language {
                Language::JsonPath => key.strip_suffix(".$").unwrap_or(key),
                Language::Jsonata => key,
            };
            found.push((name.to_owned(), format!("{pointer}/{field}/{}", crate::document::escape(key))));
        }
    }
    found
}

/// The variables that a state reads, each with the field that does.
fn reads(state: &State) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (field, template) in templates(state) {
        found.extend(of_template(template).into_iter().map(|name| (name, field.clone())));
    }
    for (field, selector) in [("InputPath", &state.input_path), ("OutputPath", &state.output_path)] {
        if let Selector::Path(path) = selector {
            found.extend(path.variable().map(|name| (name.to_owned(), field.to_owned())));
        }
    }
    for (field, dynamic) in dynamics(state) {
        found.extend(of_dynamic(dynamic).into_iter().map(|name| (name, field.to_owned())));
    }
    match &state.kind {
        Kind::Choice(choice) => {
            for (index, rule) in choice.rules.iter().enumerate() {
                let names = of_condition(&rule.condition);
                found.extend(names.into_iter().map(|name| (name, format!("Choices/{index}"))));
            }
        }
        Kind::Map(map) => {
            let path = map.items_path.iter().filter_map(|path| path.variable());
            found.extend(path.map(|name| (name.to_owned(), "ItemsPath".to_owned())));
        }
        _ => {}
    }
    found
}

fn of_template(template: &Template) -> Vec<String> {
    template.expressions().iter().flat_map(variables_of).collect()
}

fn of_dynamic(dynamic: &Dynamic) -> Vec<String> {
    match dynamic {
        Dynamic::Value(_) => Vec::new(),
        Dynamic::Path(path) => variables_of(&TemplateExpression::Path(path)),
        Dynamic::Intrinsic(call) => variables_of(&TemplateExpression::Call(call)),
        Dynamic::Expression(expression) => variables_of(&TemplateExpression::Jsonata(expression)),
    }
}

/// The fields of a state that hold a value or say where to find it. A path's field is told by its value's name.
fn dynamics(state: &State) -> Vec<(&'static str, &Dynamic)> {
    let mut found = Vec::new();
    match &state.kind {
        Kind::Task(task) => {
            found.extend(task.timeout_seconds.iter().map(|dynamic| ("TimeoutSeconds", dynamic)));
            found.extend(task.heartbeat_seconds.iter().map(|dynamic| ("HeartbeatSeconds", dynamic)));
        }
        Kind::Wait(wait) => match &wait.until {
            WaitUntil::Seconds(dynamic) => found.push(("Seconds", dynamic)),
            WaitUntil::Timestamp(dynamic) => found.push(("Timestamp", dynamic)),
        },
        Kind::Fail(fail) => {
            found.extend(fail.error.iter().map(|dynamic| ("Error", dynamic)));
            found.extend(fail.cause.iter().map(|dynamic| ("Cause", dynamic)));
        }
        Kind::Map(map) => {
            found.extend(map.max_concurrency.iter().map(|dynamic| ("MaxConcurrency", dynamic)));
            found.extend(map.tolerated_failure_count.iter().map(|dynamic| ("ToleratedFailureCount", dynamic)));
            let percentage = map.tolerated_failure_percentage.iter();
            found.extend(percentage.map(|dynamic| ("ToleratedFailurePercentage", dynamic)));
        }
        _ => {}
    }
    found
}

fn of_condition(condition: &Condition) -> Vec<String> {
    match condition {
        Condition::Expression(expression) => variables_of(&TemplateExpression::Jsonata(expression)),
        Condition::Constant(_) => Vec::new(),
        Condition::And(inner) | Condition::Or(inner) => inner.iter().flat_map(of_condition).collect(),
        Condition::Not(inner) => of_condition(inner),
        Condition::Compare { variable, operand, .. } => {
            let operand = match operand {
                Operand::Path(path) => path.variable(),
                _ => None,
            };
            variable.variable().into_iter().chain(operand).map(str::to_owned).collect()
        }
    }
}

/// Every name behind a `$` in what is kept as it is written: it may be read there.
fn of_written(value: &serde_json::Value) -> Vec<String> {
    let text = value.to_string();
    let begins = text.match_indices('$').filter_map(|(at, _)| text.get(at.saturating_add(1)..));
    let name = |rest: &str| rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    begins.map(name).filter(|name: &String| !name.is_empty()).collect()
}
