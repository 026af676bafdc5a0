//! ListStateMachineAliases.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::page;
use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    state_machine_arn: String,
    max_results: Option<u64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_aliases: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    state_machine_alias_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let length = page::length(request.max_results);
    let after = page::after(request.next_token.as_deref())?;
    let mut aliases = app.engine.list_aliases(&request.state_machine_arn, after.as_deref(), length + 1).await?;
    let next_token = page::cut(&mut aliases, length, |alias| alias.arn.clone());
    let item = |alias: engine::ports::MachineAlias| Item {
        state_machine_alias_arn: alias.arn,
        creation_date: alias.created_at,
    };
    Ok(Response { state_machine_aliases: aliases.into_iter().map(item).collect(), next_token })
}
