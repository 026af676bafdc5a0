//! An execution rebuilt from its journal.

use asl::StateMachine;
use thiserror::Error;

use crate::{Execution, Record};

/// A journal that can't be this machine's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("record {index} of the journal can't follow those before it: {reason}")]
pub struct JournalError {
    /// Which record, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// Rebuilds an execution from its journal; evaluates no expression again.
pub fn replay(_machine: &StateMachine, _journal: &[Record]) -> Result<Execution, JournalError> {
    todo!()
}
