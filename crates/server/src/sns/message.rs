//! A message as SNS posts it, what of it is signed, and which of its URLs are SNS's own.

use axum::http::Uri;
use jiff::Timestamp;
use serde::Deserialize;

use crate::machines::is_region;

/// A message as SNS posts it.
#[derive(Debug, Deserialize)]
pub(super) struct SignedMessage {
    /// `Notification`, `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
    #[serde(rename = "Type")]
    pub(super) kind: String,
    #[serde(rename = "MessageId")]
    message_id: String,
    /// The topic.
    #[serde(rename = "TopicArn")]
    pub(super) topic_arn: String,
    #[serde(rename = "Subject")]
    subject: Option<String>,
    #[serde(rename = "Message")]
    message: String,
    #[serde(rename = "Timestamp")]
    timestamp: String,
    #[serde(rename = "Token")]
    token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    /// `1`: SHA-1; `2`: SHA-256.
    #[serde(rename = "SignatureVersion")]
    pub(super) signature_version: String,
    /// In Base64.
    #[serde(rename = "Signature")]
    pub(super) signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
}

impl SignedMessage {
    /// Reads a message. A name that is there twice is refused: others might read the other one.
    pub(super) fn read(body: &[u8]) -> Result<SignedMessage, String> {
        let message: SignedMessage = serde_json::from_slice(body)
            .map_err(|error| format!("this is no signed message of SNS: {error} (raw message delivery has none)"))?;
        match message.kind.as_str() {
            "Notification" | "SubscriptionConfirmation" | "UnsubscribeConfirmation" => Ok(message),
            other => Err(format!("SNS has no messages of type `{other}`")),
        }
    }

    /// What is signed: names and values, in the order of the names.
    pub(super) fn signed_text(&self) -> String {
        let is_notification = self.kind == "Notification";
        let fields = [
            ("Message", Some(&self.message)),
            ("MessageId", Some(&self.message_id)),
            ("Subject", self.subject.as_ref().filter(|_| is_notification)),
            ("SubscribeURL", self.subscribe_url.as_ref().filter(|_| !is_notification)),
            ("Timestamp", Some(&self.timestamp)),
            ("Token", self.token.as_ref().filter(|_| !is_notification)),
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some(&self.kind)),
        ];
        fields.iter().filter_map(|(name, value)| Some(format!("{name}\n{}\n", (*value)?))).collect()
    }

    /// Refuses a message of too long ago, or of the future.
    pub(super) fn check_age(&self, now: Timestamp, limit_seconds: u64) -> Result<(), String> {
        let at: Timestamp = self.timestamp.parse().map_err(|_| "its `Timestamp` is no time".to_owned())?;
        let seconds = now.duration_since(at).as_secs().unsigned_abs();
        if seconds > limit_seconds {
            return Err(format!("it was sent {seconds} seconds from now; {limit_seconds} are taken"));
        }
        Ok(())
    }

    /// Where the certificate is, if that is a place of SNS's.
    pub(super) fn certificate_url(&self) -> Result<&str, String> {
        let uri = self.of_sns(&self.signing_cert_url).filter(|uri| {
            let name = uri.path().strip_prefix("/SimpleNotificationService-");
            let name = name.and_then(|name| name.strip_suffix(".pem"));
            let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            name.is_some_and(is_name) && uri.query().is_none()
        });
        uri.map(|_| self.signing_cert_url.as_str()).ok_or_else(|| {
            format!("its `SigningCertURL` is no certificate of SNS's: `{}`", start_of(&self.signing_cert_url))
        })
    }

    /// What confirms the subscription, if that is a place of SNS's.
    pub(super) fn subscribe_url(&self) -> Result<&str, String> {
        let url = self.subscribe_url.as_deref().unwrap_or_default();
        let confirms = |uri: &Uri| {
            uri.query().is_some_and(|query| query.split('&').any(|part| part == "Action=ConfirmSubscription"))
        };
        let uri = self.of_sns(url).filter(|uri| uri.path() == "/" && confirms(uri));
        uri.map(|_| url).ok_or_else(|| "its `SubscribeURL` does not confirm a subscription at SNS".to_owned())
    }

    /// A URL whose host is SNS's, in the partition of the topic.
    fn of_sns(&self, url: &str) -> Option<Uri> {
        let partition = self.topic_arn.split(':').nth(1)?;
        let end = if partition == "aws-cn" { ".amazonaws.com.cn" } else { ".amazonaws.com" };
        // With a port, or somebody's name before it, the authority is another.
        let uri: Uri = url.parse().ok()?;
        let region = uri.authority()?.as_str().strip_prefix("sns.")?.strip_suffix(end)?;
        (uri.scheme_str() == Some("https") && is_region(region)).then_some(uri)
    }
}

/// Enough of a URL to see what it is: it goes into the log, and anybody may have written it.
fn start_of(url: &str) -> String {
    url.chars().take(200).collect()
}
