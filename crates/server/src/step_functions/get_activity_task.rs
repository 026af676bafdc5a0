//! GetActivityTask: answers as soon as there is a task, and with nothing after a minute.

use serde::{Deserialize, Serialize};

use crate::{App, aws_json::ApiError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    activity_arn: String,
    worker_name: Option<String>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let task = app.engine.get_activity_task(&request.activity_arn, request.worker_name.as_deref()).await?;
    Ok(task.map_or_else(Response::default, |task| Response {
        task_token: Some(task.task_token),
        input: Some(task.input.to_string()),
    }))
}
