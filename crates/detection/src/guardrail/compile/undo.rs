//! Taking a fix back, and those that belong to it: wait for the response under way, undo, suppress, tell.

use serde_json::json;

use super::{
    CompileOptions, States,
    call::{catch, finding},
    fragment,
};
use crate::Guardrail;

/// How often an undo asks whether the response under way is over.
const WAITS: u64 = 120;
/// How long it waits in between.
const WAIT_SECONDS: u64 = 1;

impl Guardrail {
    pub(super) fn undo(&self, options: &CompileOptions, states: &mut States) {
        let undoing = finding(
            "undoing",
            json!({}),
            json!({
                "Assign": {"undoing": "{% $states.result.Payload %}", "before": "{% $states.result.Payload.Before %}"},
                "Catch": catch("Undoing", "Failed"), "Next": "Under way?",
            }),
        );
        states.insert("Undoing".to_owned(), undoing);
        let under_way = json!({
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": format!("{{% $undoing.Wait = true and $round < {WAITS} %}}"),
                    "Assign": {"round": "{% $round + 1 %}"},
                    "Next": "Wait for the response",
                },
                {
                    "Condition": "{% $undoing.Wait = true %}",
                    "Assign": {"error": {
                        "Error": "ResponseUnderWay",
                        "Cause": format!("a response was still under way after {} s; undo it again later", WAITS * WAIT_SECONDS),
                        "At": "Undoing",
                    }},
                    "Next": "Failed",
                },
            ],
            "Default": "Undo",
        });
        states.insert("Under way?".to_owned(), under_way);
        let wait = json!({"Type": "Wait", "Seconds": WAIT_SECONDS, "Next": "Undoing"});
        states.insert("Wait for the response".to_owned(), wait);
        let undo = json!({"Catch": catch("Undo", "Look again"), "Next": "Undone"});
        states.insert("Undo".to_owned(), fragment::parallel("Undo", &self.undo, options, undo));
        self.gone(options, states);
        let undone = finding(
            "undone",
            json!({
                "Until": "{% $until %}",
                "Gone": "{% $inspection.Compliance = 'NOT_APPLICABLE' ? $string($inspection.Reason) : null %}",
            }),
            json!({
                "Assign": {
                    "until": "{% $states.result.Payload.Until %}",
                    "undoing": "{% $states.result.Payload %}",
                    "closing": {"Tell": "undone"},
                },
                "Catch": catch("Undone", "Failed"), "Next": "All undone?",
            }),
        );
        states.insert("Undone".to_owned(), undone);
        let all = json!({
            "Type": "Choice",
            "Choices": [{
                "Condition": "{% $undoing.More = true %}",
                "Assign": {"round": "{% $round + 1 %}"},
                "Next": "Undoing",
            }],
            "Default": "Tell end",
        });
        states.insert("All undone?".to_owned(), all);
    }

    /// An undo fails on a resource that is gone, and then there is nothing to take back. Whatever else the matter is, it stays the
    /// undo's failure, the inspection's own too.
    fn gone(&self, options: &CompileOptions, states: &mut States) {
        let failed = json!([{"ErrorEquals": ["States.ALL"], "Output": {}, "Next": "Failed"}]);
        let look = json!({"Catch": failed, "Next": "Gone?"});
        states.insert("Look again".to_owned(), fragment::parallel("Look again", &self.inspect, options, look));
        let gone = json!({
            "Type": "Choice",
            "Choices": [{
                "Condition": "{% $states.input[0].Compliance = 'NOT_APPLICABLE' %}",
                "Assign": {"inspection": "{% $states.input[0] %}", "error": {}},
                "Next": "Undone",
            }],
            "Default": "Failed",
        });
        states.insert("Gone?".to_owned(), gone);
    }
}
