//! HTTP bindings: `rest-json` and `rest-xml`.
//!
//! <https://smithy.io/2.0/spec/http-bindings.html>

use serde_json::{Map, Value, json};

use super::{
    Answer, Request, base64, blob, escape, escape_but_slash, from_base64, json as json_body, plain, rest_json,
    timestamp, xml_read, xml_write,
};
use crate::model::{Location, Node, Operation, Service, Type};
use crate::names::member_name;

pub(super) fn request(
    service: &Service,
    operation: &Operation,
    input: Option<Node<'_>>,
    parameters: &Map<String, Value>,
) -> Result<Request, String> {
    let template = operation.http.request_uri.as_str();
    let (path, query) = template.split_once('?').unwrap_or((template, ""));
    // The endpoint rules of S3 put the bucket into the host or the path. It must be there nevertheless.
    fill(path, input, parameters)?;
    let path = if service.is_s3() { path.strip_prefix("/{Bucket}").unwrap_or(path) } else { path };
    let mut request = Request { method: operation.http.method.clone(), ..Request::default() };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        request.query.push((name.to_owned(), value.to_owned()));
    }
    request.path = fill(path, input, parameters)?;
    let Some(node) = input else { return Ok(request) };
    for (name, member) in node.members() {
        if let Some(value) = parameters.get(name) {
            bind(&mut request, name, member, value);
        }
    }
    body(service, operation, node, parameters, &mut request);
    Ok(request)
}

/// The path with its `{labels}` filled in.
fn fill(template: &str, input: Option<Node<'_>>, parameters: &Map<String, Value>) -> Result<String, String> {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (label, after) = after.split_once('}').ok_or("a path without a closing brace")?;
        let (label, greedy) = label.strip_suffix('+').map_or((label, false), |label| (label, true));
        let bound = input.into_iter().flat_map(|node| node.members()).find(|(name, member)| {
            member.location() == Some(Location::Uri) && member.location_name().unwrap_or(name) == label
        });
        let text =
            bound.and_then(|(name, member)| Some(text(member, parameters.get(name)?, "iso8601"))).unwrap_or_default();
        if text.is_empty() {
            let name = bound.map_or_else(|| label.to_owned(), |(name, _)| member_name(name));
            return Err(format!("the field `{name}` must not be empty: it is part of the path"));
        }
        path.push_str(before);
        path.push_str(&if greedy { escape_but_slash(&text) } else { escape(&text) });
        rest = after;
    }
    path.push_str(rest);
    Ok(if path.starts_with('/') { path } else { format!("/{path}") })
}

fn text(member: Node<'_>, value: &Value, timestamps: &str) -> String {
    match (member.r#type(), value) {
        (Type::Timestamp, Value::String(text)) => {
            plain(&timestamp::write(text, member.timestamp_format().unwrap_or(timestamps)))
        }
        _ => plain(value),
    }
}

fn bind(request: &mut Request, name: &str, member: Node<'_>, value: &Value) {
    let wire_name = member.location_name().unwrap_or(name);
    match member.location() {
        Some(Location::Header) => request.headers.push((wire_name.to_owned(), header(member, value))),
        Some(Location::Headers) => {
            for (key, each) in value.as_object().into_iter().flatten() {
                request.headers.push((format!("{}{key}", member.location_name().unwrap_or_default()), plain(each)));
            }
        }
        Some(Location::Querystring) => query(request, wire_name, member, value),
        _ => {}
    }
}

fn header(member: Node<'_>, value: &Value) -> String {
    if member.reference.jsonvalue {
        return base64(plain(value));
    }
    match (value, member.item()) {
        (Value::Array(items), Some(item)) => {
            let items: Vec<String> = items.iter().map(|each| list_item(item, &text(item, each, "rfc822"))).collect();
            items.join(",")
        }
        (Value::String(text), _) if member.r#type() == Type::Blob => base64(text),
        _ => text(member, value, "rfc822"),
    }
}

/// A string of a list is quoted where it has a comma or a quote itself.
fn list_item(item: Node<'_>, text: &str) -> String {
    if item.r#type() == Type::String && text.contains([',', '"']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.to_owned()
    }
}

fn query(request: &mut Request, name: &str, member: Node<'_>, value: &Value) {
    let mut push =
        |name: &str, of: Node<'_>, value: &Value| request.query.push((name.to_owned(), text(of, value, "iso8601")));
    match value {
        Value::Array(items) => {
            let item = member.item().unwrap_or(member);
            items.iter().for_each(|each| push(name, item, each));
        }
        Value::Object(entries) => {
            for (key, each) in entries {
                match each {
                    Value::Array(items) => items.iter().for_each(|each| push(key, member, each)),
                    each => push(key, member, each),
                }
            }
        }
        _ => push(name, member, value),
    }
}

