//! What every request handler may use.

use std::sync::Arc;

use engine::{Engine, ports::ExportStore};
use integrations::KnownResources;

use crate::{Access, Intake, Metrics, Registry, Topics, Webhooks};

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
    /// The topics whose messages SNS posts here.
    pub topics: Arc<Topics>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What tasks may call.
    pub resources: KnownResources,
    /// How the exports of findings stand, where they are exported to Security Hub.
    pub exports: Option<Arc<dyn ExportStore>>,
    /// The account that ARNs name.
    pub account: String,
}
