//! The port through which map runs are kept.
//!
//! A map run is written with the records that begin it, and each of its children is counted in the write that begins or ends it. So
//! whatever crashes, what the run does next is found again from its row: [`execution::map_run::next`].

use async_trait::async_trait;
use execution::{
    MapRunFailure, MapRunSpecification, Status,
    map_run::{ChildInput, Count, MapRunLimits, MapRunStatus, Standing, results::Child},
};
use jiff::Timestamp;
use serde_json::Value;

use super::StoreError;
use crate::engine::ExecutionRecord;

/// A map run as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct MapRunRecord {
    /// Its number in the store.
    pub number: u64,
    /// What it is to do; the items of its state only until they have been read.
    pub specification: MapRunSpecification,
    /// How it stands.
    pub standing: Standing,
    /// Its status.
    pub status: MapRunStatus,
    /// Children whose results were exported.
    pub results_written: Count,
    /// Its Map's result, once it has succeeded.
    pub result: Option<Value>,
    /// Whether the execution that waits for it has been told of its end.
    pub is_told: bool,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
}

/// Of which map run an execution is a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRunChild {
    /// The run's ARN.
    pub arn: String,
    /// The Map whose processor it runs: names are unique in a machine.
    pub state_name: String,
    /// Whether it is an Express execution.
    pub is_express: bool,
}

/// How a map run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct MapRunEnd {
    /// Not RUNNING.
    pub status: MapRunStatus,
    /// Its Map's result, where it succeeded.
    pub result: Option<Value>,
    /// Why it failed, where it did.
    pub failure: Option<MapRunFailure>,
    /// Children whose results were exported.
    pub results_written: Count,
    /// When.
    pub at: Timestamp,
}

/// Map runs and their children. After a crash before a write nothing of it happened, and the run does it again; after it, the run
/// goes on from there.
#[async_trait]
pub trait MapRunStore: Send + Sync {
    /// One map run.
    async fn map_run(&self, arn: &str) -> Result<Option<MapRunRecord>, StoreError>;

    /// The definition, and its hash, of the machine that a run's Map is in.
    async fn map_run_definition(&self, number: u64) -> Result<(super::DefinitionHash, String), StoreError>;

    /// Map runs of an execution, the newest first, after the ARN named.
    async fn map_runs(
        &self,
        execution_arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<MapRunRecord>, StoreError>;

    /// Map runs that have something to do, by number above `after`, ascending.
    async fn map_runs_with_work(&self, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError>;

    /// Forgets the children that a reading which was broken off left.
    async fn forget_children(&self, number: u64) -> Result<(), StoreError>;

    /// Adds children that are still to begin, numbered from `first`.
    async fn add_children(&self, number: u64, first: u64, inputs: Vec<ChildInput>) -> Result<(), StoreError>;

    /// All children have been added: they can begin. The specification no longer holds the items.
    async fn children_are_complete(&self, number: u64, specification: MapRunSpecification) -> Result<(), StoreError>;

    /// Begins at most so many of the pending children, in one write: each becomes an execution without a journal, to be taken up.
    /// Their ARNs.
    async fn begin_children(&self, number: u64, limit: u64, now: Timestamp) -> Result<Vec<String>, StoreError>;

    /// The ARNs of children that run.
    async fn running_children(&self, number: u64, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Children that have ended, by number from `from` on, ascending.
    async fn ended_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, Child)>, StoreError>;

    /// The inputs of children that never began, by number from `from` on, ascending.
    async fn pending_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError>;

    /// Keeps that a run fails, and why.
    async fn fail_map_run(&self, number: u64, failure: MapRunFailure) -> Result<(), StoreError>;

    /// Keeps how a run ended.
    async fn end_map_run(&self, number: u64, end: MapRunEnd) -> Result<(), StoreError>;

    /// The execution that waited for it has been told. A crash between the telling and this: it is told twice, and takes it once.
    async fn map_run_is_told(&self, number: u64) -> Result<(), StoreError>;

    /// Changes the limits of a run that has not ended; whether there is a run of that ARN.
    async fn update_map_run(&self, arn: &str, limits: MapRunLimits) -> Result<bool, StoreError>;

    /// Child executions of a run, the newest first, after the ARN named; `None` where there is no such run.
    async fn executions_of_map_run(
        &self,
        arn: &str,
        status: Option<Status>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<ExecutionRecord>>, StoreError>;
}
