//! The playbooks that are enabled, the machine of each registered for every Region in use. Their patterns are matched with those of
//! guardrails and the rules ([`Registry`](crate::Registry)).

use detection::{Event, EventPattern, Playbook, playbook::Trigger};
use engine::{
    Engine,
    engine::Refusal,
    ports::{PlaybookStart, StoreError},
};
use serde_json::{Map, Value};

use crate::{machines::Machines, registry::RuleMatch};

/// What the origin of an event begins with that could not start a playbook; the playbook's id follows.
pub const PLAYBOOK_ORIGIN: &str = "playbook ";

/// What is set of a playbook.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaybookSettings {
    /// Executions at once.
    pub concurrency: u32,
    /// All of its parameters.
    pub parameters: Map<String, Value>,
}

/// The playbooks that are enabled.
#[derive(Debug)]
pub struct Playbooks {
    entries: Vec<Entry>,
    machines: Machines,
}

#[derive(Debug)]
struct Entry {
    playbook: Playbook,
    settings: PlaybookSettings,
    definition: String,
}

impl Default for Playbooks {
    fn default() -> Playbooks {
        Playbooks::new(Vec::new(), "")
    }
}

impl Playbooks {
    /// These. `account` is the one that their machines' ARNs name.
    pub fn new(playbooks: Vec<(Playbook, PlaybookSettings)>, account: &str) -> Playbooks {
        let entries: Vec<Entry> = playbooks
            .into_iter()
            .map(|(playbook, settings)| {
                let definition = playbook.definition.to_string();
                Entry { playbook, settings, definition }
            })
            .collect();
        Playbooks { entries, machines: Machines::new(account) }
    }

    /// The patterns that start playbooks, with the playbooks' numbers.
    pub fn patterns(&self) -> Vec<(usize, EventPattern)> {
        let pattern = |(index, entry): (usize, &Entry)| match &entry.playbook.trigger {
            Trigger::Event(pattern) => Some((index, pattern.clone())),
            Trigger::Rules(_) => None,
        };
        self.entries.iter().enumerate().filter_map(pattern).collect()
    }

    /// The rules that playbooks wait for and that are none of these: each with its playbook.
    pub fn unknown_rules(&self, is_known: impl Fn(&str) -> bool) -> Vec<(&str, &str)> {
        let rules = self.entries.iter().filter_map(|entry| match &entry.playbook.trigger {
            Trigger::Event(_) => None,
            Trigger::Rules(rules) => Some(rules.iter().map(|rule| (entry.playbook.id.as_str(), rule.as_str()))),
        });
        rules.flatten().filter(|(_, rule)| !is_known(rule)).collect()
    }

    /// Tells the engine how many executions of each may run at once: before the first event.
    pub async fn limit(&self, engine: &Engine) -> Result<(), StoreError> {
        for Entry { playbook, settings, .. } in &self.entries {
            engine.limit_playbook(&playbook.id, settings.concurrency).await?;
        }
        Ok(())
    }

    /// The playbooks that an event starts, which these rules and the patterns of these playbooks matched; and those that can't be started
    /// by it, each with the reason. One that can't does not hinder the others.
    pub async fn starts(
        &self,
        engine: &Engine,
        event: &Event,
        rules: &[RuleMatch],
        by_pattern: &[usize],
    ) -> Result<(Vec<PlaybookStart>, Vec<(String, String)>), StoreError> {
        let (mut starts, mut not_started) = (Vec::new(), Vec::new());
        for (index, entry) in self.entries.iter().enumerate() {
            let own = entry.rules(rules);
            if own.is_empty() && !by_pattern.contains(&index) {
                continue;
            }
            match self.start(engine, entry, event, &own).await? {
                Ok(start) if by_pattern.contains(&index) => {
                    starts.push(PlaybookStart { findings: Vec::new(), ..start })
                }
                Ok(start) => starts.push(start),
                Err(reason) => not_started.push((entry.playbook.id.clone(), reason)),
            }
        }
        Ok((starts, not_started))
    }

    /// Starts a playbook that could not be started before by an event which was stored all the same, unless it was started by it. The
    /// inner error is why it still can't be.
    pub async fn start_again(
        &self,
        engine: &Engine,
        id: &str,
        event: &Event,
        rules: &[RuleMatch],
    ) -> Result<Result<(), String>, StoreError> {
        let Some(entry) = self.entries.iter().find(|entry| entry.playbook.id == id) else {
            return Ok(Err(format!("there is no playbook `{id}` that is enabled")));
        };
        let own = entry.rules(rules);
        let by_pattern =
            matches!(&entry.playbook.trigger, Trigger::Event(pattern) if pattern.matches(&event.envelope()));
        if own.is_empty() && !by_pattern {
            return Ok(Err(format!("the event does not start the playbook `{id}` any more")));
        }
        match self.start(engine, entry, event, &own).await? {
            Ok(start) => engine.start_playbook(start).await.map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
    }

    async fn start(
        &self,
        engine: &Engine,
        entry: &Entry,
        event: &Event,
        rules: &[&RuleMatch],
    ) -> Result<Result<PlaybookStart, String>, StoreError> {
        let id = &entry.playbook.id;
        let finding = rules.iter().find_map(|matched| matched.finding.as_ref());
        let input = match entry.playbook.input(event, finding, &entry.settings.parameters) {
            Ok(input) => input.to_string(),
            Err(error) => {
                let reason =
                    format!("the playbook `{id}` was not started: its input can't be made of this event: {error}");
                return Ok(Err(reason));
            }
        };
        let limit = engine.quotas().payload_bytes;
        if input.len() > limit {
            return Ok(Err(format!(
                "the playbook `{id}` was not started: its input has {} bytes, more than the {limit} that an execution takes; let `input` take what is needed",
                input.len()
            )));
        }
        let name = format!("rectify-playbook-{id}");
        match self.machines.machine(engine, &event.region, &name, &entry.definition).await {
            Ok(state_machine_arn) => Ok(Ok(PlaybookStart {
                playbook: id.clone(),
                state_machine_arn,
                execution_name: entry.playbook.execution_name(event),
                input,
                findings: findings(rules),
            })),
            Err(Refusal::Store(error)) => Err(error),
            Err(error) => Ok(Err(format!("the playbook `{id}` was not started: its machine was refused: {error}"))),
        }
    }
}

impl Entry {
    /// Of the rules that matched, those that start this playbook: it names them, or they name it.
    fn rules<'a>(&self, rules: &'a [RuleMatch]) -> Vec<&'a RuleMatch> {
        let is_named = |rule: &str| match &self.playbook.trigger {
            Trigger::Event(_) => false,
            Trigger::Rules(rules) => rules.iter().any(|named| named == rule),
        };
        let names_it = |matched: &RuleMatch| matched.playbook.as_ref() == Some(&self.playbook.id);
        rules.iter().filter(|matched| is_named(&matched.rule) || names_it(matched)).collect()
    }
}

/// The findings whose windows decide whether rules start a playbook: none where a rule among them makes no finding of its own.
fn findings(rules: &[&RuleMatch]) -> Vec<String> {
    let ids: Option<Vec<String>> = rules.iter().map(|matched| matched.finding_id().map(str::to_owned)).collect();
    ids.unwrap_or_default()
}
