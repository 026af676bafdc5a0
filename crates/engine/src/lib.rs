//! The loop around `execution::step`: stores, timers, task tokens, recovery.

mod clock;
pub mod engine;
pub mod ports;
pub mod sqlite;

pub use clock::SystemClock;
pub use engine::{Engine, Options};
pub use ports::{Clock, ExecutionStore, FindingStore, TaskExecutor};
