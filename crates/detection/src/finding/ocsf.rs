//! A finding in the Open Cybersecurity Schema Framework (OCSF): class 2004, Detection Finding, version 1.5.0, with the profile `cloud`.
//!
//! Source: <https://schema.ocsf.io/1.5.0/classes/detection_finding>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Compliance, Finding, Occurrence, Severity, WorkflowStatus};
use crate::arn::partition;

/// The version of the schema.
pub const VERSION: &str = "1.5.0";
/// `metadata.product.name` of our findings: by it they are known again when they come back in an event.
pub const PRODUCT: &str = "Rectify";

const CATEGORY: u64 = 2;
const CLASS: u64 = 2004;

impl Finding {
    /// The finding in OCSF. `controls` are those of its guardrail. Times are in milliseconds since 1970.
    pub fn ocsf(&self, controls: &[String]) -> Value {
        let (activity_id, activity) = self.activity();
        let (status_id, status) = self.ocsf_status();
        let (severity_id, severity) = severity(self.severity);
        let type_uid = CLASS * 100 + activity_id;
        json!({
            "activity_id": activity_id,
            "activity_name": activity,
            "category_uid": CATEGORY,
            "category_name": "Findings",
            "class_uid": CLASS,
            "class_name": "Detection Finding",
            "type_uid": type_uid,
            "type_name": format!("Detection Finding: {activity}"),
            "time": milliseconds(self.updated_at),
            "severity_id": severity_id,
            "severity": severity,
            "status_id": status_id,
            "status": status,
            "status_code": self.stage,
            "status_detail": self.recommendation(),
            "message": if self.reason.is_empty() { &self.title } else { &self.reason },
            "metadata": {
                "version": VERSION,
                "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": env!("CARGO_PKG_VERSION")},
                "profiles": ["cloud"],
                "uid": format!("{}-{}", self.id, self.version),
                "event_code": self.guardrail,
            },
            "finding_info": self.finding_info(controls),
            "cloud": {
                "provider": "AWS",
                "region": self.region,
                "account": self.ocsf_account(),
            },
            "resources": [self.ocsf_resource()],
            "evidences": self.occurrences.iter().rev().map(evidence).collect::<Vec<_>>(),
            "remediation": {"desc": self.recommendation()},
            "unmapped": {"compliance": self.compliance, "stage": self.stage, "workflow_status": self.status},
        })
    }

    fn activity(&self) -> (u64, &'static str) {
        if self.status == WorkflowStatus::Resolved {
            (3, "Close")
        } else if self.version <= 1 {
            (1, "Create")
        } else {
            (2, "Update")
        }
    }

    fn ocsf_status(&self) -> (u64, &'static str) {
        match self.status {
            WorkflowStatus::New => (1, "New"),
            WorkflowStatus::Notified => (2, "In Progress"),
            WorkflowStatus::Suppressed => (3, "Suppressed"),
            WorkflowStatus::Resolved => (4, "Resolved"),
        }
    }

    fn ocsf_account(&self) -> Value {
        json!({"uid": self.account, "name": self.account, "type_id": 10, "type": "AWS Account"})
    }

    fn finding_info(&self, controls: &[String]) -> Value {
        let last_seen = self.current().map_or(self.created_at, |occurrence| occurrence.event_at.max(self.created_at));
        json!({
            "uid": self.id,
            "title": self.title,
            "desc": if self.reason.is_empty() { &self.title } else { &self.reason },
            "types": controls,
            "created_time": milliseconds(self.created_at),
            "modified_time": milliseconds(self.updated_at),
            "first_seen_time": milliseconds(self.created_at),
            "last_seen_time": milliseconds(last_seen),
            "analytic": {"type_id": 1, "type": "Rule", "uid": self.guardrail, "name": self.title},
        })
    }

    fn ocsf_resource(&self) -> Value {
        let owner = self.current().and_then(|occurrence| occurrence.owner.as_array()?.first());
        let mut resource = json!({
            "uid": self.resource_arn().unwrap_or_else(|| self.resource.clone()),
            "name": self.resource,
            "type": self.resource_type,
            "region": self.region,
            "cloud_partition": partition(&self.region),
            "data": {"compliance": self.compliance.map(verdict)},
        });
        let of_owner = |name: &str| owner.and_then(|owner| owner.get(name)?.as_str());
        if let (Some(uid), Some(members)) = (of_owner("Email").or(of_owner("Name")), resource.as_object_mut()) {
            // Nobody says whether it is a person, a role or a team.
            let mut user = json!({"uid": uid, "name": of_owner("Name").unwrap_or(uid), "type_id": 0, "account": self.ocsf_account()});
            if let (Some(email), Some(user)) = (of_owner("Email"), user.as_object_mut()) {
                user.insert("email_addr".to_owned(), Value::from(email));
            }
            members.insert("owner".to_owned(), user);
        }
        resource
    }
}

/// One appearance of the problem: its events, and what was there before the fix.
fn evidence(occurrence: &Occurrence) -> Value {
    json!({
        "name": format!("occurrence {}", occurrence.number),
        "data": {
            "occurrence": occurrence.number,
            "event_uids": occurrence.events,
            "event_time": milliseconds(occurrence.event_at),
            "actor": occurrence.actor,
            "decision": occurrence.decision,
            "why": occurrence.why,
            "answered_by": occurrence.answer.as_ref().and_then(|answer| answer.person.as_deref()),
            "before": occurrence.before,
            "fixed_time": occurrence.fixed_at.map(milliseconds),
            "proved_time": occurrence.proved_at.map(milliseconds),
            "undone_time": occurrence.undone_at.map(milliseconds),
        },
    })
}

fn severity(severity: Severity) -> (u64, &'static str) {
    match severity {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

/// A verdict as OCSF's `compliance` says it.
fn verdict(compliance: Compliance) -> &'static str {
    match compliance {
        Compliance::Compliant => "Pass",
        Compliance::NonCompliant => "Fail",
        Compliance::NotApplicable => "Unknown",
    }
}

fn milliseconds(time: Timestamp) -> i64 {
    time.as_millisecond()
}
