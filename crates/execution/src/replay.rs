//! An execution rebuilt from its journal.

use asl::StateMachine;
use thiserror::Error;

use crate::{
    EventDetails, Execution, Fact, Record, flow,
    record::{Ready, Work},
};

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
pub fn replay(machine: &StateMachine, journal: &[Record]) -> Result<Execution, JournalError> {
    let mut execution = Execution::new();
    for (index, record) in journal.iter().enumerate() {
        check(machine, &execution, record)
            .and_then(|()| execution.apply(record))
            .map_err(|reason| JournalError { index, reason })?;
    }
    Ok(execution)
}

/// A state that is entered, or is going to be, has to be one of the machine's.
fn check(machine: &StateMachine, execution: &Execution, record: &Record) -> Result<(), String> {
    let (path, name) = match record {
        Record::Event(event) => match &event.details {
            Some(EventDetails::StateEntered(entered)) => (execution.cursor, &entered.name),
            _ => return Ok(()),
        },
        Record::Fact(Fact::Ready { ready: Ready { path, work: Work::Enter { state, .. } }, .. }) => (*path, state),
        Record::Fact(_) => return Ok(()),
    };
    match flow::of_path(machine, execution, path) {
        Some(flow) if flow.states.contains_key(name) => Ok(()),
        _ => Err(format!("the state machine has no state `{name}` there")),
    }
}
