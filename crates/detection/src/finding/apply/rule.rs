//! A rule's finding: told, and left to people, who resolve or except it.

use jiff::Timestamp;
use serde_json::json;

use super::{Answered, Call, cut};
use crate::{
    decide::{Decision, Exception},
    finding::{Finding, IllegalFindingInput, Milestone, Stage, WorkflowStatus},
};

impl Finding {
    pub(super) fn leave(&mut self, call: &Call<'_>) -> Answered {
        self.is_of_a_rule(call, "a guardrail's response ends with an inspection: `close` it")?;
        self.dealt_with(call)?;
        self.under_way = None;
        self.stage = Stage::Told;
        self.record(call.now, Milestone::Left, call.execution, json!({}));
        Ok(json!({}))
    }

    pub(super) fn resolve_by_person(&mut self, call: &Call<'_>, person: &str, reason: &str) -> Answered {
        self.is_of_a_rule(
            call,
            "it is a guardrail's, which an inspection resolves once nothing is wrong any more; to have the resource left alone, except it",
        )?;
        if self.status == WorkflowStatus::Resolved {
            return Err(call.illegal("it is resolved already"));
        }
        self.status = WorkflowStatus::Resolved;
        self.record(call.now, Milestone::Closed, person, json!({"Reason": cut(reason)}));
        Ok(json!({}))
    }

    pub(super) fn suppress(&mut self, call: &Call<'_>, person: &str, reason: &str, until: Timestamp) -> Answered {
        self.is_of_a_rule(call, "it is a guardrail's, whose next response heeds the exception")?;
        let exception = Exception {
            guardrail: Some(self.guardrail.clone()),
            resource: Some(self.resource.clone()),
            account: Some(self.account.clone()),
            reason: cut(reason),
            author: person.to_owned(),
            until,
        };
        let why = exception.why();
        if self.status != WorkflowStatus::Resolved {
            self.status = WorkflowStatus::Suppressed;
        }
        self.decided(Decision::Leave, &why);
        self.record(call.now, Milestone::Decided, person, json!({"Decision": Decision::Leave, "Why": why}));
        Ok(json!({}))
    }

    fn is_of_a_rule(&self, call: &Call<'_>, otherwise: &str) -> Result<(), IllegalFindingInput> {
        if self.rule.is_some() { Ok(()) } else { Err(call.illegal(otherwise)) }
    }
}
