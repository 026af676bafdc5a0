//! What a source said, as an EventBridge envelope.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An event. Source: <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// The envelope's id.
    pub id: String,
    /// `aws.s3` …
    pub source: String,
    /// `AWS API Call via CloudTrail` …
    pub detail_type: String,
    /// Twelve digits.
    pub account: String,
    /// Region.
    pub region: String,
    /// When it happened.
    pub time: Timestamp,
    /// ARNs.
    pub resources: Vec<String>,
    /// The rest, as the source has it.
    pub detail: Value,
}

impl Event {
    /// What makes two deliveries the same event: CloudTrail's own `eventID` where there is one, else the envelope's id.
    pub fn identity(&self) -> &str {
        self.detail.get("eventID").and_then(Value::as_str).unwrap_or(&self.id)
    }

    /// The envelope as EventBridge writes it: what patterns are matched against.
    pub fn envelope(&self) -> Value {
        todo!()
    }
}
