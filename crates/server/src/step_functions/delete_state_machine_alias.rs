//! DeleteStateMachineAlias.

use serde::{Deserialize, Serialize};

use crate::{App, aws_json::ApiError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    state_machine_alias_arn: String,
}

#[derive(Serialize)]
pub struct Response {}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    app.engine.delete_alias(&request.state_machine_alias_arn).await?;
    Ok(Response {})
}
