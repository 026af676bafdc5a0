//! ListStateMachineVersions.

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
    state_machine_versions: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    state_machine_version_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let length = page::length(request.max_results);
    let before = page::after(request.next_token.as_deref())?
        .map(|number| number.parse().map_err(|_| page::invalid_token()))
        .transpose()?;
    let arn = &request.state_machine_arn;
    let mut versions = app.engine.list_versions(arn, before, length + 1).await?;
    let next_token = page::cut(&mut versions, length, |version| version.number.to_string());
    let item = |version: engine::ports::MachineVersion| Item {
        state_machine_version_arn: format!("{arn}:{}", version.number),
        creation_date: version.created_at,
    };
    Ok(Response { state_machine_versions: versions.into_iter().map(item).collect(), next_token })
}
