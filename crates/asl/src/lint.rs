//! What AWS takes, and what still won't do what its author thinks: warnings of ours, on a machine that is valid.

mod data;
mod errors;
mod express;
mod expressions;
mod shape;
mod transitions;
mod variables;

use std::sync::Arc;

use query::{Template, TemplateExpression};

use crate::{
    Diagnostic, Document, Flow, Kind, Severity, State, StateMachine,
    diagnostic::Problems,
    document::escape,
    state::{Choice, Map},
};

/// Everything that looks wrong in a machine, in the order of its text. `document` is what the machine was parsed from.
pub fn lint(document: &Document, machine: &StateMachine) -> Vec<Diagnostic> {
    let mut linter = Linter { document, problems: Problems::default(), evaluated: 0 };
    let places = places(&machine.flow, "");
    for place in &places {
        linter.errors(place);
        linter.expressions(place);
        linter.choice_without_default(place);
    }
    linter.express_children(&machine.flow, "", false);
    linter.endless_loops(&machine.flow, "");
    linter.variables(&machine.flow, "");
    linter.paths_into_nothing(&machine.flow, "", shape::Shape::Unknown);
    linter.problems.into_sorted()
}

/// A state and the JSON pointer of it.
struct Place<'m> {
    state: &'m Arc<State>,
    pointer: String,
}

/// What was found so far.
struct Linter<'d> {
    document: &'d Document,
    problems: Problems,
    /// How many expressions were tried.
    evaluated: usize,
}

impl Linter<'_> {
    fn warn(&mut self, code: &str, pointer: &str, message: String, help: &str) {
        if self.problems.is_full() {
            return self.problems.skip(Severity::Warning);
        }
        let span = self.document.span(pointer);
        let location = self.document.location(pointer);
        let warning = Diagnostic::error(code, message).with_help(help).at(pointer, span).with_location(location);
        self.problems.push(Diagnostic { severity: Severity::Warning, ..warning });
    }

    fn warn_at_key(&mut self, code: &str, pointer: &str, message: String, help: &str) {
        if self.problems.is_full() {
            return self.problems.skip(Severity::Warning);
        }
        let span = self.document.key_span(pointer);
        let location = self.document.location(pointer);
        let warning = Diagnostic::error(code, message).with_help(help).at(pointer, span).with_location(location);
        self.problems.push(Diagnostic { severity: Severity::Warning, ..warning });
    }
}

/// Every state of a flow and of the flows inside of it; `pointer` is that of the object with `States`.
fn places<'m>(flow: &'m Flow, pointer: &str) -> Vec<Place<'m>> {
    let mut found = Vec::new();
    for state in flow.states.values() {
        let pointer = state_pointer(pointer, &state.name);
        let inner = inner_flows(state, &pointer);
        found.push(Place { state, pointer });
        for (flow, pointer) in inner {
            found.extend(places(flow, &pointer));
        }
    }
    found
}

fn state_pointer(flow: &str, name: &str) -> String {
    format!("{flow}/States/{}", escape(name))
}

/// The flows inside of a state, each with the pointer of the object that has its `States`.
fn inner_flows<'m>(state: &'m State, pointer: &str) -> Vec<(&'m Flow, String)> {
    match &state.kind {
        Kind::Parallel(parallel) => {
            let branches = parallel.branches.iter().enumerate();
            branches.map(|(index, flow)| (flow.as_ref(), format!("{pointer}/Branches/{index}"))).collect()
        }
        Kind::Map(map) => vec![(map.processor.as_ref(), format!("{pointer}/{}", map.processor_field))],
        _ => Vec::new(),
    }
}

/// The templates of a state itself, each with the name of its field.
fn templates(state: &State) -> Vec<(String, &Template)> {
    let mut found: Vec<(String, &Template)> = Vec::new();
    let own = [
        ("Parameters", &state.parameters),
        ("ResultSelector", &state.result_selector),
        ("Arguments", &state.arguments),
        ("Output", &state.output),
        ("Assign", &state.assign),
    ];
    for (field, template) in own {
        found.extend(template.iter().map(|template| (field.to_owned(), template)));
    }
    for (index, catcher) in state.catch.iter().enumerate() {
        let at = |field: &str| format!("Catch/{index}/{field}");
        found.extend(catcher.output.iter().map(|template| (at("Output"), template)));
        found.extend(catcher.assign.iter().map(|template| (at("Assign"), template)));
    }
    match &state.kind {
        Kind::Choice(Choice { rules, .. }) => {
            for (index, rule) in rules.iter().enumerate() {
                let at = |field: &str| format!("Choices/{index}/{field}");
                found.extend(rule.output.iter().map(|template| (at("Output"), template)));
                found.extend(rule.assign.iter().map(|template| (at("Assign"), template)));
            }
        }
        Kind::Map(map) => {
            let Map { items, item_selector, selector_field, .. } = map.as_ref();
            found.extend(items.iter().map(|template| ("Items".to_owned(), template)));
            found.extend(item_selector.iter().map(|template| ((*selector_field).to_owned(), template)));
        }
        Kind::Task(task) => found.extend(task.credentials.iter().map(|template| ("Credentials".to_owned(), template))),
        _ => {}
    }
    found
}

/// The variables that an expression of a template reads.
fn variables_of(expression: &TemplateExpression<'_>) -> Vec<String> {
    match expression {
        TemplateExpression::Path(path) => path.variable().map(str::to_owned).into_iter().collect(),
        TemplateExpression::Call(call) => {
            call.paths().into_iter().filter_map(|path| path.variable().map(str::to_owned)).collect()
        }
        TemplateExpression::Jsonata(expression) => expression.references().variables.iter().cloned().collect(),
    }
}

#[cfg(test)]
mod tests;
