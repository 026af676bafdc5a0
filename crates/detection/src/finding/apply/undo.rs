//! Taking a fix back.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answered, Call, cut};
use crate::finding::{
    Compliance, Finding, IllegalFindingInput, Milestone, Occurrence, SUPPRESSED_DAYS_AFTER_UNDO, Stage,
    UNDONE_TOGETHER_MINUTES, UnderWay, WorkflowStatus,
};

impl Finding {
    pub(super) fn undo_asked(&mut self, call: &Call<'_>, person: &str, until: Option<Timestamp>) -> Answered {
        if until.is_some_and(|until| until <= call.now) {
            return Err(call.illegal("the time until which it is to be left alone is over already; give a later one"));
        }
        if self.under_way.is_some() {
            match self.stage {
                Stage::WaitingForAPerson => return Err(call.illegal("it waits for a person; deny the fix instead")),
                Stage::Fixing => return Err(call.illegal("it is being fixed; try again once it is")),
                Stage::Undoing => return Err(call.illegal("its fix is being taken back already")),
                _ => {}
            }
        }
        let Some(occurrence) = self.undoable() else {
            let undone = self.occurrences.iter().any(|occurrence| occurrence.undone_at.is_some());
            return Err(call.illegal(if undone {
                "its fix was taken back already"
            } else {
                "nothing of it was fixed, so there is nothing to take back"
            }));
        };
        let name = occurrence.next_undo(&self.id);
        let mut input = self.input("undo");
        if let (Some(until), Some(input)) = (until, input.as_object_mut()) {
            input.insert("Until".to_owned(), json!(until));
        }
        let answer = json!({"ExecutionName": name, "Input": input});
        self.record(call.now, Milestone::UndoAsked, person, json!({"Until": until}));
        Ok(answer)
    }

    pub(super) fn undoing(&mut self, call: &Call<'_>) -> Answered {
        if self.under_way.as_ref().is_some_and(|under_way| under_way.execution_name != call.execution_name()) {
            return Ok(json!({"Wait": true, "Before": null}));
        }
        let Some(oldest) = self.undone_together().last() else {
            return Err(call.illegal("nothing of it was fixed, or its fix was taken back already"));
        };
        let (before, number) = (oldest.before.clone(), oldest.number);
        if self.under_way.is_none() {
            // The newest one's undos name the executions.
            if let Some(newest) = self.occurrences.iter_mut().rev().find(|occurrence| occurrence.is_undoable()) {
                newest.undos = newest.undos.saturating_add(1);
            }
            self.under_way = Some(UnderWay::new(call.execution_name().to_owned(), call.now));
        }
        self.stage = Stage::Undoing;
        self.record(call.now, Milestone::Undoing, call.execution, json!({"Occurrence": number}));
        Ok(json!({"Wait": false, "Before": before.unwrap_or(Value::Null)}))
    }

    pub(super) fn undone(&mut self, call: &Call<'_>, until: Option<Timestamp>) -> Answered {
        self.is_undoing(call)?;
        let more = self.undone_together().nth(1).is_some();
        let until = until.unwrap_or_else(|| {
            let week = SignedDuration::from_hours(24 * SUPPRESSED_DAYS_AFTER_UNDO);
            call.now.checked_add(week).unwrap_or(Timestamp::MAX)
        });
        let undone = self.undone_together().last().map(|oldest| oldest.number);
        for occurrence in self.occurrences.iter_mut().filter(|occurrence| Some(occurrence.number) == undone) {
            occurrence.undone_at = Some(call.now);
        }
        if more {
            self.record(call.now, Milestone::Undone, call.execution, json!({"Occurrence": undone, "Until": until}));
            return Ok(json!({"Until": until, "More": true}));
        }
        self.under_way = None;
        self.suppressed_until = Some(until);
        self.status = WorkflowStatus::Suppressed;
        self.stage = Stage::Undone;
        self.compliance = Some(Compliance::NonCompliant);
        "its fix was taken back: it is as it was before".clone_into(&mut self.reason);
        self.record(call.now, Milestone::Undone, call.execution, json!({"Occurrence": undone, "Until": until}));
        Ok(json!({"Until": until, "More": false}))
    }

    /// There is nothing to take back, and nothing to be left alone: what may come under the same name is another resource.
    pub(super) fn gone(&mut self, call: &Call<'_>, reason: &str) -> Answered {
        self.is_undoing(call)?;
        for occurrence in self.occurrences.iter_mut().filter(|occurrence| occurrence.is_undoable()) {
            occurrence.undone_at = Some(call.now);
        }
        self.under_way = None;
        self.status = WorkflowStatus::Resolved;
        self.stage = Stage::Undone;
        self.compliance = Some(Compliance::NotApplicable);
        self.reason = cut(reason);
        let detail = json!({"Compliance": self.compliance, "Reason": self.reason});
        self.record(call.now, Milestone::Undone, call.execution, detail);
        Ok(json!({"Until": null, "More": false}))
    }

    fn is_undoing(&self, call: &Call<'_>) -> Result<(), IllegalFindingInput> {
        if self.stage == Stage::Undoing {
            return Ok(());
        }
        Err(call.illegal("no undo is under way; `undoing` comes first"))
    }

    /// The fixes that one undo takes back, the newest first.
    fn undone_together(&self) -> impl Iterator<Item = &Occurrence> {
        let mut newer: Option<&Occurrence> = None;
        self.occurrences.iter().rev().filter(|occurrence| occurrence.is_undoable()).take_while(move |occurrence| {
            newer.replace(occurrence).is_none_or(|newer| {
                let between = newer.event_at.duration_since(occurrence.event_at).abs();
                between <= SignedDuration::from_mins(UNDONE_TOGETHER_MINUTES)
            })
        })
    }
}
