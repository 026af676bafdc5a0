//! Taking a fix back.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answered, Call};
use crate::finding::{Compliance, Finding, Milestone, SUPPRESSED_DAYS_AFTER_UNDO, Stage, UnderWay, WorkflowStatus};

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
        let occurrence = self.occurrences.iter_mut().rev().find(|occurrence| occurrence.is_undoable());
        let Some(occurrence) = occurrence else {
            return Err(call.illegal("nothing of it was fixed, or its fix was taken back already"));
        };
        occurrence.undos = occurrence.undos.saturating_add(1);
        let (before, number) = (occurrence.before.clone(), occurrence.number);
        self.under_way = Some(UnderWay {
            execution_name: call.execution_name().to_owned(),
            since: call.now,
            inspections: 0,
            absorbed: None,
        });
        self.stage = Stage::Undoing;
        self.record(call.now, Milestone::Undoing, call.execution, json!({"Occurrence": number}));
        Ok(json!({"Wait": false, "Before": before.unwrap_or(Value::Null)}))
    }

    pub(super) fn undone(&mut self, call: &Call<'_>, until: Option<Timestamp>) -> Answered {
        if self.stage != Stage::Undoing {
            return Err(call.illegal("no undo is under way; `undoing` comes first"));
        }
        let until = until.unwrap_or_else(|| {
            let week = SignedDuration::from_hours(24 * SUPPRESSED_DAYS_AFTER_UNDO);
            call.now.checked_add(week).unwrap_or(Timestamp::MAX)
        });
        if let Some(occurrence) = self.occurrences.iter_mut().rev().find(|occurrence| occurrence.is_undoable()) {
            occurrence.undone_at = Some(call.now);
        }
        self.under_way = None;
        self.suppressed_until = Some(until);
        self.status = WorkflowStatus::Suppressed;
        self.stage = Stage::Undone;
        self.compliance = Some(Compliance::NonCompliant);
        "its fix was taken back: it is as it was before".clone_into(&mut self.reason);
        self.record(call.now, Milestone::Undone, call.execution, json!({"Until": until}));
        Ok(json!({"Until": until}))
    }
}
