//! DynamoDB's items.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-ddb.html>

use asl::integration::Pattern;
use query::java;
use serde_json::{Map, Value};

use super::super::Failure;

/// Attributes come as the `java.util.HashMap` that the older SDK makes of them hands them out.
pub(super) fn answer(answer: Map<String, Value>, _: Pattern) -> Result<Map<String, Value>, Failure> {
    let ordered = answer.into_iter().map(|(name, value)| match name.as_str() {
        "Item" | "Attributes" => (name, as_hash_maps(value)),
        _ => (name, value),
    });
    Ok(ordered.collect())
}

/// A value's own members (`{"S": …}`) are one, so that their order stays.
fn as_hash_maps(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, as_hash_maps(value))).collect();
            Value::Object(java::hash_map(members))
        }
        Value::Array(items) => items.into_iter().map(as_hash_maps).collect(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_come_in_the_order_of_a_hash_map() {
        let item = json!({"id": {"S": "id1"}, "data": {"M": {"id": {"N": "1"}, "S": {"S": ""}}}, "S": {"S": "x"}});
        let given = Map::from_iter([("Item".to_owned(), item)]);
        let expected = r#"{"Item":{"S":{"S":"x"},"data":{"M":{"S":{"S":""},"id":{"N":"1"}}},"id":{"S":"id1"}}}"#;
        assert_eq!(Value::Object(answer(given, Pattern::RequestResponse).unwrap()).to_string(), expected);
    }
}
