//! XML answers, read along the model: what it doesn't know is passed over.

use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};
use serde_json::{Map, Number, Value, json};

use super::{blob, from_base64, timestamp};
use crate::model::{Node, Type};
use crate::names::member_name;

/// How deep an answer may nest.
const DEPTH: usize = 64;

/// The members of a structure, in the root or in the element `wrapper` below it.
pub(super) fn result(node: Node<'_>, text: &str, wrapper: Option<&str>) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(json!({}));
    }
    let mut document = Document::new(text);
    let mut root = document.root_element().map_err(unreadable)?;
    let Some(wrapper) = wrapper else {
        // S3's GetBucketLocation answers with its only member as the root.
        if let Some((name, member)) = node.members().next().filter(|_| node.shape.members.len() == 1)
            && member.r#type() == Type::String
            && root.start_el().local() == member.location_name().unwrap_or(name)
        {
            return Ok(json!({member_name(name): value(member, &mut root, 0)?}));
        }
        return structure(node, &mut root, 0);
    };
    while let Some(mut tag) = root.next_tag() {
        if tag.start_el().local() == wrapper {
            return structure(node, &mut tag, 0);
        }
    }
    Ok(json!({}))
}

fn unreadable(error: impl std::fmt::Display) -> String {
    format!("the answer's body is no XML that can be read: {error}")
}

fn value(node: Node<'_>, element: &mut ScopedDecoder<'_, '_>, depth: usize) -> Result<Value, String> {
    if depth > DEPTH {
        return Err(format!("the answer nests deeper than {DEPTH}"));
    }
    Ok(match node.r#type() {
        Type::Structure => return structure(node, element, depth),
        Type::List => {
            let mut items = Vec::new();
            let item = node.item().ok_or("a list without elements' shape")?;
            while let Some(mut tag) = element.next_tag() {
                items.push(value(item, &mut tag, depth + 1)?);
            }
            Value::Array(items)
        }
        Type::Map => {
            let mut entries = Map::new();
            while let Some(mut tag) = element.next_tag() {
                entry(node, &mut tag, &mut entries, depth)?;
            }
            Value::Object(entries)
        }
        leaf => scalar(leaf, &try_data(element).map_err(unreadable)?),
    })
}

fn structure(node: Node<'_>, element: &mut ScopedDecoder<'_, '_>, depth: usize) -> Result<Value, String> {
    let mut members: Map<String, Value> = Map::new();
    for (name, member) in node.members().filter(|(_, member)| member.reference.xml_attribute) {
        if let Some(text) = element.start_el().attr(member.location_name().unwrap_or(name)) {
            members.insert(member_name(name), scalar(member.r#type(), text));
        }
    }
    while let Some(mut tag) = element.next_tag() {
        let found = node.members().find(|(name, member)| tag.start_el().local() == element_name(name, *member));
        let Some((name, member)) = found else { continue };
        let place = || member_name(name);
        match (member.r#type(), member.flattened()) {
            (Type::List, true) => {
                let item = member.item().ok_or("a list without elements' shape")?;
                let each = value(item, &mut tag, depth + 1)?;
                if let Value::Array(items) = members.entry(place()).or_insert_with(|| json!([])) {
                    items.push(each);
                }
            }
            (Type::Map, true) => {
                if let Value::Object(entries) = members.entry(place()).or_insert_with(|| json!({})) {
                    entry(member, &mut tag, entries, depth)?;
                }
            }
            _ => drop(members.insert(place(), value(member, &mut tag, depth + 1)?)),
        }
    }
    Ok(in_model_order(node, members))
}

fn element_name<'m>(name: &'m str, member: Node<'m>) -> &'m str {
    let of_elements = || member.item().and_then(|item| item.location_name());
    let flat = (member.r#type() == Type::List && member.flattened()).then(of_elements).flatten();
    let name = flat.or(member.location_name()).unwrap_or(name);
    name.rsplit(':').next().unwrap_or(name)
}

fn in_model_order(node: Node<'_>, mut members: Map<String, Value>) -> Value {
    let names = node.members().map(|(name, _)| member_name(name));
    Value::Object(names.filter_map(|name| members.remove(&name).map(|value| (name, value))).collect())
}

fn entry(
    node: Node<'_>,
    element: &mut ScopedDecoder<'_, '_>,
    entries: &mut Map<String, Value>,
    depth: usize,
) -> Result<(), String> {
    let (Some(key_node), Some(value_node)) = (node.map_key(), node.map_value()) else { return Ok(()) };
    let mut key = String::new();
    let mut found = None;
    while let Some(mut tag) = element.next_tag() {
        let local = tag.start_el().local().to_owned();
        if local == key_node.location_name().unwrap_or("key") {
            key = try_data(&mut tag).map_err(unreadable)?.into_owned();
        } else if local == value_node.location_name().unwrap_or("value") {
            found = Some(value(value_node, &mut tag, depth + 1)?);
        }
    }
    entries.insert(key, found.unwrap_or_else(|| Value::from("")));
    Ok(())
}

/// A leaf's text; what doesn't look like its type is shown as it came.
pub(super) fn scalar(of: Type, text: &str) -> Value {
    let as_it_came = || Value::from(text);
    match of {
        Type::Boolean => text.trim().parse().map_or_else(|_| as_it_came(), Value::Bool),
        Type::Integer | Type::Long => text.trim().parse::<i64>().map_or_else(|_| as_it_came(), Value::from),
        Type::Float | Type::Double => {
            let number = text.trim().parse().ok().and_then(Number::from_f64);
            number.map_or_else(as_it_came, Value::Number)
        }
        Type::Timestamp => timestamp::read(&Value::from(text.trim())).unwrap_or_else(as_it_came),
        Type::Blob => from_base64(text).map_or_else(as_it_came, blob),
        _ => as_it_came(),
    }
}
