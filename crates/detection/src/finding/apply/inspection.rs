//! Inspections: they begin at a generation, say what they found, and close the finding or not.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answered, Call, cut};
use crate::Decision;
use crate::finding::{Compliance, Finding, INSPECTIONS_LIMIT, Milestone, Occurrence, Stage, WorkflowStatus};

impl Finding {
    pub(super) fn inspecting(&mut self, call: &Call<'_>) -> Answered {
        let occurrence = self.dealt_with(call)?;
        // The fix itself answered, or the machine would not inspect again.
        let fixed = occurrence.fixing_at.is_some() && occurrence.fixed_at.is_none();
        if fixed {
            occurrence.fixed_at = Some(call.now);
            self.record(call.now, Milestone::Fixed, call.execution, json!({}));
        }
        let generation = self.generation;
        if let Some(under_way) = &mut self.under_way {
            under_way.inspections = under_way.inspections.saturating_add(1);
            under_way.generation = generation;
        }
        // A finding that is at rest stays so in the eyes of people until an inspection says otherwise.
        if matches!(self.status, WorkflowStatus::New | WorkflowStatus::Notified) {
            self.stage = Stage::Inspecting;
        }
        self.record(call.now, Milestone::Inspecting, call.execution, json!({"Generation": generation}));
        Ok(json!({"Generation": generation}))
    }

    pub(super) fn inspected(&mut self, call: &Call<'_>, compliance: Compliance, reason: &str) -> Answered {
        let is_fixed = self.dealt_with(call)?.fixing_at.is_some();
        let reason = cut(reason);
        self.compliance = Some(compliance);
        self.reason.clone_from(&reason);
        let mut detail = json!({"Compliance": compliance, "Reason": reason});
        if compliance == Compliance::NonCompliant {
            if is_fixed {
                // What was fixed in this response is open again: an appearance of its own, with a `Before` of its own.
                self.begin_again(call.now);
            }
            let reverted = self.is_reverted();
            if let Some(occurrence) = self.occurrences.last_mut()
                && occurrence.found_at.is_none()
            {
                occurrence.found_at = Some(call.now);
                self.status = WorkflowStatus::New;
                self.stage = if reverted { Stage::Reverted } else { Stage::Inspecting };
                if reverted && let Some(detail) = detail.as_object_mut() {
                    detail.insert("Reverted".to_owned(), Value::Bool(true));
                }
            }
        }
        self.record(call.now, Milestone::Inspected, call.execution, detail);
        Ok(json!({
            "Occurrence": self.occurrence,
            "Actor": self.current().and_then(|occurrence| occurrence.actor.clone()),
        }))
    }

    /// Begins an occurrence within the response under way, from the newest event that it took along.
    fn begin_again(&mut self, now: Timestamp) {
        let absorbed = self.under_way.as_mut().and_then(|under_way| under_way.absorbed.take());
        let mut occurrence = match &absorbed {
            Some(event) => Occurrence::new(0, event.event_at, event.noticed_at, event.actor.clone()),
            None => Occurrence::new(0, now, now, None),
        };
        if let Some(event) = &absorbed {
            occurrence.absorb(&event.event_id);
        }
        self.begin(occurrence);
    }

    /// Whether the occurrence before this one had been fixed and proved: somebody reverted it.
    fn is_reverted(&self) -> bool {
        let before = self.occurrences.iter().rev().skip(1).find(|occurrence| occurrence.found_at.is_some());
        before.is_some_and(|before| {
            before.fixing_at.is_some() && before.proved_at.is_some() && before.undone_at.is_none()
        })
    }

