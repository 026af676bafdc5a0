//! A rule's match: opens a finding, is taken along by the occurrence whose window it falls into, or begins a new occurrence.
//!
//! A rule sees what happened and not how a resource stands, so nothing is inspected, fixed or proved: the match itself is what was
//! found. What is decided is only whether somebody is told, and that needs no execution; telling does.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    EVENTS_LIMIT, Finding, Milestone, Occurrence, Response, Sighted, Sighting, Stage, UnderWay, WorkflowStatus,
    sight::name_of,
};
use crate::decide::{Decision, Exception, Subject};

/// For how long a rule's further matches belong to the same occurrence unless the rule or the configuration says otherwise, in
/// seconds: an hour.
pub const DEFAULT_DEDUP_WINDOW_SECONDS: u64 = 3_600;

/// What a rule says of its match, beside what every sighting has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedRule {
    /// Sigma's `tags`.
    pub tags: Vec<String>,
    /// What happened, in a few words.
    pub reason: String,
    /// For how long further matches belong to the same occurrence, in seconds from its first.
    pub dedup_window_seconds: u64,
    /// Why nobody is told; `None` where somebody is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<String>,
}

impl Finding {
    /// What a rule's match does to the finding that is there, or to none. `exceptions` are those in force.
    pub fn matched(
        finding: Option<&Finding>,
        sighting: &Sighting,
        rule: &MatchedRule,
        exceptions: &[Exception],
        now: Timestamp,
    ) -> Sighted {
        let mut finding = finding.cloned().unwrap_or_else(|| Finding::open(sighting, now));
        // What the rule says of itself may have changed since.
        finding.title.clone_from(&sighting.title);
        finding.severity = sighting.severity;
        finding.reason.clone_from(&rule.reason);
        finding.rule = Some(rule.clone());
        finding.generation = finding.generation.saturating_add(1);
        let detail = json!({
            "EventId": sighting.event_id, "EventTime": sighting.event_time,
            "Generation": finding.generation, "Actor": sighting.actor.as_ref().and_then(name_of),
        });
        if finding.takes_along(rule, now) {
            finding.take_along(sighting, detail, now);
            return Sighted { finding, start: None };
        }
        finding.begin_matched(sighting, now);
        finding.record(now, Milestone::Noticed, &sighting.event_id, detail);
        let start = finding.decide_to_tell(rule, exceptions, &sighting.event_id, now);
        Sighted { finding, start }
    }

    /// The finding with a note that its match started a playbook.
    #[must_use]
    pub fn playbook_started(&self, playbook: &str, execution: &str, event_id: &str, now: Timestamp) -> Finding {
        let mut finding = self.clone();
        let detail = json!({"Playbook": playbook, "Execution": execution});
        finding.record(now, Milestone::PlaybookStarted, event_id, detail);
        finding
    }

    /// Whether the present occurrence takes a further match along. What a person has resolved does not: whatever comes then is new.
    fn takes_along(&self, rule: &MatchedRule, now: Timestamp) -> bool {
        if self.under_way.is_some() {
            return true;
        }
        let window = SignedDuration::from_secs(i64::try_from(rule.dedup_window_seconds).unwrap_or(i64::MAX));
        let is_within = |occurrence: &Occurrence| now.duration_since(occurrence.noticed_at) < window;
        self.status != WorkflowStatus::Resolved && self.current().is_some_and(is_within)
    }

    /// The first [`EVENTS_LIMIT`] of an occurrence's events are entries of the timeline; the rest are counted.
    fn take_along(&mut self, sighting: &Sighting, detail: Value, now: Timestamp) {
        let is_kept = self.current().is_none_or(|occurrence| occurrence.events.len() < EVENTS_LIMIT);
        if let Some(occurrence) = self.occurrences.last_mut() {
            occurrence.absorb(&sighting.event_id);
        }
        if is_kept {
            self.record(now, Milestone::Absorbed, &sighting.event_id, detail);
        } else {
            self.version = self.version.saturating_add(1);
            self.updated_at = now;
        }
    }

    fn begin_matched(&mut self, sighting: &Sighting, now: Timestamp) {
        let mut occurrence = Occurrence::new(0, sighting.event_time, now, sighting.actor.clone());
        occurrence.found_at = Some(now);
        occurrence.absorb(&sighting.event_id);
        self.begin(occurrence);
        self.status = WorkflowStatus::New;
        self.stage = Stage::Left;
    }

    fn decide_to_tell(
        &mut self,
        rule: &MatchedRule,
        exceptions: &[Exception],
        event_id: &str,
        now: Timestamp,
    ) -> Option<Response> {
        let subject =
            Subject { guardrail: &self.guardrail, resource: &self.resource, account: &self.account, answer: None };
        let exception = exceptions.iter().find(|exception| exception.covers(&subject, now));
        let (decision, why) = match (exception, &rule.untold) {
            (Some(exception), _) => (Decision::Leave, exception.why()),
            (None, Some(why)) => (Decision::Leave, why.clone()),
            (None, None) => (Decision::Tell, "a rule tells, and changes nothing".to_owned()),
        };
        if exception.is_some() {
            self.status = WorkflowStatus::Suppressed;
        }
        self.decided(decision, &why);
        self.record(now, Milestone::Decided, event_id, json!({"Decision": decision, "Why": why}));
        if decision == Decision::Leave {
            return None;
        }
        let execution_name = Finding::execution_name(&self.id, self.occurrence);
        self.under_way = Some(UnderWay::new(execution_name.clone(), now));
        let mut input = self.input("respond");
        if let Some(input) = input.as_object_mut() {
            input.insert("Title".to_owned(), Value::from(self.title.clone()));
            input.insert("Reason".to_owned(), Value::from(self.reason.clone()));
            input.insert("Why".to_owned(), Value::from(why));
        }
        Some(Response { execution_name, input: input.to_string() })
    }

    pub(super) fn decided(&mut self, decision: Decision, why: &str) {
        if let Some(occurrence) = self.occurrences.last_mut() {
            occurrence.decision = Some(decision);
            occurrence.why = Some(why.to_owned());
        }
    }
}
