//! A rule in force: what its file says, what the configuration says of it, and the sighting that a match of it is.

use serde_json::Value;

use super::{LeadsTo, Rule, WrittenRule, said};
use crate::{
    Event, Severity, Sighting,
    finding::{DEFAULT_DEDUP_WINDOW_SECONDS, MatchedRule},
};

/// What the configuration says of one rule; what it does not say, its file does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSettings {
    /// What a match is called.
    pub title: Option<String>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// What it leads to, beside its finding.
    pub leads_to: Option<LeadsTo>,
    /// Whether it is left out.
    pub is_disabled: bool,
    /// For how long further matches belong to the same occurrence, in seconds.
    pub dedup_window_seconds: Option<u64>,
}

/// What holds for all rules that say nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleDefaults {
    /// For how long further matches belong to the same occurrence, in seconds.
    pub dedup_window_seconds: u64,
    /// From which severity on people are told.
    pub tell_from: Severity,
    /// Of rules that say none.
    pub severity: Severity,
}

impl Default for RuleDefaults {
    fn default() -> RuleDefaults {
        RuleDefaults {
            dedup_window_seconds: DEFAULT_DEDUP_WINDOW_SECONDS,
            tell_from: Severity::Medium,
            severity: Severity::Medium,
        }
    }
}

/// A rule in force.
#[derive(Clone, Debug)]
pub struct ActiveRule {
    /// What it matches, and what a match is called.
    pub rule: Rule,
    /// How bad a match is.
    pub severity: Severity,
    /// What a match leads to, beside its finding.
    pub leads_to: Option<LeadsTo>,
    /// For how long further matches belong to the same occurrence, in seconds.
    pub dedup_window_seconds: u64,
    /// From which severity on people are told.
    pub tell_from: Severity,
}

impl ActiveRule {
    /// A rule as its file has it, with what the configuration says of it.
    pub fn new(written: WrittenRule, settings: &RuleSettings, defaults: &RuleDefaults) -> ActiveRule {
        let mut rule = written.rule;
        if let Some(title) = &settings.title {
            rule.title.clone_from(title);
        }
        ActiveRule {
            severity: settings.severity.or(rule.severity).unwrap_or(defaults.severity),
            leads_to: settings.leads_to.clone().or(written.leads_to),
            dedup_window_seconds: settings
                .dedup_window_seconds
                .or(written.dedup_window_seconds)
                .unwrap_or(defaults.dedup_window_seconds),
            tell_from: defaults.tell_from,
            rule,
        }
    }

    /// The guardrail that a match is handed to: then it makes no finding of its own.
    pub fn guardrail(&self) -> Option<&str> {
        match &self.leads_to {
            Some(LeadsTo::Guardrail(id)) => Some(id),
            _ => None,
        }
    }

    /// The playbook that a match starts.
    pub fn playbook(&self) -> Option<&str> {
        match &self.leads_to {
            Some(LeadsTo::Playbook(id)) => Some(id),
            _ => None,
        }
    }

    /// A match: of what its finding is, and what is told of it.
    pub fn sighting(&self, event: &Event) -> Sighting {
        let key = self.rule.finding_key(event);
        let is_told = self.severity >= self.tell_from;
        let label = |severity: Severity| serde_json::json!(severity).as_str().unwrap_or_default().to_owned();
        let untold = (!is_told).then(|| {
            format!(
                "its severity is {}, and people are told from {} on (`rules_tell_from`)",
                label(self.severity),
                label(self.tell_from)
            )
        });
        Sighting {
            guardrail: key.rule,
            title: self.rule.title.clone(),
            severity: self.severity,
            resource_type: resource_type(event, &key.resource),
            resource: key.resource,
            account: key.account,
            region: key.region,
            event_id: event.identity().to_owned(),
            event_time: event.time,
            actor: event.detail.get("userIdentity").filter(|actor| !actor.is_null()).cloned(),
            rule: Some(MatchedRule {
                tags: self.rule.tags.clone(),
                reason: reason(event),
                dedup_window_seconds: self.dedup_window_seconds,
                untold,
            }),
        }
    }
}

/// The type that CloudTrail's record says of a resource; ASFF's `Other` where it says none.
fn resource_type(event: &Event, resource: &str) -> String {
    let recorded = event.detail.get("resources").and_then(Value::as_array).into_iter().flatten();
    let is_it =
        |recorded: &&Value| [said(recorded, "ARN"), said(recorded, "arn")].iter().flatten().any(|arn| arn == resource);
    recorded.filter(is_it).find_map(|recorded| said(recorded, "type")).unwrap_or_else(|| "Other".to_owned())
}

/// What happened, in a few words: the call, or what kind of event it is.
fn reason(event: &Event) -> String {
    match (said(&event.detail, "eventName"), said(&event.detail, "eventSource")) {
        (Some(name), Some(source)) => match said(&event.detail, "errorCode") {
            Some(error) => format!("{name} of {source}, refused: {error}"),
            None => format!("{name} of {source}"),
        },
        _ => format!("{} of {}", event.detail_type, event.source),
    }
}
