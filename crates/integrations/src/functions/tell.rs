//! `rectify-tell`: sends a message to every channel.

use async_trait::async_trait;
use detection::{
    Finding, FindingInput,
    finding::{Milestone, TimelineEntry},
};
use engine::ports::CallKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Caller, Function, FunctionError, Records, message, parse};
use crate::channels::{Channels, Delivery, Message};

/// What a message about a failed response is called.
const FAILED: &str = "failed";

/// The function. Payload: who calls, and `{Kind, Text, Owner, …}`; of a playbook without a finding `{Execution, State}` and a
/// [`message::Notice`]. Answer: `{Results: [{Channel, Ok, Error?}]}`, empty where no
/// channel is configured. It fails, as `NobodyReached`, only if every channel failed.
///
/// A call is answered at most once to its machine, which keeps the answer: so a message is doubled only by a crash between the
/// two, and then it has the same id.
#[derive(Clone)]
pub struct Tell {
    records: Records,
    channels: Channels,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Payload {
    kind: String,
    #[serde(flatten)]
    said: message::Said,
}

/// What a playbook tells: the execution's ARN, the state's name.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfPlaybook {
    execution: String,
    state: String,
    #[serde(flatten)]
    notice: message::Notice,
}

impl Tell {
    pub(crate) fn new(records: Records, channels: Channels) -> Tell {
        Tell { records, channels }
    }

    /// Tells that an execution of a guardrail's machine ended without an end of its own, and records it on the finding. A second
    /// time it does nothing. Its error is why nobody was reached: to be called again.
    pub async fn of_failure(&self, finding: &Finding) -> Result<(), String> {
        let finding = self.records.finding(&finding.id).await.map_err(|error| error.to_string())?;
        let failure = finding.timeline.iter().rev().find(|entry| entry.what == Milestone::ExecutionFailed);
        if failure.is_some_and(|failure| told_since(&finding, failure, FAILED)) {
            return Ok(());
        }
        let key = match failure {
            Some(failure) => CallKey { caller: failure.by.clone(), call: "tell of failure".to_owned() },
            // A finding that could not take the failure does not tell of it; people hear of it all the same.
            None => CallKey { caller: finding.id.clone(), call: format!("tell of failure {}", finding.version) },
        };
        let said = said_of(&finding, failure);
        let results = self.send(&finding, &key, FAILED, &said).await.map_err(|error| error.to_string())?;
        let told = FindingInput::Told { kind: FAILED.to_owned(), results };
        self.records.apply(&finding, &key, &told).await.map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Sends one message to every channel; what became of it on each, as `Results`.
    pub(super) async fn send(
        &self,
        finding: &Finding,
        key: &CallKey,
        kind: &str,
        said: &message::Said,
    ) -> Result<Value, FunctionError> {
        self.deliver(&message::render(finding, key, kind, said), &finding.id).await
    }

    /// Sends a message; `about` is the finding or the execution, for the log.
    async fn deliver(&self, message: &Message, about: &str) -> Result<Value, FunctionError> {
        let (deliveries, kind) = (self.channels.send(message).await, &message.kind);
        if deliveries.is_empty() {
            tracing::warn!(about, kind, "nobody is configured to be told: add a channel to `channels`");
        }
        for Delivery { channel, result } in &deliveries {
            if let Err(error) = result {
                tracing::warn!(about, kind, channel, %error, "a channel was not reached");
            }
        }
        if !deliveries.is_empty() && deliveries.iter().all(|delivery| delivery.result.is_err()) {
            let reasons = deliveries.iter().filter_map(|Delivery { channel, result }| {
                result.as_ref().err().map(|error| format!("`{channel}`: {error}"))
            });
            return Err(FunctionError::new(
                "NobodyReached",
                format!("no channel could be reached; {}", reasons.collect::<Vec<_>>().join("; ")),
            ));
        }
        Ok(deliveries.iter().map(result_of).collect())
    }
}

fn said_of(finding: &Finding, failure: Option<&TimelineEntry>) -> message::Said {
    let text = |name: &str| Some(failure?.detail.get(name)?.as_str()?.to_owned());
    message::Said {
        text: format!(
            "{}: {} could not be dealt with: the response ended {}",
            finding.title,
            finding.resource,
            text("Status").unwrap_or_else(|| "badly".to_owned())
        ),
        error: text("Error"),
        cause: text("Cause"),
        ..message::Said::default()
    }
}

/// Whether somebody was told of that kind after an entry of the timeline.
pub(super) fn told_since(finding: &Finding, entry: &TimelineEntry, kind: &str) -> bool {
    let since = finding.timeline.iter().rev().take_while(|later| *later != entry);
    since
        .filter(|later| later.what == Milestone::Told)
        .any(|later| later.detail.get("Kind").and_then(Value::as_str) == Some(kind))
}

fn result_of(delivery: &Delivery) -> Value {
    match &delivery.result {
        Ok(()) => json!({"Channel": delivery.channel, "Ok": true}),
        Err(error) => json!({"Channel": delivery.channel, "Ok": false, "Error": error.to_string()}),
    }
}

#[async_trait]
impl Function for Tell {
    fn name(&self) -> &'static str {
        "tell"
    }

    async fn invoke(&self, payload: Value) -> Result<Value, FunctionError> {
        if payload.get("FindingId").is_none() {
            let OfPlaybook { execution, state, notice } = parse(&payload)?;
            let key = CallKey { caller: execution, call: state };
            let results = self.deliver(&message::render_notice(&key, &notice), &key.caller).await?;
            return Ok(json!({"Results": results}));
        }
        let caller: Caller = parse(&payload)?;
        let Payload { kind, said } = parse(&payload)?;
        let finding = self.records.finding(&caller.finding_id).await?;
        let results = self.send(&finding, &caller.key(), &kind, &said).await?;
        Ok(json!({"Results": results}))
    }
}
