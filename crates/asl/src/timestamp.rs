//! Timestamps as the States Language takes them.

use jiff::Timestamp;

/// A timestamp of RFC 3339 with the `T` and the `Z` (or an offset) in capitals: `2016-08-18T17:33:00Z`.
///
/// Source: <https://states-language.net/spec.html#timestamps>.
pub fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let is_date = date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let (clock, zone) = time.split_at_checked(time.find(['Z', '+', '-'])?)?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_clock = {
        let (seconds, fraction) = clock.split_once('.').map_or((clock, None), |(left, right)| (left, Some(right)));
        seconds.len() == 8 && seconds.split(':').all(digits) && fraction.is_none_or(digits)
    };
    let is_zone = zone == "Z" || zone.get(1..).is_some_and(|zone| zone.len() == 5 && zone.split(':').all(digits));
    (is_date && is_clock && is_zone).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339() {
        for text in [
            "2016-08-18T17:33:00Z",
            "2016-08-18T17:33:00.123Z",
            "2016-08-18T17:33:00+02:00",
            "2016-02-29T00:00:00-00:30",
        ] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "2016-13-05T21:29:29Z",
            "05-12-2016T21:29:29Z",
            "2016-12-05T25:29:29Z",
            "{% '2016-03-14T01:59:00Z' %}",
            "2016-12-05 21:29:29Z",
            "2016-12-05T21:29:29",
            "2016-12-05t21:29:29Z",
            "2016-12-05T21:29:29z",
            "2016-12-05",
            "2016-12-05T21:29Z",
            "2016-12-05T21:29:29.Z",
            "2016-12-05T21:29:29+0200",
            "2016-12-05T21:29:29Z[UTC]",
            "TZ",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
