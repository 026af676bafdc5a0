//! Fragments: each a Parallel of one branch, so that a `Fail` inside it ends the fragment and not the response.

use serde_json::{Map, Value, json};

use super::{CompileOptions, call::merged, retry};

/// The longest prefix of a fragment's states.
pub(in crate::guardrail) const LONGEST_PREFIX: &str = "Inspect again: ";

/// The fragment as a state of that name, which is its states' prefix too. `more` is the state's: `Catch`, `Next` ….
///
/// The fragment's input is the state's, and the state's output an array of the fragment's result: the next state takes it as
/// `$states.input[0]`. So it needs no `Arguments`, `Output` and `Assign`, which not every engine knows of a Parallel.
pub(super) fn parallel(name: &str, fragment: &Value, options: &CompileOptions, more: Value) -> Value {
    let branch = prefixed(fragment, &format!("{name}: "), options);
    let state = json!({"Type": "Parallel", "Branches": [branch], "Retry": retry::fragment()});
    merged(state, more)
}

/// A fragment in the middle of a response: if it fails, so does the response.
pub(super) fn step(name: &str, fragment: &Value, options: &CompileOptions, more: Value) -> Value {
    let around = json!({"Catch": super::call::catch(name, "Failed")});
    parallel(name, fragment, options, merged(around, more))
}

/// The flows within a state, with their pointers.
pub(in crate::guardrail) fn nested_flows(state: &Value) -> Vec<(String, &Value)> {
    let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten().enumerate();
    let branches = branches.map(|(index, flow)| (format!("/Branches/{index}"), flow));
    let processors = ["ItemProcessor", "Iterator"].into_iter();
    let processors = processors.filter_map(|name| state.get(name).map(|flow| (format!("/{name}"), flow)));
    branches.chain(processors).collect()
}

/// A flow with its states' names prefixed, nested ones too: names are unique in the whole machine.
fn prefixed(flow: &Value, prefix: &str, options: &CompileOptions) -> Value {
    let mut flow = flow.clone();
    rename(flow.get_mut("StartAt"), prefix);
    if let Some(states) = flow.get_mut("States").and_then(Value::as_object_mut) {
        let inner = std::mem::take(states);
        states.extend(
            inner.into_iter().map(|(name, state)| (format!("{prefix}{name}"), state_of(state, prefix, options))),
        );
    }
    flow
}

fn state_of(mut state: Value, prefix: &str, options: &CompileOptions) -> Value {
    rename(state.get_mut("Next"), prefix);
    rename(state.get_mut("Default"), prefix);
    for rules in ["Choices", "Catch"] {
        for rule in state.get_mut(rules).and_then(Value::as_array_mut).into_iter().flatten() {
            rename(rule.get_mut("Next"), prefix);
        }
    }
    for branch in state.get_mut("Branches").and_then(Value::as_array_mut).into_iter().flatten() {
        *branch = prefixed(branch, prefix, options);
    }
    for processor in ["ItemProcessor", "Iterator"] {
        if let Some(flow) = state.get_mut(processor) {
            *flow = prefixed(flow, prefix, options);
        }
    }
    if let Some(state) = state.as_object_mut()
        && state.get("Type").and_then(Value::as_str) == Some("Task")
    {
        complete_task(state, options);
    }
    state
}

fn complete_task(task: &mut Map<String, Value>, options: &CompileOptions) {
    let resource = task.get("Resource").and_then(Value::as_str).unwrap_or_default().to_owned();
    task.entry("Retry").or_insert_with(|| retry::task(&resource));
    // Only calls of AWS itself: functions are Rectify's own, in its own account.
    if let Some(role) = &options.role_arn_expression
        && resource.contains(":::aws-sdk:")
    {
        task.entry("Credentials").or_insert_with(|| json!({"RoleArn": format!("{{% {role} %}}")}));
    }
}

fn rename(name: Option<&mut Value>, prefix: &str) {
    if let Some(Value::String(name)) = name {
        name.insert_str(0, prefix);
    }
}
