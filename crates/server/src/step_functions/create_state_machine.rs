//! CreateStateMachine.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::definition::{self, Type};
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
    #[serde(default, rename = "type")]
    machine_type: Type,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    state_machine_arn: String,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
}

pub async fn call(app: &App, caller: &Caller, request: Request) -> Result<Response, ApiError> {
    definition::accept(app, &request.definition, request.machine_type.into())?;
    if request.machine_type != Type::Standard {
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
