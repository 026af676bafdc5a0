//! Whether a result is one that an operation can give.

use serde_json::Value;
use thiserror::Error;

use crate::model::{self, Node, Type};
use crate::names::{capitalized, member_name};

/// What is wanted of a result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'w> {
    /// All members that the model requires are there.
    pub all_required: bool,
    /// Members are named as the model does, but for a capital first: so do the optimized integrations of Step Functions. Else as the
    /// AWS SDK for Java names them.
    pub capitalized: bool,
    /// Members of the result that are not what the model says, by their names in the result: they can be anything.
    pub anything: &'w [&'w str],
}

/// Why a result can't be one of its operation. Its text is how Step Functions' TestState says it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "each text says it, and the field is named as in the result")]
pub enum Nonconformity {
    #[error("Field '{field}' must be {wanted}")]
    Type { field: String, wanted: &'static str },
    #[error("Required field '{field}' is missing")]
    Missing { field: String },
    #[error("Field '{field}' is not an expected value")]
    Unexpected { field: String },
    #[error("Field '{field}' is less than the minimum {measure}")]
    Less { field: String, measure: &'static str },
    #[error("Field '{field}' exceeds the maximum {measure}")]
    More { field: String, measure: &'static str },
    #[error("The result must be an object")]
    NoObject,
}

pub(crate) fn check(service: &str, action: &str, result: &Value, wanted: Wanted<'_>) -> Result<(), Nonconformity> {
    let Some(service) = model::service(service) else { return Ok(()) };
    let Some((_, operation)) = service.operation(action) else { return Ok(()) };
    let Some(output) = service.node(operation.output.as_ref()) else { return Ok(()) };
    if !result.is_object() {
        return Err(Nonconformity::NoObject);
    }
    Check { wanted }.value("", result, output, true)
}

struct Check<'w> {
    wanted: Wanted<'w>,
}

impl Check<'_> {
    fn value(&self, field: &str, value: &Value, node: Node<'_>, is_result: bool) -> Result<(), Nonconformity> {
        if node.shape.document || node.shape.eventstream {
            return Ok(());
        }
        let must_be = |wanted| Err(Nonconformity::Type { field: field.to_owned(), wanted });
        match (node.r#type(), value) {
            (Type::Structure, Value::Object(members)) => self.structure(members, node, is_result),
            (Type::Map, Value::Object(entries)) => {
                within(field, node, entries.len(), "size")?;
                let Some(of) = node.map_value() else { return Ok(()) };
                entries.values().try_for_each(|value| self.value(field, value, of, false))
            }
            (Type::Structure | Type::Map, _) => must_be("an object"),
            (Type::List, Value::Array(items)) => {
                within(field, node, items.len(), "size")?;
                let Some(of) = node.item() else { return Ok(()) };
                items.iter().try_for_each(|item| self.value(field, item, of, false))
            }
            (Type::List, _) => must_be("an array"),
            (Type::String, Value::String(text)) => {
                let known = &node.shape.r#enum;
                if !known.is_empty() && !known.contains(text) {
                    return Err(Nonconformity::Unexpected { field: field.to_owned() });
                }
                within(field, node, text.chars().count(), "length")
            }
            (Type::Blob | Type::Timestamp, Value::String(_)) | (Type::Boolean, Value::Bool(_)) => Ok(()),
            (Type::String | Type::Blob | Type::Timestamp, _) => must_be("a string"),
            (Type::Boolean, _) => must_be("a boolean"),
            (Type::Integer | Type::Long | Type::Float | Type::Double, value) => match value.as_f64() {
                Some(number) => number_within(field, node, number, "value"),
                None => must_be("a number"),
            },
        }
    }

    fn structure(
        &self,
        members: &serde_json::Map<String, Value>,
        node: Node<'_>,
        is_result: bool,
    ) -> Result<(), Nonconformity> {
        let name = |name: &str| if self.wanted.capitalized { capitalized(name) } else { member_name(name) };
        if self.wanted.all_required {
            let missing = node.shape.required.iter().map(|required| name(required));
            if let Some(field) = missing.into_iter().find(|required| !members.contains_key(required)) {
                return Err(Nonconformity::Missing { field });
            }
        }
        for (field, value) in members {
            if is_result && self.wanted.anything.contains(&field.as_str()) {
                continue;
            }
            if let Some((_, member)) = node.members().find(|(member, _)| name(member) == *field) {
                self.value(field, value, member, false)?;
            }
        }
        Ok(())
    }
}

fn within(field: &str, node: Node<'_>, size: usize, measure: &'static str) -> Result<(), Nonconformity> {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    number_within(field, node, f64::from(size), measure)
}

fn number_within(field: &str, node: Node<'_>, number: f64, measure: &'static str) -> Result<(), Nonconformity> {
    let field = || field.to_owned();
    if node.shape.min.is_some_and(|min| number < min) {
        return Err(Nonconformity::Less { field: field(), measure });
    }
    if node.shape.max.is_some_and(|max| number > max) {
        return Err(Nonconformity::More { field: field(), measure });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Aws;

    #[test]
    fn results_are_held_against_the_model() {
        let strict = Wanted { all_required: true, ..Wanted::default() };
        let optimized = Wanted { capitalized: true, ..strict };
        let check = |(service, action): (&str, &str), wanted: Wanted<'_>, result: Value, expected: &str| {
            let found = Aws::conforms(service, action, &result, wanted);
            let found = found.map_or_else(|problem| problem.to_string(), |()| String::new());
            assert_eq!(found, expected, "{service}:{action} {result}");
        };
        let function = ("lambda", "getFunction");
        check(function, strict, json!({}), "");
        check(function, strict, json!({"Unknown": {"to": "us"}}), "");
        check(function, strict, json!([1]), "The result must be an object");
        check(function, strict, json!({"Configuration": 1}), "Field 'Configuration' must be an object");
        let configuration = |name: &str, value: Value| json!({"Configuration": {name: value}});
        check(function, strict, configuration("MemorySize", json!(128)), "");
        check(function, strict, configuration("MemorySize", json!("128")), "Field 'MemorySize' must be a number");
        let less = "Field 'MemorySize' is less than the minimum value";
        check(function, strict, configuration("MemorySize", json!(127)), less);
        check(function, strict, configuration("State", json!("Active")), "");
        check(function, strict, configuration("State", json!("active")), "Field 'State' is not an expected value");
        check(
            function,
            strict,
            configuration("FunctionName", json!("")),
            "Field 'FunctionName' is less than the minimum length",
        );
        check(function, strict, json!({"Tags": {"a": 1}}), "Field 'Tags' must be a string");
        check(function, strict, json!({"Tags": []}), "Field 'Tags' must be an object");
        let events = ("eventbridge", "putEvents");
        check(events, optimized, json!({"Entries": {}}), "Field 'Entries' must be an array");
        check(
            events,
            optimized,
            json!({"Entries": [{"EventId": "a"}, {"EventId": []}]}),
            "Field 'EventId' must be a string",
        );
        let start = ("sfn", "startExecution");
        check(start, optimized, json!({}), "Required field 'ExecutionArn' is missing");
        check(start, Wanted::default(), json!({}), "");
        check(start, optimized, json!({"ExecutionArn": "a", "StartDate": true}), "Field 'StartDate' must be a string");
        check(start, Wanted::default(), json!({"executionArn": 1}), "");
        check(("dynamodb", "getItem"), strict, json!({"Item": {"id": {"BOOL": true}}}), "");
        check(("s3", "listBuckets"), strict, json!({"Buckets": [{"Name": 1}]}), "Field 'Name' must be a string");
        let payload = Wanted { anything: &["Payload"], ..optimized };
        check(("lambda", "invoke"), payload, json!({"Payload": {"body": 1}}), "");
        check(("lambda", "invoke"), optimized, json!({"Payload": {"body": 1}}), "Field 'Payload' must be a string");
        check(("nowhere", "nothing"), strict, json!(1), "");
    }
}
