//! Errors that services answer with.

use std::borrow::Cow;

use aws_smithy_xml::decode::{Document, try_data};
use serde_json::Value;

use super::{Answer, cbor, json};
use crate::model::{Operation, Service};
use crate::names::{error_prefix, exception_name};

/// An error as the wire has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ServiceError {
    /// The code as the service wrote it, less namespaces.
    pub code: String,
    pub message: Option<String>,
    pub request_id: Option<String>,
    /// S3's second id.
    pub extended_request_id: Option<String>,
    /// Where the bucket is, if S3 tells.
    pub region: Option<String>,
}

impl ServiceError {
    /// `S3.NoSuchBucketException`; what the service does not model is `S3.S3Exception`.
    pub fn name(&self, service: &Service, operation: &Operation) -> String {
        let prefix = error_prefix(&service.metadata.service_id);
        let is_it = |name: &&str| {
            let shape = service.shapes.get(*name).filter(|shape| shape.exception);
            shape.is_some_and(|shape| {
                *name == self.code || shape.error.as_ref().and_then(|error| error.code.as_deref()) == Some(&self.code)
            })
        };
        let of_operation = operation.errors.iter().map(String::as_str).find(is_it);
        match of_operation.or_else(|| service.shapes.keys().map(String::as_str).filter(is_it).min()) {
            Some(name) => format!("{prefix}.{}", exception_name(name)),
            None => format!("{prefix}.{prefix}Exception"),
        }
    }

    /// The text of the AWS SDK for Java 2 for this error.
    pub fn cause(&self, service: &Service, status: u16, attempts: u32) -> String {
        let message = self.message.as_deref().unwrap_or("null");
        let prefix = error_prefix(&service.metadata.service_id);
        let request_id = self.request_id.as_deref().unwrap_or("null");
        let extended = self.extended_request_id.as_deref();
        let extended = extended.map_or_else(String::new, |id| format!(", Extended Request ID: {id}"));
        format!(
            "{message} (Service: {prefix}, Status Code: {status}, Request ID: {request_id}{extended}) (SDK Attempt Count: {attempts})"
        )
    }
}

/// The error in an answer, if it is one: by its status, or by a root `Error` where S3 had begun with 200.
pub(crate) fn read_error(service: &Service, operation: &Operation, answer: &Answer<'_>) -> Option<ServiceError> {
    if answer.status < 300 && !(service.is_s3() && is_late_error(answer)) {
        return None;
    }
    let mut error = match service.metadata.protocol.as_str() {
        "query" | "ec2" | "rest-xml" => read_xml(&answer.text()),
        "smithy-rpc-v2-cbor" => read_cbor(answer),
        _ => read_json(answer),
    };
    let header = |name| answer.header(name).map(str::to_owned);
    error.request_id = error.request_id.or_else(|| header("x-amzn-requestid")).or_else(|| header("x-amz-request-id"));
    error.extended_request_id = error.extended_request_id.or_else(|| header("x-amz-id-2"));
    if error.code.is_empty() {
        error.code = by_status(operation, answer.status);
    }
    Some(error)
}

fn is_late_error(answer: &Answer<'_>) -> bool {
    let start = answer.body.get(..answer.body.len().min(200)).unwrap_or_default();
    let start = String::from_utf8_lossy(start);
    let start = start.trim_start();
    let start = if start.starts_with("<?xml") { start.split_once("?>").map_or(start, |(_, rest)| rest) } else { start };
    answer.header("content-type").is_some_and(|kind| kind.contains("xml")) && start.trim_start().starts_with("<Error>")
}

/// An answer without a body (to HEAD) tells no code: 404 is the only thing that the operation models as missing.
fn by_status(operation: &Operation, status: u16) -> String {
    match operation.errors.as_slice() {
        [only] if status == 404 => only.clone(),
        _ => status.to_string(),
    }
}

fn read_json(answer: &Answer<'_>) -> ServiceError {
    let body = json::parse(answer.body).unwrap_or_default();
    let text =
        |names: &[&str]| names.iter().find_map(|name| body.get(*name).and_then(Value::as_str)).map(str::to_owned);
    let code = answer.header("x-amzn-errortype").map(str::to_owned).or_else(|| text(&["__type", "code", "Code"]));
    ServiceError {
        code: bare(&code.unwrap_or_default()),
        message: text(&["message", "Message", "errorMessage"]),
        ..ServiceError::default()
    }
}

fn read_cbor(answer: &Answer<'_>) -> ServiceError {
    let Ok(body) = cbor::parse(answer.body) else { return ServiceError::default() };
    let text = |name| cbor::text(&body, name);
    ServiceError {
        code: bare(text("__type").unwrap_or_default()),
        message: text("message").or_else(|| text("Message")).map(str::to_owned),
        ..ServiceError::default()
    }
}

/// `namespace#Name:http://…` → `Name`
fn bare(code: &str) -> String {
    code.split(':').next().and_then(|code| code.rsplit('#').next()).unwrap_or_default().to_owned()
}

/// `<Error>` as root (S3), or below it in `<ErrorResponse>` (query) or `<Response><Errors>` (EC2).
fn read_xml(text: &str) -> ServiceError {
    let mut error = ServiceError::default();
    let mut document = Document::new(text);
    while let Some(element) = document.next_start_element() {
        let place = match element.local() {
            "Code" => &mut error.code,
            "Message" | "message" => error.message.get_or_insert_default(),
            "RequestId" | "RequestID" => error.request_id.get_or_insert_default(),
            "Region" => error.region.get_or_insert_default(),
            "HostId" => error.extended_request_id.get_or_insert_default(),
            _ => continue,
        };
        let mut element = document.scoped_to(element);
        if place.is_empty() {
            *place = try_data(&mut element).map(Cow::into_owned).unwrap_or_default();
        }
    }
    error
}
