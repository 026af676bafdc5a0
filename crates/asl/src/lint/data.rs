//! Paths into what the states before surely do not give.

use std::collections::{BTreeMap, HashMap};

use query::{Language, TemplateExpression, jsonpath::Path};

use super::{Linter, inner_flows, shape::Shape, state_pointer, templates, transitions::next_of};
use crate::{Flow, Kind, State, state::Selector};

/// How often the states of a flow are gone through until nothing changes any more; then nothing is said.
const MAX_ROUNDS: usize = 50;

impl Linter<'_> {
    /// `input` is what the flow begins with.
    pub(super) fn paths_into_nothing(&mut self, flow: &Flow, pointer: &str, input: Shape) {
        let inputs = inputs(flow, input);
        for state in flow.states.values() {
            let pointer = state_pointer(pointer, &state.name);
            for (flow, inner) in inner_flows(state, &pointer) {
                self.paths_into_nothing(flow, &inner, Shape::Unknown);
            }
            let Some(input) = inputs.get(state.name.as_str()).and_then(Option::as_ref) else { continue };
            self.input_paths(state, &pointer, input);
        }
    }

    fn input_paths(&mut self, state: &State, pointer: &str, input: &Shape) {
        let given = match &state.input_path {
            Selector::Path(path) => {
                self.path(path, input, &format!("{pointer}/InputPath"));
                return;
            }
            Selector::Null => Shape::Object(BTreeMap::new()),
            Selector::Whole => input.clone(),
        };
        for (field, template) in templates(state) {
            if !matches!(field.as_str(), "Parameters" | "Arguments") && !matches!(state.kind, Kind::Pass(_)) {
                continue;
            }
            // Parameters come before the others of a Pass, which see what they make.
            if state.query_language == Language::JsonPath && field != "Parameters" {
                continue;
            }
            for expression in template.expressions() {
                let place = format!("{pointer}/{field}");
                match expression {
                    TemplateExpression::Path(path) => self.path(path, &given, &place),
                    TemplateExpression::Call(call) => {
                        call.paths().into_iter().for_each(|path| self.path(path, &given, &place));
                    }
                    TemplateExpression::Jsonata(expression) => {
                        // In a larger expression what is not there may be just what is asked.
                        let names = expression.as_str().strip_prefix("$states.input.").map(split_names);
                        if let Some(Some(names)) = names {
                            self.names(&names, expression.as_str(), &given, &place);
                        }
                    }
                }
            }
        }
        if let Kind::Map(map) = &state.kind
            && let Some(path) = &map.items_path
        {
            self.path(path, &given, &format!("{pointer}/ItemsPath"));
        }
    }

    fn path(&mut self, path: &Path, given: &Shape, place: &str) {
        if let Some(names) = names_of(path) {
            self.names(&names, path.as_str(), given, place);
        }
    }

    fn names(&mut self, names: &[String], text: &str, given: &Shape, place: &str) {
        if given.part(names).is_none() {
            let message = format!("`{text}` leads to nothing: no state before gives it");
            let help = match given {
                Shape::Object(fields) if !fields.is_empty() => {
                    let known: Vec<String> = fields.keys().map(|name| format!("`{name}`")).collect();
                    format!("the input of this state has {}", known.join(", "))
                }
                _ => "the input of this state is empty".to_owned(),
            };
            self.warn("PATH_INTO_NOTHING", place, message, &help);
        }
    }
}

/// What is known of the input of each state; `None` for one that is not reached.
fn inputs(flow: &Flow, input: Shape) -> HashMap<&str, Option<Shape>> {
    let mut inputs: HashMap<&str, Option<Shape>> = HashMap::from([(flow.start_at.as_str(), Some(input))]);
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        for state in flow.states.values() {
            let Some(Some(input)) = inputs.get(state.name.as_str()).cloned() else { continue };
            let made = output(state, input);
            let caught: Vec<&str> = state.catch.iter().map(|catcher| catcher.next.as_str()).collect();
            for next in next_of(state) {
                let made = if caught.contains(&next) { Shape::Unknown } else { made.clone() };
                let known = inputs.get(next).cloned().flatten();
                let joined = match known.clone() {
                    Some(known) => known.or(made),
                    None => made,
                };
                if known.as_ref() != Some(&joined) {
                    inputs.insert(next, Some(joined));
                    changed = true;
                }
            }
        }
        if !changed {
            return inputs;
        }
    }
    HashMap::new()
}

/// What is known of a state's output.
fn output(state: &State, input: Shape) -> Shape {
    match state.query_language {
        Language::Jsonata => match (&state.output, &state.kind) {
            (Some(output), _) => Shape::of_template(output, Language::Jsonata),
            (None, Kind::Pass(_) | Kind::Wait(_)) => input,
            // A rule may have an output of its own.
            (None, Kind::Choice(choice)) if choice.rules.iter().all(|rule| rule.output.is_none()) => input,
            _ => Shape::Unknown,
        },
        Language::JsonPath => jsonpath_output(state, input),
    }
}

fn jsonpath_output(state: &State, input: Shape) -> Shape {
    let given = select(&state.input_path, input.clone());
    let result = match &state.kind {
        Kind::Pass(pass) => match (&pass.result, &state.parameters) {
            (Some(result), _) => Shape::of_value(result),
            (None, Some(parameters)) => Shape::of_template(parameters, Language::JsonPath),
            (None, None) => given.clone(),
        },
        Kind::Task(_) | Kind::Parallel(_) | Kind::Map(_) => match &state.result_selector {
            Some(selector) => Shape::of_template(selector, Language::JsonPath),
            None => Shape::Unknown,
        },
        _ => return select(&state.output_path, given),
    };
    let whole = match &state.result_path {
        Selector::Whole => result,
        Selector::Null => input,
        Selector::Path(path) => match names_of(path) {
            Some(names) if names.is_empty() => result,
            Some(names) => input.with(&names, result),
            None => Shape::Unknown,
        },
    };
    select(&state.output_path, whole)
}

fn select(selector: &Selector, shape: Shape) -> Shape {
    match selector {
        Selector::Whole => shape,
        Selector::Null => Shape::Object(BTreeMap::new()),
        Selector::Path(path) => names_of(path).and_then(|names| shape.part(&names).cloned()).unwrap_or(Shape::Unknown),
    }
}

/// The names of a path of the input that has nothing but names: `["a", "b"]` of `$.a.b`.
fn names_of(path: &Path) -> Option<Vec<String>> {
    if path.is_of_context() || path.variable().is_some() {
        return None;
    }
    match path.as_str().strip_prefix('$')? {
        "" => Some(Vec::new()),
        rest => split_names(rest.strip_prefix('.')?),
    }
}

fn split_names(text: &str) -> Option<Vec<String>> {
    let plain = |name: &&str| !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    let names: Vec<&str> = text.split('.').collect();
    names.iter().all(plain).then(|| names.into_iter().map(str::to_owned).collect())
}
