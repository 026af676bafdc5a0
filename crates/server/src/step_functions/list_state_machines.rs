//! ListStateMachines.

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
    state_machines: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    state_machine_arn: String,
    name: String,
    #[serde(rename = "type")]
    machine_type: &'static str,
    #[serde(serialize_with = "epoch_seconds")]
    creation_date: Timestamp,
}

pub async fn call(app: &App, caller: &Caller, request: Request) -> Result<Response, ApiError> {
    let length = page::length(request.max_results);
    let after = page::after(request.next_token.as_deref())?;
    let mut machines =
        app.engine.list_state_machines(&app.account, &caller.region, after.as_deref(), length + 1).await?;
    let next_token = page::cut(&mut machines, length, |machine| machine.arn.clone());
    let item = |machine: engine::engine::StateMachineRecord| Item {
        state_machine_arn: machine.arn,
        name: machine.name,
        machine_type: "STANDARD",
        creation_date: machine.created_at,
    };
    Ok(Response { state_machines: machines.into_iter().map(item).collect(), next_token })
}
