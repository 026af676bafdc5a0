//! CreateStateMachine.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    App,
    access::Caller,
    aws_json::{ApiError, epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    name: String,
    definition: String,
    role_arn: String,
    #[serde(rename = "type")]
    machine_type: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
}

pub async fn call(app: &App, caller: &Caller, request: Request) -> Result<Response, ApiError> {
    if request.machine_type.as_deref().is_some_and(|machine_type| machine_type != "STANDARD") {
        return Err(ApiError::caller(
            "StateMachineTypeNotSupported",
            "only state machines of type STANDARD are run here",
        ));
    }
    let machine = app
        .engine
        .create_state_machine(&app.account, &caller.region, &request.name, &request.definition, &request.role_arn)
        .await?;
    Ok(Response { state_machine_arn: machine.arn, creation_date: machine.created_at })
}
