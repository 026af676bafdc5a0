//! What the engine needs of others, and what it offers to the built-in functions.

mod catalogue;
mod evaluations;
mod executions;
mod exports;
mod jobs;
mod map_runs;

use std::time::Duration;

use async_trait::async_trait;
use detection::{Event, Finding, FindingInput, Settings, Sighting, Stage, WorkflowStatus, decide::Exception};
use execution::{
    ScheduledTask,
    inspection::{InspectionDataRequest, InspectionDataResponse},
    map_run::{Item, Reading},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::mpsc;

pub use self::catalogue::{
    Activity, CatalogueStore, Created, Creation, MachineAlias, MachineChange, MachineVersion, Published, Route,
};
pub use self::evaluations::{EvaluationStore, PendingEvaluation};
pub use self::executions::{
    ActivityTask, Begun, DefinitionHash, Due, ExecutionKind, ExecutionStore, JournalRow, MapRunChange, NewExecution,
    Progress, Put, Recorded, Redrive, Standing, Stored, TokenHash,
};
pub use self::exports::{ExportOutcome, ExportStanding, ExportStore, PendingExport};
pub use self::jobs::{Job, JobStanding, JobStore, NewJob};
pub use self::map_runs::{
    ChildrenBegun, ExecutionFilter, ExpressChild, ItemsOfRun, MapRunChild, MapRunEnd, MapRunRecord, MapRunStore,
    ReaderCursor,
};

/// A sleep is never longer, so that a clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The time and randomness of the world.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// 256 bits that nobody can guess.
    fn seed(&self) -> [u8; 32];
    /// Waits until then, or a while: whoever waits looks at the time again.
    async fn sleep_until(&self, due: Option<Timestamp>) {
        let pause = match due {
            Some(due) => due.duration_since(self.now()).max(SignedDuration::ZERO),
            None => SignedDuration::MAX,
        };
        tokio::time::sleep(pause.unsigned_abs().min(LONGEST_SLEEP)).await;
    }
}

/// Performs tasks. At least once: a task is performed again after a crash that lost its answer.
#[async_trait]
pub trait TaskExecutor: Send + Sync {
    /// Performs a task. Dropping the future cancels it.
    async fn perform(&self, task: Task) -> TaskOutcome;

    /// The same as [`TaskExecutor::perform`], and for an HTTP Task what went over the wire: for somebody who tests it. What a connection
    /// adds to the request is shown only to those who may see secrets.
    async fn perform_traced(&self, task: Task, _reveal_secrets: bool) -> (TaskOutcome, Option<Trace>) {
        (self.perform(task).await, None)
    }

    /// Asks once how a job stands that was begun: a task with [`submitted`](ScheduledTask::submitted). Unless this is said otherwise,
    /// performing such a task waits for its end.
    async fn ask_job(&self, task: Task) -> JobStanding {
        JobStanding::Ended(self.perform(task).await)
    }

    /// The ARN of the execution whose end is the end of a job, where both are of the engine that asks: it is not asked after before.
    fn awaited_execution(&self, _task: &Task) -> Option<String> {
        None
    }

    /// Nobody waits for a job any more that was begun: its execution was stopped, or the task's time is over. Stops it where the
    /// service can. Called again, with growing pauses and for about an hour, until it answers `Ok`, also after a crash.
    async fn stop_job(&self, _task: Task) -> Result<(), String> {
        Ok(())
    }

    /// Whether it performs a task by itself, without asking another service's patience: such a task does not wait for those that do.
    /// It is performed on the thread that decides for its execution and for others, so it may wait, and must neither block nor compute
    /// for long.
    fn is_local(&self, _task: &Task) -> bool {
        false
    }

    /// Whether it performs a task by calling the engine that asks, which may have to perform others before it answers: such a task takes
    /// no place among those at once.
    fn calls_engine(&self, _task: &Task) -> bool {
        false
    }

    /// Reads the items of a map run (`ItemReader`), in their order, page by page, and waits while nobody takes them. Ends early, and
    /// well, once nobody wants any more. An error is the cause of `States.ItemReaderFailed`; so is that what was read from before is
    /// not what it was.
    async fn read_items(&self, _items: ItemsToRead, _pages: mpsc::Sender<ItemPage>) -> Result<(), String> {
        Err("this executor reads no items: give it one that does, or let the state's input hold them".to_owned())
    }

    /// Writes an object of a map run's results (`ResultWriter`). An error is the cause of `States.ResultWriterFailed`.
    async fn put_object(&self, _object: ObjectToPut) -> Result<(), String> {
        Err("this executor writes no objects: leave out the ResultWriter's Resource".to_owned())
    }

    /// An execution of a guardrail ended FAILED, TIMED_OUT or ABORTED; its finding has been failed already. Tell somebody. Called
    /// again until it answers `Ok`, also after a crash.
    async fn tell_of_failure(&self, finding: &Finding) -> Result<(), String>;
}

/// A task, with whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The execution.
    pub execution_arn: String,
    /// Its state machine; a task calls this ARN's Region, as this ARN's account.
    pub state_machine_arn: String,
    /// What to do.
    pub scheduled: ScheduledTask,
}

/// What went over the wire for an HTTP Task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The last request.
    pub request: InspectionDataRequest,
    /// Its answer, if there was one.
    pub response: Option<InspectionDataResponse>,
}

