//! YAML's plain scalars, by the core schema of YAML 1.2 (<https://yaml.org/spec/1.2.2/#103-core-schema>).

use serde_json::{Number, Value};

/// What a plain scalar is; `None` where it is a number that JSON can't hold (`.inf`, `.nan`, `1e999`).
pub(super) fn resolve(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return Some(radix(text, digits, 16));
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return Some(radix(text, digits, 8));
    }
    if is_decimal(unsigned) { decimal(text) } else { Some(Value::String(text.to_owned())) }
}

fn radix(text: &str, digits: &str, radix: u32) -> Value {
    match u64::from_str_radix(digits, radix) {
        Ok(number) if !digits.starts_with('+') => Value::from(number),
        _ => Value::String(text.to_owned()),
    }
}

/// `[0-9]+` or `(\.[0-9]+ | [0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_holds = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent_holds && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

fn decimal(text: &str) -> Option<Value> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::from(number));
    }
    if let Ok(number) = text.parse::<u64>() {
        return Some(Value::from(number));
    }
    text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn core_schema() {
        for (text, expected) in [
            ("on", json!("on")),
            ("yes", json!("yes")),
            ("No", json!("No")),
            ("~", json!(null)),
            ("TRUE", json!(true)),
            ("tRue", json!("tRue")),
            ("12", json!(12)),
            ("+12", json!(12)),
            ("-7", json!(-7)),
            ("0o17", json!(15)),
            ("0xff", json!(255)),
            ("0x", json!("0x")),
            ("0x+1", json!("0x+1")),
            ("1_000", json!("1_000")),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            (".", json!(".")),
            ("1e3", json!(1000.0)),
            ("1e", json!("1e")),
            ("e3", json!("e3")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("2016-12-05", json!("2016-12-05")),
            ("12:30:45", json!("12:30:45")),
            ("+", json!("+")),
        ] {
            assert_eq!(resolve(text), Some(expected), "{text}");
        }
        for text in [".inf", "-.INF", ".nan", "1e999"] {
            assert_eq!(resolve(text), None, "{text}");
        }
    }
}
