//! The operators of filters.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`.
    Equal,
    /// `===`: and of the same type.
    SameEqual,
    /// `!=`, `<>`.
    NotEqual,
    /// `!==`.
    NotSameEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `=~`.
    Matches,
    /// `in`.
    In,
    /// `nin`.
    NotIn,
    /// `contains`: an item of an array, a part of a string.
    Contains,
    /// `all`: an array has all of these.
    All,
    /// `size`: a string or array is so long.
    Size,
    /// `empty true`, `empty false`.
    Empty,
    /// `subsetof`.
    SubsetOf,
    /// `anyof`.
    AnyOf,
    /// `noneof`.
    NoneOf,
}

impl Operator {
    /// The operator that is written so, in any case.
    pub fn named(text: &str) -> Option<Operator> {
        Some(match text.to_ascii_lowercase().as_str() {
            "==" => Operator::Equal,
            "===" => Operator::SameEqual,
            "!=" | "<>" => Operator::NotEqual,
            "!==" => Operator::NotSameEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "=~" => Operator::Matches,
            "in" => Operator::In,
            "nin" => Operator::NotIn,
            "contains" => Operator::Contains,
            "all" => Operator::All,
            "size" => Operator::Size,
            "empty" => Operator::Empty,
            "subsetof" => Operator::SubsetOf,
            "anyof" => Operator::AnyOf,
            "noneof" => Operator::NoneOf,
            _ => return None,
        })
    }

    /// Whether it holds. `None` is a path that found nothing.
    pub fn compare(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let both = left.zip(right);
        let order =
            |wanted: fn(Ordering) -> bool| both.and_then(|(left, right)| order(left, right)).is_some_and(wanted);
        match self {
            Operator::Equal => both.is_some_and(|(left, right)| equal(left, right)),
            Operator::NotEqual => !Operator::Equal.compare(left, right),
            Operator::SameEqual => both.is_some_and(|(left, right)| same_type(left, right) && equal(left, right)),
            Operator::NotSameEqual => !Operator::SameEqual.compare(left, right),
            Operator::Less => order(Ordering::is_lt),
            Operator::LessOrEqual => order(Ordering::is_le),
            Operator::Greater => order(Ordering::is_gt),
            Operator::GreaterOrEqual => order(Ordering::is_ge),
            Operator::Matches => false,
            Operator::In => {
                left.is_some_and(|left| right.and_then(Value::as_array).is_some_and(|items| has(items, left)))
            }
            Operator::NotIn => !Operator::In.compare(left, right),
            Operator::Contains => match both {
                Some((Value::String(text), Value::String(part))) => text.contains(part.as_str()),
                Some((Value::Array(items), item)) => has(items, item),
                _ => false,
            },
            Operator::All => {
                lists(left, right).is_some_and(|(items, wanted)| wanted.iter().all(|item| has(items, item)))
            }
            Operator::Size => {
                both.is_some_and(|(left, right)| length(left).is_some_and(|size| Some(size) == right.as_i64()))
            }
            Operator::Empty => {
                both.is_some_and(|(left, right)| length(left).is_some_and(|size| Some(size == 0) == right.as_bool()))
            }
            Operator::SubsetOf => lists(left, right).is_some_and(|(items, of)| items.iter().all(|item| has(of, item))),
            Operator::AnyOf => lists(left, right).is_some_and(|(items, of)| items.iter().any(|item| has(of, item))),
            Operator::NoneOf => lists(left, right).is_some_and(|(items, of)| !items.iter().any(|item| has(of, item))),
        }
    }
}

fn lists<'v>(left: Option<&'v Value>, right: Option<&'v Value>) -> Option<(&'v Vec<Value>, &'v Vec<Value>)> {
    Some((left?.as_array()?, right?.as_array()?))
}

fn has(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| equal(item, wanted))
}

fn length(value: &Value) -> Option<i64> {
    let length = match value {
        Value::String(text) => text.encode_utf16().count(),
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => return None,
    };
    i64::try_from(length).ok()
}

fn same_type(left: &Value, right: &Value) -> bool {
    let is_container = |value: &Value| value.is_array() || value.is_object();
    std::mem::discriminant(left) == std::mem::discriminant(right) || is_container(left) && is_container(right)
}

/// Jayway's `==`: a number and a text are equal as the left of them sees it.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => order_numbers(left, right) == Some(Ordering::Equal),
        (Value::Number(left), Value::String(right)) => {
            right.parse::<Number>().is_ok_and(|right| order_numbers(left, &right) == Some(Ordering::Equal))
        }
        (Value::String(left), Value::Number(right)) => *left == right.to_string(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| equal(left, right)))
        }
        (left, right) => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => order_numbers(left, right),
        (Value::String(left), Value::String(right)) => Some(left.encode_utf16().cmp(right.encode_utf16())),
        (Value::String(left), Value::Number(right)) => Some(left.as_str().cmp(right.to_string().as_str())),
        (Value::Number(left), Value::String(right)) => Some(left.to_string().as_str().cmp(right.as_str())),
        _ => None,
    }
}

fn order_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}
