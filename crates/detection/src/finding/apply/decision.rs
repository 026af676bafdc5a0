//! Deciding, telling, asking.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answered, Call, cut};
use crate::{
    decide::{Exception, Subject, decide},
    finding::{Answer, Finding, Milestone, Question, Stage, TaskToken, WorkflowStatus},
};

impl Finding {
    pub(super) fn decide(&mut self, call: &Call<'_>, owner: &Value) -> Answered {
        let answer = self.found(call)?.answer.clone();
        let subject = Subject {
            guardrail: &self.guardrail,
            resource: &self.resource,
            account: &self.account,
            answer: answer.as_ref().map(|answer| (answer.approved, answer.person.as_deref())),
        };
        let verdict = decide(&subject, call.settings, call.facts, call.now);
        let occurrence = self.found(call)?;
        occurrence.decision = Some(verdict.decision);
        occurrence.why = Some(verdict.why.clone());
        occurrence.owner = owner.clone();
        let tell = occurrence.told_at.is_none() && verdict.decision != crate::Decision::Leave;
        let detail = json!({"Decision": verdict.decision, "Why": verdict.why, "Owner": owner});
        self.record(call.now, Milestone::Decided, call.execution, detail);
        Ok(json!({
            "Decision": verdict.decision,
            "Why": verdict.why,
            "Tell": tell,
            // What a Task's `TimeoutSeconds` may be.
            "DeadlineSeconds": call.settings.approval_timeout_seconds.clamp(1, 99_999_999),
        }))
    }

    pub(super) fn told(&mut self, call: &Call<'_>, kind: &str, results: &Value) -> Value {
        let reached = reached_somebody(results);
        if reached && self.status == WorkflowStatus::New {
            self.status = WorkflowStatus::Notified;
        }
        if reached
            && kind == "noticed"
            && let Some(occurrence) = self.occurrences.last_mut()
            && occurrence.told_at.is_none()
        {
            occurrence.told_at = Some(call.now);
        }
        let mut detail = json!({"Kind": kind, "Results": results});
        if results.as_array().is_some_and(Vec::is_empty)
            && let Some(detail) = detail.as_object_mut()
        {
            detail.insert("Note".to_owned(), Value::from("nobody is configured to be told: add a channel"));
        }
        self.record(call.now, Milestone::Told, call.execution, detail);
        json!({})
    }

    pub(super) fn asked(&mut self, call: &Call<'_>, task_token: &TaskToken, deadline_seconds: u64) -> Answered {
        let occurrence = self.found(call)?;
        if occurrence.decision != Some(crate::Decision::Ask) {
            return Err(call.illegal("it was not decided to ask; `decide` first"));
        }
        if let Some(question) = &mut occurrence.question {
            // The attempt before this one sent the question already: only its token is of no use any more.
            question.task_token = task_token.clone();
            self.version = self.version.saturating_add(1);
            return Ok(json!({"AlreadyAsked": true}));
        }
        let deadline = later(call.now, deadline_seconds);
        occurrence.question = Some(Question { task_token: task_token.clone(), asked_at: call.now, deadline });
        self.stage = Stage::WaitingForAPerson;
        self.record(call.now, Milestone::Asked, call.execution, json!({"Deadline": deadline}));
        Ok(json!({"AlreadyAsked": false}))
    }

    /// It takes effect when it is next decided what to do.
    pub(super) fn excepted(&mut self, call: &Call<'_>, exception: &Exception) -> Value {
        let detail = json!({"Reason": cut(&exception.reason), "Until": exception.until});
        self.record(call.now, Milestone::Excepted, &exception.author, detail);
        json!({})
    }

    pub(super) fn answered(
        &mut self,
        call: &Call<'_>,
        approved: bool,
        person: Option<&str>,
        reason: Option<&str>,
    ) -> Answered {
        let occurrence = self.found(call)?;
        if occurrence.question.take().is_none() {
            return Err(call.illegal("nobody was asked; `asked` comes first"));
        }
        let reason = reason.map(cut);
        occurrence.answer =
            Some(Answer { approved, person: person.map(str::to_owned), reason: reason.clone(), at: call.now });
        self.stage = if approved { Stage::Inspecting } else { Stage::Told };
        let detail = json!({"Approved": approved, "Person": person, "Reason": reason});
        self.record(call.now, Milestone::Answered, person.unwrap_or(call.execution), detail);
        Ok(json!({"Approved": approved}))
    }
}

/// Whether somebody was reached: with no channel configured nobody could be, which is no failure.
fn reached_somebody(results: &Value) -> bool {
    let Some(results) = results.as_array() else { return false };
    results.is_empty() || results.iter().any(|result| result.get("Ok") == Some(&Value::Bool(true)))
}

/// A moment so many seconds later, or the end of time.
fn later(now: Timestamp, seconds: u64) -> Timestamp {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok())
        .unwrap_or(Timestamp::MAX)
}
