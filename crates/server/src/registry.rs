//! The guardrails and the rules there are: all their patterns in one matcher, and the state machines that respond, put into the engine
//! for every Region in use.

mod rules;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use detection::{
    Event, EventPattern, Finding, Guardrail, Settings, Sighting,
    decide::Risk,
    guardrail::CompileOptions,
    incoming::{self, ReportedSighting},
    rule,
};
use engine::{Engine, engine::Refusal};
use serde_json::Value;

use crate::{Playbooks, machines::Machines, metrics::figures::Figures};
use rules::{Matched, RuleSet};
pub use rules::{RefusedFile, RuleInForce, RulesInForce};

/// The guardrails and the rules there are.
#[derive(Debug)]
pub struct Registry {
    entries: Vec<Entry>,
    /// The patterns of playbooks, with their numbers.
    playbooks: Vec<(usize, EventPattern)>,
    /// The rules, and the matcher of all: whoever changes them makes another and puts it in its place.
    rules: RwLock<Arc<RuleSet>>,
    /// The guardrails' machines, in their order; behind them the one that tells of rules' matches.
    definitions: Vec<Definition>,
    machines: Machines,
    /// What is counted of events.
    pub figures: Arc<Figures>,
}

#[derive(Debug)]
struct Entry {
    guardrail: Guardrail,
    settings: Settings,
}

#[derive(Debug)]
struct Definition {
    name: String,
    text: String,
}

/// What an event is about.
#[derive(Debug, Default)]
pub struct Matches {
    /// The sightings, each with the number of the machine that responds.
    pub sightings: Vec<(usize, Sighting)>,
    /// The rules that matched.
    pub rules: Vec<RuleMatch>,
    /// The numbers of the playbooks whose patterns matched.
    pub playbooks: Vec<usize>,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleMatch {
    /// Its id.
    pub rule: String,
    /// The playbook that it names itself.
    pub playbook: Option<String>,
    /// Its finding as this match opens it, for people and programs; none where a guardrail makes the finding.
    pub finding: Option<Value>,
}

impl RuleMatch {
    /// The id of its finding.
    pub fn finding_id(&self) -> Option<&str> {
        self.finding.as_ref()?.get("id")?.as_str()
    }
}

/// The name of the machine that tells of rules' matches.
const RULES_MACHINE: &str = "rectify-rule";

impl Registry {
    /// Compiles the guardrails. `settings` are those of each, `role_arn_expression` as in [`CompileOptions`].
    pub fn new(guardrails: Vec<(Guardrail, Settings)>, account: &str, role_arn_expression: Option<&str>) -> Registry {
        let mut definitions = Vec::with_capacity(guardrails.len() + 1);
        for (guardrail, settings) in &guardrails {
            let options = CompileOptions {
                role_arn_expression: role_arn_expression.map(str::to_owned),
                parameters: settings.parameters.clone(),
            };
            definitions.push(Definition {
                name: format!("rectify-guardrail-{}", guardrail.id),
                text: fill_in_functions(&guardrail.compile(&options).to_string()),
            });
        }
        let of_rules = fill_in_functions(&rule::machine().to_string());
        definitions.push(Definition { name: RULES_MACHINE.to_owned(), text: of_rules });
        let entries: Vec<Entry> =
            guardrails.into_iter().map(|(guardrail, settings)| Entry { guardrail, settings }).collect();
        let rules = RwLock::new(Arc::new(RuleSet::new(&entries, &[], RulesInForce::default())));
        Registry {
            entries,
            playbooks: Vec::new(),
            rules,
            definitions,
            machines: Machines::new(account),
            figures: Arc::default(),
        }
    }

    /// With the patterns of playbooks, which are matched in the same pass.
    #[must_use]
    pub fn with_playbooks(self, playbooks: &Playbooks) -> Registry {
        let registry = Registry { playbooks: playbooks.patterns(), ..self };
        registry.put_rules(registry.rules().given.clone());
        registry
    }

    /// Has these rules, and no others, matched from now on. The matcher is made first, and then put in its place: an event is matched
    /// by the rules before or by those after. It may take a while.
    pub fn put_rules(&self, rules: RulesInForce) {
        let set = Arc::new(RuleSet::new(&self.entries, &self.playbooks, rules));
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = set;
    }

    /// The rules in force, and the files that could not be used, for people: `{rules, refused, passed_over}`.
    pub fn list_rules(&self) -> Value {
        self.rules().list()
    }

    fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The settings of every guardrail, by its id: what the built-in functions decide by.
    pub fn settings(&self) -> BTreeMap<String, Settings> {
        self.entries.iter().map(|entry| (entry.guardrail.id.clone(), entry.settings.clone())).collect()
    }

    /// The settings of one guardrail; of one that is not there (any more), those that do nothing.
    pub fn settings_of(&self, guardrail: &str) -> Settings {
        let entry = self.entries.iter().find(|entry| entry.guardrail.id == guardrail);
        entry.map_or_else(|| Settings::of_risk(Risk::Disruptive), |entry| entry.settings.clone())
    }

