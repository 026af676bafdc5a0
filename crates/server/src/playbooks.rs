//! The playbooks that are enabled: their patterns in one matcher, the machine of each registered for every Region in use.

use detection::{
    Event, EventPattern, Matcher, Playbook,
    playbook::{Match, Trigger},
};
use engine::{
    Engine,
    engine::Refusal,
    ports::{PlaybookStart, StoreError},
};
use serde_json::{Map, Value};

use crate::machines::Machines;

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
    matcher: Matcher<usize>,
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
        let pattern = |(index, entry): (usize, &Entry)| match &entry.playbook.trigger {
            Trigger::Event(pattern) => Some((index, pattern.clone())),
            Trigger::Rules(_) => None,
        };
        let patterns: Vec<(usize, EventPattern)> = entries.iter().enumerate().filter_map(pattern).collect();
        Playbooks { entries, matcher: Matcher::new(patterns), machines: Machines::new(account) }
    }

    /// Tells the engine how many executions of each may run at once: before the first event.
    pub async fn limit(&self, engine: &Engine) -> Result<(), StoreError> {
        for Entry { playbook, settings, .. } in &self.entries {
            engine.limit_playbook(&playbook.id, settings.concurrency).await?;
        }
        Ok(())
    }

    /// The playbooks that an event starts, which these rules matched; and those that can't be started by it, each with the reason. One
    /// that can't does not hinder the others.
    pub async fn starts(
        &self,
        engine: &Engine,
        event: &Event,
        matched: &[Match<'_>],
    ) -> Result<(Vec<PlaybookStart>, Vec<(String, String)>), StoreError> {
        let (mut starts, mut not_started) = (Vec::new(), Vec::new());
        if self.entries.is_empty() {
            return Ok((starts, not_started));
        }
        let by_pattern = self.matcher.matches(&event.envelope());
        for (index, entry) in self.entries.iter().enumerate() {
            let input = match entry.playbook.trigger {
                Trigger::Event(_) if !by_pattern.contains(&&index) => continue,
                Trigger::Event(_) => entry.playbook.input(event, None, &entry.settings.parameters).map(Some),
                Trigger::Rules(_) => entry.playbook.starts(event, matched, &entry.settings.parameters),
            };
            match self.start(engine, entry, event, input.map_err(|error| error.to_string())).await? {
                Ok(start) => starts.extend(start),
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
        matched: &[Match<'_>],
    ) -> Result<Result<(), String>, StoreError> {
        let Some(entry) = self.entries.iter().find(|entry| entry.playbook.id == id) else {
            return Ok(Err(format!("there is no playbook `{id}` that is enabled")));
        };
        let input = entry.playbook.starts(event, matched, &entry.settings.parameters);
        match self.start(engine, entry, event, input.map_err(|error| error.to_string())).await? {
            Ok(Some(start)) => engine.start_playbook(start).await.map(Ok),
            Ok(None) => Ok(Err(format!("the event does not start the playbook `{id}` any more"))),
            Err(reason) => Ok(Err(reason)),
        }
    }

    async fn start(
        &self,
        engine: &Engine,
        entry: &Entry,
        event: &Event,
        input: Result<Option<Value>, String>,
    ) -> Result<Result<Option<PlaybookStart>, String>, StoreError> {
        let id = &entry.playbook.id;
        let input = match input {
            Ok(Some(input)) => input.to_string(),
            Ok(None) => return Ok(Ok(None)),
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
            Ok(state_machine_arn) => Ok(Ok(Some(PlaybookStart {
                playbook: id.clone(),
                state_machine_arn,
                execution_name: entry.playbook.execution_name(event),
                input,
            }))),
            Err(Refusal::Store(error)) => Err(error),
            Err(error) => Ok(Err(format!("the playbook `{id}` was not started: its machine was refused: {error}"))),
        }
    }
}
