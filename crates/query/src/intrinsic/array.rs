//! The functions of arrays.

use serde_json::Value;

use super::{count, math::integer};
use crate::limits;

/// `States.ArrayPartition(array, size)`.
pub fn partition(values: &[Value]) -> Result<Value, String> {
    let wanted = "an array and a size of at least 1";
    let [Value::Array(items), size] = values else { return Err(count(wanted, values)) };
    let size = integer(size).and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    let size = size.ok_or_else(|| count(wanted, values))?;
    Ok(items.chunks(size).map(|chunk| Value::Array(chunk.to_vec())).collect())
}

/// `States.ArrayContains(array, value)`.
pub fn contains(values: &[Value]) -> Result<Value, String> {
    let [Value::Array(items), wanted] = values else { return Err(count("an array and a value", values)) };
    Ok(Value::Bool(items.iter().any(|item| same(item, wanted))))
}

/// `States.ArrayRange(first, last, step)`: the last is in it, if the steps meet it.
pub fn range(values: &[Value]) -> Result<Value, String> {
    let wanted = "a first and a last number and a step other than 0";
    let [first, last, step] = values else { return Err(count(wanted, values)) };
    let numbers = integer(first).zip(integer(last)).zip(integer(step)).filter(|(_, step)| *step != 0);
    let ((first, last), step) = numbers.ok_or_else(|| count(wanted, values))?;
    steps(first, last, step).map(|numbers| numbers.into_iter().map(Value::from).collect())
}

/// The numbers from `first` to `last`.
fn steps(first: i64, last: i64, step: i64) -> Result<Vec<i64>, String> {
    let mut numbers = Vec::new();
    let mut next = Some(first);
    while let Some(number) = next.filter(|number| if step > 0 { *number <= last } else { *number >= last }) {
        if numbers.len() >= limits::RANGE_LENGTH {
            return Err(format!("the array would have more than {} elements", limits::RANGE_LENGTH));
        }
        numbers.push(number);
        next = number.checked_add(step);
    }
    Ok(numbers)
}

/// `States.ArrayGetItem(array, index)`.
pub fn item(values: &[Value]) -> Result<Value, String> {
    let [Value::Array(items), index] = values else { return Err(count("an array and an index", values)) };
    let index = integer(index).ok_or_else(|| count("an array and an index", values))?;
    let item = usize::try_from(index).ok().and_then(|index| items.get(index)).cloned();
    item.ok_or_else(|| format!("the array has {} elements, none at index {index}", items.len()))
}

/// `States.ArrayLength(array)`.
pub fn length(values: &[Value]) -> Result<Value, String> {
    let [Value::Array(items)] = values else { return Err(count("an array", values)) };
    Ok(items.len().into())
}

/// `States.ArrayUnique(array)`: the first of those that are equal.
pub fn unique(values: &[Value]) -> Result<Value, String> {
    let [Value::Array(items)] = values else { return Err(count("an array", values)) };
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if !kept.iter().any(|other| same(other, item)) {
            kept.push(item.clone());
        }
    }
    Ok(Value::Array(kept))
}

/// Equal, 1 and 1.0 too.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}
