//! RedriveExecution.

use execution::redrive::{self, Standing};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::{
    Engine, ExecutionRecord, Refusal, Shared,
    message::{Delivered, Message, Redriving},
    stopping,
};
use crate::ports::StoreError;

/// How long a client token names its redrive.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html> (`clientToken`)
const TOKEN_PERIOD: SignedDuration = SignedDuration::from_mins(15);

impl Engine {
    /// RedriveExecution; when it was redriven. Again with the same client token, it is the same redrive.
    pub async fn redrive_execution(&self, arn: &str, client_token: Option<&str>) -> Result<Timestamp, Refusal> {
        let there = self.describe_execution(arn).await?;
        let now = self.shared().clock.now();
        if let Some(at) = redriven_before(&there, client_token, now) {
            return Ok(at);
        }
        self.check_redrivable(&there)?;
        let shared = self.shared();
        let machine = shared.store.state_machine(&there.state_machine_arn).await?;
        if machine.is_some_and(|machine| machine.is_deleting) {
            let text = "State Machine is being deleted, and its executions are stopped";
            return Err(Refusal::ExecutionNotRedrivable(text.to_owned()));
        }
        let room = shared.room().await?;
        let (reply, answer) = oneshot::channel();
        let client_token = client_token.map(str::to_owned);
        let redriving = Redriving { arn: arn.into(), client_token: client_token.clone(), room, reply };
        shared.send(arn, Message::Redrive(Box::new(redriving))).await?;
        match answer.await.unwrap_or_else(|_| Err(stopping()))? {
            Delivered::Taken(at) => Ok(at),
            // Somebody else was quicker.
            Delivered::Late | Delivered::HandedOver(_) => {
                let there = self.describe_execution(arn).await?;
                if let Some(at) = redriven_before(&there, client_token.as_deref(), now) {
                    return Ok(at);
                }
                self.check_redrivable(&there)?;
                Err(StoreError::Unavailable("the execution was about to end: ask again".to_owned()).into())
            }
        }
    }

    /// Why an execution can't be redriven now, if it can't: `redriveStatusReason` of DescribeExecution.
    pub fn not_redrivable(&self, execution: &ExecutionRecord) -> Option<&'static str> {
        self.shared().not_redrivable(execution)
    }

    fn check_redrivable(&self, execution: &ExecutionRecord) -> Result<(), Refusal> {
        if execution.map_run_arn.is_some() {
            let text = "Execution is a child workflow execution and can only be redriven by its Map Run";
            return Err(Refusal::ExecutionNotRedrivable(text.to_owned()));
        }
        match self.not_redrivable(execution) {
            Some(reason) => Err(Refusal::ExecutionNotRedrivable(reason.to_owned())),
            None => Ok(()),
        }
    }
}

impl Shared {
    /// Why an execution can't be redriven now, if it can't.
    pub(super) fn not_redrivable(&self, execution: &ExecutionRecord) -> Option<&'static str> {
        let standing = Standing {
            status: execution.status,
            redrives: execution.redrive_count,
            last_event_id: execution.last_event_id,
            started_at: execution.started_at,
            stopped_at: execution.stopped_at,
        };
        redrive::refusal(&standing, self.clock.now())
    }
}

/// When it was redriven with this client token, if that is not long ago.
fn redriven_before(execution: &ExecutionRecord, client_token: Option<&str>, now: Timestamp) -> Option<Timestamp> {
    let (_, at) = execution.redrive_tokens.iter().rfind(|(token, _)| Some(token.as_str()) == client_token)?;
    (now.duration_since(*at) <= TOKEN_PERIOD).then_some(*at)
}
