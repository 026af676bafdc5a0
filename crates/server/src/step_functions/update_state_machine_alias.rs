//! UpdateStateMachineAlias.

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
    state_machine_alias_arn: String,
    description: Option<String>,
    routing_configuration: Option<Vec<Route>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    #[serde(serialize_with = "epoch_seconds")]
    update_date: Timestamp,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let Request { state_machine_alias_arn: arn, description, routing_configuration } = request;
    let alias = app.engine.update_alias(&arn, description, routing_configuration).await?;
    Ok(Response { update_date: alias.updated_at })
}
