//! The rules in force: one matcher of them and of the guardrails' and playbooks' patterns, which never changes.

use detection::{ActiveRule, Event, EventPattern, Filter, Matcher};
use serde_json::{Value, json};

use super::Entry;

/// The rules of a folder, as they were when it was last looked at.
#[derive(Clone, Debug, Default)]
pub struct RulesInForce {
    /// The rules.
    pub rules: Vec<RuleInForce>,
    /// Files of which no rule is in force.
    pub refused: Vec<RefusedFile>,
    /// Sigma rules for other logs: nothing is wrong with them.
    pub passed_over: Vec<RefusedFile>,
}

/// A rule, and where it comes from.
#[derive(Clone, Debug)]
pub struct RuleInForce {
    /// The rule.
    pub rule: ActiveRule,
    /// Its file.
    pub file: String,
    /// Whether the configuration leaves it out: then it is listed, and matches nothing.
    pub is_disabled: bool,
    /// Why the file, as it is now, can't be used: then this is its last good version.
    pub problem: Option<String>,
}

/// A file that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedFile {
    /// Its path.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// The rules, compiled with the guardrails' and the playbooks' patterns.
#[derive(Debug)]
pub(super) struct RuleSet {
    pub(super) given: RulesInForce,
    matcher: Matcher<Id>,
}

#[derive(Clone, Copy, Debug)]
enum Id {
    Guardrail(usize),
    Playbook(usize),
    Rule(usize),
}

/// What matched an event.
pub(super) enum Matched<'a> {
    /// The pattern of the guardrail of this number.
    Guardrail(usize),
    /// That of the playbook of this number.
    Playbook(usize),
    /// A rule.
    Rule(&'a ActiveRule),
}

impl RuleSet {
    pub(super) fn new(guardrails: &[Entry], playbooks: &[(usize, EventPattern)], given: RulesInForce) -> RuleSet {
        let of_guardrails = guardrails
            .iter()
            .enumerate()
            .map(|(index, entry)| (Id::Guardrail(index), Filter::from(entry.guardrail.pattern.clone())));
        let of_playbooks =
            playbooks.iter().map(|(index, pattern)| (Id::Playbook(*index), Filter::from(pattern.clone())));
        let of_rules = given
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| !rule.is_disabled)
            .map(|(index, rule)| (Id::Rule(index), rule.rule.rule.filter.clone()));
        RuleSet { matcher: Matcher::new(of_guardrails.chain(of_playbooks).chain(of_rules).collect()), given }
    }

    /// All that match, in one pass; each once.
    pub(super) fn matches(&self, event: &Event) -> Vec<Matched<'_>> {
        let matched = self.matcher.matches(&event.envelope()).into_iter();
        let matched = matched.filter_map(|id| match id {
            Id::Guardrail(index) => Some(Matched::Guardrail(*index)),
            Id::Playbook(index) => Some(Matched::Playbook(*index)),
            Id::Rule(index) => self.given.rules.get(*index).map(|rule| Matched::Rule(&rule.rule)),
        });
        matched.collect()
    }

    pub(super) fn list(&self) -> Value {
        let files = |files: &[RefusedFile]| -> Value {
            files.iter().map(|refused| json!({"file": refused.file, "reason": refused.reason})).collect()
        };
        json!({
            "rules": self.given.rules.iter().map(row).collect::<Vec<_>>(),
            "refused": files(&self.given.refused),
            "passed_over": files(&self.given.passed_over),
        })
    }
}

fn row(in_force: &RuleInForce) -> Value {
    let active = &in_force.rule;
    let kind = match active.rule.filter {
        Filter::Pattern(_) => "pattern",
        Filter::Sigma(_) => "sigma",
    };
    json!({
        "id": active.rule.id,
        "title": active.rule.title,
        "severity": active.severity,
        "kind": kind,
        "guardrail": active.guardrail(),
        "playbook": active.playbook(),
        "enabled": !in_force.is_disabled,
        "dedup_window_seconds": active.dedup_window_seconds,
        "tags": active.rule.tags,
        "file": in_force.file,
        "problem": in_force.problem,
    })
}
