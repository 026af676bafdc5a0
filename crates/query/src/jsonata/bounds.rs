//! The functions that `guard` puts around calls that can't be interrupted.

use std::{cell::Cell, collections::HashSet, fmt::Write as _, rc::Rc};

use jsonata_core::{
    evaluator::{Evaluator, EvaluatorError},
    value::{JArray, JValue},
};

use crate::limits;

type Answer = Result<JValue, EvaluatorError>;

/// Makes the functions known that `guard` writes into expressions.
pub fn register(evaluator: &mut Evaluator) -> Result<(), EvaluatorError> {
    evaluator.register_fn("check!", check)?;
    evaluator.register_fn("text to search!", text_to_search)?;
    evaluator.register_fn("pattern!", pattern)?;
    evaluator.register_fn("function!", function)?;
    evaluator.register_fn("few!", few)?;
    evaluator.register_fn("distinct!", distinct)?;
    let given = Rc::new(Cell::new(0usize));
    for (name, weight) in [("items!", 1), ("tuples!", limits::JSONATA_TUPLE)] {
        let given = Rc::clone(&given);
        evaluator.register_fn(name, move |arguments: &[JValue]| count(&given, weight, arguments))?;
    }
    let written = Rc::new(Cell::new(0usize));
    evaluator.register_fn("text!", move |arguments: &[JValue]| {
        let [text] = arguments else { return Ok(JValue::Undefined) };
        written.set(written.get().saturating_add(text.as_str().map_or(0, str::len)));
        if written.get() > limits::JSONATA_CONCATENATED {
            let limit = limits::JSONATA_CONCATENATED;
            return Err(refuse(&format!("the texts that & has made are longer than {limit} bytes together")));
        }
        Ok(text.clone())
    })
}

/// Counts what a step of a path gives.
fn count(given: &Cell<usize>, weight: usize, arguments: &[JValue]) -> Answer {
    let [items] = arguments else { return Ok(JValue::Undefined) };
    let items_given = items.as_array().map_or(1, Vec::len);
    given.set(given.get().saturating_add(items_given.saturating_mul(weight)));
    if given.get() > limits::JSONATA_PRODUCT {
        return Err(refuse("the steps of a path give too many items for each of others"));
    }
    Ok(items.clone())
}

fn refuse(message: &str) -> EvaluatorError {
    EvaluatorError::EvaluationError(format!("D1010: {message}"))
}

/// What a call is of: the name, what is called, the context, and the arguments.
struct Call<'a> {
    name: &'a str,
    /// The context if the first argument is left out, and the arguments.
    arguments: Vec<&'a JValue>,
}

impl<'a> Call<'a> {
    /// `None` where it is no call of the library's function.
    fn of(arguments: &'a [JValue]) -> Option<Call<'a>> {
        let [JValue::String(name), called, context, arguments @ ..] = arguments else { return None };
        if !matches!(called, JValue::Builtin { .. }) {
            return None;
        }
        // The functions of texts take the context where their first argument is none.
        let takes_context = !matches!(&**name, "join" | "zip" | "distinct");
        let is_left_out = takes_context
            && match &**name {
                "string" | "base64decode" | "decodeUrl" | "decodeUrlComponent" => arguments.is_empty(),
                "pad" => !arguments.first().is_some_and(JValue::is_string),
                "replace" => arguments.len() == 2 || !arguments.first().is_some_and(JValue::is_string),
                _ => arguments.len() == 1 || !arguments.first().is_some_and(JValue::is_string),
            };
        let context = is_left_out.then_some(context);
        Some(Call { name, arguments: context.into_iter().chain(arguments).collect() })
    }

    fn text(&self, index: usize) -> Option<&'a str> {
        self.arguments.get(index).and_then(|argument| argument.as_str())
    }

    fn is_pattern(&self) -> bool {
        self.arguments.get(1).is_some_and(|pattern| pattern.is_regex())
    }
}

/// What stands for an error that AWS calls internal.
pub const INTERNAL: &str = "an internal error";

/// Refuses a call whose answer would be too long, and one that the library takes and AWS does not.
fn check(arguments: &[JValue]) -> Answer {
    let Some(call) = Call::of(arguments) else { return Ok(JValue::Undefined) };
    match call.name {
        "pad" if call.arguments.get(1).and_then(|width| width.as_f64()).is_some_and(|width| width.abs() > limit()) => {
            let message = format!("$pad makes no text longer than {} characters", limits::JSONATA_PAD);
            return Err(refuse(&message));
        }
        "base64decode" if call.text(0).is_some_and(|text| !is_base64(text)) => {
            return Err(EvaluatorError::EvaluationError(INTERNAL.to_owned()));
        }
        "decodeUrl" | "decodeUrlComponent" => {
            if let Some(text) = call.text(0).filter(|text| !is_percent_encoded(text)) {
                let text = serde_json::Value::from(text);
                let message = format!("D3140: Malformed URL passed to ${}(): {text}", call.name);
                return Err(EvaluatorError::EvaluationError(message));
            }
        }
        "replace" => short("replace", replaced(&call))?,
        "join" => short("join", joined(&call))?,
        "string" => {
            let mut left = limits::JSONATA_TEXT;
            if !call.arguments.first().is_none_or(|value| fits(value, &mut left)) {
                return short("string", usize::MAX).map(|()| JValue::Undefined);
            }
        }
        "zip" => {
            let lengths = call.arguments.iter().map(|argument| argument.as_array().map_or(1, Vec::len));
            let shortest = lengths.min().unwrap_or(0);
            if shortest.saturating_mul(call.arguments.len()) > limits::JSONATA_SEQUENCE {
                let message = format!("$zip makes arrays of no more than {} items together", limits::JSONATA_SEQUENCE);
                return Err(refuse(&message));
            }
        }
        _ => {}
    }
    Ok(JValue::Undefined)
}

