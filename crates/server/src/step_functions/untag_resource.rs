//! UntagResource.

use serde::{Deserialize, Serialize};

use crate::{App, aws_json::ApiError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Serialize)]
pub struct Response {}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    app.engine.untag(&request.resource_arn, request.tag_keys).await?;
    Ok(Response {})
}
