//! This machine's clock against the services': a signature is good for a few minutes only, so a clock that is wrong is corrected for.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use jiff::fmt::rfc2822;

/// Less is not worth correcting, and no reason to be refused.
const TOLERATED_SECONDS: i64 = 240;

/// The codes of refusals that a wrong clock may be the reason of.
const CODES: &[&str] = &[
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

/// How far the services' clocks are ahead, in seconds.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    /// The services' time.
    pub fn now(&self) -> SystemTime {
        let ahead = self.0.load(Ordering::Relaxed);
        let by = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let corrected = if ahead < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        corrected.unwrap_or(now)
    }

    /// Whether the refusal can be this clock's fault: then it is set by the answer's `Date`, and the call is worth another attempt.
    pub fn corrected(&self, code: &str, headers: &HeaderMap) -> bool {
        if !CODES.contains(&code) {
            return false;
        }
        let Some(theirs) = date(headers) else { return false };
        let Ok(ours) = jiff::Timestamp::try_from(SystemTime::now()) else { return false };
        let ahead = theirs.as_second() - ours.as_second();
        if (ahead - self.0.load(Ordering::Relaxed)).abs() <= TOLERATED_SECONDS {
            return false;
        }
        tracing::warn!(
            seconds = ahead,
            "this machine's clock is wrong: AWS's is so many seconds ahead; it is corrected for"
        );
        self.0.store(ahead, Ordering::Relaxed);
        true
    }
}

fn date(headers: &HeaderMap) -> Option<jiff::Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_far_off_is_corrected_and_only_once() {
        let clock = Clock::default();
        let at = |seconds: i64| {
            let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
            let text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap();
            HeaderMap::from_iter([(header::DATE, text.parse().unwrap())])
        };
        assert!(!clock.corrected("RequestTimeTooSkewed", &at(100)));
        assert!(!clock.corrected("AccessDenied", &at(-3600)));
        assert!(!clock.corrected("RequestTimeTooSkewed", &HeaderMap::new()));
        assert!(clock.corrected("RequestTimeTooSkewed", &at(-3600)));
        assert!(!clock.corrected("RequestTimeTooSkewed", &at(-3600)));
        let behind = SystemTime::now().duration_since(clock.now()).unwrap().as_secs();
        assert!((3598..=3602).contains(&behind), "{behind}");
    }
}
