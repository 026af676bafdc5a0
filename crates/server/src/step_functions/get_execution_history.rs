//! GetExecutionHistory.

use execution::HistoryEvent;
use serde::{Deserialize, Serialize};

use super::page;
use crate::{App, aws_json::ApiError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    execution_arn: String,
    max_results: Option<u64>,
    #[serde(default)]
    reverse_order: bool,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    events: Vec<HistoryEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let length = page::length(request.max_results)?;
    let after = page::after(request.next_token.as_deref())?.and_then(|id| id.parse().ok());
    let mut events = app.engine.history(&request.execution_arn, after, length + 1, request.reverse_order).await?;
    let next_token = page::cut(&mut events, length, |event| event.id.to_string());
    Ok(Response { events, next_token })
}
