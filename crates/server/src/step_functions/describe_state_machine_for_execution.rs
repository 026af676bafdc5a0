//! DescribeStateMachineForExecution.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::Described;
use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    execution_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_arn: String,
    name: String,
    definition: String,
    role_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    update_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(flatten)]
    settings: Described,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let machine = app.engine.describe_state_machine_for_execution(&request.execution_arn).await?;
    Ok(Response {
        settings: Described::new(machine.settings, &machine.definition),
        state_machine_arn: machine.arn,
        name: machine.name,
        definition: machine.definition,
        role_arn: machine.role_arn,
        update_date: machine.updated_at,
        revision_id: machine.revision_id,
    })
}
