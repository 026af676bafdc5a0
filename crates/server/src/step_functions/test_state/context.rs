//! Whether a context object is one that a state can see.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html>

use asl::{Kind, State};
use serde_json::{Map, Value};

use super::{parsed_object, waits};
use crate::aws_json::ApiError;

/// What a field holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Integer,
    Anything,
}

type Fields = &'static [(&'static str, Holds)];

/// The parts of a context object that can be given.
const PARTS: &[(&str, Fields)] = &[
    (
        "Execution",
        &[
            ("Id", Holds::Text),
            ("Input", Holds::Anything),
            ("Name", Holds::Text),
            ("RoleArn", Holds::Text),
            ("StartTime", Holds::Text),
            ("RedriveCount", Holds::Integer),
            ("RedriveTime", Holds::Text),
        ],
    ),
    ("State", &[("EnteredTime", Holds::Text), ("Name", Holds::Text), ("RetryCount", Holds::Integer)]),
    ("StateMachine", &[("Id", Holds::Text), ("Name", Holds::Text)]),
    ("Task", &[("Token", Holds::Text)]),
];

pub(super) fn check(text: &str, state: &State) -> Result<(), ApiError> {
    let problem = match parsed_object(text) {
        Ok(context) => problem(&context, state),
        Err(why) => Some(format!("it must be a JSON object{why}")),
    };
    match problem {
        Some(problem) => Err(ApiError::validation(format!("Invalid Context object provided: {problem}"))),
        None => Ok(()),
    }
}

fn problem(context: &Map<String, Value>, state: &State) -> Option<String> {
    context.iter().find_map(|(part, value)| {
        if part == "Map" {
            return Some("'Map' field is not supported when mocking a Context object".to_owned());
        }
        let Some((_, fields)) = PARTS.iter().find(|(known, _)| known == part) else {
            return Some(not_allowed(part));
        };
        if part == "Task" && !has_token(state) {
            return Some(
                "Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' service integration pattern"
                    .to_owned(),
            );
        }
        match value {
            Value::Object(values) => values.iter().find_map(|(name, value)| field_problem(part, fields, name, value)),
            _ => Some(format!("{part} must be an object")),
        }
    })
}

fn field_problem(part: &str, fields: Fields, name: &str, value: &Value) -> Option<String> {
    let Some((_, holds)) = fields.iter().find(|(known, _)| *known == name) else { return Some(not_allowed(name)) };
    let (is_right, wanted) = match holds {
        Holds::Text => (value.is_string(), "a string"),
        Holds::Integer => (value.is_u64(), "an integer"),
        Holds::Anything => (true, "anything"),
    };
    (!is_right).then(|| format!("{part}.{name} must be {wanted}"))
}

fn not_allowed(field: &str) -> String {
    format!("Field '{field}' is not allowed")
}

/// Whether a token or a job ends it.
fn has_token(state: &State) -> bool {
    matches!(&state.kind, Kind::Task(task) if waits(&task.resource) || task.resource.contains(":activity:"))
}