/// Whether Java's decoder takes the text: without padding, or with all of it.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    digits.bytes().all(is_digit) && matches!((digits.len() % 4, padding), (0 | 2 | 3, 0) | (2, 2) | (3, 1))
}

/// Whether each `%` has its two digits.
fn is_percent_encoded(text: &str) -> bool {
    let is_digit = |found: Option<char>| found.is_some_and(|found| found.is_ascii_hexdigit());
    text.split('%').skip(1).all(|part| {
        let mut characters = part.chars();
        is_digit(characters.next()) && is_digit(characters.next())
    })
}

#[expect(clippy::cast_precision_loss, reason = "the limit is far below 2^53")]
fn limit() -> f64 {
    limits::JSONATA_PAD as f64
}

fn short(name: &str, length: usize) -> Result<(), EvaluatorError> {
    if length <= limits::JSONATA_TEXT {
        return Ok(());
    }
    Err(refuse(&format!("${name} makes no text that may be longer than {} bytes", limits::JSONATA_TEXT)))
}

/// How long the answer of `$replace` can be.
fn replaced(call: &Call<'_>) -> usize {
    let (Some(text), Some(replacement)) = (call.text(0), call.text(2)) else { return 0 };
    match (call.text(1), call.is_pattern()) {
        (Some(part), _) if !part.is_empty() => {
            let times = text.matches(part).count();
            times.saturating_mul(replacement.len()).saturating_add(text.len())
        }
        (_, true) => {
            // Each match has a character, and a `$1` puts in no more than what matched.
            let put_in = text.len().saturating_mul(replacement.matches('$').count());
            text.len().saturating_mul(replacement.len()).saturating_add(put_in).saturating_add(text.len())
        }
        _ => 0,
    }
}

/// How long the answer of `$join` is.
fn joined(call: &Call<'_>) -> usize {
    let Some(items) = call.arguments.first().and_then(|items| items.as_array()) else { return 0 };
    let between = call.text(1).map_or(0, str::len).saturating_mul(items.len());
    items.iter().filter_map(JValue::as_str).map(str::len).fold(between, usize::saturating_add)
}

/// Whether a value as JSON takes no more than what is left. Values share their parts: thirty doublings are a gigabyte.
fn fits(value: &JValue, left: &mut usize) -> bool {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        let own = match value {
            JValue::String(text) => text.len(),
            JValue::Object(fields) => fields.keys().map(String::len).fold(0, usize::saturating_add),
            _ => 0,
        };
        let Some(rest) = left.checked_sub(own.saturating_add(2)) else { return false };
        *left = rest;
        match value {
            JValue::Array(items) => open.extend(items.iter()),
            JValue::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    true
}

/// The text that is searched for a regular expression again and again, where it is long.
fn text_to_search(arguments: &[JValue]) -> Answer {
    let found = Call::of(arguments).filter(Call::is_pattern).and_then(|call| call.arguments.first().copied().cloned());
    Ok(found
        .filter(|text| text.as_str().is_some_and(|text| text.len() > limits::JSONATA_SEARCHED))
        .unwrap_or(JValue::Undefined))
}

/// The regular expression among the arguments; a text where there is none.
fn pattern(arguments: &[JValue]) -> Answer {
    let found = arguments.iter().skip(2).find(|argument| argument.is_regex()).cloned();
    Ok(found.unwrap_or_else(|| JValue::from("-")))
}

/// The second of two functions where the first is the library's own.
fn function(arguments: &[JValue]) -> Answer {
    match arguments {
        [JValue::Builtin { .. }, guarded] => Ok(guarded.clone()),
        [value, _] => Ok(value.clone()),
        _ => Ok(JValue::Undefined),
    }
}

/// Whether there are so few items that each can be compared with each.
fn few(arguments: &[JValue]) -> Answer {
    let items = arguments.first().and_then(JValue::as_array);
    Ok(JValue::Bool(items.is_none_or(|items| items.len() <= limits::JSONATA_COMPARED)))
}

/// `$distinct` of many items.
fn distinct(arguments: &[JValue]) -> Answer {
    let [JValue::Array(items)] = arguments else { return Ok(JValue::Undefined) };
    let mut seen = HashSet::new();
    let mut left = limits::JSONATA_TEXT;
    let mut kept = Vec::new();
    for item in items.iter() {
        if !fits(item, &mut left) {
            return short("distinct", usize::MAX).map(|()| JValue::Undefined);
        }
        let mut key = String::new();
        if !write_key(item, &mut key) || seen.insert(key) {
            kept.push(item.clone());
        }
    }
    Ok(JValue::Array(JArray::with_items(&items.fresh_sequence(), kept)))
}

/// A text that is the same for equal values, whatever the order of their fields; `false` for what equals nothing.
fn write_key(value: &JValue, key: &mut String) -> bool {
    match value {
        JValue::Null => key.push_str("null"),
        JValue::Bool(value) => _ = write!(key, "{value}"),
        // 0 and -0 are equal.
        JValue::Number(number) => _ = write!(key, "{:?}", number + 0.0),
        JValue::String(text) => _ = write!(key, "{text:?}"),
        JValue::Array(items) => {
            key.push('[');
            for item in items.iter() {
                if !write_key(item, key) {
                    return false;
                }
                key.push(',');
            }
            key.push(']');
        }
        JValue::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            key.push('{');
            for name in names {
                _ = write!(key, "{name:?}:");
                if !fields.get(name).is_some_and(|field| write_key(field, key)) {
                    return false;
                }
                key.push(',');
            }
            key.push('}');
        }
        _ => return false,
    }
    true
}
