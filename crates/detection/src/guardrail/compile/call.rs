//! Calls of the built-in functions.

use serde_json::{Map, Value, json};

use super::{States, retry};

/// A Task that calls a built-in function. `more` is the state's: `Assign`, `Next`, `Catch` …; a `Catch` to `Failed` unless it has one.
pub(super) fn function(name: &str, payload: Value, more: Value) -> Value {
    let retry = if name == "tell" { retry::channel() } else { retry::function() };
    task("arn:aws:states:::lambda:invoke", name, payload, retry, more)
}

/// A Task that calls the function `finding`.
pub(crate) fn finding(action: &str, payload: Value, more: Value) -> Value {
    function("finding", merged(json!({"Action": action}), payload), more)
}

/// A Task that hands its token to a built-in function, and waits for whoever sends it back.
pub(super) fn with_token(name: &str, payload: Value, more: Value) -> Value {
    let payload = merged(json!({"TaskToken": "{% $states.context.Task.Token %}"}), payload);
    task("arn:aws:states:::lambda:invoke.waitForTaskToken", name, payload, retry::function(), more)
}

/// Two states: `Tell …` says something to people, `Told …` records what became of it. Whether or not somebody could be told, the
/// machine goes on to `next`; it ends badly if nobody could, so that the engine tells.
pub(crate) fn tell(states: &mut States, about: &str, payload: Value, told: Value) {
    let (tell, recorded) = (format!("Tell {about}"), format!("Told {about}"));
    let kind = payload.get("Kind").cloned().unwrap_or_default();
    let payload = merged(payload, json!({"Owner": "{% $owners %}"}));
    let more = json!({
        "Assign": {"results": "{% [$states.result.Payload.Results] %}"},
        "Catch": [{
            "ErrorEquals": ["States.ALL"],
            "Assign": {
                "untold": true,
                "results": [{"Channel": null, "Ok": false, "Error": "{% $states.errorOutput.Error & ': ' & $states.errorOutput.Cause %}"}],
            },
            "Output": {},
            "Next": recorded,
        }],
        "Next": recorded,
    });
    states.insert(tell, function("tell", payload, more));
    states.insert(recorded, finding("told", json!({"Kind": kind, "Results": "{% $results %}"}), told));
}

/// A Catch of everything that can be caught, to `next`.
pub(super) fn catch(at: &str, next: &str) -> Value {
    json!([{"ErrorEquals": ["States.ALL"], "Assign": {"error": error(at)}, "Output": {}, "Next": next}])
}

/// What is kept of an error: neither part has to be there.
fn error(at: &str) -> Value {
    json!({
        "Error": "{% $states.errorOutput.Error ? $states.errorOutput.Error : '' %}",
        "Cause": "{% $states.errorOutput.Cause ? $string($states.errorOutput.Cause) : '' %}",
        "At": at,
    })
}

fn task(resource: &str, function: &str, payload: Value, retry: Value, more: Value) -> Value {
    let caller = json!({
        "FindingId": "{% $finding_id %}",
        "Execution": "{% $states.context.Execution.Id %}",
        "State": "{% $states.context.State.Name %}",
        "Round": "{% $round %}",
    });
    let state = json!({
        "Type": "Task",
        "Resource": resource,
        "Arguments": {"FunctionName": format!("${{function.{function}}}"), "Payload": merged(payload, caller)},
        "Output": {},
        "Retry": retry,
    });
    merged(state, more)
}

/// One object of two, the second's values before the first's.
pub(super) fn merged(first: Value, second: Value) -> Value {
    let mut object = Map::new();
    for part in [first, second] {
        if let Value::Object(fields) = part {
            object.extend(fields);
        }
    }
    Value::Object(object)
}
