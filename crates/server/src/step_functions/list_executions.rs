//! ListExecutions.

use engine::ports::ExecutionFilter;
use execution::Status;
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
    state_machine_arn: Option<String>,
    map_run_arn: Option<String>,
    status_filter: Option<String>,
    redrive_filter: Option<String>,
    max_results: Option<u64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    executions: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    execution_arn: String,
    state_machine_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    name: String,
    status: Status,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<Timestamp>,
    redrive_count: u64,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    redrive_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_count: Option<u64>,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let is_pending_redrive = request.status_filter.as_deref() == Some("PENDING_REDRIVE");
    let filter = ExecutionFilter {
        is_pending_redrive,
        status: request.status_filter.as_deref().filter(|_| !is_pending_redrive).map(status).transpose()?,
        is_redriven: request.redrive_filter.as_deref().map(redriven).transpose()?,
    };
    let length = page::length(request.max_results);
    let after = page::after(request.next_token.as_deref())?;
    let (engine, after) = (&app.engine, after.as_deref());
    let mut executions = match (&request.state_machine_arn, &request.map_run_arn) {
        (Some(machine), None) => {
            let only_of_map_runs = |what: &str| {
                ApiError::validation(format!(
                    "{what} can only be specified with a mapRunArn, and not with a stateMachineArn"
                ))
            };
            if filter.is_pending_redrive {
                return Err(only_of_map_runs("The statusFilter PENDING_REDRIVE"));
            }
            if filter.is_redriven.is_some() {
                return Err(only_of_map_runs("A redriveFilter"));
            }
            engine.list_executions(machine, filter.status, after, length + 1).await?
        }
        (None, Some(map_run)) => engine.list_executions_of_map_run(map_run, filter, after, length + 1).await?,
        (Some(_), Some(_)) => {
            return Err(ApiError::validation("Must provide either a StateMachine ARN or a MapRun ARN, and not both"));
        }
        (None, None) => {
            let text = "1 validation error detected: Must provide a StateMachine ARN or MapRun ARN";
            return Err(ApiError::validation(text));
        }
    };
    let next_token = page::cut(&mut executions, length, |execution| execution.arn.clone());
    let item = |execution: engine::engine::ExecutionRecord| Item {
        execution_arn: execution.arn,
        state_machine_arn: execution.state_machine_arn,
        state_machine_version_arn: execution.version_arn,
        state_machine_alias_arn: execution.alias_arn,
        name: execution.name,
        status: execution.status,
        start_date: execution.started_at,
        stop_date: execution.stopped_at,
        redrive_count: execution.redrive_count,
        redrive_date: execution.redriven_at,
        map_run_arn: execution.map_run_arn,
        item_count: execution.item_count,
    };
    Ok(Response { executions: executions.into_iter().map(item).collect(), next_token })
}

/// `redriveFilter`: whether they were redriven.
fn redriven(name: &str) -> Result<bool, ApiError> {
    match name {
        "REDRIVEN" => Ok(true),
        "NOT_REDRIVEN" => Ok(false),
        other => Err(ApiError::validation(format!("unknown redriveFilter `{other}`: use REDRIVEN or NOT_REDRIVEN"))),
    }
}

/// A status by its name.
fn status(name: &str) -> Result<Status, ApiError> {
    serde_json::from_value(name.into()).map_err(|error| ApiError::validation(error.to_string()))
}
