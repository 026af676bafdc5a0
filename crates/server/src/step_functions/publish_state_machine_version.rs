//! PublishStateMachineVersion.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    state_machine_arn: String,
    revision_id: Option<String>,
    description: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
    state_machine_version_arn: String,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let arn = &request.state_machine_arn;
    let version =
        app.engine.publish_version(arn, request.revision_id.as_deref(), request.description.as_deref()).await?;
    Ok(Response { creation_date: version.created_at, state_machine_version_arn: format!("{arn}:{}", version.number) })
}
