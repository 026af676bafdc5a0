//! Whole executions, run from their definitions with tasks answered by the test and simulated time.

mod errors;
mod harness;
mod inspection;
mod machines;
mod map_runs;
mod property;
mod redrive;
mod tasks;
