//! The loop around `execution::step`: stores, timers, task tokens, recovery.

pub mod engine;
pub mod ports;
pub mod sqlite;

pub use engine::{Engine, Options};
pub use ports::{Clock, FindingStore, TaskExecutor};
