//! `POST /events`, and the bodies that could not be read.

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use engine::ports::UnreadableEvent;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    App,
    aws_json::ApiError,
    intake::BODY_LIMIT_BYTES,
    router::{refused, signed_by},
};

/// How much of a body that is too long is read to be kept.
const KEPT_OF_TOO_LONG_BYTES: usize = 64 << 10;

/// `POST /events`: events as EventBridge, CloudTrail or SNS write them, gzipped or not. Let in by SigV4 or the API key.
pub async fn receive(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let by_key = app.access.has_api_key(&parts.headers);
    if !by_key && !parts.headers.contains_key("authorization") {
        return refused(
            StatusCode::UNAUTHORIZED,
            "sign the request (SigV4, the keys of DIR/credentials) or send the key of DIR/api-key in the header x-api-key",
        );
    }
    let body = match read(&parts.headers, body).await {
        Ok(body) => body,
        Err(refusal) if by_key => return keep_too_long(&app, refusal).await,
        Err(refusal) => return refused(StatusCode::PAYLOAD_TOO_LARGE, &refusal.reason),
    };
    if !by_key && let Err(error) = signed_by(&app, &parts, &body) {
        return refused(StatusCode::FORBIDDEN, &error.message);
    }
    match app.intake.take_body(&body, "POST /events").await {
        Err(error) => unavailable(&error.to_string()),
        Ok(taken) => {
            let nothing_read = taken.received + taken.duplicates == 0 && !taken.unreadable.is_empty();
            (if nothing_read { StatusCode::BAD_REQUEST } else { StatusCode::OK }, Json(taken)).into_response()
        }
    }
}

/// A body that is longer than is taken, or that broke off.
struct TooLong {
    beginning: Bytes,
    reason: String,
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, TooLong> {
    let told =
        headers.get("content-length").and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    let reason = || {
        format!(
            "the body is longer than the {BODY_LIMIT_BYTES} bytes that are taken at once: send it in parts, or gzipped"
        )
    };
    if told.is_some_and(|length| length > BODY_LIMIT_BYTES) {
        return Err(TooLong { beginning: beginning(body).await, reason: reason() });
    }
    to_bytes(body, BODY_LIMIT_BYTES).await.map_err(|_| TooLong { beginning: Bytes::new(), reason: reason() })
}

/// The first part of a body that is too long as a whole.
async fn beginning(body: Body) -> Bytes {
    use http_body_util::BodyExt as _;
    let mut body = body;
    let mut kept = Vec::new();
    while kept.len() < KEPT_OF_TOO_LONG_BYTES {
        match body.frame().await {
            Some(Ok(frame)) => kept.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default()),
            _ => break,
        }
    }
    kept.truncate(KEPT_OF_TOO_LONG_BYTES);
    kept.into()
}

async fn keep_too_long(app: &App, refusal: TooLong) -> Response {
    match app.intake.keep(&refusal.beginning, "POST /events", refusal.reason).await {
        Ok(kept) => {
            (StatusCode::PAYLOAD_TOO_LARGE, Json(json!({"message": kept.reason, "unreadable": [kept]}))).into_response()
        }
        Err(error) => unavailable(&error.to_string()),
    }
}

fn unavailable(message: &str) -> Response {
    let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, message);
    response.headers_mut().insert("retry-after", axum::http::HeaderValue::from_static("5"));
    response
}

/// Which bodies are listed.
#[derive(Deserialize)]
pub struct Listing {
    limit: Option<usize>,
}

/// Bodies that could not be read, the newest first.
pub async fn list(State(app): State<App>, Query(listing): Query<Listing>) -> Result<Json<Value>, ApiError> {
    let events = app.engine.findings().unreadable(listing.limit.unwrap_or(1000)).await?;
    Ok(Json(json!({"events": events.iter().map(view).collect::<Vec<_>>()})))
}

/// One of them.
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(view(&find(&app, &id).await?)))
}

/// Reads one again: after a mapping was mended, or an account's role was named.
pub async fn retry(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let event = find(&app, &id).await?;
    let taken = app.intake.take_body(event.body.as_bytes(), &event.origin).await?;
    app.engine.findings().forget_unreadable(&id).await?;
    Ok(Json(json!(taken)))
}

async fn find(app: &App, id: &str) -> Result<UnreadableEvent, ApiError> {
    let events = app.engine.findings().unreadable(usize::MAX).await?;
    events.into_iter().find(|event| event.id == id).ok_or_else(|| ApiError {
        status: StatusCode::NOT_FOUND,
        code: "ResourceNotFoundException".to_owned(),
        message: format!("there is no unreadable event `{id}`: `rectify events list` shows those there are"),
    })
}

fn view(event: &UnreadableEvent) -> Value {
    json!({"id": event.id, "origin": event.origin, "received_at": event.received_at, "reason": event.reason, "body": event.body})
}
