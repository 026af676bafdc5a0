//! Which path leads where, and what is asked before it does.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State, rejection::BytesRejection},
    http::{StatusCode, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    App,
    access::{Caller, SignedRequest},
    aws_json::ApiError,
    event_bridge, events, findings, metrics, sns, step_functions, webhooks,
};

/// The largest body of an AWS API request: a definition of 1 MiB, AWS's limit, has more bytes inside JSON.
const API_BODY_LIMIT_BYTES: usize = 4 << 20;

/// Up to where executions are counted that wait for room.
const COUNTED_AT_MOST: usize = 100_000;

/// All routes.
pub fn router(app: App) -> Router {
    let own = Router::new()
        .route("/api/findings", get(findings::list))
        .route("/api/findings/{id}", get(findings::show))
        .route("/api/findings/{id}/approve", post(findings::approve))
        .route("/api/findings/{id}/undo", post(findings::undo))
        .route("/api/findings/{id}/except", post(findings::except))
        .route("/api/findings/{id}/resolve", post(findings::resolve))
        .route("/api/rules", get(rules))
        .route("/api/engine", get(engine))
        .route("/api/events", get(events::list))
        .route("/api/events/{id}", get(events::show))
        .route("/api/events/{id}/retry", post(events::retry))
        .layer(middleware::from_fn_with_state(app.clone(), api_key_only));
    Router::new()
        .route("/", post(aws_api))
        .route("/sns", post(sns::receive).layer(DefaultBodyLimit::disable()))
        .route("/events", post(events::receive).layer(DefaultBodyLimit::disable()))
        .route(
            "/webhooks/{source}",
            get(webhooks::challenge).post(webhooks::receive).layer(DefaultBodyLimit::disable()),
        )
        .route("/metrics", get(metrics::show))
        .route("/healthz", get(|| async { "ok\n" }))
        .merge(own)
        .layer(DefaultBodyLimit::max(API_BODY_LIMIT_BYTES))
        .with_state(app)
}

/// The AWS APIs: SigV4, then the service that `X-Amz-Target` names.
async fn aws_api(State(app): State<App>, parts: Parts, body: Result<Bytes, BytesRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return unread(&rejection).into_response(),
    };
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match answer(&app, &parts, target, &body).await {
        Ok(value) => crate::aws_json::respond(StatusCode::OK, &value),
        Err(error) => error.into_response(),
    }
}

/// What the action named by `target` answers a request that was signed for its service.
async fn answer(app: &App, parts: &Parts, target: &str, body: &[u8]) -> Result<Value, ApiError> {
    let caller = signed_by(app, parts, body)?;
    match target.split_once('.') {
        Some(("AWSStepFunctions", action)) => {
            caller.check_service("states")?;
            step_functions::call(app, &caller, action, body).await
        }
        Some(("AWSEvents", action)) => {
            caller.check_service("events")?;
            event_bridge::call(app, &caller, action, body).await
        }
        _ => Err(unknown_operation(target)),
    }
}

/// How much the engine has in memory, and how much waits for room there.
async fn engine(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    let put_off = app.engine.executions_put_off(COUNTED_AT_MOST).await?;
    Ok(Json(json!({"executions_in_memory": app.engine.executions_in_memory(), "executions_put_off": put_off})))
}

/// `GET /api/rules`: the rules in force, and the files of their folder that could not be used.
async fn rules(State(app): State<App>) -> Json<Value> {
    Json(app.registry.list_rules())
}

/// A body that could not be taken in: too long, or broken off.
fn unread(rejection: &BytesRejection) -> ApiError {
    let error = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::caller(
            "RequestEntityTooLargeException",
            format!("the request is longer than {API_BODY_LIMIT_BYTES} bytes, the most that is taken"),
        )
    } else {
        ApiError::caller("SerializationException", format!("the request could not be read: {rejection}"))
    };
    ApiError { status: rejection.status(), ..error }
}

/// What answers an action that is not there.
pub fn unknown_operation(target: &str) -> ApiError {
    ApiError::caller(
        "UnknownOperationException",
        format!(
            "`{target}` is no operation served here; X-Amz-Target names one, for instance AWSStepFunctions.StartExecution"
        ),
    )
}

/// Who signed a request.
pub fn signed_by(app: &App, parts: &Parts, body: &[u8]) -> Result<Caller, ApiError> {
    let request = SignedRequest { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body };
    Ok(app.access.check_signature(&request, Timestamp::now())?)
}

/// What the command line asks is let in by the API key.
async fn api_key_only(State(app): State<App>, request: Request, next: Next) -> Response {
    if app.access.has_api_key(request.headers()) {
        next.run(request).await
    } else {
        refused(
            StatusCode::UNAUTHORIZED,
            "the header x-api-key is missing or wrong: `serve` keeps the key in DIR/api-key of its --data folder",
        )
    }
}

/// A refusal of our own API.
pub fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message}))).into_response()
}
