//! CreateActivity.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::{
    settings,
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
    encryption_configuration: Option<Value>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    activity_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
}

pub async fn call(app: &App, caller: &Caller, request: Request) -> Result<Response, ApiError> {
    settings::check_encryption(request.encryption_configuration.as_ref())?;
    let Request { name, encryption_configuration, tags } = request;
    let (account, tags) = (&app.account, pairs(tags));
    let activity =
        app.engine.create_activity_with(account, &caller.region, &name, encryption_configuration, tags).await?;
    Ok(Response { activity_arn: activity.arn, creation_date: activity.created_at })
}
