//! The invocation of a function that runs here as a local process, as Lambda's `Invoke` answers it.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::sync::Arc;

use aws::{CallError, VersionOneAnswer};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::{aws_sdk::Error, optimized};
use crate::local_function::{EVENT_PAYLOAD_BYTES_MAX, Invocation, PAYLOAD_BYTES_MAX, Pool, TooManyRequests};

/// What `Invoke` answers.
#[derive(Debug)]
pub(super) struct Invoked {
    status: u16,
    request_id: String,
    trace_id: String,
    /// What the function answered, as it came; empty where it was not waited for.
    pub(super) text: String,
    /// Whether the function failed.
    pub(super) failed: bool,
    /// Where the tail of the log was asked for.
    log_tail: Option<String>,
}

/// Invokes a function by what it is called with: `InvocationType`, `LogType`, `ClientContext`, `Qualifier`.
pub(super) async fn invoke(
    function: &Arc<Pool>,
    arn: String,
    payload: Option<String>,
    parameters: &Map<String, Value>,
) -> Result<Invoked, Error> {
    let text = |key: &str| parameters.get(key).and_then(Value::as_str);
    let arn = match text("Qualifier").filter(|_| arn.split(':').count() < 8) {
        Some(qualifier) => format!("{arn}:{qualifier}"),
        None => arn,
    };
    let invocation_type = text("InvocationType").unwrap_or("RequestResponse");
    let payload = payload.unwrap_or_else(|| "{}".to_owned());
    let client_context = text("ClientContext").map(client_context).transpose();
    let invocation = Invocation::new(arn, payload, None);
    let request_id = invocation.request_id.clone();
    let refused = |status, code, message: &str| Err(error(status, code, message, &request_id));
    let limit = if invocation_type == "Event" { EVENT_PAYLOAD_BYTES_MAX } else { PAYLOAD_BYTES_MAX };
    let bytes = invocation.payload.len();
    if bytes > limit {
        let message = format!(
            "{bytes} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)"
        );
        return refused(413, "RequestEntityTooLargeException", &message);
    }
    let Ok(client_context) = client_context else {
        let message = "Client context must be a valid Base64-encoded JSON object.";
        return refused(400, "InvalidRequestContentException", message);
    };
    let invocation = Invocation { client_context, ..invocation };
    let throttled = |TooManyRequests| error(429, "TooManyRequestsException", &TooManyRequests.to_string(), &request_id);
    let trace_id = invocation.trace_id.clone();
    let unanswered = |status| Invoked {
        status,
        request_id: request_id.clone(),
        trace_id: trace_id.clone(),
        text: String::new(),
        failed: false,
        log_tail: None,
    };
    match invocation_type {
        "RequestResponse" => {
            let answer = function.invoke(invocation).await.map_err(throttled)?;
            let log_tail = text("LogType").filter(|kind| *kind == "Tail").map(|_| answer.log_tail);
            Ok(Invoked { text: answer.payload, failed: answer.failed, log_tail, ..unanswered(200) })
        }
        "Event" => function.invoke_event(invocation).map(|()| unanswered(202)).map_err(throttled),
        "DryRun" => Ok(unanswered(204)),
        other => {
            let message = format!(
                "1 validation error detected: Value '{other}' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
            );
            refused(400, "ValidationException", &message)
        }
    }
}

/// JSON out of Base64.
fn client_context(text: &str) -> Result<String, ()> {
    let bytes = STANDARD.decode(text).map_err(|_| ())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| ())?;
    if value.is_object() { Ok(value.to_string()) } else { Err(()) }
}

/// An error of Lambda's API.
fn error(status: u16, code: &str, message: &str, request_id: &str) -> Error {
    Error::Call(CallError::Service {
        name: format!("Lambda.{code}"),
        cause: format!(
            "{message} (Service: Lambda, Status Code: {status}, Request ID: {request_id}) (SDK Attempt Count: 1)"
        ),
        code: code.to_owned(),
        status,
        throttled: status == 429,
    })
}

impl Invoked {
    /// As the integration `lambda:invoke` shows it, less the `Payload`.
    pub(super) fn integration_fields(&self) -> Map<String, Value> {
        let mut headers = vec![
            ("Connection", "keep-alive".to_owned()),
            ("Content-Length", self.text.len().to_string()),
            ("Date", Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
            ("x-amzn-Remapped-Content-Length", "0".to_owned()),
            ("x-amzn-RequestId", self.request_id.clone()),
            ("X-Amzn-Trace-Id", self.trace_id.clone()),
        ];
        let mut fields = self.fields();
        if let Some(Value::String(version)) = fields.get("ExecutedVersion") {
            headers.push(("Content-Type", "application/json".to_owned()));
            headers.push(("X-Amz-Executed-Version", version.clone()));
        }
        if let Some(Value::String(tail)) = fields.get("LogResult") {
            headers.push(("X-Amz-Log-Result", tail.clone()));
        }
        fields.sort_keys();
        let answer = VersionOneAnswer {
            result: Value::Null,
            status: self.status,
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            request_id: Some(self.request_id.clone()),
        };
        match optimized::with_metadata(fields, &answer) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    /// As `aws-sdk:lambda:invoke` shows it.
    pub(super) fn sdk_result(&self) -> Value {
        let mut fields = self.fields();
        if !self.text.is_empty() {
            fields.insert("Payload".to_owned(), Value::from(self.text.as_str()));
        }
        fields.sort_keys();
        Value::Object(fields)
    }

    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::from_iter([("StatusCode".to_owned(), json!(self.status))]);
        if self.status == 200 {
            fields.insert("ExecutedVersion".to_owned(), Value::from("$LATEST"));
        }
        if self.failed {
            fields.insert("FunctionError".to_owned(), Value::from("Unhandled"));
        }
        if let Some(tail) = &self.log_tail {
            fields.insert("LogResult".to_owned(), Value::from(STANDARD.encode(tail)));
        }
        fields
    }
}
