//! Whole executions, run from their definitions with tasks answered by the test and simulated time.

mod harness;
mod machines;
mod map_runs;
mod property;
mod tasks;
