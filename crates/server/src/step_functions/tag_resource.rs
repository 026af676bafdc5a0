//! TagResource.

use serde::{Deserialize, Serialize};

use crate::{App, aws_json::ApiError};

/// A tag, as the API writes it.
#[derive(Deserialize, Serialize)]
pub struct Tag {
    /// Key.
    #[serde(default)]
    pub key: String,
    /// Value.
    #[serde(default)]
    pub value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    resource_arn: String,
    tags: Vec<Tag>,
}

#[derive(Serialize)]
pub struct Response {}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    app.engine.tag(&request.resource_arn, pairs(request.tags)).await?;
    Ok(Response {})
}

/// Tags as keys with values.
pub fn pairs(tags: Vec<Tag>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}
