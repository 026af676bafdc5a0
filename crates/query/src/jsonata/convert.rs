//! JSON to the evaluator's values and back.

use jsonata_core::value::JValue;
use serde_json::{Map, Number, Value};

use crate::limits;

/// Why a value is no JSON.
#[derive(Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// A function or a regular expression.
    Kind,
    /// It nests deeper than [`limits::VALUE_DEPTH`].
    Depth,
    /// It takes more than [`limits::VALUE_SIZE`] bytes. Values share their parts in the evaluator, but not in JSON: thirty
    /// doublings of a small object are a gigabyte.
    Size,
}

/// The value as JSON. Whole numbers come out as whole numbers: 1, not 1.0.
pub fn to_json(value: &JValue) -> Result<Value, Unsupported> {
    Conversion { left: limits::VALUE_SIZE }.convert(value, 0)
}

struct Conversion {
    /// How many bytes may still be taken.
    left: usize,
}

impl Conversion {
    fn take(&mut self, bytes: usize) -> Result<(), Unsupported> {
        self.left = self.left.checked_sub(bytes).ok_or(Unsupported::Size)?;
        Ok(())
    }

    fn convert(&mut self, value: &JValue, depth: usize) -> Result<Value, Unsupported> {
        if depth > limits::VALUE_DEPTH {
            return Err(Unsupported::Depth);
        }
        // About what the shortest value takes in JSON, with its comma.
        self.take(2)?;
        match value {
            JValue::Null => Ok(Value::Null),
            JValue::Bool(value) => Ok(Value::Bool(*value)),
            // What is no number in JSON is a text, as on AWS.
            JValue::Number(number) => Ok(match to_number(*number) {
                Some(number) => Value::Number(number),
                None if number.is_nan() => Value::from("NaN"),
                None if *number < 0.0 => Value::from("-Infinity"),
                None => Value::from("Infinity"),
            }),
            JValue::String(text) => {
                self.take(text.len())?;
                Ok(Value::String(text.to_string()))
            }
            JValue::Array(items) => {
                let mut converted = Vec::new();
                for item in items.iter().filter(|item| !item.is_undefined()) {
                    converted.push(self.convert(item, depth + 1)?);
                }
                Ok(Value::Array(converted))
            }
            JValue::Object(fields) => {
                let mut converted = Map::new();
                for (name, field) in fields.iter().filter(|(_, field)| !field.is_undefined()) {
                    self.take(name.len())?;
                    converted.insert(name.clone(), self.convert(field, depth + 1)?);
                }
                Ok(Value::Object(converted))
            }
            _ => Err(Unsupported::Kind),
        }
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
