//! Form bodies: `query` and `ec2`.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>, <https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html>

use serde_json::{Map, Value};

use super::{Request, base64, escape, plain, timestamp};
use crate::model::{Node, Service, Type};

pub(super) fn request(
    service: &Service,
    name: &str,
    input: Option<Node<'_>>,
    parameters: &Map<String, Value>,
) -> Request {
    let mut form = Form { ec2: service.metadata.protocol == "ec2", pairs: Vec::new() };
    form.push("Action".to_owned(), name.to_owned());
    form.push("Version".to_owned(), service.metadata.api_version.clone());
    if let Some(node) = input {
        form.structure(node, parameters, "");
    }
    let pairs: Vec<String> =
        form.pairs.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
    Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
        body: pairs.join("&").into_bytes(),
        ..Request::default()
    }
}

struct Form {
    ec2: bool,
    pairs: Vec<(String, String)>,
}

impl Form {
    fn push(&mut self, key: String, value: String) {
        self.pairs.push((key, value));
    }

    fn value(&mut self, node: Node<'_>, value: &Value, key: String) {
        match (node.r#type(), value) {
            (Type::Structure, Value::Object(given)) => self.structure(node, given, &key),
            (Type::List, Value::Array(items)) => self.list(node, items, &key),
            (Type::Map, Value::Object(entries)) => self.map(node, entries, &key),
            (Type::Blob, Value::String(text)) => self.push(key, base64(text)),
            (Type::Timestamp, Value::String(text)) => {
                let text = timestamp::write(text, node.timestamp_format().unwrap_or("iso8601"));
                self.push(key, plain(&text));
            }
            _ => self.push(key, plain(value)),
        }
    }

    fn structure(&mut self, node: Node<'_>, given: &Map<String, Value>, prefix: &str) {
        for (name, member) in node.members() {
            if let Some(value) = given.get(name) {
                self.value(member, value, below(prefix, &self.name(name, member)));
            }
        }
    }

    fn name(&self, name: &str, member: Node<'_>) -> String {
        match (member.reference.query_name.as_deref(), member.location_name()) {
            (Some(name), _) if self.ec2 => name.to_owned(),
            (None, Some(name)) if self.ec2 => crate::names::capitalized(name),
            // The elements of a flattened list stand where the list would.
            _ if !self.ec2 && member.r#type() == Type::List && member.flattened() => {
                let element = member.item().and_then(|item| item.location_name());
                element.or(member.location_name()).unwrap_or(name).to_owned()
            }
            (_, location) => location.filter(|_| !self.ec2).unwrap_or(name).to_owned(),
        }
    }

    fn list(&mut self, node: Node<'_>, items: &[Value], key: &str) {
        let Some(item) = node.item() else { return };
        let prefix = if self.ec2 || node.flattened() {
            key.to_owned()
        } else if items.is_empty() {
            return self.push(key.to_owned(), String::new());
        } else {
            below(key, item.location_name().unwrap_or("member"))
        };
        for (position, each) in (1..).zip(items) {
            self.value(item, each, below(&prefix, &format!("{position}")));
        }
    }

    fn map(&mut self, node: Node<'_>, entries: &Map<String, Value>, key: &str) {
        let (Some(key_node), Some(value_node)) = (node.map_key(), node.map_value()) else { return };
        let prefix = if node.flattened() { key.to_owned() } else { below(key, "entry") };
        for (position, (name, each)) in (1..).zip(entries) {
            let entry = below(&prefix, &format!("{position}"));
            self.push(below(&entry, key_node.location_name().unwrap_or("key")), name.clone());
            self.value(value_node, each, below(&entry, value_node.location_name().unwrap_or("value")));
        }
    }
}

fn below(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}
