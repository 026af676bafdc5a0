//! `States.MathRandom`, `States.MathAdd`.

use rand_chacha::ChaCha20Rng;
use serde_json::Value;

use super::count;
use crate::random;

/// A number as a whole number: rounded half up, as Java's `Math.round` does.
pub fn integer(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let rounded = (value.as_f64()? + 0.5).floor();
    // Beyond 2^53 a double has no halves, and only what an i64 holds is wanted.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
    (rounded.abs() < 9.0e18).then_some(rounded as i64)
}

/// `States.MathAdd(one, other)`.
pub fn add(values: &[Value]) -> Result<Value, String> {
    let [one, other] = values else { return Err(count("two numbers", values)) };
    let (one, other) = integer(one).zip(integer(other)).ok_or_else(|| count("two numbers", values))?;
    one.checked_add(other).map(Value::from).ok_or_else(|| "the sum is too large".to_owned())
}

/// `States.MathRandom(start, end)` or `(start, end, seed)`: `start` is in the range, `end` is not.
pub fn random(values: &[Value], generator: impl Fn() -> ChaCha20Rng) -> Result<Value, String> {
    let wanted = "a start, a larger end and perhaps a seed";
    let refuse = || count(wanted, values);
    let (bounds, mut generator) = match values {
        [start, end] => ((start, end), generator()),
        [start, end, seed] => {
            let seed = integer(seed).ok_or_else(refuse)?;
            ((start, end), random::seeded(&[&seed.to_le_bytes()]))
        }
        _ => return Err(refuse()),
    };
    let (start, end) = integer(bounds.0).zip(integer(bounds.1)).ok_or_else(refuse)?;
    let width = end.checked_sub(start).and_then(|width| u64::try_from(width).ok()).filter(|width| *width > 0);
    let drawn = random::below(&mut generator, width.ok_or_else(refuse)?);
    Ok(Value::from(start.saturating_add_unsigned(drawn)))
}
