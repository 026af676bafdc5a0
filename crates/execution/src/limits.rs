//! The limits of an execution.

use serde::{Deserialize, Serialize};

use crate::Json;

/// The limits of an execution, named in one place.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the input or output of a state, of a task's result, of what one `Assign` assigns.
    pub payload_bytes: usize,
    /// Events in a history. At the last ones the execution fails.
    pub history_events: u64,
    /// Bytes of all the variables that a path sees.
    pub variables_bytes: usize,
    /// Levels of arrays and objects in one another.
    pub depth: usize,
    /// What one step may do before it ends.
    pub step: Budget,
    /// Seconds that a Wait may wait, or a task may take: a thousand years.
    pub wait_seconds: u64,
    /// Seconds that an execution of an Express machine may take.
    pub express_seconds: u64,
}

/// What one step may do: once either is spent, it ends at the next state boundary and asks to go on. So an execution that only
/// decides can be stopped, times out, sees the time go on, and neither holds up others for long nor fills the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// States that are entered, and branches and iterations that begin.
    pub transitions: usize,
    /// Bytes of inputs, outputs and variables written down.
    pub bytes: usize,
}

/// What of AWS's quotas may be raised. An execution keeps those that it began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotas {
    /// [`Limits::payload_bytes`].
    pub payload_bytes: usize,
    /// [`Limits::history_events`].
    pub history_events: u64,
}

impl Quotas {
    /// AWS's.
    pub const AWS: Quotas =
        Quotas { payload_bytes: Limits::AWS.payload_bytes, history_events: Limits::AWS.history_events };

    /// The highest: expressions make no longer values, and a history is held in memory.
    pub const HIGHEST: Quotas = Quotas { payload_bytes: 2 << 20, history_events: 1_000_000 };

    /// Whether they are AWS's.
    pub fn are_aws(&self) -> bool {
        *self == Quotas::AWS
    }

    /// Whether a payload is within them.
    pub fn allow(&self, payload: &Json) -> bool {
        payload.text().len() <= self.payload_bytes && payload.depth() <= Limits::AWS.depth
    }
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas::AWS
    }
}

impl Limits {
    /// AWS's; those of a step are this program's own.
    pub const AWS: Limits = Limits {
        payload_bytes: 262_144,
        history_events: 25_000,
        variables_bytes: 10 * 1024 * 1024,
        depth: 100,
        step: Budget { transitions: 100, bytes: 4 * 1024 * 1024 },
        wait_seconds: 31_622_400_000,
        express_seconds: 300,
    };
}
