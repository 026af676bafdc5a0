//! An SQS queue, polled. A message is deleted after what it holds is stored, never before; until then it stays invisible to others.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws::{Aws, Call};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};

use crate::{Intake, intake::NotTaken, metrics::figures::queue_name};

/// How long one poll waits for messages (SQS's long polling, its longest).
const WAIT_TIME_SECONDS: u64 = 20;
/// What a poll may bring (SQS's most).
const MESSAGES_AT_ONCE: u64 = 10;
/// The pause after what failed: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often it is looked whether playbooks have caught up.
const HELD_UP_PAUSE: Duration = Duration::from_millis(500);
/// How long the messages that are being taken may go on when the end was asked for.
const LAST_TAKES: Duration = Duration::from_secs(2);
/// How long deleting and giving back may take.
const ANSWER_SECONDS: u64 = 30;

/// A queue to poll.
#[derive(Clone)]
pub struct Queue {
    /// Its URL.
    pub url: String,
    /// For how long a message that was received stays invisible to others, in seconds, from 1 on. It is extended for as long as the
    /// message is not stored.
    pub visibility_timeout_seconds: u64,
    /// Calls SQS.
    pub aws: Aws,
    /// Where its messages go.
    pub intake: Intake,
}

/// A pause that doubles.
struct Pause(Duration);

impl Pause {
    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// What was received at once, by the number in it: the handles of messages that are not taken yet, and of those that may be deleted.
#[derive(Default)]
struct Batch {
    waiting: BTreeMap<usize, String>,
    taken: BTreeMap<usize, String>,
    /// Why some stay in the queue: they come again when their visibility timeout is over.
    left: Option<String>,
}

impl Batch {
    fn settle(&mut self, number: usize, outcome: Result<(), String>) {
        let Some(handle) = self.waiting.remove(&number) else { return };
        match outcome {
            Ok(()) => drop(self.taken.insert(number, handle)),
            Err(reason) => self.left = Some(reason),
        }
    }
}

impl Queue {
    /// Polls until `stop` says so. What fails is told and tried again: an unreachable AWS, a full store.
    pub async fn poll(self, mut stop: watch::Receiver<bool>) {
        let mut pause = Pause(FIRST_PAUSE);
        while !*stop.borrow() {
            match self.round(&mut stop).await {
                Ok(()) => pause = Pause(FIRST_PAUSE),
                Err(error) => {
                    self.intake.figures().queue_failures.of(queue_name(&self.url)).increment();
                    let pause = pause.next();
                    let seconds = pause.as_secs_f32();
                    tracing::warn!(queue = self.url, error, "polling failed; it is tried again in {seconds} s");
                    tokio::select! {
                        () = end(&mut stop) => return,
                        () = sleep(pause) => {}
                    }
                }
            }
        }
    }

