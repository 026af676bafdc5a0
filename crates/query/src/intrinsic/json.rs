//! `States.StringToJson`, `States.JsonToString`, `States.JsonMerge`.

use serde_json::{Number, Value};

use super::count;
use crate::java;

/// `States.StringToJson(text)`.
pub fn parse(values: &[Value]) -> Result<Value, String> {
    let [Value::String(text)] = values else { return Err(count("a text", values)) };
    parse_text(text).map_err(|error| format!("the text is not JSON: {error}"))
}

/// Parses JSON; an empty text is null, and -0 is 0, as on AWS.
pub fn parse_text(text: &str) -> Result<Value, serde_json::Error> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    let mut value = serde_json::from_str(text)?;
    unsign_zeros(&mut value);
    Ok(value)
}

fn unsign_zeros(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_f64() == Some(0.0) && number.is_f64() => *number = Number::from(0),
        Value::Array(items) => items.iter_mut().for_each(unsign_zeros),
        Value::Object(fields) => fields.values_mut().for_each(unsign_zeros),
        _ => {}
    }
}

/// `States.JsonToString(value)`.
pub fn print(values: &[Value]) -> Result<Value, String> {
    let [value] = values else { return Err(count("one value", values)) };
    Ok(Value::String(java::json(value)))
}

/// `States.JsonMerge(first, second, false)`: a shallow merge, fields of the second winning, in the order of a
/// Java HashMap.
pub fn merge(values: &[Value]) -> Result<Value, String> {
    let [Value::Object(first), Value::Object(second), Value::Bool(deep)] = values else {
        return Err(count("two objects and false", values));
    };
    if *deep {
        return Err("deep merging is not supported: the third argument has to be false".to_owned());
    }
    let mut merged = first.clone();
    merged.extend(second.clone());
    Ok(Value::Object(java::hash_map(merged)))
}
