//! AWS Config asks, by invoking a custom rule, whether a resource complies; the last inspection answers, with the token that came along.
//!
//! Source: <https://docs.aws.amazon.com/config/latest/APIReference/API_PutEvaluations.html>

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::text;
use crate::{Compliance, Event, Finding, Stage};

/// The `detail-type` of an invocation: of the source `config-rule`, AWS has no such event.
pub(super) const INVOCATION: &str = "Config Rule Invocation";

/// How many characters an annotation has.
const ANNOTATION_LIMIT: usize = 256;

/// A custom rule's invocation about one resource.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleInvocation {
    /// The rule's name.
    pub rule: String,
    /// What the answer needs; a secret of the rule's.
    pub result_token: String,
    /// The resource, as AWS Config names it.
    pub resource_type: String,
    /// Its id.
    pub resource_id: String,
    /// When AWS Config saw the resource as it asks about it: an evaluation is of that moment.
    pub captured_at: Timestamp,
    /// The rule's account.
    pub account: String,
    /// The rule's Region.
    pub region: String,
}

impl std::fmt::Debug for RuleInvocation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RuleInvocation { rule, resource_type, resource_id, .. } = self;
        let mut shown = formatter.debug_struct("RuleInvocation");
        shown.field("rule", rule).field("resource_type", resource_type).field("resource_id", resource_id);
        shown.finish_non_exhaustive()
    }
}

impl RuleInvocation {
    /// The invocation that an event is, where it is one about a resource.
    pub fn of(event: &Event) -> Option<RuleInvocation> {
        if (event.source.as_str(), event.detail_type.as_str()) != ("aws.config", INVOCATION) {
            return None;
        }
        let of = |name: &str| text(&event.detail, name).map(str::to_owned);
        Some(RuleInvocation {
            rule: of("/configRuleName")?,
            result_token: of("/resultToken")?,
            resource_type: of("/resourceType")?,
            resource_id: of("/resourceId")?,
            captured_at: of("/configurationItemCaptureTime")?.parse().ok()?,
            account: event.account.clone(),
            region: event.region.clone(),
        })
    }

    /// The parameters of `PutEvaluations`.
    pub fn put_evaluations(&self, compliance: Compliance, reason: &str) -> Value {
        let mut evaluation = json!({
            "ComplianceResourceType": self.resource_type,
            "ComplianceResourceId": self.resource_id,
            "ComplianceType": compliance,
            "OrderingTimestamp": self.captured_at,
        });
        let annotation: String = reason.trim().chars().take(ANNOTATION_LIMIT).collect();
        if let (false, Some(members)) = (annotation.is_empty(), evaluation.as_object_mut()) {
            members.insert("Annotation".to_owned(), Value::from(annotation));
        }
        json!({"Evaluations": [evaluation], "ResultToken": self.result_token})
    }
}

/// Whether a finding can answer an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerable {
    /// What the last inspection said.
    Now(Compliance),
    /// An inspection is still to come.
    Later,
    /// The inspection failed: AWS Config takes no evaluation that says so.
    Never,
}

impl Finding {
    /// Whether the finding can say what an inspection found that began at this generation or later.
    pub fn answerable(&self, generation: u64) -> Answerable {
        match (&self.under_way, self.compliance) {
            (None, Some(Compliance::NonCompliant)) => Answerable::Now(Compliance::NonCompliant),
            (None, None) => Answerable::Never,
            (None, Some(_)) if self.stage == Stage::Failed => Answerable::Never,
            (None, Some(compliance)) => Answerable::Now(compliance),
            // A person may take a day, and AWS Config does not wait.
            (Some(under_way), Some(Compliance::NonCompliant))
                if self.stage == Stage::WaitingForAPerson && under_way.generation >= generation =>
            {
                Answerable::Now(Compliance::NonCompliant)
            }
            (Some(_), _) => Answerable::Later,
        }
    }
}
