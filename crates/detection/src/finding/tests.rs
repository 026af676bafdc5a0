//! The life of a finding: tables of inputs, and properties over all sequences of them.

mod export;
mod life;
mod matched;
mod properties;

use serde_json::{Value, json};

use super::*;
use crate::decide::{Facts, Mode, Risk, Settings};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn sighting(event: &str, second: i64) -> Sighting {
    Sighting {
        guardrail: "g".to_owned(),
        title: "It is open".to_owned(),
        severity: Severity::High,
        resource_type: "AWS::S3::Bucket".to_owned(),
        resource: "b".to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        event_id: event.to_owned(),
        event_time: at(second),
        actor: Some(json!({"type": "Root"})),
        rule: None,
    }
}

pub(super) fn settings(mode: Mode) -> Settings {
    Settings { mode, ..Settings::of_risk(Risk::Safe) }
}

/// A finding and what happens to it, second by second.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) finding: Finding,
    pub(super) execution: String,
    settings: Settings,
    pub(super) facts: Facts,
    second: i64,
}

impl Life {
    pub(super) fn begin(mode: Mode) -> Life {
        let sighted = Finding::sight(None, &sighting("event-1", 0), at(1));
        let execution = sighted.start.expect("a new finding starts a response").execution_name;
        Life { finding: sighted.finding, execution, settings: settings(mode), facts: Facts::default(), second: 1 }
    }

    /// What an input, as JSON, is answered; or why it is illegal.
    pub(super) fn say(&mut self, input: Value) -> Value {
        self.second += 1;
        let input: FindingInput = serde_json::from_value(input).unwrap();
        let arn = format!("arn:aws:states:eu-west-1:111122223333:execution:rectify-g:{}", self.execution);
        match self.finding.apply(&input, &arn, &self.settings, &self.facts, at(self.second)) {
            Ok(change) => {
                self.finding = change.finding;
                change.answer
            }
            Err(illegal) => Value::from(illegal.to_string()),
        }
    }

    /// Whether a sighting starts a response; its name is the execution from now on.
    pub(super) fn see(&mut self, event: &str) -> bool {
        self.second += 1;
        let sighted = Finding::sight(Some(&self.finding), &sighting(event, self.second), at(self.second));
        self.finding = sighted.finding;
        let started = sighted.start;
        if let Some(response) = &started {
            self.execution.clone_from(&response.execution_name);
        }
        started.is_some()
    }

    pub(super) fn check(&mut self, rows: &[(Value, Value)]) -> &mut Life {
        for (input, expected) in rows {
            assert_eq!(&self.say(input.clone()), expected, "{input}");
        }
        self
    }

    /// Status, stage and compliance, as people see them.
    pub(super) fn shown(&self) -> (String, String, String) {
        let view = self.finding.view();
        let text = |name: &str| view[name].as_str().unwrap_or("none").to_owned();
        (text("status"), text("stage"), text("compliance"))
    }

    pub(super) fn assert_shown(&self, status: &str, stage: &str, compliance: &str) {
        assert_eq!(self.shown(), (status.to_owned(), stage.to_owned(), compliance.to_owned()));
    }
}
