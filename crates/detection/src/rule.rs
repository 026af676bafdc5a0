//! What an event is held against: an event pattern or a Sigma rule, what a match of it is called, and what it leads to.

mod active;
mod file;
mod machine;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::{Event, EventPattern, Finding, Severity, sigma::Condition};

pub use active::{ActiveRule, RuleDefaults, RuleSettings};
pub use file::{DEDUP_WINDOW_MAX_SECONDS, LeadsTo, Names, RuleFile, WrittenRule, is_headed, read};
pub use machine::machine;

/// A rule that can match an event.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id; the file's name where the file has none.
    pub id: String,
    /// What a match of it is called.
    pub title: String,
    /// How bad a match is; `None` where the rule does not say.
    pub severity: Option<Severity>,
    /// Sigma's `tags`: `attack.t1078.004` …
    pub tags: Vec<String>,
    /// Sigma's `falsepositives`: what may match without anything being wrong.
    pub false_positives: Vec<String>,
    /// What it matches.
    pub filter: Filter,
}

/// What a rule matches.
#[derive(Clone, Debug)]
pub enum Filter {
    /// An event pattern of EventBridge.
    Pattern(EventPattern),
    /// The detection of a Sigma rule for AWS CloudTrail.
    Sigma(Condition),
}

/// What makes two matches the same finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingKey {
    /// The rule's id.
    pub rule: String,
    /// The event's account.
    pub account: String,
    /// The event's Region.
    pub region: String,
    /// The event's first resource; where it names none, who acted; empty where neither is known.
    pub resource: String,
}

impl Filter {
    /// Whether an event's envelope matches (naively: the oracle of the compiled [`Matcher`](crate::Matcher)).
    pub fn matches(&self, envelope: &Value) -> bool {
        match self {
            Filter::Pattern(pattern) => pattern.matches(envelope),
            Filter::Sigma(condition) => condition.matches(envelope),
        }
    }
}

impl From<EventPattern> for Filter {
    fn from(pattern: EventPattern) -> Filter {
        Filter::Pattern(pattern)
    }
}

impl From<Condition> for Filter {
    fn from(condition: Condition) -> Filter {
        Filter::Sigma(condition)
    }
}

impl Rule {
    /// The key of the finding that a match of this rule makes.
    pub fn finding_key(&self, event: &Event) -> FindingKey {
        FindingKey {
            rule: self.id.clone(),
            account: event.account.clone(),
            region: event.region.clone(),
            resource: first_resource(event).or_else(|| actor(event)).unwrap_or_default(),
        }
    }
}

impl FindingKey {
    /// The finding's id.
    pub fn id(&self) -> String {
        Finding::id_of(&self.rule, &self.account, &self.region, &self.resource)
    }
}

/// The envelope's first resource, else the first that CloudTrail's record names.
fn first_resource(event: &Event) -> Option<String> {
    let recorded = || {
        let resources = event.detail.get("resources")?.as_array()?;
        resources.iter().find_map(|resource| said(resource, "ARN").or_else(|| said(resource, "arn")))
    };
    event.resources.iter().find(|resource| !resource.is_empty()).cloned().or_else(recorded)
}

/// Who acted, by CloudTrail's record: the ARN, else the next best name. Source:
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>
pub fn actor(event: &Event) -> Option<String> {
    let identity = event.detail.get("userIdentity")?;
    ["arn", "principalId", "userName", "invokedBy", "type"].into_iter().find_map(|name| said(identity, name))
}

fn said(object: &Value, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}