/// The items of a map run, and whose they are.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemsToRead {
    /// The state machine; its ARN's Region and account are called.
    pub state_machine_arn: String,
    /// Where they are.
    pub reading: Reading,
    /// From which page on: the [`ItemPage::position`] of one that was read before.
    pub from: Option<Value>,
}

/// Some items of a map run, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemPage {
    /// Where reading begins anew after a crash: at some item, which is this page's first or came before it.
    pub position: Value,
    /// How many items come between the position and this page.
    pub skip: u64,
    /// The items.
    pub items: Vec<Item>,
}

/// An object of a map run's results.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectToPut {
    /// The state machine; its ARN's Region and account are called.
    pub state_machine_arn: String,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What is in it: JSON.
    pub body: String,
}

impl std::fmt::Debug for ObjectToPut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ObjectToPut")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A task's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOutcome {
    /// Done.
    Succeeded(Value),
    /// Not done.
    Failed {
        /// `Error`.
        error: String,
        /// `Cause`.
        cause: String,
    },
    /// An activity task that no worker can ask for.
    ScheduleFailed {
        /// `Error`.
        error: String,
        /// `Cause`.
        cause: String,
    },
    /// Handed over; the answer comes by token (`.waitForTaskToken`), or by asking after the job that was begun (`.sync`).
    Submitted(Value),
}

/// The store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// It can't now: full, read-only, not answering. Its text says what to do.
    #[error("{0}")]
    Unavailable(String),
    /// What it holds is damaged or newer than this program.
    #[error("{0}")]
    Damaged(String),
}

/// Why a finding was not changed.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// No such finding.
    #[error("there is no finding `{0}`")]
    NoSuchFinding(String),
    /// The finding can't take it.
    #[error(transparent)]
    Illegal(#[from] detection::finding::IllegalFindingInput),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who changes a finding: the same key again changes nothing and gives the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallKey {
    /// The execution's ARN, or a person's name and a unique part.
    pub caller: String,
    /// The state's name and how often it was entered; or what the person does.
    pub call: String,
}

/// A body that could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct UnreadableEvent {
    /// Its id in the store.
    pub id: String,
    /// Where it came from: a queue's URL, `POST /events` …
    pub origin: String,
    /// As it came, lossily as text where it is no UTF-8; cut at a limit, with a note that it was.
    pub body: String,
    /// Why it is no event.
    pub reason: String,
    /// When.
    pub received_at: Timestamp,
}

/// Which findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FindingFilter {
    /// Of this guardrail.
    pub guardrail: Option<String>,
    /// With this workflow status.
    pub status: Option<WorkflowStatus>,
    /// At this stage.
    pub stage: Option<Stage>,
}

/// Events, findings, exceptions and counters.
#[async_trait]
pub trait FindingStore: Send + Sync {
    /// One finding.
    async fn finding(&self, id: &str) -> Result<Option<Finding>, StoreError>;

    /// Findings, the newest first, at most `limit`, after the one named.
    async fn findings(
        &self,
        filter: &FindingFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Finding>, StoreError>;

    /// Changes a finding by [`Finding::apply`], in one conditional write with its counters. Answers what `apply` answered, and
    /// again the same when the same key comes again.
    async fn apply(
        &self,
        finding_id: &str,
        key: &CallKey,
        input: &FindingInput,
        settings: &Settings,
    ) -> Result<Value, ApplyError>;

    /// The event of this identity, as it was stored.
    async fn event(&self, identity: &str) -> Result<Option<Event>, StoreError>;

    /// Keeps a body that could not be read.
    async fn keep_unreadable(&self, event: UnreadableEvent) -> Result<(), StoreError>;

    /// Bodies that could not be read, the newest first; of each body its first characters.
    async fn unreadable(&self, limit: usize, body_characters: usize) -> Result<Vec<UnreadableEvent>, StoreError>;

    /// One of them, whole.
    async fn unreadable_event(&self, id: &str) -> Result<Option<UnreadableEvent>, StoreError>;

    /// Forgets a body that could be read after all.
    async fn forget_unreadable(&self, id: &str) -> Result<(), StoreError>;

    /// Adds an exception.
    async fn add_exception(&self, exception: Exception) -> Result<(), StoreError>;
}

/// A sighting, and the machine that responds to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Responder {
    /// What was sighted.
    pub sighting: Sighting,
    /// The guardrail's state machine in the sighting's Region; of a rule's match, the one that tells people.
    pub state_machine_arn: String,
}

/// A playbook that an event starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybookStart {
    /// Its id: so many of its executions run at once as [`ExecutionStore::limit_playbook`] said.
    pub playbook: String,
    /// Its state machine in the event's Region.
    pub state_machine_arn: String,
    /// The same for the same event: an execution of this name is started once.
    pub execution_name: String,
    /// The input's text.
    pub input: String,
    /// Rules' findings, by their ids: the event starts the playbook only if one of them begins an occurrence by it that no exception
    /// leaves alone. Of none: it starts it.
    pub findings: Vec<String>,
}

/// All that an event leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reactions {
    /// Guardrails that respond.
    pub responders: Vec<Responder>,
    /// Playbooks that start.
    pub playbooks: Vec<PlaybookStart>,
}

impl From<Vec<Responder>> for Reactions {
    fn from(responders: Vec<Responder>) -> Reactions {
        Reactions { responders, ..Reactions::default() }
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whether it had been received before: then nothing was done.
    pub duplicate: bool,
    /// Responses and playbooks started.
    pub started: usize,
    /// Findings that took it along.
    pub absorbed: usize,
}
