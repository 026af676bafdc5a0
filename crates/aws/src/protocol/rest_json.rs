//! The body of `rest-json`: the members that are bound nowhere else.

use serde_json::{Map, Value};

use super::json;
use crate::model::Node;

/// `None` where no member of the structure belongs into the body.
pub(super) fn body(node: Node<'_>, parameters: &Map<String, Value>) -> Option<Value> {
    let mut members = node.members().filter(|(_, member)| member.location().is_none()).peekable();
    members.peek()?;
    let given = members.filter_map(|(name, member)| {
        let value = json::write(member, parameters.get(name)?);
        Some((member.location_name().unwrap_or(name).to_owned(), value))
    });
    Some(Value::Object(given.collect()))
}
