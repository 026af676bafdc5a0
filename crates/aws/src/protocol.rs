//! The wire protocols: bound parameters into a request, an answer into the result or an error.
//!
//! <https://smithy.io/2.0/aws/protocols/index.html>

mod cbor;
#[cfg(test)]
pub(crate) mod differential;
mod error;
mod form;
mod json;
mod rest;
mod rest_json;
#[cfg(test)]
mod tests;
pub(crate) mod timestamp;
mod xml_read;
mod xml_write;

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

pub(crate) use error::{ServiceError, read_error};

use crate::model::{Operation, Service};

/// All that RFC 3986 does not call unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ESCAPED_BUT_SLASH: &AsciiSet = &ESCAPED.remove(b'/');

/// A request, but for where it goes and who signs it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Request {
    pub method: String,
    /// Percent-encoded, beginning with a slash.
    pub path: String,
    /// Plain names and values.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub status: u16,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Whether the protocol is spoken here.
pub(crate) fn supported(protocol: &str) -> bool {
    matches!(protocol, "json" | "rest-json" | "rest-xml" | "query" | "ec2" | "smithy-rpc-v2-cbor")
}

/// The request of an operation. `parameters` are bound: they have the model's names and types.
pub(crate) fn request(
    service: &Service,
    name: &str,
    operation: &Operation,
    parameters: &Value,
) -> Result<Request, String> {
    let input = service.node(operation.input.as_ref());
    let empty = Map::new();
    let parameters = parameters.as_object().unwrap_or(&empty);
    match service.metadata.protocol.as_str() {
        "query" | "ec2" => Ok(form::request(service, name, input, parameters)),
        "json" => {
            Ok(json_request(service, name, input.map(|node| json::write(node, &Value::Object(parameters.clone())))))
        }
        "smithy-rpc-v2-cbor" => cbor::request(service, name, input, parameters),
        _ => rest::request(service, operation, input, parameters),
    }
}

fn json_request(service: &Service, name: &str, body: Option<Value>) -> Request {
    let metadata = &service.metadata;
    let version = metadata.json_version.as_deref().unwrap_or("1.0");
    let mut headers = vec![
        ("x-amz-target".to_owned(), format!("{}.{name}", metadata.target_prefix.as_deref().unwrap_or_default())),
        ("content-type".to_owned(), format!("application/x-amz-json-{version}")),
    ];
    if metadata.aws_query_compatible.is_some() {
        headers.push(("x-amzn-query-mode".to_owned(), "true".to_owned()));
    }
    let body = body.unwrap_or_else(|| json!({})).to_string().into_bytes();
    Request { method: "POST".to_owned(), path: "/".to_owned(), headers, body, ..Request::default() }
}

/// The result of an operation that went well.
pub(crate) fn result(service: &Service, operation: &Operation, answer: &Answer<'_>) -> Result<Value, String> {
    let Some(output) = service.node(operation.output.as_ref()) else { return Ok(json!({})) };
    match service.metadata.protocol.as_str() {
        "query" => xml_read::result(output, &answer.text(), output.reference.result_wrapper.as_deref()),
        "ec2" => xml_read::result(output, &answer.text(), None),
        "json" => Ok(json::read(output, &json::parse(answer.body)?).unwrap_or_else(|| json!({}))),
        "smithy-rpc-v2-cbor" => cbor::result(output, answer.body),
        _ => rest::result(service, output, answer),
    }
}

/// Percent-encoded for a part of a path, a query or a form: all but letters, digits, `-`, `.`, `_` and `~`.
pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn escape_but_slash(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED_BUT_SLASH).to_string()
}

/// Numbers, booleans and strings as text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Base64 with padding.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()
}

/// A blob in a result: its text, where it is text; else base64.
fn blob(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::String(text),
        Err(error) => Value::String(base64(error.as_bytes())),
    }
}
