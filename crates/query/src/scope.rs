//! What an expression can see.

use serde_json::{Map, Value};

use crate::Moment;

/// What an expression can see while it is evaluated.
///
/// JSONPath sees `root` as `$`, `context` as `$$` and each variable as `$name`. JSONata sees each variable as `$name` and
/// `$states` with `input`, `context` and, where there is one, `result` or `errorOutput`.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// JSONPath's `$`. (JSONata has no root: `$` is undefined there.)
    pub root: &'a Value,
    /// `$states.input`.
    pub input: &'a Value,
    /// `$states.result`, after the state has done its work.
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`, in a Catch.
    pub error_output: Option<&'a Value>,
    /// The context object: `$$`, `$states.context`.
    pub context: &'a Value,
    /// The workflow variables in scope.
    pub variables: &'a Map<String, Value>,
    /// The time and the randomness.
    pub moment: &'a Moment,
}
