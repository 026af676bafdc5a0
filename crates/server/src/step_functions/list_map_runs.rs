//! ListMapRuns.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::page;
use crate::{
    App,
    aws_json::{ApiError, epoch_seconds, optional_epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    execution_arn: String,
    max_results: Option<u64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    map_runs: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    execution_arn: String,
    map_run_arn: String,
    state_machine_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<Timestamp>,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let length = page::length(request.max_results);
    let after = page::after(request.next_token.as_deref())?;
    let mut runs = app.engine.list_map_runs(&request.execution_arn, after.as_deref(), length + 1).await?;
    let next_token = page::cut(&mut runs, length, |run| run.specification.arn.clone());
    let item = |run: engine::ports::MapRunRecord| Item {
        execution_arn: run.specification.execution_arn,
        map_run_arn: run.specification.arn,
        state_machine_arn: run.specification.state_machine_arn,
        start_date: run.specification.started_at,
        stop_date: run.stopped_at,
    };
    Ok(Response { map_runs: runs.into_iter().map(item).collect(), next_token })
}