fn body(
    service: &Service,
    operation: &Operation,
    node: Node<'_>,
    parameters: &Map<String, Value>,
    request: &mut Request,
) {
    let json = service.metadata.protocol == "rest-json";
    let (content_type, body) = match node.payload() {
        Some((name, member)) => {
            let Some(value) = parameters.get(name) else {
                if json && member.r#type() == Type::Structure && !member.shape.document {
                    request.body = b"{}".to_vec();
                    set_content_type(request, "application/json");
                }
                return;
            };
            match (member.r#type(), value) {
                (Type::Blob, _) => ("application/octet-stream", plain(value)),
                (Type::String, _) => ("text/plain", plain(value)),
                _ if json => ("application/json", json_body::write(member, value).to_string()),
                (_, Value::Object(given)) => {
                    let root = member.location_name().unwrap_or(&member.reference.shape);
                    ("application/xml", xml_write::write(member, root, given))
                }
                _ => return,
            }
        }
        None if json => match rest_json::body(node, parameters) {
            Some(body) => ("application/json", body.to_string()),
            None => return,
        },
        None => {
            let in_body =
                node.members().any(|(name, member)| member.location().is_none() && parameters.contains_key(name));
            if !in_body {
                return;
            }
            let root = node.location_name().or(operation.input.as_ref().map(|input| input.shape.as_str()));
            ("application/xml", xml_write::write(node, root.unwrap_or_default(), parameters))
        }
    };
    request.body = body.into_bytes();
    set_content_type(request, content_type);
}

fn set_content_type(request: &mut Request, content_type: &str) {
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        request.headers.push(("content-type".to_owned(), content_type.to_owned()));
    }
}

pub(super) fn result(service: &Service, output: Node<'_>, answer: &Answer<'_>) -> Result<Value, String> {
    let mut found = match output.payload() {
        Some((name, member)) => payload(service, name, member, answer)?,
        None if output.members().all(|(_, member)| member.location().is_some()) => Map::new(),
        None => object(in_body(service, output, answer)?),
    };
    for (name, member) in output.members() {
        if let Some(value) = bound(name, member, answer) {
            found.insert(member_name(name), value);
        }
    }
    let names = output.members().map(|(name, _)| member_name(name));
    Ok(Value::Object(names.filter_map(|name| found.remove(&name).map(|value| (name, value))).collect()))
}

fn in_body(service: &Service, node: Node<'_>, answer: &Answer<'_>) -> Result<Value, String> {
    if service.metadata.protocol == "rest-xml" {
        xml_read::result(node, &answer.text(), None)
    } else {
        Ok(json_body::read(node, &json_body::parse(answer.body)?).unwrap_or_else(|| json!({})))
    }
}

fn payload(service: &Service, name: &str, member: Node<'_>, answer: &Answer<'_>) -> Result<Map<String, Value>, String> {
    let value = match member.r#type() {
        Type::Blob => blob(answer.body.to_vec()),
        Type::String => Value::String(answer.text()),
        _ if answer.body.is_empty() => return Ok(Map::new()),
        _ => in_body(service, member, answer)?,
    };
    Ok(Map::from_iter([(member_name(name), value)]))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn bound(name: &str, member: Node<'_>, answer: &Answer<'_>) -> Option<Value> {
    let wire_name = member.location_name().unwrap_or(name);
    match member.location()? {
        Location::Header => {
            let text = answer.header(wire_name)?;
            if member.reference.jsonvalue {
                return Some(from_base64(text).map_or_else(|| Value::from(text), blob));
            }
            Some(match member.item() {
                Some(item) => {
                    text.split(',').map(|each| xml_read::scalar(item.r#type(), each.trim().trim_matches('"'))).collect()
                }
                None => xml_read::scalar(member.r#type(), text),
            })
        }
        Location::Headers => {
            let prefix = member.location_name().unwrap_or_default().to_ascii_lowercase();
            let headers = answer.headers.iter();
            let headers = headers.filter_map(|(name, value)| {
                Some((name.as_str().strip_prefix(&prefix)?, std::str::from_utf8(value.as_bytes()).ok()?))
            });
            Some(Value::Object(headers.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()))
        }
        Location::StatusCode => Some(Value::from(answer.status)),
        Location::Querystring | Location::Uri => None,
    }
}
