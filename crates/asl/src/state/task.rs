//! Task.

use query::Template;

use crate::Dynamic;

/// What only a Task has.
#[derive(Clone, Debug)]
pub struct Task {
    /// `Resource`.
    pub resource: String,
    /// `TimeoutSeconds`, `TimeoutSecondsPath`.
    pub timeout_seconds: Option<Dynamic>,
    /// `HeartbeatSeconds`, `HeartbeatSecondsPath`.
    pub heartbeat_seconds: Option<Dynamic>,
    /// `Credentials`: `{RoleArn}`.
    pub credentials: Option<Template>,
}
