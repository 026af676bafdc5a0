//! `POST /webhooks/{source}`: documents of other engines, let in by the code or the token that the source's file asks for.

mod authentication;

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use detection::source::{Authentication, Webhook};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;

use crate::{
    App,
    events::{read, unavailable},
    router::refused,
};

/// The longest answer to a challenge, in bytes.
const CHALLENGE_LIMIT_BYTES: usize = 1024;

/// The webhooks that are served, with their secrets, by source.
#[derive(Debug, Default)]
pub struct Webhooks {
    webhooks: BTreeMap<String, (Webhook, SecretString)>,
}

impl Webhooks {
    /// Serves these: id of the source, how its requests are authenticated, the secret.
    pub fn new(webhooks: impl IntoIterator<Item = (String, Webhook, SecretString)>) -> Webhooks {
        Webhooks { webhooks: webhooks.into_iter().map(|(id, webhook, secret)| (id, (webhook, secret))).collect() }
    }
}

/// A request of another engine. It is answered with 200 once everything in it is stored, also what can't be read: that is kept with
/// its reason, and sending it again would not help.
pub async fn receive(State(app): State<App>, Path(source): Path<String>, request: Request) -> Response {
    let Some((webhook, secret)) = app.webhooks.webhooks.get(&source) else { return unknown() };
    let (parts, body) = request.into_parts();
    // A token is looked at before anything of the body is read.
    if let Authentication::Token(token) = &webhook.authentication
        && !authentication::has_token(token, secret, &parts.headers)
    {
        return denied(&source, "the token is missing or wrong");
    }
    let (body, _held) = match read(app.intake.room(), &parts.headers, body).await {
        Ok(body) => body,
        Err(unread) => return unread.into_response(),
    };
    if let Authentication::Hmac(hmac) = &webhook.authentication
        && let Err(reason) = authentication::check_code(hmac, secret, &parts.headers, &body, Timestamp::now())
    {
        return denied(&source, &reason);
    }
    match app.intake.take_webhook(&body, &source).await {
        Err(error) => unavailable(&error.to_string()),
        Ok(taken) => (StatusCode::OK, Json(taken)).into_response(),
    }
}

/// A request by which the sender asks whether this is the right place: the value of its header comes back.
pub async fn challenge(State(app): State<App>, Path(source): Path<String>, headers: HeaderMap) -> Response {
    let Some((webhook, secret)) = app.webhooks.webhooks.get(&source) else { return unknown() };
    let Some(challenge) = &webhook.challenge else {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "documents are sent here by POST");
    };
    if let Authentication::Token(token) = &webhook.authentication
        && !authentication::has_token(token, secret, &headers)
    {
        return denied(&source, "the token is missing or wrong");
    }
    let asked = headers.get(&challenge.header).and_then(|value| value.to_str().ok());
    match asked.filter(|asked| asked.len() <= CHALLENGE_LIMIT_BYTES) {
        Some(asked) => Json(json!({challenge.answer.as_str(): asked})).into_response(),
        None => refused(StatusCode::BAD_REQUEST, &format!("the header {} is missing or too long", challenge.header)),
    }
}

fn unknown() -> Response {
    refused(StatusCode::NOT_FOUND, "no such webhook is served: `sources` in rectify.yaml names those that are")
}

fn denied(source: &str, reason: &str) -> Response {
    tracing::warn!(source, reason, "a request to a webhook was refused");
    refused(StatusCode::UNAUTHORIZED, reason)
}
