//! The loop around `execution::step`: stores, timers, task tokens, recovery.
//!
//! An execution belongs to one worker, which takes its inputs one after the other: step, have the records written, and only then do
//! what they asked for. What waits for a while leaves memory; it is replayed when its timer is due or somebody answers. Recovery after
//! a crash is the same loading, of everything that does not only wait.
//!
//! - [`ports`]: what the engine needs of others, and the two ports of the store; what a crash means is said at each method.
//! - [`engine`]: the API of executions, in the semantics of Step Functions, and the intake of events.
//! - [`figures`]: what all of it counts, and [`measure`] what that is made of.
//! - [`sqlite`]: both stores in one file, one writer with group commit.
//! - `simulator` (a feature, for tests): all of this in one thread, from a seed.

mod clock;
pub mod engine;
pub mod figures;
pub mod measure;
pub mod ports;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod sqlite;
mod threads;

pub use clock::SystemClock;
pub use engine::{Engine, Options};
pub use figures::Figures;
pub use ports::{Clock, ExecutionStore, FindingStore, TaskExecutor};
