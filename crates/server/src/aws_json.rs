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
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ApiError::validation(format!("1 validation error detected: {error}")),
        _ => ApiError::caller("SerializationException", format!("the request is not JSON: {error}")),
    })
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
