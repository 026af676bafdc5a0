//! GetExecutionHistory.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page;
use crate::{
    App,
    aws_json::{ApiError, answer},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    execution_arn: String,
    max_results: Option<u64>,
    #[serde(default)]
    reverse_order: bool,
    include_execution_data: Option<bool>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    events: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let length = page::length(request.max_results);
    let after = page::after(request.next_token.as_deref())?
        .map(|id| id.parse().map_err(|_| page::invalid_token()))
        .transpose()?;
    let mut events = app.engine.history(&request.execution_arn, after, length + 1, request.reverse_order).await?;
    let next_token = page::cut(&mut events, length, |event| event.id.to_string());
    let mut events = events.iter().map(answer).collect::<Result<Vec<Value>, _>>()?;
    if request.include_execution_data == Some(false) {
        events.iter_mut().for_each(leave_out_data);
    }
    Ok(Response { events, next_token })
}

/// Takes inputs and outputs out of an event.
fn leave_out_data(event: &mut Value) {
    const DATA: [&str; 8] = [
        "input",
        "inputDetails",
        "output",
        "outputDetails",
        "parameters",
        "assignedVariables",
        "assignedVariablesDetails",
        "taskCredentials",
    ];
    let details =
        event.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut).filter_map(Value::as_object_mut);
    for details in details {
        details.retain(|name, _| !DATA.contains(&name.as_str()));
    }
}
