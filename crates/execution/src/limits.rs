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

impl Limits {
    /// Whether a payload is within them.
    pub fn allow(&self, payload: &Json) -> bool {
        payload.text().len() <= self.payload_bytes && payload.depth() <= self.depth
    }

    /// AWS's; those of a step are this program's own.
    pub const AWS: Limits = Limits {
        payload_bytes: 262_144,
        history_events: 25_000,
        depth: 100,
        step: Budget { transitions: 100, bytes: 4 * 1024 * 1024 },
        wait_seconds: 31_622_400_000,
        express_seconds: 300,
    };
}
