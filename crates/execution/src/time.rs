//! Timestamps: as the States Language writes them, and as events have them.

use jiff::{SignedDuration, Timestamp};

/// A timestamp of RFC 3339 as the States Language narrows it: `T` between date and time, and `Z` or an offset behind it.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    // jiff takes more than that: a blank for `T`, small letters, offsets without colon, time zone names.
    let (date, time) = text.split_once('T')?;
    let is_date = date.len() >= 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let (clock, has_offset) = match time.strip_suffix('Z') {
        Some(clock) => (clock, true),
        None => match time.rfind(['+', '-']) {
            Some(sign) => {
                let (clock, offset) = time.split_at(sign);
                (clock, offset.len() == 6 && offset.as_bytes().get(3) == Some(&b':'))
            }
            None => (time, false),
        },
    };
    let is_clock = clock.len() >= 8 && clock.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'));
    (is_date && is_clock && has_offset).then(|| text.parse().ok()).flatten()
}

/// A time as events have it: to the millisecond.
pub(crate) fn to_milliseconds(timestamp: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(timestamp.as_millisecond()).unwrap_or(timestamp)
}

/// A time some seconds later, or the last there is.
pub(crate) fn later(now: Timestamp, duration: SignedDuration) -> Timestamp {
    to_milliseconds(now.checked_add(duration).unwrap_or(Timestamp::MAX))
}

/// A time a number of seconds later, or the last there is.
pub(crate) fn later_by_seconds(now: Timestamp, seconds: u64) -> Timestamp {
    later(now, SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_timestamps_are_timestamps() {
        let check = |text: &str, milliseconds: Option<i64>| {
            assert_eq!(parse(text).map(Timestamp::as_millisecond), milliseconds, "{text}");
        };
        check("2016-03-14T01:59:00Z", Some(1_457_920_740_000));
        check("2016-03-14T01:59:00.243167252Z", Some(1_457_920_740_243));
        check("2016-03-14T01:59:00+01:00", Some(1_457_917_140_000));
        check("2016-03-14 01:59:00Z", None);
        check("2016-03-14t01:59:00z", None);
        check("2016-03-14T01:59:00", None);
        check("2016-13-14T01:59:00Z", None);
        check("2016-03-14T25:59:00Z", None);
        check("2016-03-14", None);
        check("05-12-2016T21:29:29Z", None);
        check("2016-03-14T01:59:00+0100", None);
        check("2016-03-14T01:59:00Z[UTC]", None);
    }
}
