//! The functions at the end of a path: `$.numbers.sum()`.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::evaluator::Failure;

/// A function of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `min()`.
    Minimum,
    /// `max()`.
    Maximum,
    /// `avg()`.
    Average,
    /// `stddev()`: of the whole population.
    StandardDeviation,
    /// `sum()`.
    Sum,
    /// `length()`, `size()`: of an array or object; null of anything else.
    Length,
    /// `keys()`.
    Keys,
    /// `concat(…)`: the texts of an array and of the arguments in one.
    Concatenate,
    /// `append(…)`: an array and the arguments after it.
    Append,
    /// `first()`.
    First,
    /// `last()`.
    Last,
    /// `index(n)`.
    Index,
}

impl Function {
    /// The function of that name.
    pub fn named(name: &str) -> Option<Function> {
        Some(match name {
            "min" => Function::Minimum,
            "max" => Function::Maximum,
            "avg" => Function::Average,
            "stddev" => Function::StandardDeviation,
            "sum" => Function::Sum,
            "length" | "size" => Function::Length,
            "keys" => Function::Keys,
            "concat" => Function::Concatenate,
            "append" => Function::Append,
            "first" => Function::First,
            "last" => Function::Last,
            "index" => Function::Index,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Function::Minimum => "min",
            Function::Maximum => "max",
            Function::Average => "avg",
            Function::StandardDeviation => "stddev",
            Function::Sum => "sum",
            Function::Length => "length",
            Function::Keys => "keys",
            Function::Concatenate => "concat",
            Function::Append => "append",
            Function::First => "first",
            Function::Last => "last",
            Function::Index => "index",
        }
    }

    /// Its answer for a node.
    pub fn call(self, model: &Value, arguments: &[Cow<'_, Value>]) -> Result<Value, Failure> {
        match self {
            Function::Length => Ok(match model {
                Value::Array(items) => items.len().into(),
                Value::Object(fields) => fields.len().into(),
                _ => Value::Null,
            }),
            Function::Keys => Ok(match model {
                Value::Object(fields) => fields.keys().cloned().map(Value::String).collect(),
                _ => Value::Null,
            }),
            Function::Concatenate => Ok(Value::String(concatenate(model, arguments))),
            Function::Append => Ok(match model {
                Value::Array(items) => {
                    items.iter().cloned().chain(arguments.iter().map(|argument| argument.as_ref().clone())).collect()
                }
                other => other.clone(),
            }),
            Function::First => item(model, 0),
            Function::Last => item(model, -1),
            Function::Index => item(model, arguments.first().and_then(|argument| argument.as_i64()).unwrap_or(0)),
            _ => {
                let numbers = numbers(model, arguments);
                if numbers.is_empty() {
                    return Err(empty());
                }
                self.aggregate(&numbers)
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a document has no 2^53 numbers")]
    fn aggregate(self, numbers: &[f64]) -> Result<Value, Failure> {
        let count = numbers.len() as f64;
        let sum: f64 = numbers.iter().sum();
        let value = match self {
            Function::Minimum => numbers.iter().copied().fold(f64::INFINITY, f64::min),
            Function::Maximum => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Function::Average => sum / count,
            Function::StandardDeviation => {
                let squares: f64 = numbers.iter().map(|number| number * number).sum();
                (squares / count - sum * sum / count / count).sqrt()
            }
            _ => sum,
        };
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| Failure::Invalid("The result is not a number".to_owned()))
    }
}

fn empty() -> Failure {
    Failure::Invalid("Aggregation function attempted to calculate value using empty array".to_owned())
}

/// The numbers of the node, if it is an array, and of the arguments.
fn numbers(model: &Value, arguments: &[Cow<'_, Value>]) -> Vec<f64> {
    let mut numbers: Vec<f64> = model.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    for argument in arguments {
        match argument.as_ref() {
            Value::Array(items) => numbers.extend(items.iter().filter_map(Value::as_f64)),
            value => numbers.extend(value.as_f64()),
        }
    }
    numbers
}

fn concatenate(model: &Value, arguments: &[Cow<'_, Value>]) -> String {
    let mut text: String = model.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for argument in arguments {
        match argument.as_ref() {
            Value::Array(items) => text.extend(items.iter().filter_map(Value::as_str)),
            Value::String(part) => text.push_str(part),
            other => text.push_str(&other.to_string()),
        }
    }
    text
}

fn item(model: &Value, index: i64) -> Result<Value, Failure> {
    let Value::Array(items) = model else { return Err(empty()) };
    super::evaluator::position(index, items.len())
        .and_then(|at| items.get(at))
        .cloned()
        .ok_or_else(|| Failure::Invalid(format!("Target index:{index} larger than object count:{}", items.len())))
}
