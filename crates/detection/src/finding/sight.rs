//! A sighting: opens a finding, is absorbed by the response under way, or starts a new one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    EVENTS_LIMIT, Finding, MatchedRule, Milestone, OCCURRENCES_LIMIT, Occurrence, Severity, Stage, UnderWay,
    WorkflowStatus, occurrence::Absorbed,
};

/// A guardrail's event that named a resource, or a rule's match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// The guardrail's id.
    pub guardrail: String,
    /// The guardrail's title.
    pub title: String,
    /// The guardrail's severity.
    pub severity: Severity,
    /// CloudFormation type, `AWS::S3::Bucket`.
    pub resource_type: String,
    /// The resource's id within its account and Region.
    pub resource: String,
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// The event's [identity](crate::Event::identity).
    pub event_id: String,
    /// When it happened.
    pub event_time: Timestamp,
    /// Who did it: CloudTrail's `userIdentity`, for the owner and the timeline.
    pub actor: Option<Value>,
    /// What the rule says, where it is a rule's match and no guardrail's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<MatchedRule>,
}

/// What a sighting does to a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighted {
    /// The finding afterwards.
    pub finding: Finding,
    /// The response to start, unless one is under way that takes this along (its generation was raised), or the guardrail is
    /// suppressed on the resource.
    pub start: Option<Response>,
}

/// A response to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The execution's name: a hash of finding and occurrence, within 80 characters.
    pub execution_name: String,
    /// Its input: `{Action, FindingId, Resource: {Id, Type, Account, Region, Arn?}}` as JSON text.
    pub input: String,
}

/// Who made a call, in a word: the whole `userIdentity` is kept once, with the occurrence.
pub(super) fn name_of(actor: &Value) -> Option<&str> {
    ["arn", "userName", "invokedBy", "principalId", "type"].iter().find_map(|name| actor.get(name)?.as_str())
}

impl Finding {
    /// What a guardrail's sighting does to the finding that is there, or to none. (A rule's is [`Finding::matched`].)
    pub fn sight(finding: Option<&Finding>, sighting: &Sighting, now: Timestamp) -> Sighted {
        let mut finding = finding.cloned().unwrap_or_else(|| Finding::open(sighting, now));
        // What the guardrail says of itself may have changed since.
        finding.title.clone_from(&sighting.title);
        finding.severity = sighting.severity;
        finding.generation = finding.generation.saturating_add(1);
        let detail = json!({
            "EventId": sighting.event_id, "EventTime": sighting.event_time,
            "Generation": finding.generation, "Actor": sighting.actor.as_ref().and_then(name_of),
        });
        let (milestone, start) = if let Some(under_way) = &mut finding.under_way {
            under_way.absorbed = Some(Absorbed {
                event_id: sighting.event_id.clone(),
                event_at: sighting.event_time,
                noticed_at: now,
                actor: sighting.actor.clone(),
            });
            if let Some(occurrence) = finding.occurrences.last_mut() {
                occurrence.absorb(&sighting.event_id);
            }
            (Milestone::Absorbed, None)
        } else if finding.is_suppressed(now) {
            (Milestone::SuppressedSighting, None)
        } else {
            (Milestone::Noticed, Some(finding.respond(sighting, now)))
        };
        finding.record(now, milestone, &sighting.event_id, detail);
        Sighted { finding, start }
    }

    pub(super) fn open(sighting: &Sighting, now: Timestamp) -> Finding {
        Finding {
            id: Finding::id_of(&sighting.guardrail, &sighting.account, &sighting.region, &sighting.resource),
            version: 0,
            guardrail: sighting.guardrail.clone(),
            title: sighting.title.clone(),
            severity: sighting.severity,
            rule: sighting.rule.clone(),
            resource_type: sighting.resource_type.clone(),
            resource: sighting.resource.clone(),
            account: sighting.account.clone(),
            region: sighting.region.clone(),
            status: WorkflowStatus::New,
            compliance: None,
            reason: String::new(),
            stage: Stage::Inspecting,
            generation: 0,
            under_way: None,
            occurrence: 0,
            occurrences: Vec::new(),
            occurrences_forgotten: 0,
            suppressed_until: None,
            created_at: now,
            updated_at: now,
            timeline: Vec::new(),
            timeline_forgotten: 0,
        }
    }

    /// Begins an occurrence and the response to it. Status and stage stay until an inspection says that there is one: the
    /// finding's own fix is an event too.
    fn respond(&mut self, sighting: &Sighting, now: Timestamp) -> Response {
        self.suppressed_until = None;
        let mut occurrence = Occurrence::new(0, sighting.event_time, now, sighting.actor.clone());
        occurrence.absorb(&sighting.event_id);
        self.begin(occurrence);
        let execution_name = Finding::execution_name(&self.id, self.occurrence);
        self.under_way = Some(UnderWay::new(execution_name.clone(), now));
        Response { execution_name, input: self.input("respond").to_string() }
    }

    /// Adds an occurrence with the next number.
    pub(super) fn begin(&mut self, mut occurrence: Occurrence) {
        self.occurrence = self.occurrence.saturating_add(1);
        occurrence.number = self.occurrence;
        self.occurrences.push(occurrence);
        while self.occurrences.len() > OCCURRENCES_LIMIT {
            self.occurrences.remove(0);
            self.occurrences_forgotten = self.occurrences_forgotten.saturating_add(1);
        }
    }

    /// The input of an execution of the guardrail's machine.
    pub(super) fn input(&self, action: &str) -> Value {
        json!({
            "Action": action,
            "FindingId": self.id,
            "Resource": {
                "Id": self.resource, "Type": self.resource_type, "Account": self.account, "Region": self.region,
                "Arn": crate::arn::arn(&self.resource_type, &self.resource, &self.account, &self.region),
            },
        })
    }
}

impl UnderWay {
    pub(super) fn new(execution_name: String, since: Timestamp) -> UnderWay {
        UnderWay { execution_name, since, inspections: 0, generation: 0, absorbed: None }
    }
}

impl Occurrence {
    pub(super) fn new(number: u64, event_at: Timestamp, noticed_at: Timestamp, actor: Option<Value>) -> Occurrence {
        Occurrence {
            number,
            events: Vec::new(),
            events_not_kept: 0,
            actor,
            event_at,
            noticed_at,
            found_at: None,
            told_at: None,
            fixing_at: None,
            fixed_at: None,
            proved_at: None,
            undone_at: None,
            decision: None,
            why: None,
            owner: Value::Null,
            question: None,
            answer: None,
            before: None,
            before_generation: None,
            undos: 0,
        }
    }

    pub(super) fn absorb(&mut self, event_id: &str) {
        if self.events.len() < EVENTS_LIMIT {
            self.events.push(event_id.to_owned());
        } else {
            self.events_not_kept = self.events_not_kept.saturating_add(1);
        }
    }
}
