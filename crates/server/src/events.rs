//! `POST /events`, and the bodies that could not be read.

use std::time::Duration;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use engine::ports::UnreadableEvent;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    App,
    aws_json::ApiError,
    intake::BODY_LIMIT_BYTES,
    room::{Arriving, NoRoom, Room},
    router::{refused, signed_by},
};

/// How long a body may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);
/// How much of a body that is too long is kept.
const KEPT_OF_TOO_LONG_BYTES: usize = 64 << 10;
/// How much of it is read, and for how long: many a client looks for the answer only once it has sent everything.
const DRAINED_BYTES: usize = 64 << 20;
const DRAINING: Duration = Duration::from_secs(5);
/// How many bodies are listed at most, and how much of each.
const LISTED: usize = 1000;
const LISTED_CHARACTERS: usize = 500;

/// `POST /events`: events as EventBridge, CloudTrail or SNS write them, gzipped or not. Let in by SigV4 or the API key.
pub async fn receive(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let by_key = app.access.has_api_key(&parts.headers) || app.access.has_api_key_as_password(&parts.headers);
    if !by_key && !parts.headers.contains_key("authorization") {
        return refused(
            StatusCode::UNAUTHORIZED,
            "sign the request (SigV4, the keys of DIR/credentials), or send the key of DIR/api-key in the header x-api-key or as the password of basic authentication",
        );
    }
    let (body, _held) = match read(app.intake.room(), &parts.headers, body).await {
        Ok(body) => body,
        Err(Unread::TooLong { beginning, reason }) if by_key => return keep_too_long(&app, &beginning, reason).await,
        Err(unread) => return unread.into_response(),
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

/// Why a body is not there.
pub(crate) enum Unread {
    /// It is longer than is taken, or broke off.
    TooLong { beginning: Bytes, reason: String },
    /// There is no room for it, or it does not come.
    NotNow(&'static str),
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        match self {
            Unread::TooLong { reason, .. } => refused(StatusCode::PAYLOAD_TOO_LARGE, &reason),
            Unread::NotNow(reason) => unavailable(reason),
        }
    }
}

/// A body, within the limit, with the room that it takes.
pub(crate) async fn read(room: &Room, headers: &HeaderMap, body: Body) -> Result<(Bytes, Arriving), Unread> {
    let mut arriving = room.arriving();
    let late = Unread::NotNow("the body did not arrive within a minute: send it again");
    let bytes = tokio::time::timeout(ARRIVES_WITHIN, read_into(&mut arriving, headers, body)).await;
    Ok((bytes.map_err(|_| late)??, arriving))
}

async fn read_into(arriving: &mut Arriving, headers: &HeaderMap, mut body: Body) -> Result<Bytes, Unread> {
    let told =
        headers.get("content-length").and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    let mut taken = Vec::new();
    let mut too_long = told.is_some_and(|length| length > BODY_LIMIT_BYTES);
    while !(too_long && taken.len() >= KEPT_OF_TOO_LONG_BYTES) {
        match body.frame().await {
            None => break,
            Some(Ok(frame)) => {
                let data = frame.data_ref().map(Bytes::as_ref).unwrap_or_default();
                arriving.cover(taken.len() + data.len()).await.map_err(|_| Unread::NotNow(NoRoom::TEXT))?;
                taken.extend_from_slice(data);
            }
            Some(Err(error)) => {
                let reason = format!("the body broke off after {} bytes: {error}; send it again", taken.len());
                taken.truncate(KEPT_OF_TOO_LONG_BYTES);
                return Err(Unread::TooLong { beginning: taken.into(), reason });
            }
        }
        too_long |= taken.len() > BODY_LIMIT_BYTES;
    }
    if !too_long {
        return Ok(taken.into());
    }
    // Whether all of it came makes no difference.
    drop(tokio::time::timeout(DRAINING, drain(body)).await);
    taken.truncate(KEPT_OF_TOO_LONG_BYTES);
    Err(Unread::TooLong {
        reason: format!(
            "the body is longer than the {BODY_LIMIT_BYTES} bytes that are taken at once: send it in parts, or gzipped (its first {} bytes are kept, so that it can't be retried from here)",
            taken.len()
        ),
        beginning: taken.into(),
    })
}

/// Reads what a client still sends, and forgets it.
async fn drain(mut body: Body) {
    let mut drained = 0;
    while drained < DRAINED_BYTES {
        match body.frame().await {
            Some(Ok(frame)) => drained += frame.data_ref().map_or(0, Bytes::len),
            _ => break,
        }
    }
}

async fn keep_too_long(app: &App, beginning: &[u8], reason: String) -> Response {
    match app.intake.keep(beginning, "POST /events", reason).await {
        Ok(kept) => {
            (StatusCode::PAYLOAD_TOO_LARGE, Json(json!({"message": kept.reason, "unreadable": [kept]}))).into_response()
        }
        Err(error) => unavailable(&error.to_string()),
    }
}

pub(crate) fn unavailable(message: &str) -> Response {
    let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, message);
    response.headers_mut().insert("retry-after", HeaderValue::from_static("5"));
    response
}

/// Which bodies are listed.
#[derive(Deserialize)]
pub struct Listing {
    limit: Option<usize>,
}

/// Bodies that could not be read, the newest first, each cut: `limit` of them, at most and unless said 1,000.
pub async fn list(State(app): State<App>, Query(listing): Query<Listing>) -> Result<Json<Value>, ApiError> {
    let limit = listing.limit.unwrap_or(LISTED).min(LISTED);
    // One character more tells that there is more.
    let mut events = app.engine.findings().unreadable(limit, LISTED_CHARACTERS + 1).await?;
    for event in &mut events {
        if let Some((end, _)) = event.body.char_indices().nth(LISTED_CHARACTERS) {
            event.body.truncate(end);
            event.body.push('…');
        }
    }
    Ok(Json(json!({"events": events.iter().map(view).collect::<Vec<_>>()})))
}

/// One of them, whole.
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(view(&find(&app, &id).await?)))
}

/// Reads one again: after a mapping was mended, or an account's role was named. One that still can't be read stays as it is.
pub async fn retry(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let event = find(&app, &id).await?;
    let taken = app.intake.retry(&event).await.map_err(|error| ApiError::unavailable(error.to_string()))?;
    Ok(Json(json!(taken)))
}

async fn find(app: &App, id: &str) -> Result<UnreadableEvent, ApiError> {
    app.engine.findings().unreadable_event(id).await?.ok_or_else(|| ApiError {
        status: StatusCode::NOT_FOUND,
        code: "ResourceNotFoundException".to_owned(),
        message: format!("there is no unreadable event `{id}`: `rectify events list` shows those there are"),
    })
}

fn view(event: &UnreadableEvent) -> Value {
    json!({"id": event.id, "origin": event.origin, "received_at": event.received_at, "reason": event.reason, "body": event.body})
}
