//! The response to an occurrence: inspect → record → owner → decide → tell → (ask) → keep `Before` → fix → inspect again → close.
//!
//! Whatever came while it was under way raised the finding's generation; `Close` then says to inspect again, and the response comes round
//! to its beginning. So it does after a person's approval: what they approved of may have changed while they thought.

use serde_json::{Value, json};

use super::{
    CompileOptions, States,
    call::{self, catch, finding},
    fragment,
};
use crate::Guardrail;

/// How a response comes round to its beginning.
pub(super) fn again(condition: &str) -> Value {
    json!({"Condition": condition, "Assign": {"round": "{% $round + 1 %}"}, "Next": "Inspecting"})
}

impl Guardrail {
    pub(super) fn respond(&self, options: &CompileOptions, states: &mut States) {
        self.inspect_and_record(options, states);
        decide(options, states);
        ask(states);
        self.fix(options, states);
        close(states);
    }

    fn inspect_and_record(&self, options: &CompileOptions, states: &mut States) {
        self.inspection(["Inspecting", "Inspect", "Inspected"], "Record", options, states);
        let record = finding(
            "record",
            json!({"Compliance": "{% $inspection.Compliance %}", "Reason": "{% $string($inspection.Reason) %}"}),
            json!({
                "Assign": {"actor": "{% $states.result.Payload.Actor %}"},
                "Catch": catch("Record", "Failed"), "Next": "Compliant?",
            }),
        );
        states.insert("Record".to_owned(), record);
        let compliant = json!({
            "Type": "Choice",
            "Choices": [{"Condition": "{% $inspection.Compliance = 'NON_COMPLIANT' %}", "Next": "Owner"}],
            "Default": "Close",
        });
        states.insert("Compliant?".to_owned(), compliant);
    }

    /// Three states: at which generation the inspection begins, the inspection, and what it said.
    fn inspection(&self, names: [&str; 3], next: &str, options: &CompileOptions, states: &mut States) {
        let [begin, inspect, end] = names;
        let inspecting = finding(
            "inspecting",
            json!({}),
            json!({
                "Assign": {"generation": "{% $states.result.Payload.Generation %}"},
                "Catch": catch(begin, "Failed"), "Next": inspect,
            }),
        );
        states.insert(begin.to_owned(), inspecting);
        states.insert(inspect.to_owned(), fragment::step(inspect, &self.inspect, options, json!({"Next": end})));
        let said =
            json!({"Type": "Pass", "Assign": {"inspection": "{% $states.input[0] %}"}, "Output": {}, "Next": next});
        states.insert(end.to_owned(), said);
    }

    fn fix(&self, options: &CompileOptions, states: &mut States) {
        let keep = finding(
            "keep_before",
            json!({"Before": "{% $inspection.Before %}"}),
            json!({
                "Assign": {"before": "{% $states.result.Payload.Before %}"},
                "Catch": catch("Keep before", "Failed"), "Next": "Fixing",
            }),
        );
        states.insert("Keep before".to_owned(), keep);
        let fixing = finding("fixing", json!({}), json!({"Catch": catch("Fixing", "Failed"), "Next": "Fix"}));
        states.insert("Fixing".to_owned(), fixing);
        let fix = json!({"Next": "Inspecting again"});
        states.insert("Fix".to_owned(), fragment::step("Fix", &self.fix, options, fix));
        self.inspection(["Inspecting again", "Inspect again", "Inspected again"], "Close", options, states);
    }
}

fn decide(options: &CompileOptions, states: &mut States) {
    let mut about = json!({"Resource": "{% $resource %}", "Actor": "{% $actor %}"});
    if let Some(role) = &options.role_arn_expression {
        about = call::merged(about, json!({"RoleArn": format!("{{% {role} %}}")}));
    }
    let owner = call::function(
        "owner",
        about,
        json!({
            "Assign": {"owners": "{% [$states.result.Payload.Owners] %}"},
            "Catch": catch("Owner", "Failed"), "Next": "Decide",
        }),
    );
    states.insert("Owner".to_owned(), owner);
    let decide = finding(
        "decide",
        json!({"Owner": "{% $owners %}"}),
        json!({
            "Assign": {"decision": "{% $states.result.Payload %}"},
            "Catch": catch("Decide", "Failed"), "Next": "Told already?",
        }),
    );
    states.insert("Decide".to_owned(), decide);
    let told_already = json!({
        "Type": "Choice",
        "Choices": [{"Condition": "{% $decision.Tell = true %}", "Next": "Tell noticed"}],
        "Default": "What to do?",
    });
    states.insert("Told already?".to_owned(), told_already);
    call::tell(
        states,
        "noticed",
        json!({
            "Kind": "noticed",
            "Text": "{% $title & ': ' & $resource.Id & ' (account ' & $resource.Account & ', ' & $resource.Region & ') ' & $inspection.Reason %}",
            "Decision": "{% $decision.Decision %}",
            "Why": "{% $decision.Why %}",
            "Reason": "{% $string($inspection.Reason) %}",
        }),
        json!({"Catch": catch("Told noticed", "Failed"), "Next": "What to do?"}),
    );
    let what = json!({
        "Type": "Choice",
        "Choices": [
            {"Condition": "{% $decision.Decision = 'ask' %}", "Next": "Ask"},
            {"Condition": "{% $decision.Decision = 'fix' %}", "Next": "Keep before"},
        ],
        "Default": "Close",
    });
    states.insert("What to do?".to_owned(), what);
}

