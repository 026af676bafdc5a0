//! Posts a message as JSON to a URL: `{text, kind, id, finding}`. `text` is what Slack's incoming webhooks (and those that
//! follow them) show; the rest is for programs.
//!
//! Source: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use std::time::Duration;

use async_trait::async_trait;
use aws::http::HttpClient;
use bytes::Bytes;
use http::{Method, Request, Response, Uri, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::{Deliver, DeliveryError, Message};

/// Requests for one message, in all.
const ATTEMPTS: u32 = 4;
/// Before the second request; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A longer `Retry-After` is cut to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// For one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of an answer, of which only the status matters.
const ANSWER_BYTES: usize = 64 * 1024;

/// `webhook:` of a channel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfiguration {
    /// Where to post. Whoever knows it can post too, so it is a secret.
    pub url: SecretString,
}

/// A webhook.
pub(super) struct Webhook {
    url: SecretString,
    /// All that may be shown of the URL.
    host: String,
    client: HttpClient,
}

impl Webhook {
    pub(super) fn new(configuration: &WebhookConfiguration, client: HttpClient) -> Result<Webhook, String> {
        let uri: Uri = configuration
            .url
            .expose_secret()
            .parse()
            .map_err(|_| "its `url` is no URL: write it as `https://HOST/PATH`".to_owned())?;
        let host = uri.host().ok_or("its `url` names no host: write it as `https://HOST/PATH`")?.to_owned();
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(&host) => {}
            _ => return Err(format!("its `url` (of `{host}`) would send a secret in the clear: use `https://`")),
        }
        Ok(Webhook { url: configuration.url.clone(), host, client })
    }

    fn request(&self, message: &Message) -> Result<Request<Bytes>, DeliveryError> {
        let body = json!({
            "text": escape(&message.text),
            "kind": message.kind,
            "id": message.id,
            "finding": message.finding,
        });
        Request::builder()
            .method(Method::POST)
            .uri(self.url.expose_secret())
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header(header::USER_AGENT, "rectify")
            .body(Bytes::from(body.to_string()))
            // The error's text might hold the URL.
            .map_err(|_| DeliveryError(format!("no request could be made for the webhook at `{}`", self.host)))
    }

    /// One request.
    async fn attempt(&self, message: &Message) -> Result<(), Attempt> {
        let request = self.request(message).map_err(Attempt::Final)?;
        match self.client.send(request, TIMEOUT, ANSWER_BYTES).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status();
                let error = DeliveryError(format!("the webhook at `{}` answered {status}", self.host));
                if status.as_u16() == 429 || status.is_server_error() {
                    Err(Attempt::Again { error, after: retry_after(&answer) })
                } else {
                    Err(Attempt::Final(error))
                }
            }
            // The client's own text might hold the URL.
            Err(error) if error.never_sent => Err(Attempt::Again {
                error: DeliveryError(format!("the webhook at `{}` can't be reached", self.host)),
                after: None,
            }),
            Err(_) => Err(Attempt::Final(DeliveryError(format!(
                "the webhook at `{}` gave no answer: the message may have arrived",
                self.host
            )))),
        }
    }
}

/// Why an attempt did not deliver.
enum Attempt {
    Final(DeliveryError),
    Again { error: DeliveryError, after: Option<Duration> },
}

#[async_trait]
impl Deliver for Webhook {
    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let (error, after) = match self.attempt(message).await {
                Ok(()) => return Ok(()),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Again { error, after }) => (error, after),
            };
            if attempt >= ATTEMPTS {
                return Err(DeliveryError(format!("{error} ({ATTEMPTS} attempts)")));
            }
            tracing::debug!(%error, attempt, "a webhook is tried again");
            tokio::time::sleep(after.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            attempt += 1;
            pause *= 2;
        }
    }
}

/// `Retry-After` in seconds; its other form, a date, is not looked at.
fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Slack's control characters: a resource or a session named `<!channel>` must not become a command or a link.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;
    use crate::tests::receiver::receiver;

    fn webhook(url: &str) -> Result<Webhook, String> {
        Webhook::new(&serde_json::from_value(json!({"url": url})).unwrap(), HttpClient::new())
    }

    fn message() -> Message {
        Message {
            kind: "noticed".to_owned(),
            id: "m".to_owned(),
            text: "bucket <!channel> & co".to_owned(),
            finding: json!({"id": "f", "resource": "<!channel>"}),
        }
    }

    #[tokio::test]
    async fn the_message_is_posted_and_its_text_can_not_command_slack() {
        let (url, received) = receiver(&[200]).await;
        assert_eq!(webhook(&url).unwrap().deliver(&message()).await, Ok(()));
        let expected = json!({
            "text": "bucket &lt;!channel&gt; &amp; co", "kind": "noticed", "id": "m",
            "finding": {"id": "f", "resource": "<!channel>"},
        });
        assert_eq!(*received.lock().unwrap(), [expected]);
    }

    #[tokio::test]
    async fn overload_and_faults_are_tried_again_and_refusals_are_not() {
        for (statuses, requests, expected) in [
            (&[503_u16, 429, 200][..], 3, Ok(())),
            (&[500][..], ATTEMPTS as usize, Err("answered 500 Internal Server Error (4 attempts)")),
            (&[404][..], 1, Err("answered 404 Not Found")),
        ] {
            let (url, received) = receiver(statuses).await;
            let result = webhook(&url).unwrap().deliver(&message()).await;
            match (&result, expected) {
                (Ok(()), Ok(())) => {}
                (Err(error), Err(text)) => {
                    assert!(error.0.ends_with(text), "{error}");
                    assert!(error.0.contains("`127.0.0.1`") && !error.0.contains("s3cr3t"), "{error}");
                }
                other => panic!("{statuses:?}: {other:?}"),
            }
            assert_eq!(received.lock().unwrap().len(), requests, "{statuses:?}");
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_told_without_the_url() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks/s3cr3t", listener.local_addr().unwrap());
        drop(listener);
        let error = webhook(&url).unwrap().deliver(&message()).await.unwrap_err();
        assert_eq!(error.0, "the webhook at `127.0.0.1` can't be reached (4 attempts)");
    }

    #[test]
    fn a_url_is_checked_and_never_shown() {
        for (url, expected) in [
            ("https://hooks.example.com/s3cr3t", None),
            ("http://localhost:9000/s3cr3t", None),
            ("http://[::1]:9000/s3cr3t", None),
            ("http://hooks.example.com/s3cr3t", Some("in the clear")),
            ("/s3cr3t", Some("names no host")),
            ("https://exa mple/s3cr3t", Some("is no URL")),
        ] {
            match (webhook(url), expected) {
                (Ok(_), None) => {}
                (Err(error), Some(text)) => assert!(error.contains(text) && !error.contains("s3cr3t"), "{error}"),
                (result, _) => panic!("{url}: {:?}", result.err()),
            }
        }
        let configuration: WebhookConfiguration = serde_json::from_value(json!({"url": "https://h/s3cr3t"})).unwrap();
        assert!(!format!("{configuration:?}").contains("s3cr3t"));
        assert!(serde_json::from_value::<WebhookConfiguration>(json!({"url": "x", "uri": "y"})).is_err());
    }
}
