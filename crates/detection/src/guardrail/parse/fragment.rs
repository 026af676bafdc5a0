//! A fragment: `list`, `inspect`, `fix`, `undo`. Beside being ASL, it may not take the outer machine's names.

use asl::{
    document::escape,
    parse::{Resources, parse_fragment},
};
use serde_json::Value;

use crate::{
    guardrail::{
        RESERVED_VARIABLES, STATE_NAME_LIMIT,
        compile::{LONGEST_PREFIX, nested_flows},
    },
    reader::{Reader, expression_of},
};

/// The fragment as written, if it is there; whatever is wrong with it has been told.
pub(super) fn read(reader: &mut Reader<'_>, name: &str, resources: &dyn Resources) -> Option<Value> {
    let pointer = format!("/{name}");
    let fragment = reader.value(&pointer)?.clone();
    let (Ok(diagnostics) | Err(diagnostics)) = parse_fragment(reader.document, &pointer, resources);
    reader.add(diagnostics);
    check_flow(reader, &pointer, &fragment);
    check_events(reader, &pointer, &fragment);
    Some(fragment)
}

fn check_flow(reader: &mut Reader<'_>, pointer: &str, flow: &Value) {
    let Some(states) = flow.get("States").and_then(Value::as_object) else { return };
    for (name, state) in states {
        let pointer = format!("{pointer}/States/{}", escape(name));
        let limit = STATE_NAME_LIMIT.saturating_sub(LONGEST_PREFIX.len());
        if name.chars().count() > limit {
            let message = format!("the state's name has more than {limit} characters");
            let help = format!("it is prefixed, as in `{LONGEST_PREFIX}{name}`, and may then have {STATE_NAME_LIMIT}");
            reader.problem("NAME_TOO_LONG", &pointer, message, Some(&help));
        }
        check_assign(reader, &pointer, state);
        for rules in ["Catch", "Choices"] {
            for (index, rule) in state.get(rules).and_then(Value::as_array).into_iter().flatten().enumerate() {
                check_assign(reader, &format!("{pointer}/{rules}/{index}"), rule);
            }
        }
        for (inner, flow) in nested_flows(state) {
            check_flow(reader, &format!("{pointer}{inner}"), flow);
        }
    }
}

fn check_assign(reader: &mut Reader<'_>, pointer: &str, holder: &Value) {
    let assigned = holder.get("Assign").and_then(Value::as_object).into_iter().flatten();
    for (name, _) in assigned.filter(|(name, _)| RESERVED_VARIABLES.contains(&name.as_str())) {
        let message = format!("`${name}` belongs to the response around the fragment and can't be assigned in it");
        let help = format!("choose another name; taken are {}", RESERVED_VARIABLES.join(", "));
        reader.problem("RESERVED_VARIABLE", &format!("{pointer}/Assign/{}", escape(name)), message, Some(&help));
    }
}

/// Events stay in the store: a fragment does not see them.
fn check_events(reader: &mut Reader<'_>, pointer: &str, value: &Value) {
    match value {
        Value::String(text) if expression_of(text).is_some_and(names_event) => {
            let help = "an execution has the resource alone; read what is needed from AWS";
            reader.problem("NO_EVENT_HERE", pointer, "`$event` is seen by `resource.id` alone", Some(help));
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                check_events(reader, &format!("{pointer}/{index}"), value);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                check_events(reader, &format!("{pointer}/{}", escape(key)), value);
            }
        }
        _ => {}
    }
}

fn names_event(expression: &str) -> bool {
    expression
        .split("$event")
        .skip(1)
        .any(|rest| !rest.chars().next().is_some_and(|letter| letter.is_alphanumeric() || letter == '_'))
}
