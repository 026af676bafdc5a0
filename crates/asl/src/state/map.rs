//! Map.

use std::sync::Arc;

use query::{Template, jsonpath::Path};
use serde_json::Value;

use crate::{Dynamic, Flow};

/// What only a Map has.
#[derive(Clone, Debug)]
pub struct Map {
    /// `ItemsPath` (JSONPath).
    pub items_path: Option<Path>,
    /// `Items` (JSONata).
    pub items: Option<Template>,
    /// `ItemSelector`; also the old `Parameters` of a Map.
    pub item_selector: Option<Template>,
    /// `MaxConcurrency`, `MaxConcurrencyPath`; 0 is no limit.
    pub max_concurrency: Option<Dynamic>,
    /// `ItemProcessor` or the old `Iterator`.
    pub processor: Arc<Flow>,
    /// `ProcessorConfig.Mode`.
    pub mode: ProcessorMode,
    /// `ToleratedFailureCount`, `ToleratedFailureCountPath` (Distributed).
    pub tolerated_failure_count: Option<Dynamic>,
    /// `ToleratedFailurePercentage`, `ToleratedFailurePercentagePath` (Distributed).
    pub tolerated_failure_percentage: Option<Dynamic>,
    /// `ItemReader`, `ItemBatcher`, `ResultWriter`, `Label` as written (Distributed).
    pub distributed: Option<Value>,
}

/// Where a Map's iterations run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessorMode {
    /// In the execution itself.
    #[default]
    Inline,
    /// Each in a child execution.
    Distributed,
}
