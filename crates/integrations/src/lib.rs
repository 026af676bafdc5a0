//! What a Task's Resource can be, and the built-in functions.
//!
//! - [`resource`] says which Resources there are, [`executor`] performs them, one file a kind;
//! - [`functions`] are the built-in ones, one file each: a new one implements [`Function`] and is named in [`Executor::new`];
//! - [`local_function`] runs functions as local processes over the Lambda Runtime API;
//! - [`channels`] is where messages go, one file a kind: a new one is a variant of [`ChannelConfiguration`];
//! - [`guardrail_test`] runs the tests of guardrails;
//! - [`security_hub`] tells Security Hub of findings, [`config_rules`] answers AWS Config;
//! - [`mock`] holds a mocked result of a Task against what its Resource answers.

pub mod channels;
pub mod config_rules;
pub mod executor;
mod figures;
pub mod functions;
pub mod guardrail_test;
pub mod local_function;
pub mod mock;
pub mod resource;
pub mod security_hub;
#[cfg(test)]
mod tests;

pub use channels::{ChannelConfiguration, Channels};
pub use config_rules::ConfigRules;
pub use executor::Executor;
pub use figures::Figures;
pub use functions::{Function, FunctionError, GuardrailSettings};
pub use local_function::{LocalFunction, LocalFunctions};
pub use resource::{KnownResources, Resource};
pub use security_hub::SecurityHub;
