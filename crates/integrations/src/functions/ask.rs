//! `rectify-ask`: asks a person whether something may be fixed; invoked with `.waitForTaskToken`.

use std::fmt::Write as _;

use async_trait::async_trait;
use detection::{
    Finding, FindingInput,
    finding::{Milestone, TaskToken},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Caller, Function, FunctionError, Records, message, parse,
    tell::{self, Tell},
};

/// What the message is called.
const QUESTION: &str = "question";

/// The function. Payload: who calls, and `{TaskToken, DeadlineSeconds, Why, Reason, Owner}`. Answer: `{AlreadyAsked, Results}`.
///
/// The token is stored first, then the question is sent, then that it was sent is recorded. A retry replaces the token; it sends
/// a message only if none was sent before.
pub struct Ask {
    records: Records,
    tell: Tell,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Payload {
    task_token: TaskToken,
    deadline_seconds: u64,
    #[serde(flatten)]
    said: message::Said,
}

impl Ask {
    pub(crate) fn new(records: Records, tell: Tell) -> Ask {
        Ask { records, tell }
    }
}

#[async_trait]
impl Function for Ask {
    fn name(&self) -> &'static str {
        "ask"
    }

    async fn invoke(&self, payload: Value) -> Result<Value, FunctionError> {
        let caller: Caller = parse(&payload)?;
        let Payload { task_token, deadline_seconds, said } = parse(&payload)?;
        let finding = self.records.finding(&caller.finding_id).await?;
        let key = caller.key_of(&format!("asked {}", hash(&task_token)));
        self.records.apply(&finding, &key, &FindingInput::Asked { task_token, deadline_seconds }).await?;

        // Now with the question and its deadline.
        let finding = self.records.finding(&caller.finding_id).await?;
        if was_sent(&finding) {
            return Ok(json!({"AlreadyAsked": true, "Results": []}));
        }
        let key = caller.key_of(QUESTION);
        let results = self.tell.send(&finding, &key, QUESTION, &said).await?;
        let told = FindingInput::Told { kind: QUESTION.to_owned(), results: results.clone() };
        self.records.apply(&finding, &key, &told).await?;
        Ok(json!({"AlreadyAsked": false, "Results": results}))
    }
}

/// Whether the open question was sent.
fn was_sent(finding: &Finding) -> bool {
    let asked = finding.timeline.iter().rev().find(|entry| entry.what == Milestone::Asked);
    asked.is_some_and(|asked| tell::told_since(finding, asked, QUESTION))
}

/// A token is a secret, so no key holds it.
fn hash(token: &TaskToken) -> String {
    Sha256::digest(token.expose()).iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
