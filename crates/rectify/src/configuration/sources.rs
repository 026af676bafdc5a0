//! `sources` of `rectify.yaml`: queues to poll, webhooks to serve, SNS topics to hear.

use std::{env, fs, path::PathBuf};

use detection::{Source, source::Webhook};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Configuration, Reader, unknown};

/// The shortest secret of a webhook, in characters: a shorter one can be guessed.
const SECRET_CHARACTERS_LEAST: usize = 16;

/// For how long a message that was received stays invisible to others, in seconds, unless said; and SQS's most.
const VISIBILITY_SECONDS: u64 = 30;
const VISIBILITY_SECONDS_MAX: u64 = 43_200;

/// A queue to poll.
#[derive(Debug)]
pub struct QueueSource {
    /// Its URL.
    pub url: String,
    /// For how long a message that was received stays invisible to others, in seconds, before that is extended.
    pub visibility_timeout_seconds: u64,
}

/// A webhook to serve.
#[derive(Debug)]
pub struct WebhookSource {
    /// The id of the source.
    pub source: String,
    secret: SecretPlace,
}

/// Where a secret is kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SecretPlace {
    /// In a variable of the environment of this name.
    Environment(String),
    /// In a file.
    File(PathBuf),
}

impl SecretPlace {
    /// The secret, without blanks and line ends around it. No error tells anything of it.
    fn read(&self) -> Result<SecretString, String> {
        let (secret, place) = match self {
            SecretPlace::Environment(name) => {
                let place = format!("the environment variable {name}");
                (env::var(name).map_err(|_| format!("{place} is not set, or is no text"))?, place)
            }
            SecretPlace::File(path) => {
                let place = path.display().to_string();
                (fs::read_to_string(path).map_err(|error| format!("{place} can't be read: {error}"))?, place)
            }
        };
        let secret = secret.trim();
        if secret.chars().count() < SECRET_CHARACTERS_LEAST {
            return Err(format!("{place} holds less than {SECRET_CHARACTERS_LEAST} characters, which can be guessed"));
        }
        Ok(secret.into())
    }
}

impl Configuration {
    /// The webhooks to serve, each with what its source asks for and its secret.
    pub fn webhooks(&self, sources: &[Source]) -> Result<Vec<(String, Webhook, SecretString)>, String> {
        let served = |served: &WebhookSource| {
            let webhook = webhook(sources, &served.source)?;
            let reason = |reason| format!("the secret of the webhook `{}`: {reason}", served.source);
            Ok((served.source.clone(), webhook.clone(), served.secret.read().map_err(reason)?))
        };
        self.webhooks.iter().map(served).collect()
    }

    /// What names a source that is not there, or that has no webhook.
    pub fn unknown_webhooks(&self, sources: &[Source]) -> Vec<String> {
        self.webhooks.iter().filter_map(|served| webhook(sources, &served.source).err()).collect()
    }
}

fn webhook<'s>(sources: &'s [Source], id: &str) -> Result<&'s Webhook, String> {
    let with_webhook = sources.iter().filter(|source| source.webhook.is_some());
    let found = with_webhook.clone().find(|source| source.id == id).and_then(|source| source.webhook.as_ref());
    found.ok_or_else(|| unknown("there is no source with a webhook", id, with_webhook.map(|source| source.id.as_str())))
}

/// `arn:PARTITION:sns:REGION:ACCOUNT:NAME`
fn is_topic(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
        if [partition, region, account, name].iter().all(|part| !part.is_empty()))
}

