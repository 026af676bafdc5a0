//! The guardrails there are: all their patterns in one matcher, each compiled into a state machine for every Region in use.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use detection::{
    Event, Guardrail, Matcher, Settings, Sighting, arn::partition, decide::Risk, guardrail::CompileOptions,
};
use engine::{Engine, engine::Refusal};

use crate::metrics::figures::Figures;

/// The guardrails there are.
#[derive(Debug)]
pub struct Registry {
    entries: Vec<Entry>,
    matcher: Matcher<usize>,
    /// Which machines are in the engine already: (Region, index) → ARN.
    registered: Mutex<HashMap<(String, usize), String>>,
    account: String,
    /// What is counted of events.
    pub figures: Arc<Figures>,
}

#[derive(Debug)]
struct Entry {
    guardrail: Guardrail,
    settings: Settings,
    definition: String,
}

impl Registry {
    /// Compiles the guardrails. `settings` are those of each, `role_arn_expression` as in [`CompileOptions`].
    pub fn new(guardrails: Vec<(Guardrail, Settings)>, account: &str, role_arn_expression: Option<&str>) -> Registry {
        let entries: Vec<Entry> = guardrails
            .into_iter()
            .map(|(guardrail, settings)| {
                let options = CompileOptions {
                    role_arn_expression: role_arn_expression.map(str::to_owned),
                    parameters: settings.parameters.clone(),
                };
                let definition = fill_in_functions(&guardrail.compile(&options).to_string());
                Entry { guardrail, settings, definition }
            })
            .collect();
        let patterns =
            entries.iter().enumerate().map(|(index, entry)| (index, entry.guardrail.pattern.clone())).collect();
        Registry {
            entries,
            matcher: Matcher::new(patterns),
            registered: Mutex::default(),
            account: account.to_owned(),
            figures: Arc::default(),
        }
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

    /// What an event is about: the sightings of every guardrail whose pattern matches. One that errs, or finds no resource in the
    /// event, is reported and skipped.
    pub fn sightings(&self, event: &Event) -> Vec<(usize, Sighting)> {
        let mut sightings = Vec::new();
        for &index in self.matcher.matches(&event.envelope()) {
            let Some(entry) = self.entries.get(index) else { continue };
            match entry.guardrail.sightings(event) {
                Ok(found) if found.is_empty() => tracing::warn!(
                    guardrail = entry.guardrail.id,
                    event = event.identity(),
                    "the event matches the guardrail's pattern and names no resource by which its resource.id could find it; nothing is started"
                ),
                Ok(found) => sightings.extend(found.into_iter().map(|sighting| (index, sighting))),
                Err(error) => {
                    self.figures.guardrail_errors.of(&entry.guardrail.id).increment();
                    tracing::error!(
                        guardrail = entry.guardrail.id,
                        event = event.identity(),
                        %error,
                        "the guardrail's resource.id can't be evaluated on this event; the guardrail is skipped, the others go on"
                    );
                }
            }
        }
        sightings
    }

    /// The machine of a guardrail in a Region, put into the engine the first time it is asked for, and again where it is no longer
    /// what it was: whoever speaks to the API may delete it, or give its name to another.
    pub async fn machine(&self, engine: &Engine, region: &str, index: usize) -> Result<String, Refusal> {
        if !is_region(region) {
            return Err(Refusal::InvalidArn(format!("`{region}` is no AWS Region, and can be in no ARN")));
        }
        let key = (region.to_owned(), index);
        let entry = self
            .entries
            .get(index)
            .ok_or_else(|| Refusal::StateMachineDoesNotExist(format!("there is no guardrail number {index}")))?;
        let known = self.registered.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(arn) = known {
            match engine.describe_state_machine(&arn).await {
                Ok(machine) if machine.definition == entry.definition => return Ok(arn),
                Ok(_) | Err(Refusal::StateMachineDoesNotExist(_)) => {
                    tracing::warn!(arn, "the guardrail's machine was deleted or changed; it is made again");
                }
                Err(error) => return Err(error),
            }
        }
        let name = format!("rectify-guardrail-{}", entry.guardrail.id);
        let role_arn = format!("arn:{}:iam::{}:role/rectify", partition(region), self.account);
        let machine = engine.put_state_machine(&self.account, region, &name, &entry.definition, &role_arn).await?;
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(key, machine.arn.clone());
        Ok(machine.arn)
    }

    /// The machine of the guardrail with this id in a Region; `None` where there is no such guardrail (any more).
    pub async fn machine_of(&self, engine: &Engine, region: &str, guardrail: &str) -> Result<Option<String>, Refusal> {
        match self.entries.iter().position(|entry| entry.guardrail.id == guardrail) {
            Some(index) => self.machine(engine, region, index).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Whether a Region may be called so: lower-case letters, digits and hyphens. Which Regions there are, AWS decides.
pub(crate) fn is_region(region: &str) -> bool {
    (1..=64).contains(&region.len())
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
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
    fn what_may_be_a_region() {
        let check = |region: &str, expected: bool| assert_eq!(is_region(region), expected, "{region}");
        for region in ["us-east-1", "us-gov-west-1", "local"] {
            check(region, true);
        }
        for region in ["", "us east:1", "us:east", "US-EAST-1", "eu-central-1\n", "ü", &"x".repeat(65)] {
            check(region, false);
        }
    }

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
