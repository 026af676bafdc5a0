//! Events, patterns, guardrails, findings and decisions, purely: what is fetched and kept is somebody else's.

pub mod arn;
pub mod decide;
pub mod event;
pub mod finding;
pub mod guardrail;
pub mod incoming;
pub mod matcher;
pub mod normalize;
pub mod owner;
pub mod pattern;
pub mod playbook;
mod reader;
pub mod rule;
mod scalar;
pub mod sigma;
pub mod source;

pub use decide::{Decision, Mode, Settings};
pub use event::Event;
pub use finding::{Compliance, Finding, FindingInput, Severity, Sighting, Stage, WorkflowStatus};
pub use guardrail::Guardrail;
pub use matcher::Matcher;
pub use pattern::{EventPattern, InvalidPattern};
pub use playbook::Playbook;
pub use rule::{ActiveRule, Filter, FindingKey, LeadsTo, Rule};
pub use source::Source;
