//! JSON to the evaluator's values and back.

use jsonata_core::value::JValue;
use serde_json::{Number, Value};

use crate::limits;

/// Why a value is no JSON.
#[derive(Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// A function, a regular expression, or a number that is none.
    Kind,
    /// It nests deeper than [`limits::VALUE_DEPTH`].
    Depth,
}

/// The value as JSON. Whole numbers come out as whole numbers: 1, not 1.0.
pub fn to_json(value: &JValue) -> Result<Value, Unsupported> {
    at_depth(value, 0)
}

fn at_depth(value: &JValue, depth: usize) -> Result<Value, Unsupported> {
    if depth > limits::VALUE_DEPTH {
        return Err(Unsupported::Depth);
    }
    match value {
        JValue::Null => Ok(Value::Null),
        JValue::Bool(value) => Ok(Value::Bool(*value)),
        JValue::Number(number) => to_number(*number).map(Value::Number).ok_or(Unsupported::Kind),
        JValue::String(text) => Ok(Value::String(text.to_string())),
        JValue::Array(items) => items
            .iter()
            .filter(|item| !item.is_undefined())
            .map(|item| at_depth(item, depth + 1))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        JValue::Object(fields) => fields
            .iter()
            .filter(|(_, field)| !field.is_undefined())
            .map(|(name, field)| Ok((name.clone(), at_depth(field, depth + 1)?)))
            .collect::<Result<_, _>>()
            .map(Value::Object),
        _ => Err(Unsupported::Kind),
    }
}

fn to_number(number: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Some(Number::from(number as i64));
    }
    Number::from_f64(number)
}

/// JSON as a value.
pub fn from_json(value: &Value) -> JValue {
    JValue::from(value.clone())
}
