//! Retry: whether and when a failed state is tried again.

use asl::Retrier;
use jiff::SignedDuration;

use crate::{failure::Failure, limits::Limits};

/// The element of `Retry` that has the failure tried again, if any does, and the pause before that.
///
/// `retries` says how often each element has done so; `jitter` is a number from 0 to 1.
pub(crate) fn find(
    retriers: &[Retrier],
    retries: &[u64],
    failure: &Failure,
    jitter: impl FnOnce() -> f64,
) -> Option<(usize, SignedDuration)> {
    if failure.is_fatal() {
        return None;
    }
    // The first element that names the error decides, even if it has no attempts left.
    let (index, retrier) =
        retriers.iter().enumerate().find(|(_, retrier)| failure.is_named_by(&retrier.error_equals))?;
    let done = retries.get(index).copied().unwrap_or(0);
    (done < retrier.max_attempts).then(|| (index, pause(retrier, done, jitter)))
}

/// `IntervalSeconds` × `BackoffRate` to the power of the attempts before, at most `MaxDelaySeconds`; any part of it with jitter.
fn pause(retrier: &Retrier, done: u64, jitter: impl FnOnce() -> f64) -> SignedDuration {
    let limit = retrier.max_delay_seconds.unwrap_or(Limits::AWS.wait_seconds).min(Limits::AWS.wait_seconds);
    let limit = seconds(limit);
    let exponent = i32::try_from(done).unwrap_or(i32::MAX);
    let whole = (seconds(retrier.interval_seconds) * retrier.backoff_rate.powi(exponent)).min(limit);
    let pause = if retrier.jitter { whole * jitter() } else { whole };
    SignedDuration::try_from_secs_f64(pause).unwrap_or(SignedDuration::ZERO)
}

/// Whole seconds as a double.
fn seconds(whole: u64) -> f64 {
    SignedDuration::from_secs(i64::try_from(whole).unwrap_or(i64::MAX)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retrier(interval_seconds: u64, backoff_rate: f64, max_delay_seconds: Option<u64>, jitter: bool) -> Retrier {
        Retrier {
            error_equals: vec!["States.ALL".to_owned()],
            interval_seconds,
            max_attempts: 3,
            backoff_rate,
            max_delay_seconds,
            jitter,
        }
    }

    #[test]
    fn pauses_grow_up_to_their_limit() {
        let check = |retrier: Retrier, done: u64, expected_milliseconds: i128| {
            assert_eq!(pause(&retrier, done, || 0.5).as_millis(), expected_milliseconds, "{retrier:?} after {done}");
        };
        check(retrier(1, 2.0, None, false), 0, 1_000);
        check(retrier(1, 2.0, None, false), 2, 4_000);
        check(retrier(3, 1.5, None, false), 1, 4_500);
        check(retrier(3, 2.0, Some(5), false), 4, 5_000);
        check(retrier(4, 1.0, None, true), 0, 2_000);
        check(retrier(10, 10.0, None, false), 99_999_999, 31_622_400_000_000);
    }

    #[test]
    fn the_first_that_names_the_error_decides() {
        let named = |names: &[&str], max_attempts| Retrier {
            error_equals: names.iter().map(|name| (*name).to_owned()).collect(),
            max_attempts,
            ..retrier(1, 1.0, None, false)
        };
        let retriers = [named(&["A"], 0), named(&["B", "States.Timeout"], 2), named(&["States.ALL"], 1)];
        let check = |error: Option<&str>, retries: &[u64], expected: Option<usize>| {
            let failure = Failure::given(error.map(str::to_owned), None);
            let found = find(&retriers, retries, &failure, || 1.0).map(|(index, _)| index);
            assert_eq!(found, expected, "{error:?} after {retries:?}");
        };
        check(Some("A"), &[], None);
        check(Some("B"), &[0, 1], Some(1));
        check(Some("B"), &[0, 2], None);
        check(Some("States.Timeout"), &[], Some(1));
        check(Some("C"), &[], Some(2));
        check(Some("C"), &[0, 0, 1], None);
        check(None, &[], Some(2));
        check(Some("States.Runtime"), &[], None);
        check(Some("States.DataLimitExceeded"), &[], None);
    }
}
