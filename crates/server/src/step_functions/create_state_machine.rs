//! CreateStateMachine.

use engine::{
    engine::{MachineSettings, MachineType, NewMachine},
    ports::Creation,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    definition, settings,
    tag_resource::{Tag, pairs},
};
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
    #[serde(default)]
    publish: bool,
    version_description: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

pub async fn call(app: &App, caller: &Caller, request: Request) -> Result<Response, ApiError> {
    definition::accept(app, &request.definition, request.machine_type).await?;
    settings::check(&request.settings)?;
    settings::check_publish(request.publish, request.version_description.as_deref())?;
    let new = NewMachine {
        name: request.name,
        definition: request.definition,
        role_arn: request.role_arn,
        machine_type: request.machine_type,
        settings: request.settings,
        creation: Creation {
            tags: pairs(request.tags),
            publish: request.publish,
            version_description: request.version_description,
        },
    };
    let (machine, version) = app.engine.create_with_version(&app.account, &caller.region, new).await?;
    Ok(Response {
        state_machine_version_arn: version.map(|version| format!("{}:{}", machine.arn, version.number)),
        state_machine_arn: machine.arn,
        creation_date: machine.created_at,
    })
}
