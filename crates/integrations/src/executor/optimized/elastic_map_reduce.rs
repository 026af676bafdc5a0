//! Amazon EMR, whose integration has an API of its own over that of the service.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-emr.html>

use asl::integration::Pattern;
use engine::ports::Task;
use serde_json::{Map, Value, json};

use super::super::Failure;

type Members = Map<String, Value>;

/// The parameter under another name, as the only element of a list where that is asked for.
fn renamed(parameters: &mut Members, from: &str, to: &str, list: bool) {
    if let Some(value) = parameters.shift_remove(from) {
        parameters.insert(to.to_owned(), if list { json!([value]) } else { value });
    }
}

pub(super) fn of_clusters(mut parameters: Members, _: &Task) -> Result<Members, Failure> {
    renamed(&mut parameters, "ClusterId", "JobFlowIds", true);
    Ok(parameters)
}

pub(super) fn add_step(mut parameters: Members, _: &Task) -> Result<Members, Failure> {
    renamed(&mut parameters, "ClusterId", "JobFlowId", false);
    renamed(&mut parameters, "Step", "Steps", true);
    Ok(parameters)
}

pub(super) fn cancel_step(mut parameters: Members, _: &Task) -> Result<Members, Failure> {
    renamed(&mut parameters, "StepId", "StepIds", true);
    Ok(parameters)
}

pub(super) fn cluster_created(mut answer: Members, _: Pattern) -> Result<Members, Failure> {
    renamed(&mut answer, "JobFlowId", "ClusterId", false);
    Ok(answer)
}

pub(super) fn step_added(answer: Members, _: Pattern) -> Result<Members, Failure> {
    let first = answer.get("StepIds").and_then(|ids| ids.get(0)).cloned();
    Ok(first.map(|id| ("StepId".to_owned(), id)).into_iter().collect())
}

pub(super) fn step_cancelled(answer: Members, _: Pattern) -> Result<Members, Failure> {
    let first = answer.get("CancelStepsInfoList").and_then(|steps| steps.get(0)).and_then(Value::as_object);
    Ok(first.cloned().unwrap_or_default())
}
