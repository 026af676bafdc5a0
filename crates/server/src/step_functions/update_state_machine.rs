//! UpdateStateMachine.

use engine::engine::{MachineSettings, VersionToPublish};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings;
use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    state_machine_arn: String,
    definition: Option<String>,
    role_arn: Option<String>,
    #[serde(flatten)]
    settings: MachineSettings,
    #[serde(default)]
    publish: bool,
    version_description: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    #[serde(serialize_with = "epoch_seconds")]
    update_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    settings::check(&request.settings)?;
    settings::check_publish(request.publish, request.version_description.as_deref())?;
    let arn = &request.state_machine_arn;
    let publish = request.publish.then_some(VersionToPublish { description: request.version_description });
    let updated =
        app.engine.update_state_machine(arn, request.definition, request.role_arn, request.settings, publish).await?;
    Ok(Response {
        update_date: updated.at,
        revision_id: updated.machine.revision_id.filter(|_| updated.changed),
        state_machine_version_arn: updated.version.map(|version| format!("{arn}:{}", version.number)),
    })
}
