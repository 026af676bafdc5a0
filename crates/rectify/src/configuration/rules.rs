//! `rules`: what is said of each rule, by its id.

use std::collections::BTreeMap;

use asl::nearest::nearest;
use detection::{
    LeadsTo, Severity,
    rule::{DEDUP_WINDOW_MAX_SECONDS, Names, RuleSettings},
};

use super::{Configuration, Reader};

const KEYS: [&str; 6] = ["title", "severity", "guardrail", "playbook", "enabled", "dedup_window_seconds"];
const SEVERITIES: &str = "INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL";

impl Configuration {
    /// What this has rules lead to that is not there.
    pub fn misfits_of_rules(&self, names: &Names) -> Vec<String> {
        let misfit = |(id, settings): (&String, &RuleSettings)| {
            let (message, help) = names.misfit(settings.leads_to.as_ref()?)?;
            Some(format!("the rule `{id}` is to lead to what is not there: {message} ({help})"))
        };
        let mut misfits: Vec<String> = self.rules.iter().filter_map(misfit).collect();
        if self.rules_folder.is_none() && !self.rules.is_empty() {
            misfits.push("`rules` speaks of rules, and no `rules_folder` says where they are".to_owned());
        }
        misfits
    }
}

/// What is said of rules that are not there. They may come yet, or their files be mended.
pub fn unknown_rules<'a>(
    said: &BTreeMap<String, RuleSettings>,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Vec<String> {
    let is_unknown = |id: &&String| !known.clone().any(|known| known == *id);
    let told = |id: &String| match nearest(id, known.clone()) {
        Some(near) => format!("there is no rule `{id}`: did you mean `{near}`?"),
        None => format!("there is no rule `{id}`: `rectify rules` lists those there are"),
    };
    said.keys().filter(is_unknown).map(told).collect()
}

impl Reader<'_> {
    pub(super) fn rules(&mut self, at: &str) -> BTreeMap<String, RuleSettings> {
        let mut rules = BTreeMap::new();
        for (id, at, _) in self.members(at) {
            rules.insert(id.to_owned(), self.rule(&at));
        }
        rules
    }

    fn rule(&mut self, at: &str) -> RuleSettings {
        let mut said = RuleSettings::default();
        for (key, at, _) in self.object(at, &KEYS) {
            match key {
                "title" => said.title = self.value(&at, "a text"),
                "severity" => said.severity = self.value(&at, SEVERITIES),
                "enabled" => said.is_disabled = self.value(&at, "true or false") == Some(false),
                "dedup_window_seconds" => said.dedup_window_seconds = self.dedup_window(&at),
                _ => {
                    let Some(name) = self.value::<String>(&at, &format!("the id of a {key}")) else { continue };
                    if said.leads_to.is_some() {
                        self.problem(&at, "a rule leads to a guardrail or to a playbook, not to both", None);
                    }
                    let leads_to = if key == "guardrail" { LeadsTo::Guardrail } else { LeadsTo::Playbook };
                    said.leads_to = Some(leads_to(name));
                }
            }
        }
        said
    }

    pub(super) fn severity(&mut self, at: &str, severity: &mut Severity) {
        if let Some(said) = self.value(at, SEVERITIES) {
            *severity = said;
        }
    }

    pub(super) fn dedup_window(&mut self, at: &str) -> Option<u64> {
        self.within(at, "seconds", 0, DEDUP_WINDOW_MAX_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_rules() {
        let configuration = Configuration::parse(
            "rules_folder: r\nrules_tell_from: HIGH\nrules_dedup_window_seconds: 60\nrules:\n  a: {title: T, severity: LOW, guardrail: g, dedup_window_seconds: 0}\n  b: {playbook: p, enabled: false}\n",
        )
        .unwrap();
        let expected = RuleSettings {
            title: Some("T".to_owned()),
            severity: Some(Severity::Low),
            leads_to: Some(LeadsTo::Guardrail("g".to_owned())),
            is_disabled: false,
            dedup_window_seconds: Some(0),
        };
        assert_eq!(configuration.rules["a"], expected);
        assert!(configuration.rules["b"].is_disabled);
        assert_eq!(configuration.rule_defaults.tell_from, Severity::High);
        assert_eq!(configuration.rule_defaults.dedup_window_seconds, 60);
        let names = Names { guardrails: ["g".to_owned()].into(), playbooks: ["playbook-of-mine".to_owned()].into() };
        let misfits = configuration.misfits_of_rules(&names);
        assert_eq!(misfits.len(), 1, "{misfits:?}");
        assert!(misfits[0].contains("the rule `b`") && misfits[0].contains("no playbook `p`"), "{misfits:?}");
        assert_eq!(unknown_rules(&configuration.rules, ["a", "b"].into_iter()), Vec::<String>::new());
        assert!(unknown_rules(&configuration.rules, ["a"].into_iter())[0].contains("there is no rule `b`"));
    }

    #[test]
    fn what_can_t_be_said_of_rules_is_told_at_its_place() {
        let check = |text: &str, place: &str, told: &str| {
            let problems = Configuration::parse(text).unwrap_err();
            let problem = problems[0].to_string();
            assert!(
                problems.len() == 1 && problem.starts_with(place) && problem.contains(told),
                "{text}: {problems:?}"
            );
        };
        check("rules: {a: {severity: BAD}}\n", "1:23: ", "INFORMATIONAL, LOW");
        check("rules: {a: {severty: LOW}}\n", "1:13: ", "did you mean `severity`?");
        check("rules: {a: {guardrail: g, playbook: p}}\n", "1:37: ", "not to both");
        check("rules: {a: {dedup_window_seconds: -1}}\n", "1:35: ", "from 0 to 2592000");
        check("rules_tell_from: never\n", "1:18: ", "INFORMATIONAL, LOW");
    }
}
