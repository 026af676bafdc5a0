//! Parallel.

use std::sync::Arc;

use crate::Flow;

/// What only a Parallel has.
#[derive(Clone, Debug)]
pub struct Parallel {
    /// `Branches`.
    pub branches: Vec<Arc<Flow>>,
}
