//! The one place where decisions are made.

use asl::StateMachine;

use crate::{Command, Execution, IllegalInput, Input, Moment, Record};

/// What a step decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// To be made durable first, in one write.
    pub records: Vec<Record>,
    /// To be performed afterwards.
    pub commands: Vec<Command>,
}

/// Takes one input: runs on until every path of the execution waits for something or has ended.
///
/// `execution` is changed as the records say; if they can't be made durable, throw it away and replay.
pub fn step(
    _machine: &StateMachine,
    _execution: &mut Execution,
    _input: Input,
    _moment: Moment,
) -> Result<Step, IllegalInput> {
    todo!()
}
