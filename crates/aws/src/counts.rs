//! How calls ended, attempt by attempt.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::call::CallError;
use crate::{model, retry};

/// The codes of a denial whose status may be another than 403.
const DENIED: &[&str] =
    &["AccessDenied", "AccessDeniedException", "AccessDeniedFault", "AuthorizationError", "UnauthorizedOperation"];

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// Well.
    Ok,
    /// There were too many.
    Throttled,
    /// These credentials may not.
    AccessDenied,
    /// The service failed.
    ServerError,
    /// No answer: no connection, no time.
    NoAnswer,
    /// Any other error.
    Other,
}

impl AttemptResult {
    /// All there are.
    pub const ALL: [AttemptResult; 6] = [
        AttemptResult::Ok,
        AttemptResult::Throttled,
        AttemptResult::AccessDenied,
        AttemptResult::ServerError,
        AttemptResult::NoAnswer,
        AttemptResult::Other,
    ];

    /// In a word: `throttled`, `access_denied` …
    pub fn name(self) -> &'static str {
        match self {
            AttemptResult::Ok => "ok",
            AttemptResult::Throttled => "throttled",
            AttemptResult::AccessDenied => "access_denied",
            AttemptResult::ServerError => "server_error",
            AttemptResult::NoAnswer => "no_answer",
            AttemptResult::Other => "other",
        }
    }

    pub(crate) fn of(error: &CallError) -> AttemptResult {
        match error {
            CallError::Service { throttled: true, .. } => AttemptResult::Throttled,
            CallError::Service { status, code, .. } if *status == 403 || DENIED.contains(&code.as_str()) => {
                AttemptResult::AccessDenied
            }
            CallError::Service { status, code, .. } if retry::is_transient(code, *status) => AttemptResult::ServerError,
            CallError::Client { .. } => AttemptResult::NoAnswer,
            _ => AttemptResult::Other,
        }
    }
}

/// How often attempts ended how, by service. Counted without a lock.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    services: OnceLock<BTreeMap<&'static str, [AtomicU64; AttemptResult::ALL.len()]>>,
}

impl Counts {
    pub(crate) fn count(&self, service: &str, result: AttemptResult) {
        let services = self.services.get_or_init(|| model::names().map(|name| (name, Default::default())).collect());
        let count = services.get(service).and_then(|counts: &[AtomicU64; _]| {
            AttemptResult::ALL.iter().zip(counts).find(|(each, _)| **each == result).map(|(_, count)| count)
        });
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Those of services that were called.
    pub(crate) fn read(&self) -> Vec<(&'static str, AttemptResult, u64)> {
        let mut read = Vec::new();
        for (service, counts) in self.services.get().into_iter().flatten() {
            let counts = AttemptResult::ALL.iter().zip(counts.iter().map(|count| count.load(Ordering::Relaxed)));
            let counts: Vec<_> = counts.map(|(result, count)| (*service, *result, count)).collect();
            if counts.iter().any(|(.., count)| *count > 0) {
                read.extend(counts);
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        let check = |code: &str, status: u16, throttled: bool, expected: &str| {
            let (name, cause) = (String::new(), String::new());
            let error = CallError::Service { name, cause, code: code.to_owned(), status, throttled };
            assert_eq!(AttemptResult::of(&error).name(), expected, "{code}");
        };
        check("SlowDown", 503, true, "throttled");
        check("AccessDenied", 403, false, "access_denied");
        check("AccessDeniedException", 400, false, "access_denied");
        check("InternalError", 500, false, "server_error");
        check("NoSuchBucket", 404, false, "other");
        let lost = CallError::Client { name: String::new(), cause: String::new() };
        assert_eq!(AttemptResult::of(&lost).name(), "no_answer");
    }

    #[test]
    fn services_that_were_called_are_read() {
        let counts = Counts::default();
        assert_eq!(counts.read(), []);
        counts.count("s3", AttemptResult::Ok);
        counts.count("s3", AttemptResult::Throttled);
        counts.count("no such service", AttemptResult::Ok);
        let read: Vec<_> = counts.read().into_iter().filter(|(.., count)| *count > 0).collect();
        assert_eq!(read, [("s3", AttemptResult::Ok, 1), ("s3", AttemptResult::Throttled, 1)]);
    }
}
