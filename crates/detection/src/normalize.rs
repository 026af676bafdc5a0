//! From what a source delivers to events, one file a source kind.

use thiserror::Error;

use crate::Event;

/// A body that is no event. It is kept with this reason, never dropped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// What it lacks, or where it ends, and what was expected.
    pub reason: String,
}

/// What a body held: each of its records read, or not.
pub type Read = Vec<Result<Event, Unreadable>>;

/// Reads a body: an EventBridge envelope, a bare CloudTrail record, a CloudTrail log object (`{"Records": […]}`), an array
/// of these, or an SNS notification around one, told apart by their content. A byte-order mark is skipped.
pub fn read(_body: &[u8]) -> Read {
    todo!()
}
