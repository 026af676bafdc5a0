//! CloudTrail records, as in its log files, made into the events that EventBridge makes of them.
//!
//! Sources: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>,
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    Event,
    event::{text, time},
};

/// Whether an object is meant as a record.
pub(super) fn is_record(object: &Value) -> bool {
    object.get("eventName").is_some() && (object.get("eventSource").is_some() || object.get("eventVersion").is_some())
}

/// The event that EventBridge would make of a record; or why not, and the record.
pub(super) fn event(record: Value) -> Result<Event, (String, Value)> {
    let fields = || {
        Ok(Event {
            id: id(&record)?,
            source: source(&text(&record, "eventSource")?),
            detail_type: detail_type_of(record.get("eventType").and_then(Value::as_str)).to_owned(),
            account: account(&record)?,
            region: text(&record, "awsRegion")?,
            time: time(&record, "eventTime")?,
            resources: Vec::new(),
            detail: Value::Null,
        })
    };
    match fields() {
        Ok(event) => Ok(Event { detail: record, ..event }),
        Err(fault) => Err((describe(&record, fault), record)),
    }
}

fn describe(record: &Value, fault: String) -> String {
    let name = record.get("eventName").and_then(Value::as_str).unwrap_or_default();
    let id = record.get("eventID").and_then(Value::as_str).map(|id| format!(" {id}")).unwrap_or_default();
    format!("this CloudTrail record{id} of `{name}` can't be read: {fault}")
}

/// `eventID`. Records before version 1.01 have none: theirs is made of all that they say, so that two deliveries are the same event.
fn id(record: &Value) -> Result<String, String> {
    if record.get("eventID").is_some() {
        return text(record, "eventID");
    }
    let mut id = String::from("sha256-");
    for byte in Sha256::digest(record.to_string()).iter().take(16) {
        let _ = write!(id, "{byte:02x}");
    }
    Ok(id)
}

/// `s3.amazonaws.com` → `aws.s3`; `monitoring.amazonaws.com` is CloudWatch and stays `aws.monitoring`.
fn source(event_source: &str) -> String {
    let service = event_source.split_once(".amazonaws.com").map_or(event_source, |(service, _)| service);
    format!("aws.{service}")
}

/// The `detail-type` that EventBridge gives a record of this `eventType`.
pub(super) fn detail_type_of(event_type: Option<&str>) -> &'static str {
    match event_type {
        Some("AwsConsoleSignIn") => "AWS Console Sign In via CloudTrail",
        Some("AwsConsoleAction") => "AWS Console Action via CloudTrail",
        Some("AwsServiceEvent") => "AWS Service Event via CloudTrail",
        Some("AwsCloudTrailInsight") => "AWS Insight via CloudTrail",
        _ => "AWS API Call via CloudTrail",
    }
}

/// The account that the event is delivered to: whose resource it is.
fn account(record: &Value) -> Result<String, String> {
    if record.get("recipientAccountId").is_some() {
        return text(record, "recipientAccountId");
    }
    record
        .pointer("/userIdentity/accountId")
        .and_then(Value::as_str)
        .filter(|account| !account.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| "`recipientAccountId` is missing, and `userIdentity.accountId` too".to_owned())
}
