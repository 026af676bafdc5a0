//! The AWS JSON protocol: the action in `X-Amz-Target`, JSON in and out, errors with `__type`.
//!
//! Source: <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>

use axum::{
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use engine::{engine::Refusal, ports::StoreError};
use jiff::Timestamp;
use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::access::Denied;

/// An error of an AWS API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// AWS's name of the error.
    pub code: String,
    /// Its text.
    pub message: String,
}

impl ApiError {
    /// The caller's fault (400).
    pub fn caller(code: &str, message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::BAD_REQUEST, code: code.to_owned(), message: message.into() }
    }

    /// `ValidationException`.
    pub fn validation(message: impl Into<String>) -> ApiError {
        ApiError::caller("ValidationException", message)
    }

    /// Our fault, for now: worth another try (503).
    pub fn unavailable(message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "ServiceUnavailable".to_owned(),
            message: message.into(),
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> ApiError {
        ApiError::caller(denied.code(), denied.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        ApiError::unavailable(error.to_string())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let code = match &refusal {
            Refusal::ActivityAlreadyExists(_) => "ActivityAlreadyExists",
            Refusal::ActivityDoesNotExist(_) => "ActivityDoesNotExist",
            Refusal::ActivityLimitExceeded(_) => "ActivityLimitExceeded",
            Refusal::ActivityWorkerLimitExceeded(_) => "ActivityWorkerLimitExceeded",
            Refusal::Conflict(_) => "ConflictException",
            Refusal::MissingRequiredParameter(_) => "MissingRequiredParameter",
            Refusal::ServiceQuotaExceeded(_) => "ServiceQuotaExceededException",
            Refusal::TooManyTags(_) => "TooManyTags",
            Refusal::Validation(_) => "ValidationException",
            Refusal::StateMachineDoesNotExist(_) => "StateMachineDoesNotExist",
            Refusal::StateMachineAlreadyExists(_) => "StateMachineAlreadyExists",
            Refusal::StateMachineDeleting(_) => "StateMachineDeleting",
            Refusal::StateMachineTypeNotSupported(_) => "StateMachineTypeNotSupported",
            Refusal::ExecutionLimitExceeded(_) => "ExecutionLimitExceeded",
            Refusal::Throttling(_) => "ThrottlingException",
            Refusal::ExecutionDoesNotExist(_) => "ExecutionDoesNotExist",
            Refusal::ExecutionNotRedrivable(_) => "ExecutionNotRedrivable",
            Refusal::ExecutionAlreadyExists(_) => "ExecutionAlreadyExists",
            Refusal::InvalidDefinition(_) => "InvalidDefinition",
            Refusal::InvalidExecutionInput(_) => "InvalidExecutionInput",
            Refusal::InvalidName(_) => "InvalidName",
            Refusal::InvalidArn(_) => "InvalidArn",
            Refusal::InvalidToken(_) => "InvalidToken",
            Refusal::TaskDoesNotExist(_) => "TaskDoesNotExist",
            Refusal::TaskTimedOut(_) => "TaskTimedOut",
            Refusal::ResourceNotFound(_) => "ResourceNotFound",
            Refusal::Store(error) => return ApiError::unavailable(error.to_string()),
        };
        ApiError::caller(code, refusal.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"__type": self.code, "message": self.message});
        let mut response = respond(self.status, &body);
        if let Ok(code) = self.code.parse() {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        response
    }
}

/// A request's body as what an action takes.
pub fn request<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    read(json(body)?)
}

/// A request's body; one that is empty is an empty object.
pub fn json(body: &[u8]) -> Result<Value, ApiError> {
    let refused = |why: &str| ApiError::caller("SerializationException", format!("the request is not JSON: {why}"));
    let text = std::str::from_utf8(body).map_err(|_| refused("it is not UTF-8"))?;
    let text = if text.is_empty() { "{}" } else { text };
    serde_json::from_str(text).map_err(|_| refused(&not_json(text)))
}

/// A request as what its action takes.
pub fn read<T: DeserializeOwned>(request: Value) -> Result<T, ApiError> {
    serde_json::from_value(request).map_err(|error| {
        let said = error.to_string();
        let missing = said.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        match missing.and_then(|name| name.chars().next().map(|first| (first, name))) {
            Some((first, name)) => ApiError::validation(format!(
                "1 validation error detected: Value null at '{}{}' failed to satisfy constraint: Member must not be null",
                first.to_ascii_lowercase(),
                name.get(first.len_utf8()..).unwrap_or_default()
            )),
            None => ApiError::caller("SerializationException", "a member of the request is of another type than it has to be"),
        }
    })
}

/// Why a text that could not be read is no JSON, in the words of AWS.
pub fn not_json(text: &str) -> String {
    asl::document::not_json(text).unwrap_or_else(|| "its arrays and objects nest too deep".to_owned())
}

/// An answer.
pub fn respond(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-amz-json-1.0"));
    if let Ok(id) = uuid::Uuid::new_v4().to_string().parse() {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// What an action answers, as JSON.
pub fn answer(value: impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(value)
        .map_err(|error| ApiError::unavailable(format!("the answer can't be written as JSON: {error}")))
}

/// A timestamp as the protocol writes it: seconds since 1970, milliseconds behind the point.
pub fn epoch_seconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double for 285,000 years")]
    serializer.serialize_f64(time.as_millisecond() as f64 / 1000.0)
}

/// The same of a timestamp that may be missing.
pub fn optional_epoch_seconds<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => epoch_seconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Takes {
        #[expect(dead_code, reason = "only whether it can be read is asked")]
        event_pattern: String,
    }

    #[track_caller]
    fn refused(body: &[u8], code: &str, message: &str) {
        let error = request::<Takes>(body).unwrap_err();
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message));
    }

    #[test]
    fn requests_are_refused_in_no_words_of_a_library() {
        let serialization = "SerializationException";
        refused(
            b"{",
            serialization,
            "the request is not JSON: com.fasterxml.jackson.core.io.JsonEOFException: Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"{\"; line: 1, column: 1])\n at [Source: (String)\"{\"; line: 1, column: 2]",
        );
        refused(
            b" ",
            serialization,
            "the request is not JSON: com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to end-of-input\n at [Source: (String)\" \"; line: 1, column: 0]",
        );
        refused(b"\xff", serialization, "the request is not JSON: it is not UTF-8");
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        refused(deep.as_bytes(), serialization, "the request is not JSON: its arrays and objects nest too deep");
        let mistyped = "a member of the request is of another type than it has to be";
        refused(br#"{"EventPattern": 1}"#, serialization, mistyped);
        refused(
            b"",
            "ValidationException",
            "1 validation error detected: Value null at 'eventPattern' failed to satisfy constraint: Member must not be null",
        );
    }
}
