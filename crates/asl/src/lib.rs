//! The Amazon States Language as data: parsed from JSON or YAML, validated with every problem at its line and column.
//!
//! Source: <https://states-language.net/spec.html> and the Step Functions Developer Guide.

pub mod actions;
pub mod codes;
pub mod diagnostic;
pub mod document;
pub mod graph;
pub mod integration;
pub mod lint;
pub mod machine;
pub mod nearest;
pub mod parse;
pub mod state;
pub mod timestamp;
mod trail;
pub mod variables;

pub use diagnostic::{Diagnostic, Severity, Span};
pub use document::{Document, Format};
pub use machine::{Dynamic, Flow, StateMachine};
pub use state::{Catcher, Kind, Retrier, State};