impl Reader<'_> {
    /// The queues, the webhooks, and the ARNs of topics.
    pub(super) fn sources(&mut self, at: &str, value: &Value) -> (Vec<QueueSource>, Vec<WebhookSource>, Vec<String>) {
        let (mut queues, mut webhooks, mut topics) = (Vec::new(), Vec::<WebhookSource>::new(), Vec::new());
        let Some(sources) = value.as_array() else {
            self.problem(at, "`sources` is a list", Some("sources: [{sqs: {queue_url: \"https://…\"}}]"));
            return (queues, webhooks, topics);
        };
        for index in 0..sources.len() {
            let source = format!("{at}/{index}");
            let kinds = self.object(&source, &["sqs", "webhook", "sns"]);
            if value.get(index).and_then(Value::as_object).is_some_and(Map::is_empty) {
                self.problem(&source, "a source of no kind", Some("{sqs: {queue_url: \"https://…\"}}"));
            }
            for (kind, at, _) in kinds {
                if kind == "sqs" {
                    queues.extend(self.queue(&at));
                } else if kind == "sns" {
                    topics.extend(self.topic(&at));
                } else if let Some(webhook) = self.webhook(&at) {
                    if webhooks.iter().any(|other| other.source == webhook.source) {
                        self.problem(&at, &format!("the webhook `{}` is here twice", webhook.source), None);
                    }
                    webhooks.push(webhook);
                }
            }
        }
        (queues, webhooks, topics)
    }

    fn queue(&mut self, at: &str) -> Option<QueueSource> {
        let (mut url, mut visibility_timeout_seconds) = (None::<String>, VISIBILITY_SECONDS);
        for (key, at, _) in self.object(at, &["queue_url", "visibility_timeout_seconds"]) {
            if key == "queue_url" {
                url = self.value(&at, "the URL of an SQS queue");
            } else if let Some(seconds) = self.within(&at, "seconds", 1, VISIBILITY_SECONDS_MAX) {
                visibility_timeout_seconds = seconds;
            }
        }
        let url = url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
        if url.is_none() {
            let help = "`aws sqs get-queue-url` tells it";
            self.problem(at, "`sqs` needs `queue_url`, the URL of an SQS queue", Some(help));
        }
        url.map(|url| QueueSource { url, visibility_timeout_seconds })
    }

    fn topic(&mut self, at: &str) -> Option<String> {
        let mut arn: Option<String> = None;
        for (_, at, _) in self.object(at, &["topic_arn"]) {
            arn = self.value(&at, "the ARN of an SNS topic");
        }
        let arn = arn.filter(|arn| is_topic(arn));
        if arn.is_none() {
            let help = "arn:aws:sns:REGION:ACCOUNT:NAME";
            self.problem(at, "`sns` needs `topic_arn`, the ARN of an SNS topic", Some(help));
        }
        arn
    }

    fn webhook(&mut self, at: &str) -> Option<WebhookSource> {
        let (mut source, mut secret) = (None, None);
        for (key, at, _) in self.object(at, &["source", "secret"]) {
            if key == "source" {
                source = self.value(&at, "the id of a source");
            } else {
                secret = self.value(&at, "`{environment: NAME}` or `{file: PATH}`, not the secret itself,");
            }
        }
        if let (Some(source), Some(secret)) = (source, secret) {
            return Some(WebhookSource { source, secret });
        }
        let help = "{source: datadog, secret: {environment: DATADOG_SECRET}}";
        self.problem(at, "`webhook` needs `source` and `secret`", Some(help));
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn webhooks_and_their_secrets() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "0123456789abcdef").unwrap();
        let text = |source: &str| {
            format!("sources:\n  - webhook: {{source: {source}, secret: {{file: {}}}}}\n", file.path().display())
        };
        let (sources, _) = crate::content::sources(None).unwrap();
        let configuration = Configuration::parse(&text("okta")).unwrap();
        assert!(configuration.unknown_webhooks(&sources).is_empty());
        let webhooks = configuration.webhooks(&sources).unwrap();
        assert_eq!((webhooks.len(), webhooks[0].0.as_str()), (1, "okta"));
        assert!(!format!("{webhooks:?}").contains("0123456789abcdef"));

        for (source, told) in [("octa", "did you mean `okta`?"), ("guardduty", "there is no source with a webhook")] {
            let found = Configuration::parse(&text(source)).unwrap().unknown_webhooks(&sources);
            assert!(found.len() == 1 && found[0].contains(told), "{found:?}");
        }
        file.as_file().set_len(8).unwrap();
        let refusal = configuration.webhooks(&sources).unwrap_err();
        assert!(refusal.contains("less than 16 characters") && !refusal.contains("01234567"), "{refusal}");
    }

    #[test]
    fn topics() {
        let arn = "arn:aws:sns:eu-west-1:123456789012:findings";
        let text = |arn: &str| format!("sources: [{{sns: {{topic_arn: \"{arn}\"}}}}]\n");
        assert_eq!(Configuration::parse(&text(arn)).unwrap().topics, [arn]);
        // A subscription, a queue, a pattern of no Region.
        for no in [&format!("{arn}:1234"), "arn:aws:sqs:eu-west-1:123456789012:q", "arn:aws:sns:::findings"] {
            let found: Vec<String> =
                Configuration::parse(&text(no)).unwrap_err().iter().map(ToString::to_string).collect();
            assert!(found.iter().any(|problem| problem.contains("`topic_arn`")), "{no}: {found:?}");
        }
    }

    #[test]
    fn what_is_no_webhook() {
        for (text, told) in [
            ("sources: [{webhook: {source: okta}}]\n", "`webhook` needs `source` and `secret`"),
            ("sources: [{webhook: {source: okta, secret: s3cret}}]\n", "not the secret itself"),
            ("sources: [{webhook: {source: okta, secret: {env: X}}}]\n", "`{environment: NAME}` or `{file: PATH}`"),
            ("sources: [{webhook: {sauce: okta}}]\n", "did you mean `source`?"),
            (
                "sources: [{webhook: {source: okta, secret: {file: a}}}, {webhook: {source: okta, secret: {file: a}}}]\n",
                "the webhook `okta` is here twice",
            ),
        ] {
            let found: Vec<String> = Configuration::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
            assert!(found.iter().any(|problem| problem.contains(told)), "{text}: {found:?}");
            assert!(!found.join("").contains("s3cret"));
        }
    }
}
