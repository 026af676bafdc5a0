//! ListTagsForResource.

use serde::{Deserialize, Serialize};

use super::tag_resource::Tag;
use crate::{App, aws_json::ApiError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    resource_arn: String,
}

#[derive(Serialize)]
pub struct Response {
    tags: Vec<Tag>,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let tags = app.engine.tags(&request.resource_arn).await?;
    Ok(Response { tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect() })
}
