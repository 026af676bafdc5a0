//! The legal table of a finding's life after it was noticed: (finding, input) → (finding, answer), one file a chapter.

mod decision;
mod failure;
mod fix;
mod inspection;
mod rule;
mod undo;

use jiff::Timestamp;
use serde_json::Value;

use super::{Change, Finding, FindingInput, IllegalFindingInput, Occurrence, TEXT_LIMIT};
use crate::decide::{Decision, Facts, Settings};

/// Who says it, when, and what a decision may know.
struct Call<'a> {
    input: &'a FindingInput,
    execution: &'a str,
    settings: &'a Settings,
    facts: &'a Facts,
    now: Timestamp,
}

/// The answer to an input that the finding can take.
type Answered = Result<Value, IllegalFindingInput>;

impl Finding {
    /// What an input does to the finding. `execution` names who says it: an execution's ARN, or a person.
    pub fn apply(
        &self,
        input: &FindingInput,
        execution: &str,
        settings: &Settings,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Change, IllegalFindingInput> {
        let call = Call { input, execution, settings, facts, now };
        let mut finding = self.clone();
        let answer = finding.take(&call)?;
        let decision = match input {
            FindingInput::Decide { .. } => finding.current().and_then(|occurrence| occurrence.decision),
            _ => None,
        };
        Ok(Change { finding, answer, decision })
    }

    fn take(&mut self, call: &Call<'_>) -> Answered {
        match call.input {
            FindingInput::Inspecting {} => self.inspecting(call),
            FindingInput::Record { compliance, reason } => self.inspected(call, *compliance, reason),
            FindingInput::Decide { owner } => self.decide(call, owner),
            FindingInput::Told { kind, results } => Ok(self.told(call, kind, results)),
            FindingInput::Asked { task_token, deadline_seconds } => self.asked(call, task_token, *deadline_seconds),
            FindingInput::Answered { approved, person, reason } => {
                self.answered(call, *approved, person.as_deref(), reason.as_deref())
            }
            FindingInput::KeepBefore { before } => self.keep_before(call, before),
            FindingInput::Fixing {} => self.fixing(call),
            FindingInput::Close { generation, compliance, reason } => {
                self.close(call, *generation, *compliance, reason)
            }
            FindingInput::Leave {} => self.leave(call),
            FindingInput::Resolve { person, reason } => self.resolve_by_person(call, person, reason),
            FindingInput::Suppress { person, reason, until } => self.suppress(call, person, reason, *until),
            FindingInput::Failed { error, cause, at } => Ok(self.failed(call, error, cause, at.as_deref())),
            FindingInput::UndoAsked { person, until } => self.undo_asked(call, person, *until),
            FindingInput::Undoing {} => self.undoing(call),
            FindingInput::Undone { gone: Some(reason), .. } => self.gone(call, reason),
            FindingInput::Undone { until, gone: None } => self.undone(call, *until),
            FindingInput::Excepted { exception } => Ok(self.excepted(call, exception)),
            FindingInput::ExecutionFailed { status, error, cause } => {
                Ok(self.execution_failed(call, status, error, cause))
            }
        }
    }

    /// The occurrence that the response under way deals with.
    fn dealt_with(&mut self, call: &Call<'_>) -> Result<&mut Occurrence, IllegalFindingInput> {
        if self.under_way.is_none() {
            return Err(call.illegal("no response is under way; a new event or a sweep starts one"));
        }
        self.occurrences.last_mut().ok_or_else(|| call.illegal("it has no occurrence"))
    }

    /// The same, once an inspection found it non-compliant.
    fn found(&mut self, call: &Call<'_>) -> Result<&mut Occurrence, IllegalFindingInput> {
        let occurrence = self.dealt_with(call)?;
        match occurrence.found_at {
            Some(_) => Ok(occurrence),
            None => Err(call.illegal("no inspection has found it non-compliant; `record` one first")),
        }
    }

    /// The same, once it was decided to fix it.
    fn decided_to_fix(&mut self, call: &Call<'_>) -> Result<&mut Occurrence, IllegalFindingInput> {
        let occurrence = self.found(call)?;
        match occurrence.decision {
            Some(Decision::Fix) => Ok(occurrence),
            _ => Err(call.illegal("it was not decided to fix it; `decide` first")),
        }
    }
}

impl Call<'_> {
    fn illegal(&self, reason: &str) -> IllegalFindingInput {
        IllegalFindingInput { input: self.input.action().to_owned(), reason: reason.to_owned() }
    }

    /// The execution's name: the last part of its ARN.
    fn execution_name(&self) -> &str {
        self.execution.rsplit(':').next().unwrap_or(self.execution)
    }
}

/// A text within the limit, with a note where it was cut.
fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_LIMIT) {
        Some((end, _)) => format!("{}… (cut at {TEXT_LIMIT} characters)", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
