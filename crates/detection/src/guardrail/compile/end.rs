//! How a response or an undo ends: somebody is told, and all of it is on the record, or the execution fails and the engine tells.

use serde_json::{Value, json};

use super::{
    States,
    call::{self, finding},
};

/// What people are told at an end, by its kind.
const TEXT: &str = "{% $title & ': ' & $resource.Id & ' (account ' & $resource.Account & ', ' & $resource.Region & ') ' & \
     ($closing.Tell = 'undone' and $inspection.Compliance = 'NOT_APPLICABLE' ? 'has nothing to be taken back: ' & $inspection.Reason : \
     $lookup({'fixed': 'is fixed, and inspected again: ', 'resolved': 'is no longer so: ', 'not_fixed': 'was fixed, and still is so: ', \
     'unsettled': 'changes faster than it can be inspected: ', 'undone': 'is as it was before the fix, until '}, $closing.Tell) & \
     ($closing.Tell = 'undone' ? $until & ' left alone' : $string($inspection.Reason))) %}";

pub(super) fn add(states: &mut States) {
    call::tell(
        states,
        "end",
        json!({
            "Kind": "{% $closing.Tell %}",
            "Text": TEXT,
            "Reason": "{% $string($inspection.Reason) %}",
            "Before": "{% $before %}",
            "Until": "{% $until %}",
        }),
        json!({"Catch": unrecorded("Everything told?"), "Next": "Everything told?"}),
    );
    let failed = finding(
        "failed",
        json!({"Error": "{% $error.Error %}", "Cause": "{% $error.Cause %}", "At": "{% $error.At %}"}),
        json!({"Catch": unrecorded("Tell failed"), "Next": "Tell failed"}),
    );
    states.insert("Failed".to_owned(), failed);
    call::tell(
        states,
        "failed",
        json!({
            "Kind": "failed",
            "Text": "{% $title & ': ' & $resource.Id & ' (account ' & $resource.Account & ', ' & $resource.Region & ') could not be dealt with: ' & $error.At & ' failed with ' & $error.Error & ': ' & $error.Cause %}",
            "Error": "{% $error.Error %}",
            "Cause": "{% $error.Cause %}",
            "At": "{% $error.At %}",
        }),
        json!({"Catch": unrecorded("Everything told?"), "Next": "Everything told?"}),
    );
    let told = json!({
        "Type": "Choice",
        "Choices": [{"Condition": "{% $untold or $unrecorded %}", "Next": "Half told"}],
        "Default": "Done",
    });
    states.insert("Everything told?".to_owned(), told);
    let half_told = json!({
        "Type": "Fail",
        "Error": "HalfTold",
        "Cause": "{% 'not all of it could be told or recorded. ' & ($error.Error ? $error.At & ' failed with ' & $error.Error & ': ' & $error.Cause : $string($results)) %}",
    });
    states.insert("Half told".to_owned(), half_told);
    let done = json!({
        "Type": "Pass",
        "Output": {"Outcome": "{% $error.Error ? 'failed' : $closing.Tell ? $closing.Tell : $closing.Closed ? 'compliant' : 'left' %}"},
        "End": true,
    });
    states.insert("Done".to_owned(), done);
    let unknown = json!({
        "Type": "Fail",
        "Error": "UnknownAction",
        "Cause": "the input's `Action` has to be one of respond, inspect, list and undo",
    });
    states.insert("Unknown action".to_owned(), unknown);
}

/// What could not be recorded does not keep it from being told.
fn unrecorded(next: &str) -> Value {
    json!([{"ErrorEquals": ["States.ALL"], "Assign": {"unrecorded": true}, "Output": {}, "Next": next}])
}
