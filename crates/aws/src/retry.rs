//! When a call is made again, and after how long.

use std::time::Duration;

/// The first wait is at most this long.
const BASE: Duration = Duration::from_millis(200);
/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(20);
/// Attempts beyond these are not made, whatever is asked for.
pub(crate) const MOST_ATTEMPTS: u32 = 20;

/// The codes that say "too many", as the SDKs know them.
const THROTTLING: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// The codes of faults that pass.
const TRANSIENT: &[&str] =
    &["InternalError", "InternalFailure", "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable"];

/// The codes of credentials that were good once: new ones may be.
const STALE: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "InvalidToken",
];

/// Whether an answer of that code and status says that there were too many.
pub(crate) fn is_throttling(code: &str, status: u16) -> bool {
    // `LimitExceededException` is not among them: in most services it is a quota's, for ever.
    status == 429 || THROTTLING.contains(&code)
}

/// Whether the service failed, not the call.
pub(crate) fn is_transient(code: &str, status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504) || TRANSIENT.contains(&code)
}

/// Whether new credentials may help.
pub(crate) fn is_stale(code: &str) -> bool {
    STALE.contains(&code)
}

/// The wait before the attempt after `attempt` (from 1): doubled each time, and a random part of it, so that callers don't meet again.
/// What the service asks for (`Retry-After`) is kept to, within the longest.
pub(crate) fn wait(attempt: u32, random: u64, asked: Option<Duration>) -> Duration {
    let most = BASE.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(LONGEST);
    let thousandths = u32::try_from(random % 1000).unwrap_or(999);
    let jittered = most / 2 + most / 2 * thousandths / 1000;
    asked.map_or(jittered, |asked| asked.max(jittered)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_jitter_and_end() {
        for (attempt, random, expected) in [(1, 0, 100), (1, 999, 199), (2, 0, 200), (4, 500, 1200), (30, 0, 10_000)] {
            assert_eq!(wait(attempt, random, None).as_millis(), expected, "{attempt} {random}");
        }
        assert_eq!(wait(1, 0, Some(Duration::from_secs(3))), Duration::from_secs(3));
        assert_eq!(wait(1, 0, Some(Duration::from_secs(300))), LONGEST);
    }

    #[test]
    fn codes() {
        for (code, status, throttling) in [
            ("SlowDown", 503, true),
            ("RequestLimitExceeded", 503, true),
            ("Anything", 429, true),
            ("LimitExceededException", 400, false),
            ("AccessDenied", 403, false),
        ] {
            assert_eq!(is_throttling(code, status), throttling, "{code}");
        }
    }
}
