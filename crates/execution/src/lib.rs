//! Runs a state machine, purely: [`step()`] decides, [`replay()`] rebuilds.
//!
//! Nothing here waits, reads a clock or calls anything. A step turns one [`Input`] into [`Record`]s, which are to be made
//! durable first, and [`Command`]s, which are to be performed afterwards.
//!
//! `step` hands the input to the driver, which takes every path of the execution (itself, the branches of a Parallel, the
//! iterations of a Map) from state to state until all wait: `state/` says what each type of state does, `data_flow` how data
//! goes through it, `handling` what becomes of a failure. They only write records; every change of an execution is made by
//! `apply`, record by record, and `replay` calls nothing else. [`StateTest`] runs one state in the same way, with an inspector in the
//! driver that keeps what happens to its data.

pub mod command;
pub mod execution;
pub mod history;
pub mod input;
pub mod inspection;
pub mod journal;
pub mod json;
pub mod limits;
pub mod map_run;
pub mod record;
pub mod redrive;
pub mod replay;
pub mod step;

mod apply;
mod catch;
mod context;
mod data_flow;
mod driver;
mod failure;
mod flow;
mod handling;
mod inspector;
mod path;
mod random;
mod ready;
mod retry;
mod state;
mod time;

#[cfg(test)]
mod tests;

pub use command::{Command, ScheduledTask, Timer, TimerPurpose};
pub use execution::{Ended, Execution, Status};
pub use history::{EventDetails, EventType, HistoryEvent};
pub use input::{ExecutionStart, IllegalInput, Input};
pub use inspection::{Inspection, InspectionData, Mock, StateTest, Trial};
pub use json::Json;
pub use limits::{Limits, Quotas};
pub use map_run::{MapRunFailure, MapRunSpecification};
pub use query::Moment;
pub use record::{Fact, Record};
pub use replay::{JournalError, replay};
pub use step::{Step, step};