    /// One poll: receive, store, delete.
    async fn round(&self, stop: &mut watch::Receiver<bool>) -> Result<(), String> {
        let received = tokio::select! {
            () = end(stop) => return Ok(()),
            received = self.receive() => received?,
        };
        let (mut batch, mut takes) = (Batch::default(), JoinSet::new());
        for (number, message) in received.iter().enumerate() {
            let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            batch.waiting.insert(number, text("ReceiptHandle"));
            let (queue, body) = (self.clone(), text("Body"));
            takes.spawn(async move { (number, queue.take(&body).await) });
        }
        let extended_each = Duration::from_millis(self.visibility_timeout_seconds.max(1) * 1000 / 3);
        let mut extension = interval_at(Instant::now() + extended_each, extended_each);
        extension.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                taken = takes.join_next() => match taken {
                    None => break,
                    // One that ended without an answer is not taken, and comes again.
                    Some(taken) => if let Ok((number, outcome)) = taken { batch.settle(number, outcome) },
                },
                _ = extension.tick() => self.hold(&mut batch).await,
                () = end(stop) => {
                    let last = async {
                        while let Some(taken) = takes.join_next().await {
                            if let Ok((number, outcome)) = taken { batch.settle(number, outcome) }
                        }
                    };
                    // What is still not taken then may be all the same: it comes again, and is a duplicate.
                    let _ = timeout(LAST_TAKES, last).await;
                    break;
                }
            }
        }
        drop(takes);
        self.give_back(&batch).await;
        self.delete(&mut batch).await?;
        batch.left.map_or(Ok(()), Err)
    }

    /// The next messages, once playbooks can keep up with them.
    async fn receive(&self) -> Result<Vec<Value>, String> {
        loop {
            match self.intake.admit().await {
                Ok(()) => break,
                Err(NotTaken::HeldUp(_)) => sleep(HELD_UP_PAUSE).await,
                Err(error) => return Err(error.to_string()),
            }
        }
        let parameters = json!({
            "QueueUrl": self.url, "MaxNumberOfMessages": MESSAGES_AT_ONCE, "WaitTimeSeconds": WAIT_TIME_SECONDS,
            "VisibilityTimeout": self.visibility_timeout_seconds, "MessageSystemAttributeNames": ["SentTimestamp"],
        });
        let mut answer = self.call("receiveMessage", parameters, WAIT_TIME_SECONDS + 10).await?;
        let messages = match answer.get_mut("Messages").map(Value::take) {
            Some(Value::Array(messages)) => messages,
            _ => Vec::new(),
        };
        self.intake.figures().polled(&self.url, &messages);
        Ok(messages)
    }

    /// Takes a message. What the store can't take now is held here and tried again, however long that takes: in the queue each try
    /// would count towards its dead-letter queue.
    async fn take(&self, body: &str) -> Result<(), String> {
        let mut pause = Pause(FIRST_PAUSE);
        loop {
            let error = match self.intake.take_body(body.as_bytes(), &self.url).await {
                Ok(_) => return Ok(()),
                Err(error @ NotTaken::Object(_)) => return Err(error.to_string()),
                Err(error) => error,
            };
            let pause = pause.next();
            let seconds = pause.as_secs_f32();
            tracing::warn!(queue = self.url, %error, "a message is not taken; it is held, and tried again in {seconds} s");
            sleep(pause).await;
        }
    }

    /// Deletes what is taken, and keeps the rest from others for longer.
    async fn hold(&self, batch: &mut Batch) {
        if let Err(error) = self.delete(batch).await {
            tracing::warn!(queue = self.url, error, "what is stored can't be deleted; it is tried again");
        }
        self.change_visibility(&batch.waiting, self.visibility_timeout_seconds).await;
    }

    /// Lets others have what was not taken, at once.
    async fn give_back(&self, batch: &Batch) {
        if !batch.waiting.is_empty() {
            let messages = batch.waiting.len();
            tracing::info!(queue = self.url, messages, "messages that were not taken are given back");
            self.change_visibility(&batch.waiting, 0).await;
        }
    }

    async fn change_visibility(&self, handles: &BTreeMap<usize, String>, seconds: u64) {
        if handles.is_empty() {
            return;
        }
        let entry = |(number, handle): (&usize, &String)| json!({"Id": number.to_string(), "ReceiptHandle": handle, "VisibilityTimeout": seconds});
        let entries: Vec<Value> = handles.iter().map(entry).collect();
        let parameters = json!({"QueueUrl": self.url, "Entries": entries});
        let answer = self.call("changeMessageVisibilityBatch", parameters, ANSWER_SECONDS).await;
        if let Some(error) = answer.map_or_else(Some, |answer| failures(&answer)) {
            // They come again, and are duplicates then.
            tracing::warn!(queue = self.url, error, "messages that are not stored yet may come a second time");
        }
    }

    /// Deletes what is taken. A message that is not deleted comes again, and is then a duplicate.
    async fn delete(&self, batch: &mut Batch) -> Result<(), String> {
        if batch.taken.is_empty() {
            return Ok(());
        }
        let entry = |(number, handle): (&usize, &String)| json!({"Id": number.to_string(), "ReceiptHandle": handle});
        let entries: Vec<Value> = batch.taken.iter().map(entry).collect();
        let parameters = json!({"QueueUrl": self.url, "Entries": entries});
        let answer = self.call("deleteMessageBatch", parameters, ANSWER_SECONDS).await?;
        batch.taken.clear();
        failures(&answer).map_or(Ok(()), |failed| Err(format!("messages that are stored were not deleted: {failed}")))
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

/// Waits until the end was asked for.
async fn end(stop: &mut watch::Receiver<bool>) {
    // Where nobody is left who could ask for it, the process ends.
    drop(stop.wait_for(|stop| *stop).await);
}

/// What a batch says of entries that failed, each reason once.
fn failures(answer: &Value) -> Option<String> {
    let failed = answer.get("Failed")?.as_array()?;
    let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let reasons: BTreeSet<String> =
        failed.iter().map(|entry| format!("{} {}", text(entry, "Code"), text(entry, "Message"))).collect();
    (!reasons.is_empty()).then(|| reasons.into_iter().collect::<Vec<_>>().join("; "))
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

    #[test]
    fn failures_are_told_once() {
        let failed = |code: &str| json!({"Id": "1", "Code": code, "Message": "m", "SenderFault": true});
        let check = |answer: Value, expected: Option<&str>| assert_eq!(failures(&answer).as_deref(), expected);
        check(json!({"Successful": [{"Id": "1"}]}), None);
        check(json!({"Failed": []}), None);
        check(json!({"Failed": [failed("b"), failed("a"), failed("b")]}), Some("a m; b m"));
    }
}