    /// What an event is about: the sightings of every guardrail whose pattern matches or that a matching rule names, those of every
    /// other rule that matches, and what may start playbooks. A guardrail that errs, or finds no resource in the event, is reported and
    /// skipped.
    pub fn matches(&self, event: &Event) -> Matches {
        let (mut found, mut guardrails) = (Matches::default(), Vec::new());
        let mut of_rules = Vec::new();
        let rules = self.rules();
        for matched in rules.matches(event) {
            match matched {
                Matched::Guardrail(index) => guardrails.push(index),
                Matched::Playbook(index) => found.playbooks.push(index),
                Matched::Rule(rule) => {
                    let finding = match rule.guardrail() {
                        Some(id) => {
                            guardrails.extend(self.entries.iter().position(|entry| entry.guardrail.id == id));
                            None
                        }
                        None => {
                            let sighting = rule.sighting(event);
                            let finding = opened(&sighting, event);
                            of_rules.push((self.entries.len(), sighting));
                            finding
                        }
                    };
                    let playbook = rule.playbook().map(str::to_owned);
                    found.rules.push(RuleMatch { rule: rule.rule.id.clone(), playbook, finding });
                }
            }
        }
        guardrails.sort_unstable();
        guardrails.dedup();
        found.sightings.extend(guardrails.into_iter().flat_map(|index| self.sightings_of(index, event)));
        found.sightings.append(&mut of_rules);
        found
    }

    fn sightings_of(&self, index: usize, event: &Event) -> Vec<(usize, Sighting)> {
        let Some(entry) = self.entries.get(index) else { return Vec::new() };
        match entry.guardrail.sightings(event) {
            Ok(found) => {
                if found.is_empty() {
                    tracing::warn!(
                        guardrail = entry.guardrail.id,
                        event = event.identity(),
                        "the event matches the guardrail's pattern and names no resource by which its resource.id could find it; nothing is started"
                    );
                }
                found.into_iter().map(|sighting| (index, sighting)).collect()
            }
            Err(error) => {
                self.figures.guardrail_errors.of(&entry.guardrail.id).increment();
                tracing::error!(
                    guardrail = entry.guardrail.id,
                    event = event.identity(),
                    %error,
                    "the guardrail's resource.id can't be evaluated on this event; the guardrail is skipped, the others go on"
                );
                Vec::new()
            }
        }
    }

    /// The controls of every guardrail, by its id.
    pub fn controls(&self) -> BTreeMap<String, Vec<String>> {
        self.entries.iter().map(|entry| (entry.guardrail.id.clone(), entry.guardrail.controls.clone())).collect()
    }

    /// What guardrails have to look at since somebody else's finding names a control of theirs.
    pub fn reported(&self, event: &Event) -> Vec<(usize, ReportedSighting)> {
        let mut sightings = Vec::new();
        for reported in incoming::reported(event) {
            for (index, entry) in self.entries.iter().enumerate() {
                let found = entry.guardrail.reported_sightings(&reported, event);
                sightings.extend(found.into_iter().map(|sighting| (index, sighting)));
            }
        }
        sightings
    }

    /// The machine of that number in a Region, put into the engine the first time it is asked for, and again where it is no longer
    /// what it was: whoever speaks to the API may delete it, or give its name to another.
    pub async fn machine(&self, engine: &Engine, region: &str, index: usize) -> Result<String, Refusal> {
        let wanted = self
            .definitions
            .get(index)
            .ok_or_else(|| Refusal::StateMachineDoesNotExist(format!("there is no guardrail number {index}")))?;
        self.machines.machine(engine, region, &wanted.name, &wanted.text).await
    }

    /// The machine of the guardrail with this id in a Region; `None` where there is no such guardrail (any more).
    pub async fn machine_of(&self, engine: &Engine, region: &str, guardrail: &str) -> Result<Option<String>, Refusal> {
        match self.entries.iter().position(|entry| entry.guardrail.id == guardrail) {
            Some(index) => self.machine(engine, region, index).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A rule's finding as a match would open it: what depends on the event alone, so that the same event says the same.
fn opened(sighting: &Sighting, event: &Event) -> Option<Value> {
    let rule = sighting.rule.as_ref()?;
    let finding = Finding::matched(None, sighting, rule, &[], event.time).finding;
    let mut view = finding.view();
    if let Some(view) = view.as_object_mut() {
        view.insert("title".to_owned(), Value::from(finding.title));
        view.insert("reason".to_owned(), Value::from(finding.reason));
        view.insert("tags".to_owned(), Value::from(rule.tags.clone()));
    }
    Some(view)
}

/// `${function.NAME}` → `rectify-NAME`: the built-in functions as this home calls them.
fn fill_in_functions(definition: &str) -> String {
    let mut text = String::with_capacity(definition.len());
    let mut rest = definition;
    while let Some((before, after)) = rest.split_once("${function.") {
        text.push_str(before);
        match after.split_once('}') {
            Some((name, after)) => {
                text.push_str("rectify-");
                text.push_str(name);
                rest = after;
            }
            None => {
                text.push_str("${function.");
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_get_their_names() {
        let check = |definition: &str, expected: &str| assert_eq!(fill_in_functions(definition), expected);
        check(
            r#"{"FunctionName":"${function.finding}","x":"${function.tell}"}"#,
            r#"{"FunctionName":"rectify-finding","x":"rectify-tell"}"#,
        );
        check("nothing", "nothing");
        check("${function.open", "${function.open");
    }
}
