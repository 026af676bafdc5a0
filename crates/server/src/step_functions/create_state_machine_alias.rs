//! CreateStateMachineAlias.

use engine::ports::Route;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    name: String,
    description: Option<String>,
    routing_configuration: Vec<Route>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_alias_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let alias = app.engine.create_alias(&request.name, request.description, request.routing_configuration).await?;
    Ok(Response { state_machine_alias_arn: alias.arn, creation_date: alias.created_at })
}
