//! JSON bodies.

use serde_json::{Map, Value};

use super::{base64, blob, from_base64, timestamp};
use crate::model::{Node, Type};
use crate::names::member_name;

/// Bound parameters → the body's JSON.
pub(super) fn write(node: Node<'_>, value: &Value) -> Value {
    match (node.r#type(), value) {
        (Type::Structure, Value::Object(given)) if !node.shape.document => {
            let members = node.members().filter_map(|(name, member)| Some((name, member, given.get(name)?)));
            Value::Object(
                members
                    .map(|(name, member, value)| {
                        (member.location_name().unwrap_or(name).to_owned(), write(member, value))
                    })
                    .collect(),
            )
        }
        (Type::List, Value::Array(items)) => match node.item() {
            Some(item) => items.iter().map(|each| write(item, each)).collect(),
            None => value.clone(),
        },
        (Type::Map, Value::Object(entries)) => match node.map_value() {
            Some(of) => Value::Object(entries.iter().map(|(key, each)| (key.clone(), write(of, each))).collect()),
            None => value.clone(),
        },
        (Type::Blob, Value::String(text)) => Value::String(base64(text)),
        (Type::Timestamp, Value::String(text)) => {
            timestamp::write(text, node.timestamp_format().unwrap_or("unixTimestamp"))
        }
        _ => value.clone(),
    }
}

/// The body, an empty one being no members.
pub(super) fn parse(body: &[u8]) -> Result<Value, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| format!("the answer's body is no JSON: {error}"))
}

/// The body's JSON → the result; nulls are left out.
pub(super) fn read(node: Node<'_>, value: &Value) -> Option<Value> {
    Some(match (node.r#type(), value) {
        (_, Value::Null) => return None,
        (Type::Structure, Value::Object(given)) if !node.shape.document => {
            let members = node.members().filter(|(_, member)| member.location().is_none());
            let members = members.filter_map(|(name, member)| {
                let value = given.get(member.location_name().unwrap_or(name))?;
                Some((member_name(name), read(member, value)?))
            });
            Value::Object(members.collect())
        }
        (Type::List, Value::Array(items)) => match node.item() {
            Some(item) => items.iter().map(|each| read(item, each).unwrap_or(Value::Null)).collect(),
            None => value.clone(),
        },
        (Type::Map, Value::Object(entries)) => match node.map_value() {
            Some(of) => {
                Value::Object(entries.iter().filter_map(|(key, each)| Some((key.clone(), read(of, each)?))).collect())
            }
            None => value.clone(),
        },
        (Type::Blob, Value::String(text)) => from_base64(text).map_or_else(|| value.clone(), blob),
        (Type::Timestamp, _) => return timestamp::read(value),
        _ => value.clone(),
    })
}
