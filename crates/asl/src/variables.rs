//! Which variables a machine's states refer to: `variableReferences` of DescribeStateMachine.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachine.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Fields that hold what a state does not evaluate itself.
const NOT_EVALUATED: [&str; 8] =
    ["Result", "ResultPath", "Comment", "States", "Branches", "ItemProcessor", "Iterator", "Next"];

/// The variables that each state of a definition refers to: those that some state assigns. States that refer to none are left out.
pub fn references(definition: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut states = Vec::new();
    collect_states(definition, &mut states);
    let mut assigned = BTreeSet::new();
    for (_, state) in &states {
        collect_assigned(state, &mut assigned);
    }
    let mut references = BTreeMap::new();
    for (name, state) in states {
        let mut of_state = BTreeSet::new();
        for (field, value) in state {
            if !NOT_EVALUATED.contains(&field.as_str()) {
                collect(field, value, &assigned, &mut of_state);
            }
        }
        if !of_state.is_empty() {
            references.insert(name.to_owned(), of_state);
        }
    }
    references
}

/// Every state, those of branches and processors too, with its name.
fn collect_states<'a>(flow: &'a Value, states: &mut Vec<(&'a str, &'a Map<String, Value>)>) {
    let own = flow.get("States").and_then(Value::as_object).into_iter().flatten();
    for (name, state) in own.filter_map(|(name, state)| Some((name, state.as_object()?))) {
        states.push((name, state));
        let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
        let processor = state.get("ItemProcessor").or_else(|| state.get("Iterator"));
        branches.chain(processor).for_each(|inner| collect_states(inner, states));
    }
}

/// The names in `Assign`, those of a Choice's rules and of catchers too.
fn collect_assigned(state: &Map<String, Value>, assigned: &mut BTreeSet<String>) {
    let elements = ["Choices", "Catch"].into_iter().filter_map(|field| state.get(field)?.as_array()).flatten();
    let within = std::iter::once(state).chain(elements.filter_map(Value::as_object));
    for names in within.filter_map(|fields| fields.get("Assign")?.as_object()) {
        assigned.extend(names.keys().map(|name| name.strip_suffix(".$").unwrap_or(name).to_owned()));
    }
}

fn collect(field: &str, value: &Value, assigned: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| collect(name, value, assigned, found)),
        Value::Array(elements) => elements.iter().for_each(|element| collect(field, element, assigned, found)),
        Value::String(text) => {
            let is_jsonata = text.starts_with("{%") && text.ends_with("%}");
            let is_path = field.ends_with(".$") || field.ends_with("Path") || field == "Variable";
            if is_jsonata || is_path {
                found.extend(names(text).filter(|name| assigned.contains(*name)).map(str::to_owned));
            }
        }
        _ => {}
    }
}

/// Every `$name` in an expression, outside of its texts.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut quote: Option<char> = None;
    let mut before = ' ';
    let starts: Vec<usize> = expression
        .char_indices()
        .filter_map(|(index, c)| {
            let starts = quote.is_none() && c == '$' && before != '$' && before != '\\';
            match quote {
                Some(open) if c == open && before != '\\' => quote = None,
                None if matches!(c, '\'' | '"') => quote = Some(c),
                _ => {}
            }
            before = c;
            starts.then_some(index + 1)
        })
        .collect();
    starts.into_iter().filter_map(move |start| {
        let rest = expression.get(start..)?;
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        rest.get(..end).filter(|name| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_found_where_they_are_evaluated() {
        let check = |state: Value, expected: &[&str]| {
            let assigns = json!({"Type": "Pass", "Assign": {"a": 1, "b.$": "$.x", "string": 2}, "Next": "S"});
            let definition = json!({"StartAt": "A", "States": {"A": assigns, "S": state}});
            let found = references(&definition);
            let found: Vec<&str> = found.get("S").into_iter().flatten().map(String::as_str).collect();
            assert_eq!(found, expected, "{definition}");
        };
        check(json!({"Parameters": {"x.$": "$b.c[0]", "y": "$a"}}), &["b"]);
        check(json!({"Parameters": {"x.$": "States.Format('{} $a', $b, $.a, $$.b)"}}), &["b"]);
        check(json!({"InputPath": "$a", "ResultPath": "$b"}), &["a"]);
        check(json!({"Choices": [{"Variable": "$a", "StringEqualsPath": "$b", "Next": "S"}]}), &["a", "b"]);
        check(json!({"Output": "{% $a & '$b' & $string($unknown) & $states.input %}"}), &["a", "string"]);
        check(json!({"Result": {"x.$": "$a"}, "Comment": "$a"}), &[]);
        check(json!({"ItemProcessor": {"States": {"T": {"InputPath": "$a"}}}}), &[]);
    }

    #[test]
    fn states_within_states_have_their_own() {
        let inner = json!({"StartAt": "I", "States": {"I": {"OutputPath": "$v"}}});
        let outer = json!({"Assign": {"v": 1}, "Branches": [inner]});
        let found = references(&json!({"StartAt": "P", "States": {"P": outer}}));
        assert_eq!(json!(found), json!({"I": ["v"]}));
    }
}
