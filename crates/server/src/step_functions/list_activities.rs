//! ListActivities.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::page;
use crate::{
    App,
    access::Caller,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    max_results: Option<u64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    activities: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    activity_arn: String,
    name: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
}

pub async fn call(app: &App, caller: &Caller, request: Request) -> Result<Response, ApiError> {
    let length = page::length(request.max_results);
    let after = page::after(request.next_token.as_deref())?;
    let mut activities = app.engine.list_activities(&app.account, &caller.region, after.as_deref(), length + 1).await?;
    let next_token = page::cut(&mut activities, length, |activity| activity.arn.clone());
    let item = |activity: engine::ports::Activity| Item {
        activity_arn: activity.arn,
        name: activity.name,
        creation_date: activity.created_at,
    };
    Ok(Response { activities: activities.into_iter().map(item).collect(), next_token })
}
