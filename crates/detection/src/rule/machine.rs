//! The machine that tells people of a rule's match: the same for all rules.
//!
//! Input: `{Action: "respond", FindingId, Title, Reason, Why, Resource: {Id, Arn?, Type, Account, Region}}`. What it calls is told in
//! [`request`](crate::finding::request). Where nobody could be told it fails, and the engine goes on telling.

use serde_json::{Value, json};

use crate::guardrail::compile::{States, call};

/// Its definition in ASL, `FunctionName: ${function.NAME}` still to be filled in.
pub fn machine() -> Value {
    let mut states = States::new();
    let begin = json!({
        "Type": "Pass",
        "Assign": {
            "finding_id": "{% $states.input.FindingId %}",
            "resource": "{% $states.input.Resource %}",
            "title": "{% $states.input.Title %}",
            "reason": "{% $states.input.Reason %}",
            "why": "{% $states.input.Why %}",
            "round": 1,
            "owners": [],
            "results": [],
            "untold": false,
            "unrecorded": false,
        },
        "Output": {},
        "Next": "Tell noticed",
    });
    states.insert("Begin".to_owned(), begin);
    call::tell(
        &mut states,
        "noticed",
        json!({
            "Kind": "noticed",
            "Text": "{% $title & ': ' & ($resource.Id ? $resource.Id : 'nothing that the event names') & ' (account ' & $resource.Account & ', ' & $resource.Region & ') ' & $reason %}",
            "Decision": "tell",
            "Why": "{% $why %}",
            "Reason": "{% $reason %}",
        }),
        json!({"Catch": unrecorded("Leave"), "Next": "Leave"}),
    );
    let leave = json!({"Catch": unrecorded("Everything told?"), "Next": "Everything told?"});
    states.insert("Leave".to_owned(), call::finding("leave", json!({}), leave));
    let told = json!({
        "Type": "Choice",
        "Choices": [{"Condition": "{% $untold or $unrecorded %}", "Next": "Half told"}],
        "Default": "Done",
    });
    states.insert("Everything told?".to_owned(), told);
    let half_told = json!({
        "Type": "Fail",
        "Error": "HalfTold",
        "Cause": "{% 'not all of it could be told or recorded. ' & $string($results) %}",
    });
    states.insert("Half told".to_owned(), half_told);
    states.insert("Done".to_owned(), json!({"Type": "Pass", "Output": {"Outcome": "told"}, "End": true}));
    json!({
        "Comment": "Tells people of a rule's match",
        "QueryLanguage": "JSONata",
        "StartAt": "Begin",
        "States": states,
    })
}

/// What could not be recorded does not keep the machine from its end.
fn unrecorded(next: &str) -> Value {
    json!([{"ErrorEquals": ["States.ALL"], "Assign": {"unrecorded": true}, "Output": {}, "Next": next}])
}
