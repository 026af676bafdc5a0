//! What a machine calls.

use std::sync::Arc;

use serde_json::Value;

use crate::{Kind, State, StateMachine};

/// One Task's call, or a Distributed Map's reader or writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action<'a> {
    /// The state that calls.
    pub state: &'a str,
    /// The Resource as written, for instance `arn:aws:states:::aws-sdk:s3:putPublicAccessBlock`.
    pub resource: &'a str,
}

impl<'a> Action<'a> {
    /// The service and the operation of an `aws-sdk` call, as written: `("s3", "putPublicAccessBlock")`.
    pub fn aws_sdk(&self) -> Option<(&'a str, &'a str)> {
        let mut parts = self.resource.split(":::").nth(1)?.split(':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("aws-sdk"), Some(service), Some(operation)) => {
                Some((service, operation.split('.').next().unwrap_or(operation)))
            }
            _ => None,
        }
    }
}

/// Every call of a machine, those of nested flows too, in the order of the text.
pub fn actions(machine: &StateMachine) -> impl Iterator<Item = Action<'_>> {
    machine.states().flat_map(|(_, state)| calls(state))
}

fn calls(state: &Arc<State>) -> Vec<Action<'_>> {
    let action = |resource| Action { state: &state.name, resource };
    match &state.kind {
        Kind::Task(task) => vec![action(task.resource.as_str())],
        Kind::Map(map) => {
            let written = |field: &str| map.distributed.as_ref()?.get(field)?.get("Resource").and_then(Value::as_str);
            ["ItemReader", "ResultWriter"].into_iter().filter_map(written).map(action).collect()
        }
        _ => Vec::new(),
    }
}
