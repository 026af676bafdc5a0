//! DescribeStateMachine.

use engine::engine::MachineType;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::{Described, shown};
use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    state_machine_arn: String,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_arn: String,
    name: String,
    status: &'static str,
    definition: String,
    role_arn: String,
    #[serde(rename = "type")]
    machine_type: MachineType,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(flatten)]
    settings: Described,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let machine = app.engine.describe_state_machine(&request.state_machine_arn).await?;
    let definition = shown(machine.definition, request.included_data.as_deref());
    Ok(Response {
        settings: Described::new(&machine.settings, &definition),
        state_machine_arn: match machine.version {
            Some(version) => format!("{}:{version}", machine.arn),
            None => machine.arn,
        },
        description: machine.description,
        revision_id: machine.revision_id,
        name: machine.name,
        status: if machine.is_deleting { "DELETING" } else { "ACTIVE" },
        definition,
        role_arn: machine.role_arn,
        machine_type: machine.machine_type,
        creation_date: machine.created_at,
    })
}
