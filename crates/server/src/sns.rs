//! `POST /sns`: SNS subscriptions over HTTPS. A message is taken when its topic is configured and its signature is SNS's own.
//!
//! Sources: <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>,
//! <https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html>

mod certificate;
mod fetch;
mod message;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use indexmap::IndexMap;
use jiff::Timestamp;
use tokio::sync::Semaphore;

pub use self::fetch::SnsClient;
use self::{certificate::Certificate, message::SignedMessage};
use crate::{
    App,
    events::{read, unavailable},
    router::refused,
};

/// How many certificates are kept: SNS has one a Region for about a year.
const CERTIFICATES_LIMIT: usize = 64;
/// How many things are fetched from SNS at once: anybody may post what looks like a message.
const FETCHES_AT_ONCE: usize = 4;
/// How old a message may be: SNS tries for an hour at most to deliver one, and a store remembers event ids for 15 days.
const AGE_LIMIT_SECONDS: u64 = 86_400;
/// Of a subscription with raw message delivery, whose messages have no signature.
const RAW_DELIVERY_HEADER: &str = "x-amz-sns-rawdelivery";

/// The topics whose messages are taken, and the certificates that they were signed with.
pub struct Topics {
    arns: BTreeSet<String>,
    client: SnsClient,
    fetches: Semaphore,
    /// Those that signed a message of ours, by URL, the oldest first.
    certificates: Mutex<IndexMap<String, Certificate>>,
}

/// Why a message is not taken.
#[derive(Debug, PartialEq, Eq)]
enum NotSns {
    /// It is none of SNS's, or not for us: nothing will help.
    Denied(String),
    /// SNS could not be asked: it is to come again.
    Unreachable(String),
}

/// What a genuine message is.
#[derive(Debug, PartialEq, Eq)]
enum Genuine {
    /// A notification, whose message is to be read.
    Notification,
    /// The subscription was confirmed.
    Confirmed,
    /// The subscription was ended by somebody.
    Unsubscribed,
}

impl Topics {
    /// Takes the messages of these topics; `client` fetches certificates, and confirms subscriptions.
    pub fn new(arns: impl IntoIterator<Item = String>, client: SnsClient) -> Topics {
        Topics {
            arns: arns.into_iter().collect(),
            client,
            fetches: Semaphore::new(FETCHES_AT_ONCE),
            certificates: Mutex::default(),
        }
    }

    /// Checks a message, and confirms the subscription where it asks for that.
    async fn take(&self, body: &[u8], now: Timestamp) -> Result<(Genuine, String), NotSns> {
        let message = SignedMessage::read(body).map_err(NotSns::Denied)?;
        let topic = message.topic_arn.clone();
        if !self.arns.contains(&topic) {
            let reason = format!("the topic {topic} is not configured: `sources` in rectify.yaml names those that are");
            return Err(NotSns::Denied(reason));
        }
        self.check_signature(&message, now).await?;
        // Only what is signed is worth looking at.
        message.check_age(now, AGE_LIMIT_SECONDS).map_err(NotSns::Denied)?;
        let genuine = match message.kind.as_str() {
            "SubscriptionConfirmation" => {
                let url = message.subscribe_url().map_err(NotSns::Denied)?;
                self.fetch(url).await?;
                Genuine::Confirmed
            }
            "UnsubscribeConfirmation" => Genuine::Unsubscribed,
            _ => Genuine::Notification,
        };
        Ok((genuine, topic))
    }

    /// Whether the message is signed with the certificate that it names, which has to be SNS's.
    async fn check_signature(&self, message: &SignedMessage, now: Timestamp) -> Result<(), NotSns> {
        let url = message.certificate_url().map_err(NotSns::Denied)?;
        let text = message.signed_text();
        let check = |certificate: &Certificate| certificate.check(message, &text, now).map_err(NotSns::Denied);
        let kept = self.certificates.lock().unwrap_or_else(PoisonError::into_inner).get(url).map(check);
        if let Some(checked) = kept {
            return checked;
        }
        let certificate = Certificate::read(&self.fetch(url).await?).map_err(NotSns::Denied)?;
        check(&certificate)?;
        // What signed nothing takes no other's place.
        let mut certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        if certificates.len() >= CERTIFICATES_LIMIT {
            certificates.shift_remove_index(0);
        }
        certificates.insert(url.to_owned(), certificate);
        Ok(())
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, NotSns> {
        let Ok(_permit) = self.fetches.try_acquire() else {
            let reason = format!("{FETCHES_AT_ONCE} requests to SNS are under way already: send it again in a moment");
            return Err(NotSns::Unreachable(reason));
        };
        self.client.get(url).await.map_err(NotSns::Unreachable)
    }
}

/// A message of SNS: 200 once everything in it is stored, also what can't be read; 403 is final for SNS; after 503 it comes again.
pub async fn receive(State(app): State<App>, request: Request) -> Response {
    if app.topics.arns.is_empty() {
        return refused(StatusCode::NOT_FOUND, "no topic is configured: name it under `sources` in rectify.yaml");
    }
    let (parts, body) = request.into_parts();
    if parts.headers.get(RAW_DELIVERY_HEADER).is_some_and(|raw| raw.as_bytes().eq_ignore_ascii_case(b"true")) {
        return denied("raw message delivery has no signature: switch it off for this subscription");
    }
    let (body, _held) = match read(app.intake.room(), &parts.headers, body).await {
        Ok(body) => body,
        Err(unread) => return unread.into_response(),
    };
    match app.topics.take(&body, Timestamp::now()).await {
        Err(NotSns::Denied(reason)) => denied(&reason),
        Err(NotSns::Unreachable(reason)) => {
            tracing::warn!(reason, "a message of SNS can't be checked now; it comes again");
            unavailable(&reason)
        }
        Ok((Genuine::Notification, _)) => match app.intake.take_body(&body, "POST /sns").await {
            Err(error) => unavailable(&error.to_string()),
            Ok(taken) => (StatusCode::OK, Json(taken)).into_response(),
        },
        Ok((Genuine::Confirmed, topic)) => {
            tracing::info!(topic, "the subscription to this SNS topic is confirmed");
            StatusCode::OK.into_response()
        }
        Ok((Genuine::Unsubscribed, topic)) => {
            tracing::warn!(topic, "somebody ended the subscription to this SNS topic: its messages come no more");
            StatusCode::OK.into_response()
        }
    }
}

fn denied(reason: &str) -> Response {
    tracing::warn!(reason, "a request to /sns was refused");
    refused(StatusCode::FORBIDDEN, reason)
}

#[cfg(test)]
mod tests;
