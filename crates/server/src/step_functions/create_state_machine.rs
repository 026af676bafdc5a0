//! CreateStateMachine.

use engine::engine::{MachineSettings, MachineType, NewMachine};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings;
use crate::{
    App,
    access::Caller,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    name: String,
    definition: String,
    role_arn: String,
    #[serde(rename = "type", default)]
    machine_type: MachineType,
    #[serde(flatten)]
    settings: MachineSettings,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
}

pub async fn call(app: &App, caller: &Caller, request: Request) -> Result<Response, ApiError> {
    settings::check(&request.settings)?;
    let new = NewMachine {
        name: request.name,
        definition: request.definition,
        role_arn: request.role_arn,
        machine_type: request.machine_type,
        settings: request.settings,
    };
    let machine = app.engine.create_state_machine(&app.account, &caller.region, new).await?;
    Ok(Response { state_machine_arn: machine.arn, creation_date: machine.created_at })
}
