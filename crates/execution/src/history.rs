//! History events, field for field as `GetExecutionHistory` has them.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html>

use serde::{Deserialize, Serialize};

/// A history event. Serializes as AWS writes it, the timestamp as seconds with a fraction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEvent {
    /// From 1, without a gap.
    pub id: u64,
    /// The event before it on its path.
    pub previous_event_id: u64,
    // timestamp, type and details: filled in by this crate
}