    pub(super) fn close(&mut self, call: &Call<'_>, generation: u64, compliance: Compliance, reason: &str) -> Answered {
        self.dealt_with(call)?;
        let inspections = self.under_way.as_ref().map_or(0, |under_way| under_way.inspections);
        let reason = cut(reason);
        let since = self.settled_since(generation, compliance);
        if since != self.generation {
            let detail = json!({"InspectedAt": since, "Generation": self.generation, "Inspections": inspections});
            if inspections < INSPECTIONS_LIMIT {
                self.record(call.now, Milestone::InspectAgain, call.execution, detail);
                return Ok(json!({"Closed": false, "InspectAgain": true, "Tell": null}));
            }
            // It changes faster than it can be inspected: that is for people.
            self.end_open(Stage::Failed);
            self.record(call.now, Milestone::Failed, call.execution, detail);
            return Ok(json!({"Closed": false, "InspectAgain": false, "Tell": "unsettled"}));
        }
        self.compliance = Some(compliance);
        self.reason.clone_from(&reason);
        let detail = json!({"Compliance": compliance, "Reason": reason});
        if compliance == Compliance::NonCompliant {
            return Ok(self.leave_open(call, detail));
        }
        let tell = self.resolve(compliance, call.now);
        self.record(call.now, Milestone::Closed, call.execution, detail);
        Ok(json!({"Closed": true, "InspectAgain": false, "Tell": tell}))
    }

    /// The generation up to which the response has dealt with the resource. A fix touches only what is in `Before`: where it is still
    /// `NON_COMPLIANT` after one, what came since `Before` may be why, even if the proving inspection saw it.
    fn settled_since(&self, generation: u64, compliance: Compliance) -> u64 {
        let fixed = self.current().filter(|occurrence| occurrence.is_fix_unproved());
        match fixed.and_then(|occurrence| occurrence.before_generation) {
            Some(before) if compliance == Compliance::NonCompliant => before.min(generation),
            _ => generation,
        }
    }

    /// Ends the response with the finding open.
    fn end_open(&mut self, stage: Stage) {
        self.under_way = None;
        self.stage = stage;
        if let Some(occurrence) = self.occurrences.last_mut() {
            occurrence.question = None;
        }
        if matches!(self.status, WorkflowStatus::Resolved | WorkflowStatus::Suppressed) {
            self.status = WorkflowStatus::New;
        }
    }

    /// The last word is `NON_COMPLIANT`: the fix did not help, or it was not to be fixed.
    fn leave_open(&mut self, call: &Call<'_>, detail: Value) -> Value {
        let (unproved, decision) =
            self.current().map_or((false, None), |occurrence| (occurrence.is_fix_unproved(), occurrence.decision));
        let (milestone, tell) = if unproved {
            self.end_open(Stage::Failed);
            (Milestone::Failed, Some("not_fixed"))
        } else {
            let stage = if self.is_reverted() { Stage::Reverted } else { Stage::Told };
            self.end_open(stage);
            (Milestone::Left, None)
        };
        if decision == Some(Decision::Leave) && !unproved {
            self.status = WorkflowStatus::Suppressed;
        }
        self.record(call.now, milestone, call.execution, detail);
        json!({"Closed": false, "InspectAgain": false, "Tell": tell})
    }

    /// Nothing is wrong (any more). What somebody has to be told of it, if anything.
    fn resolve(&mut self, compliance: Compliance, now: Timestamp) -> Option<&'static str> {
        self.under_way = None;
        let was_told = self.status == WorkflowStatus::Notified;
        self.status = WorkflowStatus::Resolved;
        // Where nothing was found there was no appearance of the problem.
        while self.current().is_some_and(|occurrence| occurrence.found_at.is_none()) {
            self.occurrences.pop();
        }
        self.stage = Stage::Compliant;
        let occurrence = self.occurrences.last_mut()?;
        occurrence.question = None;
        if occurrence.is_fix_unproved() && occurrence.fixed_at.is_some() && compliance == Compliance::Compliant {
            occurrence.proved_at = Some(now);
            self.stage = Stage::Fixed;
            return Some("fixed");
        }
        if occurrence.proved_at.is_some() && occurrence.undone_at.is_none() {
            self.stage = Stage::Fixed;
        }
        was_told.then_some("resolved")
    }
}
