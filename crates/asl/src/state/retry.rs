//! Retry.

use serde_json::Value;

use crate::parse::{Allowed, MAX_NUMBER, Object, Parser, SCHEMA, shown};

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

/// The longest `MaxDelaySeconds`: less than 366 days.
const MAX_DELAY: u64 = 31_622_399;

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
        let interval_seconds = self.integer(&object, "IntervalSeconds", 1, MAX_NUMBER).unwrap_or(1);
        let max_delay_seconds = self.integer(&object, "MaxDelaySeconds", 1, MAX_DELAY);
        if max_delay_seconds.is_some_and(|most| most <= interval_seconds) {
            let message =
                format!("`MaxDelaySeconds` must be greater than `IntervalSeconds`, which is {interval_seconds}");
            self.problem(SCHEMA, object.at("MaxDelaySeconds"), message, None);
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
        let rate = value.as_f64().filter(|rate| *rate >= 1.0);
        if rate.is_none() {
            let message = format!("this must be a number from 1.0 on, and it is {}", shown(value));
            self.problem(SCHEMA, object.at("BackoffRate"), message, None);
        }
        rate.unwrap_or(2.0)
    }

    fn jitter(&mut self, object: &Object<'_>) -> bool {
        match self.text(object, "JitterStrategy").as_deref() {
            Some("FULL") => true,
            None | Some("NONE") => false,
            Some(_) => {
                let message = "The field 'JitterStrategy' should have one of these values: [FULL, NONE]";
                self.problem(SCHEMA, object.at("JitterStrategy"), message, None);
                false
            }
        }
    }

    /// `ErrorEquals` of a retrier or catcher: names of errors, of which `States.ALL` stands alone and in the last one.
    pub(crate) fn error_equals(&mut self, object: &Object<'_>, last: bool) -> Vec<String> {
        self.require(object, &["ErrorEquals"]);
        let items = self.items(object, "ErrorEquals");
        let mut names = Vec::new();
        for (pointer, value) in &items {
            match value.as_str() {
                Some(name) => names.push(name.to_owned()),
                None => self.wrong_type(pointer, "a string", value),
            }
        }
        if names.iter().any(|name| name == "States.ALL") && (names.len() > 1 || !last) {
            let message = "`States.ALL` must stand alone, and in the last element";
            self.problem(SCHEMA, object.at("ErrorEquals"), message, None);
        }
        names
    }
}
