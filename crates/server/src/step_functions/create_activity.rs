//! CreateActivity.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tag_resource::{Tag, pairs};
use crate::{
    App,
    access::Caller,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
pub struct Request {
    name: String,
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
    let activity = app.engine.create_activity(&app.account, &caller.region, &request.name).await?;
    if !request.tags.is_empty() {
        app.engine.tag(&activity.arn, pairs(request.tags)).await?;
    }
    Ok(Response { activity_arn: activity.arn, creation_date: activity.created_at })
}
