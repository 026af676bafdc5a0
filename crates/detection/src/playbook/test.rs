//! The tests of a playbook's header: events, and what they start it with.

use asl::{Diagnostic, Document, document::Format};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Match, Playbook, Trigger, split};
use crate::Event;

/// A test of a playbook's header.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// The event; of its envelope `id, account, region` and `time` are filled in where they are missing.
    pub event: Value,
    /// The finding that the first of the playbook's rules made.
    #[serde(default)]
    pub finding: Option<Value>,
    /// Parameters that are set.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// Whether it starts the playbook. One that rules start always is.
    #[serde(default = "yes")]
    pub starts: bool,
    /// The input, exactly; whatever it is unless said.
    #[serde(default)]
    pub input: Option<Value>,
}

fn yes() -> bool {
    true
}

/// The tests of a playbook that fail, at their places in its file.
pub fn failures(playbook: &Playbook, text: &str) -> Vec<Diagnostic> {
    let document = split(text).and_then(|(header, _)| Document::parse(header, Format::Yaml).ok());
    let failure = |(index, test): (usize, &Test)| {
        let reason = playbook.check(test).err()?;
        let pointer = format!("/tests/{index}");
        let span = document.as_ref().map(|document| document.span(&pointer)).unwrap_or_default();
        let message = format!("the test `{}` fails: {reason}", test.name);
        Some(Diagnostic::error("TEST_FAILED", message).at(&pointer, span))
    };
    playbook.tests.iter().enumerate().filter_map(failure).collect()
}

impl Playbook {
    /// Runs a test.
    pub fn check(&self, test: &Test) -> Result<(), String> {
        let mut envelope = json!({
            "id": "test", "account": "123456789012", "region": "us-east-1", "time": "2026-01-01T00:00:00Z",
        });
        if let (Value::Object(envelope), Value::Object(written)) = (&mut envelope, &test.event) {
            envelope.extend(written.clone());
        }
        let event = Event::from_envelope(envelope).map_err(|reason| format!("its event can't be read: {reason}"))?;
        let rule = match &self.trigger {
            Trigger::Rules(rules) => rules.first(),
            Trigger::Event(_) => None,
        };
        let matched = rule.map(|rule| Match { rule, finding: test.finding.as_ref() });
        let started = self
            .starts(&event, matched.as_slice(), &self.parameters_with(&test.parameters))
            .map_err(|error| format!("`input` can't be evaluated: {}", error.message))?;
        match (started, &test.input) {
            (None, _) if test.starts => Err("the event does not start the playbook".to_owned()),
            (Some(_), _) if !test.starts => Err("the event starts the playbook".to_owned()),
            (Some(input), Some(expected)) if input != *expected => {
                Err(format!("the input is {input} instead of {expected}"))
            }
            _ => Ok(()),
        }
    }
}
