//! `playbooks` of `rectify.yaml`: which of them events start.

use std::collections::BTreeMap;

use detection::playbook::CONCURRENCY_MAX;
use serde_json::{Map, Value};
use server::playbooks::PlaybookSettings;

use super::{Configuration, Reader, parameters, unknown};
use crate::content::FoundPlaybook;

/// What is said of one playbook.
#[derive(Debug, Default)]
pub struct PlaybookConfiguration {
    enabled: Option<bool>,
    concurrency: Option<u32>,
    parameters: Map<String, Value>,
}

impl Configuration {
    /// The settings of a playbook, `None` where it is not enabled: a built-in one is where that is said, one of the user's own unless
    /// the contrary is said. An error is what the configuration says of it that it can't take.
    pub fn playbook_settings(&self, found: &FoundPlaybook) -> Result<Option<PlaybookSettings>, String> {
        let none = PlaybookConfiguration::default();
        let playbook = &found.playbook;
        let said = self.playbooks.get(&playbook.id).unwrap_or(&none);
        let parameters = parameters(&format!("playbook `{}`", playbook.id), &playbook.parameters, &said.parameters)?;
        let settings = PlaybookSettings { concurrency: said.concurrency.unwrap_or(playbook.concurrency), parameters };
        Ok(said.enabled.unwrap_or(found.is_own).then_some(settings))
    }

    /// What this says of playbooks that they can't take, or of such as are not there.
    pub fn playbook_misfits(&self, playbooks: &[FoundPlaybook]) -> Vec<String> {
        let known = playbooks.iter().map(|found| found.playbook.id.as_str());
        let unknown_ids = self.playbooks.keys().filter(|id| !known.clone().any(|known| known == *id));
        let mut misfits: Vec<String> =
            unknown_ids.map(|id| unknown("there is no playbook", id, known.clone())).collect();
        misfits.extend(playbooks.iter().filter_map(|found| self.playbook_settings(found).err()));
        misfits
    }
}

impl Reader<'_> {
    pub(super) fn playbooks(&mut self, at: &str) -> BTreeMap<String, PlaybookConfiguration> {
        let mut playbooks = BTreeMap::new();
        for (id, at, _) in self.members(at) {
            let mut said = PlaybookConfiguration::default();
            for (key, at, _) in self.object(&at, &["enabled", "concurrency", "parameters"]) {
                match key {
                    "enabled" => said.enabled = self.value(&at, "true or false"),
                    "concurrency" => said.concurrency = self.within(&at, "executions at once", 1, CONCURRENCY_MAX),
                    _ => said.parameters = self.value(&at, "an object of parameters").unwrap_or_default(),
                }
            }
            playbooks.insert(id.to_owned(), said);
        }
        playbooks
    }
}

#[cfg(test)]
mod tests {
    use asl::parse::AnyResource;
    use detection::Playbook;
    use serde_json::json;

    use super::*;

    fn found(is_own: bool) -> FoundPlaybook {
        let text = "id: a\ntitle: A\nseverity: LOW\nrules: [r]\nconcurrency: 3\nparameters: {p: {default: 1, description: d}}\n---\nStartAt: A\nStates: {A: {Type: Succeed}}\n";
        FoundPlaybook { playbook: Playbook::parse(text, &AnyResource).unwrap().0, is_own }
    }

    #[test]
    fn built_in_playbooks_are_off_until_told_and_own_ones_on() {
        let check = |text: &str, is_own: bool, expected: Option<(u32, Value)>| {
            let settings = Configuration::parse(text).unwrap().playbook_settings(&found(is_own)).unwrap();
            let settings = settings.map(|settings| (settings.concurrency, Value::Object(settings.parameters)));
            assert_eq!(settings, expected, "{text}");
        };
        check("", false, None);
        check("", true, Some((3, json!({"p": 1}))));
        check("playbooks: {a: {concurrency: 1}}", false, None);
        check("playbooks: {a: {enabled: false}}", true, None);
        check("playbooks: {a: {enabled: true, concurrency: 1, parameters: {p: 2}}}", false, Some((1, json!({"p": 2}))));
    }

    #[test]
    fn what_a_playbook_can_not_take_is_told() {
        let misfits = |text: &str| Configuration::parse(text).unwrap().playbook_misfits(&[found(false)]);
        assert_eq!(misfits("playbooks: {b: {}}"), ["there is no playbook `b`: did you mean `a`?"]);
        assert!(misfits("playbooks: {a: {parameters: {p: x}}}")[0].contains("is a number"));
        assert!(misfits("playbooks: {a: {parameters: {q: 1}}}")[0].contains("has no parameter `q`"));
        for text in ["playbooks: {a: {concurrency: 0}}", "playbooks: {a: {enabled: 1}}", "playbooks: {a: {on: true}}"] {
            assert_eq!(Configuration::parse(text).unwrap_err().len(), 1, "{text}");
        }
    }
}
