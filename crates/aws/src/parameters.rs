//! A call's parameters against its operation's shape, and into the model's own names.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::model::{Node, Type};
use crate::names::{capitalized, hint, member_name};

/// How deep parameters may nest.
pub(crate) const DEPTH: usize = 64;

/// What is wrong with a field of a call's parameters. `Display` says it with its whole path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterProblem {
    /// What.
    pub fault: ParameterFault,
    /// The field's name, without those around it; of an element of a list, the list's; nothing where the parameters
    /// themselves are no object.
    pub field: String,
    message: String,
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterFault {
    /// There is no such field.
    Unknown,
    /// It has to be there.
    Missing,
    /// Its value has another type.
    Invalid,
}

impl std::fmt::Display for ParameterProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// Several problems in one line.
pub(crate) fn told(problems: &[ParameterProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Where a value is: the path of its names, and the last of them.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    field: &'a str,
}

impl Place<'_> {
    fn path_to(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// The parameters with the model's member names, in the model's order: timestamps as RFC 3339 text, blobs as text
/// (what is no text becomes JSON), nulls left out. `token` fills the idempotency token. Every problem is told at once.
pub(crate) fn bind(input: Option<Node<'_>>, parameters: &Value, token: &str) -> Result<Value, Vec<ParameterProblem>> {
    let empty = Value::Object(Map::new());
    let parameters = if parameters.is_null() { &empty } else { parameters };
    let mut problems = Problems(Vec::new());
    let bound = match input {
        Some(node) => problems.structure(node, parameters, Place { path: "", field: "" }, 0, Some(token)),
        None => {
            let keys = parameters.as_object().into_iter().flat_map(Map::keys);
            for key in keys {
                let message = format!("the field `{key}` is not known: the action takes none");
                problems.note(ParameterFault::Unknown, key, message);
            }
            None
        }
    };
    if problems.0.is_empty() { Ok(bound.unwrap_or(empty)) } else { Err(problems.0) }
}

struct Problems(Vec<ParameterProblem>);

impl Problems {
    fn note(&mut self, fault: ParameterFault, field: &str, message: String) {
        self.0.push(ParameterProblem { fault, field: field.to_owned(), message });
    }

    fn wrong(&mut self, at: Place<'_>, expected: &str) -> Option<Value> {
        let path = if at.path.is_empty() { "the parameters" } else { at.path };
        self.note(ParameterFault::Invalid, at.field, format!("the value of `{path}` must be {expected}"));
        None
    }

    fn value(&mut self, node: Node<'_>, value: &Value, at: Place<'_>, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return self.wrong(at, &format!("nested less deep than {DEPTH}"));
        }
        match (node.r#type(), value) {
            (Type::Structure, _) if node.shape.document => Some(value.clone()),
            (Type::Structure, _) => self.structure(node, value, at, depth, None),
            (Type::List, Value::Array(items)) => {
                let item = node.item()?;
                let items = items.iter().enumerate();
                Some(Value::Array(
                    items
                        .filter_map(|(index, each)| {
                            let path = format!("{}[{index}]", at.path);
                            self.value(item, each, Place { path: &path, ..at }, depth + 1)
                        })
                        .collect(),
                ))
            }
            (Type::Map, Value::Object(entries)) => {
                let of = node.map_value()?;
                let entries = entries.iter().filter(|(_, each)| !each.is_null());
                let bound = entries.filter_map(|(key, each)| {
                    let path = at.path_to(key);
                    Some((key.clone(), self.value(of, each, Place { path: &path, field: key }, depth + 1)?))
                });
                Some(Value::Object(bound.collect()))
            }
            (Type::Boolean, Value::Bool(_)) | (Type::String | Type::Blob, Value::String(_)) => Some(value.clone()),
            (Type::Blob, _) => Some(Value::String(value.to_string())),
            (Type::String, Value::Object(_) | Value::Array(_)) if node.reference.jsonvalue => {
                Some(Value::String(value.to_string()))
            }
            (Type::Integer | Type::Long, Value::Number(number)) => match whole(number) {
                Some(whole) => Some(Value::from(whole)),
                None => self.wrong(at, "a whole number"),
            },
            (Type::Float | Type::Double, Value::Number(_)) => Some(value.clone()),
            (Type::Timestamp, _) => match timestamp(value) {
                Some(at) => Some(Value::String(at.to_string())),
                None => self.wrong(at, "a timestamp as 2026-01-31T12:00:00Z"),
            },
            (expected, _) => self.wrong(at, article(expected)),
        }
    }

    fn structure(
        &mut self,
        node: Node<'_>,
        value: &Value,
        at: Place<'_>,
        depth: usize,
        token: Option<&str>,
    ) -> Option<Value> {
        let Value::Object(given) = value else { return self.wrong(at, "an object") };
        // The API's own spelling (`ACL`) is understood beside Step Functions' (`Acl`).
        let names: Vec<(String, String)> =
            node.members().map(|(name, _)| (member_name(name), capitalized(name))).collect();
        for key in given.keys().filter(|key| !names.iter().any(|(name, own)| name == *key || own == *key)) {
            let near = hint(key, names.iter().map(|(name, _)| name.as_str()));
            let message = format!("the field `{}` is not known{near}", at.path_to(key));
            self.note(ParameterFault::Unknown, key, message);
        }
        let mut bound = Map::new();
        for ((name, member), (shown, own)) in node.members().zip(&names) {
            match given.get(shown).or_else(|| given.get(own)).filter(|value| !value.is_null()) {
                Some(value) => {
                    let path = at.path_to(shown);
                    if let Some(value) = self.value(member, value, Place { path: &path, field: shown }, depth + 1) {
                        bound.insert(name.to_owned(), value);
                    }
                }
                None => match token.filter(|_| member.reference.idempotency_token) {
                    Some(token) => drop(bound.insert(name.to_owned(), Value::from(token))),
                    None if node.shape.required.iter().any(|required| required == name) => {
                        let message = format!("the field `{}` is required but was missing", at.path_to(shown));
                        self.note(ParameterFault::Missing, shown, message);
                    }
                    None => {}
                },
            }
        }
        Some(Value::Object(bound))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only whole numbers below 2^53 get there")]
fn whole(number: &serde_json::Number) -> Option<i64> {
    let exact = |float: f64| (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64);
    number.as_i64().or_else(|| number.as_f64().and_then(exact))
}

fn timestamp(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => crate::protocol::timestamp::from_seconds(number.as_f64()?),
        _ => None,
    }
}

fn article(expected: Type) -> &'static str {
    match expected {
        Type::Structure | Type::Map => "an object",
        Type::List => "an array",
        Type::String | Type::Blob => "a string",
        Type::Boolean => "a boolean",
        Type::Integer | Type::Long => "a whole number",
        Type::Float | Type::Double => "a number",
        Type::Timestamp => "a timestamp",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(service: &str, action: &str, parameters: Value, expected: Result<Value, &str>) {
        let service = crate::model::service(service).unwrap();
        let (_, operation) = service.operation(action).unwrap();
        let bound = bind(service.node(operation.input.as_ref()), &parameters, "token").map_err(|all| told(&all));
        assert_eq!(bound, expected.map_err(str::to_owned), "{action} {parameters}");
    }

    #[test]
    fn parameters_are_bound_or_every_problem_is_told() {
        check(
            "sfn",
            "startExecution",
            json!({"StateMachineArn": "a", "Name": null}),
            Ok(json!({"stateMachineArn": "a"})),
        );
        check(
            "cloudwatchlogs",
            "getLogEvents",
            json!({"LogStreamName": "s", "Limit": 3.0}),
            Ok(json!({"logStreamName": "s", "limit": 3})),
        );
        check(
            "lambda",
            "invoke",
            json!({"FunctionName": "f", "Payload": {"a": 1}}),
            Ok(json!({"FunctionName": "f", "Payload": "{\"a\":1}"})),
        );
        check(
            "ec2",
            "runInstances",
            json!({"MinCount": 1, "MaxCount": 1}),
            Ok(json!({"MaxCount": 1, "MinCount": 1, "ClientToken": "token"})),
        );
        check(
            "s3",
            "putPublicAccessBlock",
            json!({"Bukket": "b", "PublicAccessBlockConfiguration": {"BlockPublicAcls": "yes"}}),
            Err(
                "the field `Bukket` is not known; did you mean `Bucket`?; the field `Bucket` is required but was missing; \
                 the value of `PublicAccessBlockConfiguration.BlockPublicAcls` must be a boolean",
            ),
        );
        check(
            "sqs",
            "receiveMessage",
            json!({"QueueUrl": "q", "MaxNumberOfMessages": 1.5}),
            Err("the value of `MaxNumberOfMessages` must be a whole number"),
        );
        check(
            "cloudtrail",
            "lookupEvents",
            json!({"StartTime": "2026-01-31T12:00:00+01:00"}),
            Ok(json!({"StartTime": "2026-01-31T11:00:00Z"})),
        );
        check(
            "cloudtrail",
            "lookupEvents",
            json!({"StartTime": "today"}),
            Err("the value of `StartTime` must be a timestamp as 2026-01-31T12:00:00Z"),
        );
    }

    #[test]
    fn a_problem_names_its_field_alone() {
        let service = crate::model::service("dynamodb").unwrap();
        let (_, operation) = service.operation("putItem").unwrap();
        let parameters = json!({"Item": {"a.b": {"S": 1, "x": 1, "SS": [2]}}});
        let problems = bind(service.node(operation.input.as_ref()), &parameters, "token").unwrap_err();
        let told: Vec<_> = problems.iter().map(|problem| (problem.fault, problem.field.as_str())).collect();
        let expected = [
            (ParameterFault::Missing, "TableName"),
            (ParameterFault::Unknown, "x"),
            (ParameterFault::Invalid, "S"),
            (ParameterFault::Invalid, "Ss"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn parameters_nest_only_so_deep() {
        let deep = (0..DEPTH).fold(json!({"And": []}), |inner, _| json!({"And": [inner]}));
        let service = crate::model::service("costexplorer").unwrap();
        let (_, operation) = service.operation("getDimensionValues").unwrap();
        let parameters = json!({"TimePeriod": {"Start": "a", "End": "b"}, "Dimension": "AZ", "Filter": deep});
        let told = told(&bind(service.node(operation.input.as_ref()), &parameters, "token").unwrap_err());
        assert!(told.ends_with("must be nested less deep than 64"), "{told}");
    }
}
