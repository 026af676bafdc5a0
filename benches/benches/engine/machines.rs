//! The six machines.

use serde_json::{Map, Value, json};

/// What a Map goes over.
const LONG_INPUT: &str = r#"{"bucket": "a-bucket-with-a-name", "account": "123456789012", "actor": {"type": "IAMUser", "userName": "somebody"}, "items": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64,65,66,67,68,69,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88,89,90,91,92,93,94,95,96,97,98,99]}"#;
/// The same for the machines that go over no items.
const SHORT_INPUT: &str = r#"{"bucket": "a-bucket-with-a-name", "account": "123456789012", "actor": {"type": "IAMUser", "userName": "somebody"}}"#;

/// A machine that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    Passes,
    Tasks,
    Map,
    Parallel,
    Intrinsics,
    Jsonata,
}

impl Machine {
    pub const ALL: [Machine; 6] =
        [Machine::Passes, Machine::Tasks, Machine::Map, Machine::Parallel, Machine::Intrinsics, Machine::Jsonata];

    /// As options and state machines call it.
    pub fn name(self) -> &'static str {
        match self {
            Machine::Passes => "passes",
            Machine::Tasks => "tasks",
            Machine::Map => "map",
            Machine::Parallel => "parallel",
            Machine::Intrinsics => "intrinsics",
            Machine::Jsonata => "jsonata",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Machine::Passes => "ten Pass",
            Machine::Tasks => "ten Tasks",
            Machine::Map => "Map of 100",
            Machine::Parallel => "Choice, Parallel of 3",
            Machine::Intrinsics => "eight intrinsics",
            Machine::Jsonata => "JSONata, Assign, Choice",
        }
    }

    pub fn input(self) -> &'static str {
        if self == Machine::Map { LONG_INPUT } else { SHORT_INPUT }
    }

    /// State transitions of an execution, as AWS counts them: the start, each state that is entered, the end.
    pub fn transitions(self) -> u32 {
        match self {
            Machine::Passes | Machine::Tasks => 12,
            Machine::Map => 103,
            Machine::Parallel => 7,
            Machine::Intrinsics => 3,
            Machine::Jsonata => 5,
        }
    }

    pub fn definition(self) -> String {
        match self {
            Machine::Passes => chain(&json!({"Type": "Pass"})),
            Machine::Tasks => chain(&task()),
            Machine::Map => json!({
                "StartAt": "Each",
                "States": {"Each": {
                    "Type": "Map", "ItemsPath": "$.items", "End": true,
                    "ItemProcessor": {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": true}}},
                }},
            }),
            Machine::Parallel => {
                let branch = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Pass", "End": true}}});
                json!({
                    "StartAt": "Which",
                    "States": {
                        "Which": {
                            "Type": "Choice",
                            "Choices": [
                                {"Variable": "$.account", "StringEquals": "000000000000", "Next": "Nobody"},
                                {"And": [
                                    {"Variable": "$.actor.type", "StringEquals": "IAMUser"},
                                    {"Variable": "$.bucket", "StringMatches": "a-*"},
                                ], "Next": "Together"},
                            ],
                            "Default": "Nobody",
                        },
                        "Together": {"Type": "Parallel", "Branches": [branch("One"), branch("Two"), branch("Three")], "End": true},
                        "Nobody": {"Type": "Fail"},
                    },
                })
            }
            Machine::Intrinsics => json!({
                "StartAt": "Pass",
                "States": {"Pass": {"Type": "Pass", "End": true, "Parameters": {
                    "format.$": "States.Format('{} in {}', $.bucket, $.account)",
                    "array.$": "States.Array($.bucket, $.account, 1)",
                    "partition.$": "States.ArrayPartition(States.ArrayRange(1, 9, 2), 2)",
                    "hash.$": "States.Hash($.bucket, 'SHA-256')",
                    "base64.$": "States.Base64Encode($.actor.userName)",
                    "sum.$": "States.MathAdd(20, 22)",
                    "parts.$": "States.StringSplit($.bucket, '-')",
                    "json.$": "States.JsonToString($.actor)",
                }}},
            }),
            Machine::Jsonata => json!({
                "QueryLanguage": "JSONata",
                "StartAt": "Assign",
                "States": {
                    "Assign": {
                        "Type": "Pass",
                        "Assign": {
                            "who": "{% $states.input.actor.userName %}",
                            "where": "{% $states.input.bucket & '@' & $states.input.account %}",
                        },
                        "Output": {"length": "{% $length($states.input.bucket) %}"},
                        "Next": "Which",
                    },
                    "Which": {
                        "Type": "Choice",
                        "Choices": [{"Condition": "{% $who = 'somebody' and $states.input.length > 3 %}", "Next": "Pass"}],
                        "Default": "Nobody",
                    },
                    "Pass": {
                        "Type": "Pass",
                        "Output": {"owner": "{% $uppercase($who) %}", "place": "{% $where %}"},
                        "End": true,
                    },
                    "Nobody": {"Type": "Fail"},
                },
            }),
        }
        .to_string()
    }
}

/// Ten of a state.
fn chain(one: &Value) -> Value {
    let states = (0..10).map(|number| {
        let mut state = one.clone();
        if let Some(fields) = state.as_object_mut() {
            match number {
                9 => fields.insert("End".to_owned(), json!(true)),
                _ => fields.insert("Next".to_owned(), json!(format!("State {}", number + 1))),
            };
        }
        (format!("State {number}"), state)
    });
    json!({"StartAt": "State 0", "States": states.collect::<Map<_, _>>()})
}

/// A function that the server has in its process: it names no owner of a resource whose tags nobody can read, and calls nobody.
fn task() -> Value {
    let resource = json!({"Id": "a", "Type": "Of::No::Service", "Account": "123456789012", "Region": "eu-central-1"});
    json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "rectify-owner", "Payload": {"Resource": resource}},
        "ResultPath": "$.owner",
    })
}
