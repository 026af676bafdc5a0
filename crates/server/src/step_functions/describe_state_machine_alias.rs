//! DescribeStateMachineAlias.

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
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_alias_arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    routing_configuration: Vec<Route>,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
    #[serde(serialize_with = "epoch_seconds")]
    update_date: Timestamp,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let alias = app.engine.describe_alias(&request.state_machine_alias_arn).await?;
    Ok(Response {
        state_machine_alias_arn: alias.arn,
        name: alias.name,
        description: alias.description,
        routing_configuration: alias.routing,
        creation_date: alias.created_at,
        update_date: alias.updated_at,
    })
}
