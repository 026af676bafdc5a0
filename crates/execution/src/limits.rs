//! The limits of an execution.

use crate::Json;

/// The limits of an execution, named in one place.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the input or output of a state, of a task's result, of a variable.
    pub payload_bytes: usize,
    /// Events in a history. At the last ones the execution fails.
    pub history_events: u64,
    /// Levels of arrays and objects in one another.
    pub depth: usize,
    /// Seconds that a Wait may wait, or a task may take: a thousand years.
    pub wait_seconds: u64,
}

impl Limits {
    /// Whether a payload is within them.
    pub fn allow(&self, payload: &Json) -> bool {
        payload.text().len() <= self.payload_bytes && payload.depth() <= self.depth
    }

    /// AWS's.
    pub const AWS: Limits =
        Limits { payload_bytes: 262_144, history_events: 25_000, depth: 100, wait_seconds: 31_622_400_000 };
}
