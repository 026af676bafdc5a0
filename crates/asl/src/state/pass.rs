//! Pass.

use serde_json::Value;

/// What only a Pass has.
#[derive(Clone, Debug)]
pub struct Pass {
    /// `Result` (JSONPath): no template, it comes out as it is.
    pub result: Option<Value>,
}
