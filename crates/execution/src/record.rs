//! The journal: what a step writes down. Everything else about an execution can be found again from it.

use serde::{Deserialize, Serialize};

use crate::HistoryEvent;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// What AWS shows in `GetExecutionHistory`.
    Event(Box<HistoryEvent>),
    /// What AWS never shows, but replay needs.
    Fact(Fact),
}

/// What AWS never shows, but replay needs: the items of a Map, a retry's count and deadline, a Wait's deadline, evaluated
/// time-outs, assigned values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    // filled in by this crate
}
