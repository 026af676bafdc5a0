//! DescribeActivity.

use engine::engine::MachineSettings;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    activity_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    activity_arn: String,
    name: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
    encryption_configuration: Value,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let activity = app.engine.describe_activity(&request.activity_arn).await?;
    let settings = MachineSettings { encryption_configuration: activity.encryption, ..MachineSettings::default() };
    Ok(Response {
        activity_arn: activity.arn,
        name: activity.name,
        creation_date: activity.created_at,
        encryption_configuration: settings.effective().encryption_configuration.unwrap_or_default(),
    })
}
