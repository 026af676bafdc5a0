//! The port through which jobs are kept (`.sync`): what was begun at a service and is awaited, and what is still to be stopped there.
//!
//! A job is kept in the write that says that it was begun (`TaskSubmitted`), and becomes unwanted in the write that says that nobody
//! waits for it any more, and is forgotten in the write that says that its end was taken. So a crash loses neither the asking nor the
//! stopping, and leaves no job to be asked after for ever.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{StoreError, Task, TaskOutcome};

/// A job that was begun and is to be awaited.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// The task, with what its service answered when it began.
    pub task: Task,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When to ask after it for the first time.
    pub ask_at: Timestamp,
    /// The execution in this store whose end is the job's end: the write that ends it makes the job due, and nobody asks before.
    pub execution: Option<String>,
}

/// A job as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number in the store.
    pub number: u64,
    /// The task, with what its service answered when it began.
    pub task: Task,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When to ask after it, or to stop it.
    pub due_at: Timestamp,
    /// Nobody waits for it any more: it is to be stopped.
    pub is_unwanted: bool,
    /// Answers in a row that told nothing; of one to be stopped, how often that failed.
    pub attempts: u32,
}

/// How a job stands, by its service.
#[derive(Clone, Debug, PartialEq)]
pub enum JobStanding {
    /// It goes on.
    Running,
    /// The service did not say.
    Unclear {
        /// What the task ends with, if that goes on.
        outcome: TaskOutcome,
        /// How often in a row it may.
        allowed: u32,
    },
    /// It is over.
    Ended(TaskOutcome),
}

/// Jobs that are awaited, and that are to be stopped.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Jobs with something to do, the one that is due first before all others; also those that are due later.
    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, StoreError>;

    /// There is nothing new about a job: it is due again then. One that has become unwanted since it was read stays as it is.
    ///
    /// A crash before: it is asked after once more.
    async fn put_off_job(&self, number: u64, is_unwanted: bool, at: Timestamp, attempts: u32)
    -> Result<(), StoreError>;

    /// Its end came when nobody waited for it, or it was stopped. One that has become unwanted since it was read stays as it is.
    ///
    /// A crash before: its end is told again; it is stopped twice.
    async fn forget_job(&self, number: u64, is_unwanted: bool) -> Result<(), StoreError>;

    /// Keeps a job that nobody waits for: it was begun when the last one had gone.
    async fn keep_unwanted_job(&self, task: Task, now: Timestamp) -> Result<(), StoreError>;
}
