//! Whole executions, run from their definitions with tasks answered by the test and simulated time.

mod harness;
mod machines;
mod property;
mod redrive;
mod tasks;
