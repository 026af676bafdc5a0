//! The Step Functions API, one file an action.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html>

mod constraints;
mod create_activity;
mod create_state_machine;
mod create_state_machine_alias;
mod definition;
mod delete_activity;
mod delete_state_machine;
mod delete_state_machine_alias;
mod delete_state_machine_version;
mod describe_activity;
mod describe_execution;
mod describe_map_run;
mod describe_state_machine;
mod describe_state_machine_alias;
mod describe_state_machine_for_execution;
mod get_activity_task;
mod get_execution_history;
mod list_activities;
mod list_executions;
mod list_map_runs;
mod list_state_machine_aliases;
mod list_state_machine_versions;
mod list_state_machines;
mod list_tags_for_resource;
mod page;
mod publish_state_machine_version;
mod redrive_execution;
mod send_task;
mod settings;
mod start_execution;
mod start_sync_execution;
mod stop_execution;
mod tag_resource;
mod test_state;
mod untag_resource;
mod update_map_run;
mod update_state_machine;
mod update_state_machine_alias;
mod validate_state_machine_definition;

use serde_json::Value;

use crate::{
    App,
    access::Caller,
    aws_json::{ApiError, answer, json, read},
    router::unknown_operation,
};

/// Performs an action.
pub async fn call(app: &App, caller: &Caller, action: &str, body: &[u8]) -> Result<Value, ApiError> {
    let body = json(body)?;
    constraints::check(action, &body, app.engine.quotas().payload_bytes)?;
    match action {
        "CreateActivity" => answer(create_activity::call(app, caller, read(body)?).await?),
        "CreateStateMachine" => answer(create_state_machine::call(app, caller, read(body)?).await?),
        "CreateStateMachineAlias" => answer(create_state_machine_alias::call(app, read(body)?).await?),
        "DeleteActivity" => answer(delete_activity::call(app, read(body)?).await?),
        "DeleteStateMachine" => answer(delete_state_machine::call(app, read(body)?).await?),
        "DeleteStateMachineAlias" => answer(delete_state_machine_alias::call(app, read(body)?).await?),
        "DeleteStateMachineVersion" => answer(delete_state_machine_version::call(app, read(body)?).await?),
        "DescribeActivity" => answer(describe_activity::call(app, read(body)?).await?),
        "DescribeExecution" => answer(describe_execution::call(app, read(body)?).await?),
        "DescribeMapRun" => answer(describe_map_run::call(app, read(body)?).await?),
        "DescribeStateMachine" => answer(describe_state_machine::call(app, read(body)?).await?),
        "DescribeStateMachineAlias" => answer(describe_state_machine_alias::call(app, read(body)?).await?),
        "DescribeStateMachineForExecution" => {
            answer(describe_state_machine_for_execution::call(app, read(body)?).await?)
        }
        "GetActivityTask" => answer(get_activity_task::call(app, read(body)?).await?),
        "GetExecutionHistory" => answer(get_execution_history::call(app, read(body)?).await?),
        "ListActivities" => answer(list_activities::call(app, caller, read(body)?).await?),
        "ListExecutions" => answer(list_executions::call(app, read(body)?).await?),
        "ListMapRuns" => answer(list_map_runs::call(app, read(body)?).await?),
        "ListStateMachineAliases" => answer(list_state_machine_aliases::call(app, read(body)?).await?),
        "ListStateMachineVersions" => answer(list_state_machine_versions::call(app, read(body)?).await?),
        "ListStateMachines" => answer(list_state_machines::call(app, caller, read(body)?).await?),
        "ListTagsForResource" => answer(list_tags_for_resource::call(app, read(body)?).await?),
        "PublishStateMachineVersion" => answer(publish_state_machine_version::call(app, read(body)?).await?),
        "RedriveExecution" => answer(redrive_execution::call(app, read(body)?).await?),
        "SendTaskFailure" => answer(send_task::failure(app, read(body)?).await?),
        "SendTaskHeartbeat" => answer(send_task::heartbeat(app, read(body)?).await?),
        "SendTaskSuccess" => answer(send_task::success(app, read(body)?).await?),
        "StartExecution" => answer(start_execution::call(app, read(body)?).await?),
        "StartSyncExecution" => answer(start_sync_execution::call(app, read(body)?).await?),
        "StopExecution" => answer(stop_execution::call(app, read(body)?).await?),
        "ValidateStateMachineDefinition" => answer(validate_state_machine_definition::call(app, read(body)?).await?),
        "TestState" => answer(test_state::call(app, caller, read(body)?).await?),
        "TagResource" => answer(tag_resource::call(app, read(body)?).await?),
        "UntagResource" => answer(untag_resource::call(app, read(body)?).await?),
        "UpdateStateMachine" => answer(update_state_machine::call(app, read(body)?).await?),
        "UpdateStateMachineAlias" => answer(update_state_machine_alias::call(app, read(body)?).await?),
        "UpdateMapRun" => answer(update_map_run::call(app, read(body)?).await?),
        _ => Err(unknown_operation(&format!("AWSStepFunctions.{action}"))),
    }
}
