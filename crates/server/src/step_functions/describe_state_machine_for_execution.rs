//! DescribeStateMachineForExecution.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::{Described, shown};
use crate::{
    App,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    execution_arn: String,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_arn: String,
    name: String,
    definition: String,
    role_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    update_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(flatten)]
    settings: Described,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let machine = app.engine.describe_state_machine_for_execution(&request.execution_arn).await?;
    let definition = shown(machine.definition, request.included_data.as_deref());
    // The machine of a map run's child is named `MACHINE/LABEL`.
    let (name, label) = match machine.name.split_once('/') {
        Some((name, label)) => (name.to_owned(), Some(label.to_owned())),
        None => (machine.name, None),
    };
    let map_run_arn = match &label {
        Some(_) => app.engine.describe_execution(&request.execution_arn).await?.map_run_arn,
        None => None,
    };
    Ok(Response {
        settings: Described::new(&machine.settings, &definition),
        state_machine_arn: machine.arn,
        name,
        map_run_arn,
        label,
        definition,
        role_arn: machine.role_arn,
        update_date: machine.updated_at,
        revision_id: machine.revision_id,
    })
}
