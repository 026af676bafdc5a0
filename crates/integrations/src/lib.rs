//! What a Task's Resource can be, and the built-in functions.

pub mod channels;
pub mod executor;
pub mod functions;
pub mod guardrail_test;
pub mod resource;
#[cfg(test)]
mod tests;

pub use channels::{ChannelConfiguration, Channels};
pub use executor::Executor;
pub use functions::{Function, FunctionError, GuardrailSettings};
pub use resource::{KnownResources, Resource};
