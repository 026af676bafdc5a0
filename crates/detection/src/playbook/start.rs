//! Whether an event starts a playbook, and with which input.

use std::fmt::Write as _;

use query::{Moment, Scope};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{Playbook, Trigger};
use crate::Event;

/// How many bytes of a hash an execution's name is made of.
const NAME_BYTES: usize = 16;

/// A rule that matched an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match<'a> {
    /// The rule's id.
    pub rule: &'a str,
    /// The finding that it made, for people and programs: [`Finding::view`](crate::Finding::view) or more.
    pub finding: Option<&'a Value>,
}

impl Playbook {
    /// What an execution begins with that this event starts; `None` where it starts none. `matched` are the rules that matched the
    /// event, in their order: of those that start this playbook, the first that made a finding gives `$finding`. `parameters` are those of
    /// [`Playbook::parameters_with`].
    pub fn starts(
        &self,
        event: &Event,
        matched: &[Match<'_>],
        parameters: &Map<String, Value>,
    ) -> Result<Option<Value>, query::Error> {
        match &self.trigger {
            Trigger::Event(pattern) if pattern.matches(&event.envelope()) => {
                self.input(event, None, parameters).map(Some)
            }
            Trigger::Rules(rules) => {
                let own = || matched.iter().filter(|matched| rules.iter().any(|rule| rule == matched.rule));
                if own().next().is_none() {
                    return Ok(None);
                }
                self.input(event, own().find_map(|matched| matched.finding), parameters).map(Some)
            }
            Trigger::Event(_) => Ok(None),
        }
    }

    /// What an execution begins with that this event starts, as is known already: the matcher says so of many playbooks at once.
    pub fn input(
        &self,
        event: &Event,
        finding: Option<&Value>,
        parameters: &Map<String, Value>,
    ) -> Result<Value, query::Error> {
        let envelope = event.envelope();
        let Some(template) = &self.input else { return Ok(envelope) };
        let nothing = Value::Null;
        let variables = Map::from_iter([
            ("event".to_owned(), envelope),
            ("finding".to_owned(), finding.cloned().unwrap_or_default()),
            ("parameters".to_owned(), Value::Object(parameters.clone())),
        ]);
        // The input depends on the event alone: the same event, the same input.
        let moment = Moment { now: event.time, seed: self.hash(event) };
        template.evaluate_at(
            &Scope {
                root: &nothing,
                input: &nothing,
                result: None,
                error_output: None,
                context: &nothing,
                variables: &variables,
                moment: &moment,
            },
            "input",
        )
    }

    /// The name of the execution that an event starts: 32 hexadecimal digits, the same for the same event.
    pub fn execution_name(&self, event: &Event) -> String {
        self.hash(event).iter().take(NAME_BYTES).fold(String::new(), |mut name, byte| {
            // Writing to a String can't fail.
            let _ = write!(name, "{byte:02x}");
            name
        })
    }

    fn hash(&self, event: &Event) -> [u8; 32] {
        Sha256::new().chain_update(&self.id).chain_update([0]).chain_update(event.identity()).finalize().into()
    }
}
