//! Executions, as the API has them.

use execution::{Ended, ExecutionStart, HistoryEvent, Input, Status};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Engine, ExecutionRecord, Refusal,
    message::{Beginning, Delivered, Message, Started},
    names, stopping,
};
use crate::ports::{NewExecution, StoreError};

/// Bytes of an execution's input, at most.
const INPUT_LIMIT: usize = 262_144;

impl Engine {
    /// StartExecution; durable when it answers. The same name with the same input is the same execution while it runs.
    pub async fn start_execution(
        &self,
        state_machine_arn: &str,
        name: Option<&str>,
        input: &str,
    ) -> Result<ExecutionRecord, Refusal> {
        self.begin(state_machine_arn, name, input, None).await
    }

    /// The same, of a guardrail's machine, on behalf of a finding: if the execution ends FAILED, TIMED_OUT or ABORTED, the finding
    /// fails in the same write, and somebody is told.
    pub async fn start_response(
        &self,
        state_machine_arn: &str,
        name: &str,
        input: &str,
        finding_id: &str,
    ) -> Result<ExecutionRecord, Refusal> {
        self.begin(state_machine_arn, Some(name), input, Some(finding_id.to_owned())).await
    }

    async fn begin(
        &self,
        state_machine_arn: &str,
        name: Option<&str>,
        input: &str,
        finding: Option<String>,
    ) -> Result<ExecutionRecord, Refusal> {
        let registered = self.registered(state_machine_arn).await?;
        let name = match name {
            Some(name) => name.to_owned(),
            None => Uuid::new_v4().to_string(),
        };
        names::check_name(&name)?;
        check_input(input)?;
        let machine = &registered.record;
        let arn = names::execution_arn(&machine.arn, &name)
            .ok_or_else(|| Refusal::InvalidArn(format!("Invalid Arn: '{}'", machine.arn)))?;
        let start = ExecutionStart {
            execution_arn: arn.clone(),
            name: name.clone(),
            state_machine_arn: machine.arn.clone(),
            state_machine_name: machine.name.clone(),
            role_arn: machine.role_arn.clone(),
            input: input.to_owned(),
        };
        let shared = self.shared();
        let room = shared.room().await?;
        let new = NewExecution {
            arn: arn.clone(),
            name,
            state_machine_arn: machine.arn.clone(),
            definition: registered.hash,
            role_arn: machine.role_arn.clone(),
            input: input.to_owned(),
            finding,
            map_run: None,
            started_at: to_the_millisecond(shared.clock.now()),
        };
        let (reply, answer) = oneshot::channel();
        let beginning = Beginning { new, machine: registered.machine.clone(), start, room, reply };
        shared.send(&arn, Message::Begin(Box::new(beginning))).await?;
        match answer.await.map_err(|_| stopping())?? {
            Started::New(record) => Ok(*record),
            Started::Exists(Some(there)) => same_or_refused(*there, input),
            Started::Exists(None) => same_or_refused(self.find_execution(&arn).await?, input),
        }
    }

    /// DescribeExecution.
    pub async fn describe_execution(&self, arn: &str) -> Result<ExecutionRecord, Refusal> {
        self.find_execution(arn).await
    }

    /// ListExecutions of a machine, the newest first, after the ARN named.
    pub async fn list_executions(
        &self,
        state_machine_arn: &str,
        status: Option<Status>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ExecutionRecord>, Refusal> {
        self.registered(state_machine_arn).await?;
        Ok(self.shared().store.executions(state_machine_arn, status, after, limit).await?)
    }

    /// GetExecutionHistory: events with ids above `after` (or below, reversed), at most `limit`.
    pub async fn history(
        &self,
        execution_arn: &str,
        after: Option<u64>,
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<HistoryEvent>, Refusal> {
        names::check_execution_arn(execution_arn)?;
        let events = self.shared().store.history(execution_arn, after, limit, reverse).await?;
        events.ok_or_else(|| does_not_exist(execution_arn))
    }

    /// StopExecution; when it stopped. One that had ended before stays as it is.
    pub async fn stop_execution(
        &self,
        arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Timestamp, Refusal> {
        let there = self.find_execution(arn).await?;
        if let Some(stopped_at) = there.stopped_at {
            return Ok(stopped_at);
        }
        match self.deliver(arn, Input::StopExecution { error, cause }).await? {
            Delivered::Taken(at) => Ok(at),
            Delivered::Late => {
                let there = self.find_execution(arn).await?;
                Ok(there.stopped_at.unwrap_or_else(|| self.shared().clock.now()))
            }
        }
    }

    /// Waits until an execution ends. It need not be in memory.
    pub async fn wait_for_end(&self, arn: &str) -> Result<Ended, Refusal> {
        if let Some(ended) = self.find_execution(arn).await?.ended {
            return Ok(ended);
        }
        // Watched first and looked up once more then: whatever ends it in between tells the watcher.
        let (reply, ended) = oneshot::channel();
        self.shared().send(arn, Message::Watch { arn: arn.into(), reply }).await?;
        match self.find_execution(arn).await?.ended {
            Some(ended) => Ok(ended),
            None => Ok(ended.await.map_err(|_| stopping())?),
        }
    }

    /// Tells an execution something; what became of it, durably.
    pub(super) async fn deliver(&self, arn: &str, input: Input) -> Result<Delivered, StoreError> {
        self.shared().deliver(arn, input).await
    }

    async fn find_execution(&self, arn: &str) -> Result<ExecutionRecord, Refusal> {
        names::check_execution_arn(arn)?;
        self.shared().store.execution(arn).await?.ok_or_else(|| does_not_exist(arn))
    }
}

/// StartExecution is idempotent while the execution runs: the same name and input are the same execution.
fn same_or_refused(there: ExecutionRecord, input: &str) -> Result<ExecutionRecord, Refusal> {
    if there.status == Status::Running && there.input == input {
        return Ok(there);
    }
    Err(Refusal::ExecutionAlreadyExists(format!("Execution Already Exists: '{}'", there.arn)))
}

fn does_not_exist(arn: &str) -> Refusal {
    Refusal::ExecutionDoesNotExist(format!("Execution Does Not Exist: '{arn}'"))
}

/// As precisely as the API and the history say when.
pub(super) fn to_the_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

fn check_input(input: &str) -> Result<(), Refusal> {
    if input.len() > INPUT_LIMIT {
        return Err(Refusal::InvalidExecutionInput(format!(
            "Invalid Execution Input: 'it has {} bytes, and {INPUT_LIMIT} are allowed'",
            input.len()
        )));
    }
    serde_json::from_str::<IgnoredAny>(input)
        .map(|_| ())
        .map_err(|error| Refusal::InvalidExecutionInput(format!("Invalid Execution Input: '{error}'")))
}
