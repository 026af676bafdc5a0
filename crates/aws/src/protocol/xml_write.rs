//! XML bodies.

use aws_smithy_xml::encode::{ElWriter, XmlWriter};
use serde_json::{Map, Value};

use super::{base64, plain, timestamp};
use crate::model::{Node, Type};

/// An element of that name with the members of a structure that are in the body.
pub(super) fn write(node: Node<'_>, name: &str, given: &Map<String, Value>) -> String {
    let mut text = String::new();
    let mut writer = XmlWriter::new(&mut text);
    structure(node, given, writer.start_el(name));
    text
}

fn structure(node: Node<'_>, given: &Map<String, Value>, mut element: ElWriter<'_, '_>) {
    element = with_namespace(node, element);
    let members = || node.members().filter(|(_, member)| member.location().is_none());
    for (name, member) in members().filter(|(_, member)| member.reference.xml_attribute) {
        if let Some(value) = given.get(name) {
            element.write_attribute(member.location_name().unwrap_or(name), &plain(value));
        }
    }
    let mut scope = element.finish();
    for (name, member) in members().filter(|(_, member)| !member.reference.xml_attribute) {
        let Some(value) = given.get(name) else { continue };
        let name = member.location_name().unwrap_or(name);
        match (member.r#type(), value, member.flattened()) {
            (Type::List, Value::Array(items), true) => {
                let Some(item) = member.item() else { continue };
                for each in items {
                    self::value(item, each, scope.start_el(name));
                }
            }
            (Type::Map, Value::Object(entries), true) => {
                for (key, each) in entries {
                    entry(member, key, each, scope.start_el(name));
                }
            }
            _ => self::value(member, value, scope.start_el(name)),
        }
    }
    scope.finish();
}

fn value(node: Node<'_>, value: &Value, element: ElWriter<'_, '_>) {
    match (node.r#type(), value) {
        (Type::Structure, Value::Object(given)) => return structure(node, given, element),
        (Type::List, Value::Array(items)) => {
            let mut scope = with_namespace(node, element).finish();
            let Some(item) = node.item() else { return };
            for each in items {
                self::value(item, each, scope.start_el(item.location_name().unwrap_or("member")));
            }
        }
        (Type::Map, Value::Object(entries)) => {
            let mut scope = with_namespace(node, element).finish();
            for (key, each) in entries {
                entry(node, key, each, scope.start_el("entry"));
            }
        }
        (Type::Blob, Value::String(text)) => with_namespace(node, element).finish().data(&base64(text)),
        (Type::Timestamp, Value::String(text)) => {
            let text = timestamp::write(text, node.timestamp_format().unwrap_or("iso8601"));
            with_namespace(node, element).finish().data(&plain(&text));
        }
        _ => with_namespace(node, element).finish().data(&plain(value)),
    }
}

fn entry(node: Node<'_>, key: &str, each: &Value, element: ElWriter<'_, '_>) {
    let (Some(key_node), Some(value_node)) = (node.map_key(), node.map_value()) else { return };
    let mut scope = element.finish();
    scope.start_el(key_node.location_name().unwrap_or("key")).finish().data(key);
    value(value_node, each, scope.start_el(value_node.location_name().unwrap_or("value")));
    scope.finish();
}

fn with_namespace<'a, 'b>(node: Node<'_>, element: ElWriter<'a, 'b>) -> ElWriter<'a, 'b> {
    match node.xml_namespace() {
        Some((uri, prefix)) => element.write_ns(uri, prefix),
        None => element,
    }
}
