//! Timestamps as the protocols write them, and as results show them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

/// RFC 3339 text in the format named: `iso8601`, `rfc822`, `unixTimestamp`.
pub(crate) fn write(text: &str, format: &str) -> Value {
    let Ok(at) = text.parse::<Timestamp>() else { return Value::String(text.to_owned()) };
    match format {
        "unixTimestamp" if at.subsec_nanosecond() == 0 => Value::from(at.as_second()),
        "unixTimestamp" => Number::from_f64(seconds(at)).map_or_else(|| Value::from(at.as_second()), Value::Number),
        "rfc822" => {
            let text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
            Value::String(text.unwrap_or_else(|_| at.to_string()))
        }
        _ => Value::String(show(at)),
    }
}

/// Whatever a service wrote, as results show it.
pub(crate) fn read(value: &Value) -> Option<Value> {
    let at = match value {
        Value::Number(number) => from_seconds(number.as_f64()?),
        Value::String(text) => text
            .parse()
            .ok()
            .or_else(|| rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok())
            .or_else(|| text.parse::<f64>().ok().and_then(from_seconds))
            .or_else(|| text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())),
        _ => None,
    };
    // What is no timestamp is shown as it came.
    at.map(|at| Value::String(show(at))).or_else(|| value.as_str().map(Value::from))
}

/// Seconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "a timestamp in microseconds fits into 53 bits until 2255")]
pub(crate) fn from_seconds(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()
}

#[expect(clippy::cast_precision_loss, reason = "a timestamp in microseconds fits into 53 bits until 2255")]
fn seconds(at: Timestamp) -> f64 {
    at.as_microsecond() as f64 / 1e6
}

/// As Java's `Instant`: no fraction, or three, six or nine digits of it.
pub(super) fn show(at: Timestamp) -> String {
    match at.subsec_nanosecond() {
        0 => format!("{at:.0}"),
        nanos if nanos % 1_000_000 == 0 => format!("{at:.3}"),
        nanos if nanos % 1_000 == 0 => format!("{at:.6}"),
        _ => format!("{at:.9}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn written() {
        for (text, format, expected) in [
            ("2026-01-31T12:00:00Z", "unixTimestamp", json!(1_769_860_800)),
            ("2026-01-31T12:00:00.5Z", "unixTimestamp", json!(1_769_860_800.5)),
            ("2026-01-31T12:00:00Z", "rfc822", json!("Sat, 31 Jan 2026 12:00:00 GMT")),
            ("2026-01-31T12:00:00.25Z", "iso8601", json!("2026-01-31T12:00:00.250Z")),
        ] {
            assert_eq!(write(text, format), expected);
        }
    }

    #[test]
    fn read_in_every_format() {
        for (value, expected) in [
            (json!(1_769_860_800), "2026-01-31T12:00:00Z"),
            (json!(1_769_860_800.123), "2026-01-31T12:00:00.123Z"),
            (json!("1769860800"), "2026-01-31T12:00:00Z"),
            (json!("2026-01-31T12:00:00.000Z"), "2026-01-31T12:00:00Z"),
            (json!("2026-01-31T12:00:00"), "2026-01-31T12:00:00Z"),
            (json!("Sat, 31 Jan 2026 12:00:00 GMT"), "2026-01-31T12:00:00Z"),
            (json!("soon"), "soon"),
        ] {
            assert_eq!(read(&value), Some(json!(expected)), "{value}");
        }
    }
}
