//! What a Task's Resource can be, and the built-in functions.

pub mod executor;
pub mod functions;

pub use executor::Executor;
pub use functions::{Function, FunctionError};
