//! One invocation of a function, and what comes of it.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// The longest payload and the longest answer, in bytes: 6 MiB, and of an answer what its envelope may add.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const PAYLOAD_BYTES_MAX: usize = 6_291_456;
/// The longest payload of an invocation that nobody waits for.
pub const EVENT_PAYLOAD_BYTES_MAX: usize = 1_048_576;
/// The longest answer that the Runtime API takes.
pub(super) const ANSWER_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 100;

/// What a function is invoked with.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// `AwsRequestId`: nobody can guess it.
    pub request_id: String,
    /// The ARN that was invoked, its qualifier included.
    pub function_arn: String,
    /// JSON.
    pub payload: String,
    /// `ClientContext`, decoded.
    pub client_context: Option<String>,
    /// X-Ray's header.
    pub trace_id: String,
}

impl Invocation {
    /// A new one.
    pub fn new(function_arn: String, payload: String, client_context: Option<String>) -> Invocation {
        let random = Uuid::new_v4().simple().to_string();
        let (root, parent) = random.split_at(random.len() / 2);
        let seconds = Timestamp::now().as_second();
        let trace_id =
            format!("Root=1-{seconds:08x}-{root}{};Parent={parent};Sampled=0", parent.get(..8).unwrap_or(""));
        Invocation { request_id: Uuid::new_v4().to_string(), function_arn, payload, client_context, trace_id }
    }
}

/// What came of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the function answered, or Lambda's error object.
    pub payload: String,
    /// Whether the function failed (`FunctionError: Unhandled`).
    pub failed: bool,
    /// The last 4 KiB of the log of this invocation.
    pub log_tail: String,
}

/// What a process gave, or why it gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// `/response`.
    Succeeded(String),
    /// `/error`, or what the platform says: the error object.
    Failed(String),
}

impl Outcome {
    /// An error of the platform: `errorType`, and `errorMessage` behind the request's id.
    pub(super) fn platform(error_type: &str, request_id: &str, message: &str) -> Outcome {
        let message = format!("RequestId: {request_id} Error: {message}");
        Outcome::Failed(json!({"errorType": error_type, "errorMessage": message}).to_string())
    }

    /// The answer was longer than Lambda takes.
    pub(super) fn too_long() -> Outcome {
        let message =
            format!("Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes).");
        Outcome::Failed(json!({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).to_string())
    }

    /// An error that was told without an object: its type is all that is known.
    pub(super) fn of_type(error_type: &str) -> Outcome {
        Outcome::Failed(json!({"errorType": error_type}).to_string())
    }
}
