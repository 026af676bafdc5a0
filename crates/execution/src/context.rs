//! The context object: `$$`, `$states.context`.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html>

use asl::{Kind, State};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    Execution,
    path::{Path, PathId, Stage},
};

/// An item that a Map shows while its ItemSelector is evaluated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'item> {
    pub(crate) index: u64,
    pub(crate) value: &'item Value,
}

/// What is the same for all states of an execution.
pub(crate) fn of_execution(execution: &Execution) -> Value {
    let (Some(start), Some(started)) = (&execution.start, &execution.started) else { return Value::Null };
    let mut context = json!({
        "Execution": {
            "Id": start.execution_arn,
            "Input": started.input.value(),
            "StartTime": time(started.at),
            "Name": start.name,
            "RoleArn": started.role_arn,
            "RedriveCount": execution.redrives,
        },
        "StateMachine": {"Id": start.state_machine_arn, "Name": start.state_machine_name},
    });
    if let (Some(at), Some(fields)) =
        (execution.redriven_at, context.get_mut("Execution").and_then(Value::as_object_mut))
    {
        fields.insert("RedriveTime".to_owned(), time(at).into());
    }
    context
}

/// Makes the context object that of one path and state.
pub(crate) fn set_state(
    context: &mut Value,
    execution: &Execution,
    path: PathId,
    state: &State,
    item: Option<Item<'_>>,
    token: Option<&str>,
) {
    let Some(context) = context.as_object_mut() else { return };
    context.insert("State".to_owned(), of_state(execution.paths.get(&path), state));
    set(context, "Task", token.map(|token| json!({"Token": token})));
    let item = match item {
        Some(item) => Some(of_item(item)),
        None => enclosing_item(execution, path),
    };
    set(context, "Map", item.map(|item| json!({"Item": item})));
}

/// Makes it show the item that a Map's ItemSelector is evaluated for, and nothing else.
pub(crate) fn set_item(context: &mut Value, item: Option<Item<'_>>) {
    if let Some(context) = context.as_object_mut() {
        set(context, "Map", item.map(|item| json!({"Item": of_item(item)})));
    }
}

fn of_state(path: Option<&Path>, state: &State) -> Value {
    let mut fields = Map::new();
    fields.insert("Name".to_owned(), state.name.clone().into());
    if let Some(position) = path.and_then(|path| path.position.as_ref()) {
        fields.insert("EnteredTime".to_owned(), time(position.entered_at).into());
        if matches!(state.kind, Kind::Task(_) | Kind::Parallel(_) | Kind::Map(_)) {
            fields.insert("RetryCount".to_owned(), position.retry_count().into());
        }
    }
    Value::Object(fields)
}

/// The item of the innermost iteration that a path is in.
fn enclosing_item(execution: &Execution, path: PathId) -> Option<Value> {
    let (parent, index) = execution.paths.get(&path)?.parent?;
    match &execution.paths.get(&parent)?.position.as_ref()?.stage {
        Stage::Map { items: Some(items), .. } => {
            let value = items.value().get(usize::try_from(index).ok()?)?;
            Some(of_item(Item { index, value }))
        }
        _ => enclosing_item(execution, parent),
    }
}

fn of_item(item: Item<'_>) -> Value {
    json!({"Index": item.index, "Value": item.value})
}

fn set(context: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            context.insert(key.to_owned(), value);
        }
        None => {
            context.shift_remove(key);
        }
    }
}

/// AWS's form of a time: UTC with milliseconds.
fn time(timestamp: Timestamp) -> String {
    format!("{timestamp:.3}")
}
