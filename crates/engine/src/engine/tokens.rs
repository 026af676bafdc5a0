//! Task tokens: answers of people and other programs.

use execution::Input;
use serde_json::Value;

use super::{Engine, Refusal, message::Delivered, slot::hash_of};

impl Engine {
    /// SendTaskSuccess.
    pub async fn send_task_success(&self, token: &str, output: Value) -> Result<(), Refusal> {
        self.answer(token, |event_id| Input::TaskSucceeded { event_id, output }).await
    }

    /// SendTaskFailure.
    pub async fn send_task_failure(
        &self,
        token: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<(), Refusal> {
        self.answer(token, |event_id| Input::TaskFailed { event_id, error, cause }).await
    }

    /// SendTaskHeartbeat.
    pub async fn send_task_heartbeat(&self, token: &str) -> Result<(), Refusal> {
        self.answer(token, |event_id| Input::TaskHeartbeat { event_id }).await
    }

    async fn answer(&self, token: &str, input: impl FnOnce(u64) -> Input) -> Result<(), Refusal> {
        let task = self.shared().store.task_of_token(hash_of(token)).await?;
        let (arn, event_id) = task.ok_or_else(|| Refusal::InvalidToken("Invalid Token: 'Invalid token'".to_owned()))?;
        match self.deliver(&arn, input(event_id)).await? {
            Delivered::Taken(_) | Delivered::HandedOver(_) => Ok(()),
            Delivered::Late => {
                Err(Refusal::TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'".to_owned()))
            }
        }
    }
}
