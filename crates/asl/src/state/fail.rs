//! Fail.

use crate::Dynamic;

/// What only a Fail has.
#[derive(Clone, Debug)]
pub struct Fail {
    /// `Error`, `ErrorPath`.
    pub error: Option<Dynamic>,
    /// `Cause`, `CausePath`.
    pub cause: Option<Dynamic>,
}
