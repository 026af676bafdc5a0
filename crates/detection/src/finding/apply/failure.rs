//! Failures: never a suppression.

use serde_json::{Value, json};

use super::{Call, cut};
use crate::finding::{Finding, Milestone, Stage, WorkflowStatus};

impl Finding {
    pub(super) fn failed(&mut self, call: &Call<'_>, error: &str, cause: &str, at: Option<&str>) -> Value {
        let detail = json!({"Error": cut(error), "Cause": cut(cause), "At": at});
        self.count_undo_to_come(call);
        self.fail(call, Milestone::Failed, detail);
        json!({})
    }

    pub(super) fn execution_failed(&mut self, call: &Call<'_>, status: &str, error: &str, cause: &str) -> Value {
        // An inspection on demand, or a response before the one under way.
        if !call.execution_name().starts_with(&self.id) || (self.is_anothers(call) && !self.is_undo_to_come(call)) {
            return json!({"Failed": false});
        }
        self.count_undo_to_come(call);
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
        if self.is_anothers(call) {
            // An undo that waited in vain: the response under way is not concerned.
            self.record(call.now, milestone, call.execution, detail);
            return;
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

    /// Whether one of the finding's executions says it while another one is under way.
    fn is_anothers(&self, call: &Call<'_>) -> bool {
        let name = call.execution_name();
        name.starts_with(&self.id) && self.under_way.as_ref().is_some_and(|under_way| under_way.execution_name != name)
    }

    /// Whether it is an undo that has not begun.
    fn is_undo_to_come(&self, call: &Call<'_>) -> bool {
        let mut occurrences = self.occurrences.iter();
        occurrences.any(|occurrence| occurrence.next_undo(&self.id) == call.execution_name())
    }

    /// An undo that failed before it began is over: the next one needs another name.
    fn count_undo_to_come(&mut self, call: &Call<'_>) {
        let id = &self.id;
        let mut occurrences = self.occurrences.iter_mut();
        if let Some(occurrence) = occurrences.find(|occurrence| occurrence.next_undo(id) == call.execution_name()) {
            occurrence.undos = occurrence.undos.saturating_add(1);
        }
    }
}