fn ask(states: &mut States) {
    let timed_out = json!({
        "ErrorEquals": ["States.Timeout"],
        "Assign": {"answer": {"Approved": false, "Person": null, "Reason": "nobody answered in time"}},
        "Output": {},
        "Next": "Answered",
    });
    let mut caught = vec![timed_out];
    caught.extend(catch("Ask", "Failed").as_array().cloned().unwrap_or_default());
    let ask = call::with_token(
        "ask",
        json!({
            "DeadlineSeconds": "{% $decision.DeadlineSeconds %}",
            "Text": "{% 'May this be fixed? ' & $title & ': ' & $resource.Id & ' (account ' & $resource.Account & ', ' & $resource.Region & ')' %}",
            "Why": "{% $decision.Why %}",
            "Reason": "{% $string($inspection.Reason) %}",
            "Owner": "{% $owners %}",
        }),
        json!({
            "TimeoutSeconds": "{% $decision.DeadlineSeconds %}",
            "Assign": {"answer": "{% $states.result %}"},
            "Catch": caught, "Next": "Answered",
        }),
    );
    states.insert("Ask".to_owned(), ask);
    let answered = finding(
        "answered",
        json!({
            "Approved": "{% $answer.Approved = true %}",
            "Person": "{% $exists($answer.Person) ? $answer.Person : null %}",
            "Reason": "{% $exists($answer.Reason) ? $answer.Reason : null %}",
        }),
        json!({"Catch": catch("Answered", "Failed"), "Next": "Approved?"}),
    );
    states.insert("Answered".to_owned(), answered);
    let approved = json!({
        "Type": "Choice",
        "Choices": [again("{% $answer.Approved = true %}")],
        "Default": "Tell denied",
    });
    states.insert("Approved?".to_owned(), approved);
    call::tell(
        states,
        "denied",
        json!({
            "Kind": "denied",
            "Text": "{% $title & ': ' & $resource.Id & ' stays as it is, since ' & ($answer.Person ? $answer.Person & ' did not want the fix' : 'nobody answered in time') %}",
            "Person": "{% $exists($answer.Person) ? $answer.Person : null %}",
            "Reason": "{% $exists($answer.Reason) ? $answer.Reason : null %}",
        }),
        json!({"Catch": catch("Told denied", "Failed"), "Next": "Close"}),
    );
}

fn close(states: &mut States) {
    let close = finding(
        "close",
        json!({
            "Generation": "{% $generation %}",
            "Compliance": "{% $inspection.Compliance %}",
            "Reason": "{% $string($inspection.Reason) %}",
        }),
        json!({
            "Assign": {"closing": "{% $states.result.Payload %}"},
            "Catch": catch("Close", "Failed"), "Next": "Closed?",
        }),
    );
    states.insert("Close".to_owned(), close);
    let closed = json!({
        "Type": "Choice",
        "Choices": [
            again("{% $closing.InspectAgain = true and $round = 1 %}"),
            {"Condition": "{% $closing.InspectAgain = true %}", "Assign": {"round": "{% $round + 1 %}"}, "Next": "Let it settle"},
            {"Condition": "{% $type($closing.Tell) = 'string' %}", "Next": "Tell end"},
        ],
        "Default": "Everything told?",
    });
    states.insert("Closed?".to_owned(), closed);
    // The first time it is most probably the fix's own event; after that somebody is busy with the resource.
    let settle = json!({"Type": "Wait", "Seconds": "{% $min([$round * 2, 30]) %}", "Next": "Inspecting"});
    states.insert("Let it settle".to_owned(), settle);
}
