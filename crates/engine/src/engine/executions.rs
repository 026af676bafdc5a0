//! Executions, as the API has them.

use execution::{Ended, HistoryEvent, Input, Status};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Engine, ExecutionRecord, MachineType, Refusal, StateMachineRecord,
    machines::Registered,
    message::{Beginning, Delivered, Message, Started},
    names, stopping,
};
use crate::ports::{ExecutionKind, NewExecution, StoreError};

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

    /// Keeps the `traceHeader` that an execution was started with, to describe it.
    pub async fn keep_trace_header(&self, execution_arn: &str, trace_header: String) -> Result<(), Refusal> {
        Ok(self.shared().store.catalogue().keep_trace_header(execution_arn, trace_header).await?)
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
        let (registered, alias_arn) = self.startable(state_machine_arn).await?;
        if registered.record.machine_type == MachineType::Express {
            return self.start_express(&registered, name, input).await;
        }
        let kind = ExecutionKind::Standard;
        let new = NewExecution { alias_arn, finding, ..self.new_execution(&registered, name, input, kind)? };
        let arn = new.arn.clone();
        let shared = self.shared();
        let room = shared.room_soon().await?;
        let (reply, answer) = oneshot::channel();
        let beginning =
            Beginning { new, machine: registered.machine.clone(), kept_as: None, watcher: None, room, reply };
        shared.send(&arn, Message::Begin(Box::new(beginning))).await?;
        match answer.await.map_err(|_| stopping())?? {
            Started::New(record) => Ok(*record),
            Started::Exists(Some(there)) => same_or_refused(*there, input),
            Started::Exists(None) => same_or_refused(self.find_execution(&arn).await?, input),
        }
    }

    /// What an execution of a machine begins with.
    pub(super) fn new_execution(
        &self,
        registered: &Registered,
        name: Option<&str>,
        input: &str,
        kind: ExecutionKind,
    ) -> Result<NewExecution, Refusal> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => self.uuid().to_string(),
        };
        names::check_name(&name)?;
        check_input(input, self.shared().options.quotas.payload_bytes)?;
        let machine = &registered.record;
        let arn = match kind {
            ExecutionKind::Standard => names::execution_arn(&machine.arn, &name),
            _ => names::express_arn(&machine.arn, &format!("{name}:{}", self.uuid())),
        };
        Ok(NewExecution {
            arn: arn.ok_or_else(|| Refusal::InvalidArn(format!("Invalid Arn: '{}'", machine.arn)))?,
            name,
            state_machine_arn: machine.arn.clone(),
            kind,
            version_arn: registered.version_arn(),
            alias_arn: None,
            revision: registered.revision,
            definition: registered.hash,
            role_arn: machine.role_arn.clone(),
            input: input.to_owned(),
            finding: None,
            map_run: None,
            started_at: to_the_millisecond(self.shared().clock.now()),
        })
    }

    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(self.shared().clock.seed()).for_each(|(byte, random)| *byte = random);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// DescribeExecution.
    pub async fn describe_execution(&self, arn: &str) -> Result<ExecutionRecord, Refusal> {
        self.find_execution(arn).await
    }

    /// DescribeStateMachineForExecution: the machine as it was when the execution began.
    pub async fn describe_state_machine_for_execution(&self, arn: &str) -> Result<StateMachineRecord, Refusal> {
        names::check_execution_arn(arn)?;
        self.shared().store.machine_of_execution(arn).await?.ok_or_else(|| does_not_exist(arn))
    }

    /// ListExecutions of a machine, a version or an alias, the newest first, after the ARN named.
    pub async fn list_executions(
        &self,
        state_machine_arn: &str,
        status: Option<Status>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ExecutionRecord>, Refusal> {
        if self.resolved(state_machine_arn).await?.0.record.machine_type == MachineType::Express {
            return Err(not_of_this_type());
        }
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
            Delivered::Late | Delivered::HandedOver(_) => {
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
        // Looked up once more when it is surely watched: the worker may hear of its end before it hears of the watcher.
        let (reply, ended) = oneshot::channel();
        let (watching, watched) = oneshot::channel();
        self.shared().send(arn, Message::Watch { arn: arn.into(), watching, reply }).await?;
        watched.await.map_err(|_| stopping())?;
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

/// What a machine of the other type is needed for.
pub(super) fn not_of_this_type() -> Refusal {
    let text = "This operation is not supported by this type of state machine";
    Refusal::StateMachineTypeNotSupported(text.to_owned())
}

fn does_not_exist(arn: &str) -> Refusal {
    Refusal::ExecutionDoesNotExist(format!("Execution Does Not Exist: '{arn}'"))
}

/// As precisely as the API and the history say when.
pub(super) fn to_the_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

pub(super) fn check_input(input: &str, limit: usize) -> Result<(), Refusal> {
    if input.len() > limit {
        return Err(invalid_input(&format!("it has {} bytes, and {limit} are allowed", input.len())));
    }
    serde_json::from_str::<IgnoredAny>(input).map(|_| ()).map_err(|_| not_json(input))
}

/// What is no JSON, or none that can be used here, as an input.
pub(super) fn not_json(input: &str) -> Refusal {
    let (deep, most) = (execution::json::depth(input), execution::Limits::AWS.depth);
    let why = match asl::document::not_json(input) {
        Some(why) => why,
        None if deep > most => format!("its arrays and objects nest {deep} levels deep, and {most} are allowed"),
        None => match execution::Json::parse(input) {
            Err(error) => error.to_string(),
            Ok(_) => "it can't be used".to_owned(),
        },
    };
    invalid_input(&why)
}

pub(super) fn invalid_input(why: &str) -> Refusal {
    Refusal::InvalidExecutionInput(format!("Invalid State Machine Execution Input: '{why}'"))
}
