//! Failures: never a suppression.

use serde_json::{Value, json};

use super::{Call, cut};
use crate::finding::{Finding, Milestone, Stage, WorkflowStatus};

impl Finding {
    pub(super) fn failed(&mut self, call: &Call<'_>, error: &str, cause: &str, at: Option<&str>) -> Value {
        let detail = json!({"Error": cut(error), "Cause": cut(cause), "At": at});
        self.fail(call, Milestone::Failed, detail);
        json!({})
    }

    pub(super) fn execution_failed(&mut self, call: &Call<'_>, status: &str, error: &str, cause: &str) -> Value {
        let name = call.execution_name();
        let deals = match &self.under_way {
            Some(under_way) => under_way.execution_name == name,
            None => name.starts_with(&self.id),
        };
        // An inspection on demand, or a response before the one under way.
        if !deals && !self.is_next_undo(name) {
            return json!({"Failed": false});
        }
        let detail = json!({"Status": status, "Error": cut(error), "Cause": cut(cause)});
        if self.under_way.is_none() && matches!(self.stage, Stage::Fixed | Stage::Compliant | Stage::Undone) {
            // It had done its work; only telling of it failed.
            self.record(call.now, Milestone::ExecutionFailed, call.execution, detail);
        } else {
            self.fail(call, Milestone::ExecutionFailed, detail);
        }
        json!({"Failed": true})
    }

    fn fail(&mut self, call: &Call<'_>, milestone: Milestone, detail: Value) {
        let name = call.execution_name();
        if self.is_next_undo(name) {
            // It failed before it began: the next one needs another name.
            if let Some(occurrence) = self.occurrences.iter_mut().rev().find(|occurrence| occurrence.is_undoable()) {
                occurrence.undos = occurrence.undos.saturating_add(1);
            }
            // A response that is under way meanwhile is not concerned.
            if self.under_way.is_some() {
                self.record(call.now, milestone, call.execution, detail);
                return;
            }
        }
        self.under_way = None;
        self.stage = Stage::Failed;
        if matches!(self.status, WorkflowStatus::Resolved | WorkflowStatus::Suppressed) {
            self.status = WorkflowStatus::New;
        }
        if let Some(occurrence) = self.occurrences.last_mut() {
            occurrence.question = None;
        }
        self.record(call.now, milestone, call.execution, detail);
    }

    fn is_next_undo(&self, name: &str) -> bool {
        self.undoable()
            .is_some_and(|occurrence| Finding::undo_name(&self.id, occurrence.number, occurrence.undos) == name)
    }
}
