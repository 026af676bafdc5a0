//! An SQS queue, polled. A message is deleted after what it holds is stored, never before.

use std::time::Duration;

use aws::{Aws, Call};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{Intake, intake::NotTaken, metrics::figures::queue_name};

/// How long one poll waits for messages (SQS's long polling, its longest).
const WAIT_TIME_SECONDS: u64 = 20;
/// What a poll may bring (SQS's most).
const MESSAGES_AT_ONCE: u64 = 10;
/// The pause after a poll that failed: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A queue to poll.
#[derive(Clone)]
pub struct Queue {
    /// Its URL.
    pub url: String,
    /// Calls SQS.
    pub aws: Aws,
    /// Where its messages go.
    pub intake: Intake,
}

impl Queue {
    /// Polls until `stop` says so. What fails is told and tried again: an unreachable AWS, a full store.
    pub async fn poll(self, mut stop: watch::Receiver<bool>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let round = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                round = self.round() => round,
            };
            match round {
                Ok(()) => pause = FIRST_PAUSE,
                Err(error) => {
                    self.intake.figures().queue_failures.of(queue_name(&self.url)).increment();
                    tracing::warn!(
                        queue = self.url,
                        error,
                        "polling failed; it is tried again in {} s",
                        pause.as_secs_f32()
                    );
                    tokio::select! {
                        _ = stop.wait_for(|stop| *stop) => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One poll: receive, store, delete.
    async fn round(&self) -> Result<(), String> {
        let parameters = json!({"QueueUrl": self.url, "MaxNumberOfMessages": MESSAGES_AT_ONCE, "WaitTimeSeconds": WAIT_TIME_SECONDS,
            "MessageSystemAttributeNames": ["SentTimestamp"]});
        let answer = self.call("receiveMessage", parameters, WAIT_TIME_SECONDS + 10).await?;
        let messages = answer.get("Messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        self.intake.figures().polled(&self.url, messages);
        let mut done = Vec::new();
        let mut failed = None;
        for message in messages {
            let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
            match self.take(text("Body")).await {
                Ok(()) => done.push(json!({"Id": done.len().to_string(), "ReceiptHandle": text("ReceiptHandle")})),
                // Not deleted: it comes again when its visibility timeout is over.
                Err(error) => failed = Some(error.to_string()),
            }
        }
        if !done.is_empty() {
            // A message that is not deleted comes again, and is then a duplicate.
            self.call("deleteMessageBatch", json!({"QueueUrl": self.url, "Entries": done}), 30).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    async fn take(&self, body: &str) -> Result<(), NotTaken> {
        self.intake.take_body(body.as_bytes(), &self.url).await.map(|_| ())
    }

    async fn call(&self, action: &str, parameters: Value, timeout_seconds: u64) -> Result<Value, String> {
        let call = Call {
            service: "sqs".to_owned(),
            action: action.to_owned(),
            parameters,
            region: region_of(&self.url).map(str::to_owned),
            role_arn: None,
            idempotency_token: None,
            attempts: 3,
            timeout_seconds,
            answer_bytes: None,
        };
        self.aws.call(call).await.map_err(|error| error.to_string())
    }
}

/// A queue's Region is its host's (`sqs.REGION.amazonaws.com`); elsewhere it is the process's own.
fn region_of(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split(['/', ':']).next()?;
    let (prefix, rest) = host.split_once('.')?;
    if prefix == "sqs" {
        return rest.split_once(".amazonaws.com").map(|(region, _)| region);
    }
    rest.starts_with("queue.amazonaws.com").then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_the_host_s() {
        let check = |url: &str, expected: Option<&str>| assert_eq!(region_of(url), expected, "{url}");
        check("https://sqs.eu-central-1.amazonaws.com/123456789012/events", Some("eu-central-1"));
        check("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/events", Some("cn-north-1"));
        check("https://us-west-2.queue.amazonaws.com/123456789012/events", Some("us-west-2"));
        check("http://127.0.0.1:5000/123456789012/events", None);
        check("events", None);
    }
}
