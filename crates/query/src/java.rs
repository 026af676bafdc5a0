//! What of Java shows in AWS's answers.

use std::io;

use serde::Serialize as _;
use serde_json::{
    Map, Number, Serializer, Value,
    ser::{CompactFormatter, Formatter},
};

/// In which order a `java.util.HashMap` hands out its keys when they were put in in the order given.
///
/// The table has 16 buckets and doubles when it is more than three quarters full; a key's bucket is the low bits of its
/// spread hash; within a bucket keys keep their order.
pub fn hash_map_order(keys: &[&str]) -> Vec<usize> {
    let mut buckets = 16usize;
    while keys.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    let mask = u32::try_from(buckets - 1).unwrap_or(u32::MAX);
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|index| keys.get(*index).map(|key| spread_hash(key) & mask));
    order
}

/// `fields` in the order of a `java.util.HashMap`.
pub fn hash_map(fields: Map<String, Value>) -> Map<String, Value> {
    let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
    let order = hash_map_order(&keys);
    let mut fields: Vec<Option<(String, Value)>> = fields.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| fields.get_mut(index)?.take()).collect()
}

/// `String.hashCode()` as `HashMap` mixes it.
fn spread_hash(text: &str) -> u32 {
    let hash = text.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    hash ^ (hash >> 16)
}

/// The value as compact JSON, its numbers as Java writes them.
pub fn json(value: &Value) -> String {
    let mut text = Vec::new();
    match value.serialize(&mut Serializer::with_formatter(&mut text, Java)) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        // A `Vec` takes all that is written.
        Err(_) => value.to_string(),
    }
}

/// A number as Java writes it: `1.0E-7`, and what is whole as it is.
pub fn number(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(value) => double(value),
        None => number.to_string(),
    }
}

/// `Double.toString()`.
///
/// Source: <https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/lang/Double.html#toString(double)>
fn double(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) || !value.is_finite() {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

/// Writes JSON as Java does.
struct Java;

impl Formatter for Java {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        CompactFormatter.write_string_fragment(writer, &double(value))
    }
}

/// `java.util.Random`, with which AWS answers a seeded `$random`.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    const MASK: u64 = (1 << 48) - 1;
    const MULTIPLIER: u64 = 0x5_deec_e66d;

    /// With a seed.
    pub fn new(seed: i64) -> Random {
        Random((seed.cast_unsigned() ^ Random::MULTIPLIER) & Random::MASK)
    }

    fn next(&mut self, bits: u32) -> u64 {
        self.0 = self.0.wrapping_mul(Random::MULTIPLIER).wrapping_add(0xb) & Random::MASK;
        self.0 >> (48 - bits)
    }

    /// `nextDouble()`: a number in [0, 1).
    pub fn fraction(&mut self) -> f64 {
        let bits = (self.next(26) << 27) + self.next(27);
        #[expect(clippy::cast_precision_loss, reason = "both numbers are at most 2^53 and exact")]
        let fraction = bits as f64 / (1u64 << 53) as f64;
        fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_strings_hash_as_java_says() {
        for (text, hash) in [("", 0u32), ("a", 97), ("hello", 99_162_322)] {
            assert_eq!(spread_hash(text), hash ^ (hash >> 16), "{text}");
        }
        // Both fall together with what AWS answered to States.JsonMerge.
        assert_eq!(hash_map_order(&["constant_in_literal", "constant_input_field"]), [1, 0]);
    }

    #[test]
    fn numbers_are_written_as_java_does() {
        for (text, written) in [
            ("1e-7", "1.0E-7"),
            ("1.5e20", "1.5E20"),
            ("1e20", "1.0E20"),
            ("12345678.5", "1.23456785E7"),
            ("10000000.0", "1.0E7"),
            ("9999999.5", "9999999.5"),
            ("0.001", "0.001"),
            ("0.00099", "9.9E-4"),
            ("-1.25e-10", "-1.25E-10"),
            ("1.5", "1.5"),
            ("2.0", "2.0"),
            ("0.0", "0.0"),
            ("-0.0", "-0.0"),
            ("1e2", "100.0"),
            ("1.7976931348623157e308", "1.7976931348623157E308"),
            ("12345678", "12345678"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            let value: Value = serde_json::from_str(text).expect(text);
            assert_eq!(json(&value), written, "{text}");
            assert!(matches!(&value, Value::Number(found) if number(found) == written), "{text}");
        }
        let value = serde_json::json!({"a": [1e20, "1e20 \"\n"], "b": null, "c": {}});
        assert_eq!(json(&value), r#"{"a":[1.0E20,"1e20 \"\n"],"b":null,"c":{}}"#);
    }

    #[test]
    fn random_numbers_are_javas() {
        for (seed, fraction) in [(42, 0.7275636800328681), (0, 0.730967787376657), (7, 0.7306990420600421)] {
            assert_eq!(Random::new(seed).fraction(), fraction, "{seed}");
        }
    }

    #[test]
    fn a_full_table_doubles() {
        let keys: Vec<String> = (0..13).map(|number| format!("key{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut order = hash_map_order(&keys);
        let buckets: Vec<u32> = order.iter().map(|index| spread_hash(keys[*index]) & 31).collect();
        assert!(buckets.is_sorted(), "{buckets:?}");
        order.sort_unstable();
        assert_eq!(order, (0..13).collect::<Vec<_>>());
    }
}
