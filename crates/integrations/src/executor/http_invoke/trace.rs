//! What went over the wire, for somebody who tests an HTTP Task.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_InspectionDataRequest.html>

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use engine::ports::Trace;
use execution::inspection::{InspectionDataRequest, InspectionDataResponse};
use http::{HeaderMap, Request, Response, Uri};

/// Keeps the request and its answer while a Task is performed.
#[derive(Debug)]
pub(in crate::executor) struct Tracing {
    /// Whoever looks may see what the connection added to the request.
    pub(super) reveal_secrets: bool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The answer does not say what it is reached by.
    protocol: String,
    trace: Option<Trace>,
}

impl Tracing {
    pub(in crate::executor) fn new(reveal_secrets: bool) -> Tracing {
        Tracing { reveal_secrets, kept: Mutex::default() }
    }

    pub(in crate::executor) fn into_trace(self) -> Option<Trace> {
        self.kept.into_inner().unwrap_or_else(PoisonError::into_inner).trace
    }

    pub(super) fn sent(&self, request: &Request<Bytes>) {
        let protocol = Uri::scheme_str(request.uri()).unwrap_or("https").to_owned();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let request = InspectionDataRequest {
            protocol: protocol.clone(),
            method: request.method().to_string(),
            url: request.uri().to_string(),
            headers: headers(request.headers()),
            body: body(request.body()),
        };
        *kept = Kept { protocol, trace: Some(Trace { request, response: None }) };
    }

    pub(super) fn answered(&self, answer: &Response<Bytes>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let response = InspectionDataResponse {
            protocol: kept.protocol.clone(),
            status_code: answer.status().as_u16().to_string(),
            status_message: answer.status().canonical_reason().unwrap_or_default().to_owned(),
            headers: headers(answer.headers()),
            body: body(answer.body()),
        };
        if let Some(trace) = &mut kept.trace {
            trace.response = Some(response);
        }
    }
}

fn headers(headers: &HeaderMap) -> String {
    let shown = headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    format!("[{}]", shown.collect::<Vec<_>>().join(", "))
}

fn body(body: &Bytes) -> Option<String> {
    (!body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned())
}
