//! The engine as others see it.

pub(crate) mod names;

use std::sync::Arc;

use detection::Event;
use execution::{Ended, HistoryEvent, Status};
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

use crate::{
    Clock, FindingStore, TaskExecutor,
    ports::{Receipt, Responder, StoreError},
    sqlite::SqliteStore,
};

/// Limits and habits of the engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// An execution that has only waited for this long leaves memory.
    pub evict_after_seconds: u64,
    /// Executions in memory at once; beyond it, starts wait (back-pressure).
    pub executions_in_memory: usize,
    /// Tasks under way at once.
    pub tasks_at_once: usize,
}

/// Why a request was refused: each variant is AWS's error of the same name.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each is the Step Functions error of the same name, its text the message")]
pub enum Refusal {
    #[error("{0}")]
    StateMachineDoesNotExist(String),
    #[error("{0}")]
    StateMachineAlreadyExists(String),
    #[error("{0}")]
    ExecutionDoesNotExist(String),
    #[error("{0}")]
    ExecutionAlreadyExists(String),
    #[error("{0}")]
    InvalidDefinition(String),
    #[error("{0}")]
    InvalidExecutionInput(String),
    #[error("{0}")]
    InvalidName(String),
    #[error("{0}")]
    InvalidArn(String),
    #[error("{0}")]
    InvalidToken(String),
    #[error("{0}")]
    TaskDoesNotExist(String),
    #[error("{0}")]
    TaskTimedOut(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A state machine as it is kept.
#[derive(Clone, Debug)]
pub struct StateMachineRecord {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// The definition's text, as it was given.
    pub definition: String,
    /// `roleArn`.
    pub role_arn: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An execution as it is kept.
#[derive(Clone, Debug)]
pub struct ExecutionRecord {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Its state machine.
    pub state_machine_arn: String,
    /// Its input's text.
    pub input: String,
    /// Its status.
    pub status: Status,
    /// How it ended.
    pub ended: Option<Ended>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    // filled in by this crate
}

impl Engine {
    /// Takes up what the store holds (recovery is replay, on the path of every step) and begins to work.
    pub async fn start(
        _store: Arc<SqliteStore>,
        _executor: Arc<dyn TaskExecutor>,
        _clock: Arc<dyn Clock>,
        _options: Options,
    ) -> Result<Engine, StoreError> {
        todo!()
    }

    /// CreateStateMachine. The same name with the same definition and role is the same machine (idempotent).
    pub async fn create_state_machine(
        &self,
        _account: &str,
        _region: &str,
        _name: &str,
        _definition: &str,
        _role_arn: &str,
    ) -> Result<StateMachineRecord, Refusal> {
        todo!()
    }

    /// Makes a machine, or gives it a new definition: running executions keep theirs. For guardrails and playbooks.
    pub async fn put_state_machine(
        &self,
        _account: &str,
        _region: &str,
        _name: &str,
        _definition: &str,
        _role_arn: &str,
    ) -> Result<StateMachineRecord, Refusal> {
        todo!()
    }

    /// DeleteStateMachine.
    pub async fn delete_state_machine(&self, _arn: &str) -> Result<(), Refusal> {
        todo!()
    }

    /// DescribeStateMachine.
    pub async fn describe_state_machine(&self, _arn: &str) -> Result<StateMachineRecord, Refusal> {
        todo!()
    }

    /// ListStateMachines, in the account and Region, after the ARN named.
    pub async fn list_state_machines(
        &self,
        _account: &str,
        _region: &str,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<StateMachineRecord>, Refusal> {
        todo!()
    }

    /// StartExecution; durable when it answers. The same name with the same input is the same execution while it runs.
    pub async fn start_execution(
        &self,
        _state_machine_arn: &str,
        _name: Option<&str>,
        _input: &str,
    ) -> Result<ExecutionRecord, Refusal> {
        todo!()
    }

    /// DescribeExecution.
    pub async fn describe_execution(&self, _arn: &str) -> Result<ExecutionRecord, Refusal> {
        todo!()
    }

    /// ListExecutions of a machine, the newest first, after the ARN named.
    pub async fn list_executions(
        &self,
        _state_machine_arn: &str,
        _status: Option<Status>,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<ExecutionRecord>, Refusal> {
        todo!()
    }

    /// GetExecutionHistory: events with ids above `after` (or below, reversed), at most `limit`.
    pub async fn history(
        &self,
        _execution_arn: &str,
        _after: Option<u64>,
        _limit: usize,
        _reverse: bool,
    ) -> Result<Vec<HistoryEvent>, Refusal> {
        todo!()
    }

    /// StopExecution; when it stopped.
    pub async fn stop_execution(
        &self,
        _arn: &str,
        _error: Option<String>,
        _cause: Option<String>,
    ) -> Result<Timestamp, Refusal> {
        todo!()
    }

    /// Waits until an execution ends.
    pub async fn wait_for_end(&self, _arn: &str) -> Result<Ended, Refusal> {
        todo!()
    }

    /// SendTaskSuccess.
    pub async fn send_task_success(&self, _token: &str, _output: Value) -> Result<(), Refusal> {
        todo!()
    }

    /// SendTaskFailure.
    pub async fn send_task_failure(
        &self,
        _token: &str,
        _error: Option<String>,
        _cause: Option<String>,
    ) -> Result<(), Refusal> {
        todo!()
    }

    /// SendTaskHeartbeat.
    pub async fn send_task_heartbeat(&self, _token: &str) -> Result<(), Refusal> {
        todo!()
    }

    /// Takes in an event: it, the findings and the responses to start, in one write. Acknowledge the event once this is `Ok`.
    pub async fn receive(&self, _event: &Event, _responders: Vec<Responder>) -> Result<Receipt, StoreError> {
        todo!()
    }

    /// Events, findings, exceptions and counters.
    pub fn findings(&self) -> Arc<dyn FindingStore> {
        todo!()
    }
}
