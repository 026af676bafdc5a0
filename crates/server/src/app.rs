//! What every request handler may use.

use std::sync::Arc;

use engine::Engine;
use integrations::KnownResources;

use crate::{Access, Intake, Metrics, Registry, Webhooks};

/// What every request handler may use. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Runs the executions.
    pub engine: Engine,
    /// Takes events in.
    pub intake: Intake,
    /// The guardrails there are.
    pub registry: Arc<Registry>,
    /// Who gets in.
    pub access: Arc<Access>,
    /// The webhooks of sources.
    pub webhooks: Arc<Webhooks>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What tasks may call.
    pub resources: KnownResources,
    /// The account that ARNs name.
    pub account: String,
}
