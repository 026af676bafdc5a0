//! From a guardrail to its state machine.
//!
//! One machine does all: its input's `Action` says which of `respond`, `inspect`, `list` and `undo`. What goes over the wire to the
//! built-in functions is told in [`request`](crate::finding::request). The states hand nothing on as input: all that the machine knows
//! is in its variables ([`RESERVED_VARIABLES`]), which fragments read and never assign.

pub(crate) mod call;
mod end;
mod fragment;
mod respond;
mod retry;
mod undo;

use serde_json::{Map, Value, json};

use super::Guardrail;
pub(super) use fragment::{LONGEST_PREFIX, nested_flows};

/// The longest name of a state. Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
pub const STATE_NAME_LIMIT: usize = 80;

/// The variables of the machine around the fragments.
pub const RESERVED_VARIABLES: &[&str] = &[
    "actor",
    "answer",
    "before",
    "closing",
    "decision",
    "error",
    "event",
    "finding_id",
    "generation",
    "inspection",
    "owners",
    "parameters",
    "resource",
    "results",
    "round",
    "states",
    "title",
    "undoing",
    "unrecorded",
    "until",
    "untold",
];

/// What the compiler has to know beside the guardrail.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// The guardrail's parameters as they are set, [`Settings::parameters`](crate::Settings): a literal of the machine. Those that
    /// are not in it have their defaults.
    pub parameters: Map<String, Value>,
    /// The role that fragments' tasks assume, per account, a JSONata expression without its `{% %}`, for instance
    /// `'arn:aws:iam::' & $resource.Account & ':role/rectify'`: compiled in only where accounts are reached by role.
    pub role_arn_expression: Option<String>,
}

/// States of a machine, in the order in which they were added.
pub(crate) type States = Map<String, Value>;

impl Guardrail {
    /// The state machine: its definition in ASL, `FunctionName: ${function.NAME}` still to be filled in.
    pub fn compile(&self, options: &CompileOptions) -> Value {
        let mut states = States::new();
        states.insert("Begin".to_owned(), self.begin(options));
        states.insert("Action".to_owned(), action());
        self.respond(options, &mut states);
        self.undo(options, &mut states);
        end::add(&mut states);
        self.on_demand(options, &mut states);
        json!({
            "Comment": format!("Guardrail {}: {}", self.id, self.title),
            "QueryLanguage": "JSONata",
            "StartAt": "Begin",
            "States": states,
        })
    }

    /// Every variable has a value from the beginning: an undefined one is an error in JSONata.
    fn begin(&self, options: &CompileOptions) -> Value {
        json!({
            "Type": "Pass",
            "Assign": {
                "finding_id": "{% $exists($states.input.FindingId) ? $states.input.FindingId : '' %}",
                "resource": "{% $states.input.Resource %}",
                "until": "{% $exists($states.input.Until) ? $states.input.Until : null %}",
                "parameters": self.parameters_with(&options.parameters),
                "title": self.title,
                "round": 1,
                "generation": 0,
                "inspection": {"Compliance": "missing", "Reason": "", "Before": {}},
                "actor": null,
                "owners": [],
                "decision": {},
                "results": [],
                "answer": {},
                "before": {},
                "closing": {},
                "undoing": {},
                "error": {},
                "untold": false,
                "unrecorded": false,
            },
            "Next": "Action",
        })
    }

    /// What touches no finding: its failure is the execution's, and its caller's to tell.
    fn on_demand(&self, options: &CompileOptions, states: &mut States) {
        for (name, written) in [("Inspect now", &self.inspect), ("List", &self.list)] {
            states.insert(name.to_owned(), fragment::parallel(name, written, options, json!({"Next": "Answer"})));
        }
        states.insert("Answer".to_owned(), json!({"Type": "Pass", "Output": "{% $states.input[0] %}", "End": true}));
    }
}

fn action() -> Value {
    let rule = |action: &str, next: &str| json!({"Condition": format!("{{% $states.input.Action = '{action}' %}}"), "Next": next});
    json!({
        "Type": "Choice",
        "Choices": [
            rule("respond", "Inspecting"),
            rule("inspect", "Inspect now"),
            rule("list", "List"),
            rule("undo", "Undoing"),
        ],
        "Default": "Unknown action",
    })
}
