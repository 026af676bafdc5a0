//! The Runtime API of one process, on a loopback port of its own.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use super::invocation::{ANSWER_BYTES_MAX, Invocation, Outcome};

/// Names the kind of an error, as a header of the request or behind a streamed body.
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
/// The error object in Base64, behind a streamed body.
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
/// Of a body that is too long, so much is still read and thrown away, so that the process hears the refusal.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Serves until it is dropped.
pub(super) struct RuntimeApi {
    /// `host:port`.
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// What the process and whoever invokes it share.
struct Shared {
    phase: Mutex<Phase>,
    changed: Notify,
}

/// Where the process is.
enum Phase {
    /// It has not asked for anything yet.
    Started,
    /// It waits for an invocation.
    Ready(oneshot::Sender<Delivery>),
    /// It has one.
    Running { request_id: String, outcome: oneshot::Sender<Outcome> },
    /// It has answered. `InvocationResponse` or `InvocationErrorResponse`.
    Answered(&'static str),
    /// It could not begin: the error object.
    InitError(String),
}

impl Phase {
    /// As AWS's errors name it.
    fn name(&self) -> &'static str {
        match self {
            Phase::Started => "Started",
            Phase::Ready(_) => "Ready",
            Phase::Running { .. } => "Running",
            Phase::Answered(name) => name,
            Phase::InitError(_) => "InitError",
        }
    }
}

/// An invocation on its way to the process.
struct Delivery {
    invocation: Invocation,
    timeout: Duration,
}

/// What a process does first.
pub(super) enum Asked {
    /// It asks for an invocation.
    ForInvocation,
    /// It says that it can't begin: the error object.
    InitError(String),
}

impl RuntimeApi {
    /// Listens on a free loopback port.
    pub(super) async fn start() -> std::io::Result<RuntimeApi> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { phase: Mutex::new(Phase::Started), changed: Notify::new() });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the Runtime API of a function ended");
            }
        });
        Ok(RuntimeApi { address, shared, serving })
    }

    /// Waits until the process asks for an invocation, or says why it can't begin.
    pub(super) async fn asked(&self) -> Asked {
        loop {
            match &*self.shared.phase() {
                Phase::Ready(waiting) if !waiting.is_closed() => return Asked::ForInvocation,
                Phase::InitError(error) => return Asked::InitError(error.clone()),
                _ => {}
            }
            self.shared.changed.notified().await;
        }
    }

    /// Hands an invocation to the process that waits for one; its outcome comes later. `None` where it does not wait any more.
    pub(super) fn deliver(&self, invocation: &Invocation, timeout: Duration) -> Option<oneshot::Receiver<Outcome>> {
        let mut phase = self.shared.phase();
        if !matches!(*phase, Phase::Ready(_)) {
            return None;
        }
        let (outcome, comes) = oneshot::channel();
        let running = Phase::Running { request_id: invocation.request_id.clone(), outcome };
        let Phase::Ready(waiting) = std::mem::replace(&mut *phase, running) else { return None };
        if waiting.send(Delivery { invocation: invocation.clone(), timeout }).is_err() {
            *phase = Phase::Answered("InvocationResponse");
            return None;
        }
        Some(comes)
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process answers an invocation: it has to be the one that it was given, and once. Then `heard` is said to it.
    fn answer(&self, request_id: &str, to: &'static str, outcome: Outcome, heard: Response) -> Response {
        let mut phase = self.phase();
        match &*phase {
            Phase::Running { request_id: its, .. } if its == request_id => {}
            Phase::Running { .. } => {
                return refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
            }
            other => return not_allowed(other, to),
        }
        if let Phase::Running { outcome: awaited, .. } = std::mem::replace(&mut *phase, Phase::Answered(to)) {
            // Who waited for it may have given up.
            drop(awaited.send(outcome));
        }
        heard
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let comes = {
        let mut phase = shared.phase();
        match &*phase {
            Phase::Started | Phase::Answered(_) | Phase::Ready(_) => {}
            other => return not_allowed(other, "Ready"),
        }
        let (deliver, comes) = oneshot::channel();
        *phase = Phase::Ready(deliver);
        comes
    };
    shared.changed.notify_one();
    // Asked once more, the first asking is given up; so it is at the end of the process.
    let Ok(Delivery { invocation, timeout }) = comes.await else { return internal() };
    let deadline = Timestamp::now().as_millisecond().saturating_add(i64::try_from(timeout.as_millis()).unwrap_or(0));
    let mut response = Response::builder()
        .header("content-type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &invocation.request_id)
        .header("Lambda-Runtime-Deadline-Ms", deadline)
        .header("Lambda-Runtime-Invoked-Function-Arn", &invocation.function_arn)
        .header("Lambda-Runtime-Trace-Id", &invocation.trace_id);
    if let Some(context) = &invocation.client_context {
        response = response.header("Lambda-Runtime-Client-Context", context);
    }
    response.body(Body::from(invocation.payload)).unwrap_or_else(|_| internal())
}

async fn response(State(shared): State<Arc<Shared>>, Path(request_id): Path<String>, body: Body) -> Response {
    const TO: &str = "InvocationResponse";
    let Some(received) = read(body).await else {
        return refused(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request detected as truncated");
    };
    if received.is_too_long() {
        return shared.answer(&request_id, TO, Outcome::too_long(), too_long());
    }
    shared.answer(&request_id, TO, received.outcome(), accepted())
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    const TO: &str = "InvocationErrorResponse";
    let Some(received) = read(body).await else {
        return refused(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request detected as truncated");
    };
    if received.is_too_long() {
        return shared.answer(&request_id, TO, Outcome::too_long(), too_long());
    }
    shared.answer(&request_id, TO, Outcome::Failed(received.error_object(&headers)), accepted())
}

async fn init_error(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let Some(received) = read(body).await else {
        return refused(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request detected as truncated");
    };
    if received.is_too_long() {
        return too_long();
    }
    {
        let mut phase = shared.phase();
        if !matches!(*phase, Phase::Started) {
            return not_allowed(&phase, "InitError");
        }
        *phase = Phase::InitError(received.error_object(&headers));
    }
    shared.changed.notify_one();
    accepted()
}

/// A body, as far as it is kept.
struct Received {
    /// At most one byte more than may be.
    bytes: Vec<u8>,
    trailers: HeaderMap,
}

impl Received {
    fn is_too_long(&self) -> bool {
        self.bytes.len() > ANSWER_BYTES_MAX
    }

    /// A streamed answer may end in an error.
    fn outcome(self) -> Outcome {
        let trailer = |name: &str| self.trailers.get(name).and_then(|value| value.to_str().ok());
        let Some(error_type) = trailer(ERROR_TYPE) else {
            return Outcome::Succeeded(String::from_utf8_lossy(&self.bytes).into_owned());
        };
        let object = trailer(ERROR_BODY).and_then(|text| STANDARD.decode(text).ok());
        match object.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|object| !object.is_empty()) {
            Some(object) => Outcome::Failed(object),
            None => Outcome::of_type(error_type),
        }
    }

    /// The error object of a report; the header's type where it is empty.
    fn error_object(&self, headers: &HeaderMap) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        if !text.trim().is_empty() {
            return text.into_owned();
        }
        let error_type = headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok());
        json!({"errorType": error_type.unwrap_or("Unhandled")}).to_string()
    }
}

/// Reads a body, streamed or not. `None` where it ends before its end, or never would.
async fn read(mut body: Body) -> Option<Received> {
    let (mut bytes, mut discarded, mut trailers) = (Vec::new(), 0, HeaderMap::new());
    while let Some(frame) = body.frame().await {
        let data = match frame.ok()?.into_data() {
            Ok(data) => data,
            Err(frame) => {
                trailers.extend(frame.into_trailers().unwrap_or_default());
                continue;
            }
        };
        let room = (ANSWER_BYTES_MAX + 1).saturating_sub(bytes.len());
        let kept = data.len().min(room);
        bytes.extend(data.iter().take(kept));
        discarded += data.len() - kept;
        if discarded > DISCARDED_BYTES_MAX {
            return None;
        }
    }
    Some(Received { bytes, trailers })
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({"status": "OK"}))).into_response()
}

fn refused(status: StatusCode, error_type: &str, message: &str) -> Response {
    (status, Json(json!({"errorMessage": message, "errorType": error_type}))).into_response()
}

fn not_allowed(from: &Phase, to: &str) -> Response {
    let from = from.name();
    let message =
        format!("State transition from {from} to {to} failed for runtime. Error: State transition is not allowed");
    refused(StatusCode::FORBIDDEN, "InvalidStateTransition", &message)
}

fn too_long() -> Response {
    let message = format!("Exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes).");
    refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
}

fn internal() -> Response {
    refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error")
}
