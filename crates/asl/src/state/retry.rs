//! Retry.

use serde_json::Value;

use crate::parse::{Allowed, MAX_NUMBER, Object, Parser, SCHEMA, decimal};

/// One element of `Retry`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrier {
    /// `ErrorEquals`.
    pub error_equals: Vec<String>,
    /// `IntervalSeconds`, 1 unless said.
    pub interval_seconds: u64,
    /// `MaxAttempts`, 3 unless said.
    pub max_attempts: u64,
    /// `BackoffRate`, 2.0 unless said.
    pub backoff_rate: f64,
    /// `MaxDelaySeconds`.
    pub max_delay_seconds: Option<u64>,
    /// `JitterStrategy` is `FULL`.
    pub jitter: bool,
}

const FIELDS: Allowed = Allowed {
    both: &[
        "ErrorEquals",
        "IntervalSeconds",
        "MaxAttempts",
        "BackoffRate",
        "MaxDelaySeconds",
        "JitterStrategy",
        "Comment",
    ],
    jsonpath: &[],
    jsonata: &[],
};

/// The longest `MaxDelaySeconds`: 366 days.
const MAX_DELAY: u64 = 31_622_400;

const HELP_DELAY: &str = "every delay is cut to it, the first one too: raise it, or lower `IntervalSeconds`";

impl Parser<'_> {
    /// `Retry` of a state.
    pub(crate) fn retriers(&mut self, object: &Object<'_>) -> Vec<Retrier> {
        if object.get("Retry").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            return Vec::new();
        }
        let items = self.items(object, "Retry");
        let last = items.len();
        let retrier = |(index, (pointer, value)): (usize, (String, &Value))| {
            self.retrier(value, &pointer, object, index.saturating_add(1) == last)
        };
        items.into_iter().enumerate().filter_map(retrier).collect()
    }

    fn retrier(&mut self, value: &Value, pointer: &str, state: &Object<'_>, last: bool) -> Option<Retrier> {
        let object = self.object(value, pointer, state.language, &FIELDS)?;
        let interval_seconds = self.integer(&object, "IntervalSeconds", 0, MAX_NUMBER).unwrap_or(1);
        let max_delay_seconds = self.integer(&object, "MaxDelaySeconds", 1, MAX_DELAY);
        if max_delay_seconds.is_some_and(|most| most <= interval_seconds) {
            let message = format!("`MaxDelaySeconds` is not more than `IntervalSeconds`, which is {interval_seconds}");
            self.warning("DELAY_BELOW_INTERVAL", &object.at("MaxDelaySeconds"), message, HELP_DELAY);
        }
        self.text(&object, "Comment");
        Some(Retrier {
            error_equals: self.error_equals(&object, last),
            interval_seconds,
            max_attempts: self.integer(&object, "MaxAttempts", 0, MAX_NUMBER).unwrap_or(3),
            backoff_rate: self.backoff_rate(&object),
            max_delay_seconds,
            jitter: self.jitter(&object),
        })
    }

    fn backoff_rate(&mut self, object: &Object<'_>) -> f64 {
        let Some(value) = object.get("BackoffRate") else { return 2.0 };
        match decimal(value, (1.0, "1.0"), (f64::MAX, "")) {
            Ok(rate) => rate,
            Err(message) => {
                self.problem(SCHEMA, object.at("BackoffRate"), message, None);
                2.0
            }
        }
    }

    fn jitter(&mut self, object: &Object<'_>) -> bool {
        self.one_of(object, "JitterStrategy", &["NONE", "FULL"]) == Some("FULL")
    }

    /// `ErrorEquals` of a retrier or catcher: names of errors, of which `States.ALL` stands alone and in the last one.
    pub(crate) fn error_equals(&mut self, object: &Object<'_>, last: bool) -> Vec<String> {
        self.require(object, &["ErrorEquals"]);
        let items = self.items(object, "ErrorEquals");
        let mut names = Vec::new();
        for (pointer, value) in &items {
            match value.as_str() {
                Some(name) => names.push(name.to_owned()),
                None => self.wrong_type(pointer, "[STRING]", value),
            }
        }
        if names.iter().any(|name| name == "States.ALL") && (names.len() > 1 || !last) {
            let message = "States.ALL must appear alone and at end of list";
            self.problem(SCHEMA, object.at("ErrorEquals"), message, None);
        }
        names
    }
}
