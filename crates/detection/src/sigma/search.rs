//! The search identifiers of `detection`: maps (all of it), lists of maps (any of them), lists of values (keywords).

use serde_json::Value;

use super::{Expression, Problems, condition, field, under};

/// Reads `detection`; `None` where something is wrong with it, which is told.
pub(super) fn read(problems: &mut Problems<'_>) -> Option<Expression> {
    let Some(detection) = problems.value("/detection").and_then(Value::as_object) else {
        problems.add("MISSING_KEY", "/detection", "a rule needs a `detection` that is an object", None);
        return None;
    };
    let before = problems.diagnostics.len();
    if detection.contains_key("timeframe") {
        let help = "leave it away: every single event will match then";
        problems.add(
            "UNSUPPORTED_CONDITION",
            "/detection/timeframe",
            "a `timeframe` is not supported: a rule here looks at one event",
            Some(help),
        );
    }
    let mut searches = Vec::new();
    for (name, value) in detection.iter().filter(|(name, _)| !matches!(name.as_str(), "condition" | "timeframe")) {
        if let Some(expression) = search(problems, &under("/detection", name), value) {
            searches.push((name.clone(), expression));
        }
    }
    if problems.diagnostics.len() > before {
        return None;
    }
    conditions(problems, &searches)
}

/// `condition`: a text, or several of which one must hold.
fn conditions(problems: &mut Problems<'_>, searches: &[(String, Expression)]) -> Option<Expression> {
    let pointer = "/detection/condition";
    let written: Vec<(String, &str)> = match problems.value(pointer) {
        Some(Value::String(text)) => vec![(pointer.to_owned(), text.as_str())],
        Some(Value::Array(texts)) if !texts.is_empty() => texts
            .iter()
            .enumerate()
            .map(|(index, text)| (format!("{pointer}/{index}"), text.as_str().unwrap_or_default()))
            .collect(),
        _ => {
            problems.add("MISSING_KEY", pointer, "`detection` needs a `condition` that is a text", None);
            return None;
        }
    };
    let mut parts = Vec::new();
    for (pointer, text) in written {
        match condition::parse(text, searches) {
            Ok(expression) => parts.push(expression),
            Err(fault) => {
                let message = format!("the condition can't be read: {}", fault.message);
                problems.add(fault.code, &pointer, message, fault.help.as_deref());
                return None;
            }
        }
    }
    Some(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
}

fn search(problems: &mut Problems<'_>, pointer: &str, value: &Value) -> Option<Expression> {
    match value {
        Value::Object(entries) if entries.is_empty() => {
            problems.add("INVALID_VALUE", pointer, "a search identifier that asks for nothing", None);
            None
        }
        Value::Object(entries) => {
            let mut parts = Vec::new();
            for (key, value) in entries {
                parts.extend(field::read(problems, &under(pointer, key), key, value));
            }
            Some(Expression::All(parts))
        }
        Value::Array(values) if values.is_empty() => {
            problems.add("INVALID_VALUE", pointer, "a search identifier that asks for nothing", None);
            None
        }
        Value::Array(values) => {
            let mut parts = Vec::new();
            for (index, value) in values.iter().enumerate() {
                let pointer = format!("{pointer}/{index}");
                parts.extend(match value {
                    Value::Object(_) => search(problems, &pointer, value),
                    _ => field::keyword(problems, &pointer, value),
                });
            }
            Some(Expression::Any(parts))
        }
        _ => field::keyword(problems, pointer, value),
    }
}
