//! What each type of state does, one file a type.

pub(crate) mod branch;
pub(crate) mod choice;
pub(crate) mod fail;
pub(crate) mod map;
pub(crate) mod parallel;
pub(crate) mod pass;
pub(crate) mod succeed;
pub(crate) mod task;
pub(crate) mod wait;

use asl::{Kind, State};

use crate::EventType;

/// The event of entering a state.
pub(crate) fn entered(state: &State) -> EventType {
    match state.kind {
        Kind::Task(_) => EventType::TaskStateEntered,
        Kind::Pass(_) => EventType::PassStateEntered,
        Kind::Choice(_) => EventType::ChoiceStateEntered,
        Kind::Wait(_) => EventType::WaitStateEntered,
        Kind::Succeed => EventType::SucceedStateEntered,
        Kind::Fail(_) => EventType::FailStateEntered,
        Kind::Parallel(_) => EventType::ParallelStateEntered,
        Kind::Map(_) => EventType::MapStateEntered,
    }
}

/// The event of leaving a state. (A Fail is never left.)
pub(crate) fn exited(state: &State) -> EventType {
    match state.kind {
        Kind::Task(_) => EventType::TaskStateExited,
        Kind::Pass(_) | Kind::Fail(_) => EventType::PassStateExited,
        Kind::Choice(_) => EventType::ChoiceStateExited,
        Kind::Wait(_) => EventType::WaitStateExited,
        Kind::Succeed => EventType::SucceedStateExited,
        Kind::Parallel(_) => EventType::ParallelStateExited,
        Kind::Map(_) => EventType::MapStateExited,
    }
}

/// The event of a state that is given up, for the types that have one.
pub(crate) fn aborted(state: &State) -> Option<EventType> {
    match state.kind {
        Kind::Task(_) => Some(EventType::TaskStateAborted),
        Kind::Wait(_) => Some(EventType::WaitStateAborted),
        Kind::Parallel(_) => Some(EventType::ParallelStateAborted),
        Kind::Map(_) => Some(EventType::MapStateAborted),
        Kind::Pass(_) | Kind::Choice(_) | Kind::Succeed | Kind::Fail(_) => None,
    }
}
