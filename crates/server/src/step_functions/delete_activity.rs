//! DeleteActivity.

use serde::{Deserialize, Serialize};

use crate::{App, aws_json::ApiError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    activity_arn: String,
}

#[derive(Serialize)]
pub struct Response {}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    app.engine.delete_activity(&request.activity_arn).await?;
    Ok(Response {})
}
