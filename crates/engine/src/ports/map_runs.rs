//! The port through which map runs are kept.
//!
//! A map run is written with the records that begin it, and each of its children is counted in the write that begins or ends it. So
//! whatever crashes, what the run does next is found again from its row: [`execution::map_run::next`].

use async_trait::async_trait;
use execution::{
    Ended, MapRunFailure, MapRunSpecification, Status,
    map_run::{ChildInput, Count, ItemSource, MapRunLimits, MapRunStatus, Standing, Surroundings, results::Child},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{NewExecution, StoreError};
use crate::engine::ExecutionRecord;

/// A map run as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct MapRunRecord {
    /// Its number in the store.
    pub number: u64,
    /// What it is to do, without the items and what `ItemSelector` sees: [`MapRunStore::items_of_run`] has them.
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
    /// How often it was redriven.
    pub redrive_count: u64,
    /// When last.
    pub redriven_at: Option<Timestamp>,
}

/// What a run reads its items from, until all have been read.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemsOfRun {
    /// Where they come from.
    pub source: ItemSource,
    /// What `ItemSelector` sees beside them, where there is one.
    pub surroundings: Option<Surroundings>,
    /// How far they have been read.
    pub cursor: ReaderCursor,
}

/// How far the items of a run have been read into children that are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReaderCursor {
    /// Where the reader begins anew; `null` is the beginning.
    pub position: Value,
    /// Items after that which are in children already.
    pub skip: u64,
    /// Items in children, from the beginning.
    pub items: u64,
    /// Those children: the number of the next.
    pub children: u64,
}

/// Children that are to run now.
#[derive(Clone, Debug, Default)]
pub struct ChildrenBegun {
    /// ARNs of new Standard executions, which have no journal yet: to be taken up.
    pub to_take_up: Vec<String>,
    /// ARNs of Standard executions that wait for their redrive; counted as running by the write that redrives them.
    pub to_redrive: Vec<String>,
    /// Express executions.
    pub express: Vec<ExpressChild>,
}

/// An Express child that is to run: it lives in memory, and a crash begins it anew.
#[derive(Clone, Debug)]
pub struct ExpressChild {
    /// Its number in the store.
    pub number: u64,
    /// What it begins with.
    pub new: NewExecution,
}

/// Which children of a run to list; what is `None` or false excludes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// `statusFilter`.
    pub status: Option<Status>,
    /// `statusFilter` PENDING_REDRIVE: only those that wait for their redrive.
    pub is_pending_redrive: bool,
    /// `redriveFilter`.
    pub is_redriven: Option<bool>,
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

    /// What a run reads its items from; `None` once all have been read.
    async fn items_of_run(&self, number: u64) -> Result<Option<ItemsOfRun>, StoreError>;

    /// Adds children that are still to begin, after those that the cursor counted until now, and keeps how far the items were read
    /// with them. `is_complete` says that these were the last.
    ///
    /// A crash before: the items are read again from the cursor that was. After: from this one.
    async fn add_children(
        &self,
        number: u64,
        inputs: Vec<ChildInput>,
        cursor: ReaderCursor,
        is_complete: bool,
    ) -> Result<(), StoreError>;

    /// Begins at most so many of the children that wait, in one write; those that were redriven first.
    async fn begin_children(&self, number: u64, limit: u64, now: Timestamp) -> Result<ChildrenBegun, StoreError>;

    /// A child that waits for its redrive can't be redriven: it stays as it ended.
    async fn child_is_not_redrivable(&self, arn: &str) -> Result<(), StoreError>;

    /// Express children that run, by their numbers in the store above `after`, ascending: after a crash they are begun anew. Each with
    /// its definition's text.
    async fn express_children(&self, after: u64, limit: usize) -> Result<Vec<(ExpressChild, String)>, StoreError>;

    /// Keeps how an Express child ended, and counts it. A crash before: it is begun anew.
    async fn end_express_child(&self, number: u64, ended: Ended, at: Timestamp) -> Result<(), StoreError>;

    /// The ARNs of children that run.
    async fn running_children(&self, number: u64, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Children that have ended, by number from `from` on, ascending.
    async fn ended_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, Child)>, StoreError>;

    /// The inputs of children that never began, by number from `from` on, ascending.
    async fn pending_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError>;

    /// Keeps that a run fails, and why.
    async fn fail_map_run(&self, number: u64, failure: MapRunFailure) -> Result<(), StoreError>;

    /// Keeps how a run ended. One that was redriven meanwhile goes on.
    async fn end_map_run(&self, number: u64, end: MapRunEnd) -> Result<(), StoreError>;

    /// The execution that waited for it has been told. A crash between the telling and this: it is told twice, and takes it once.
    async fn map_run_is_told(&self, number: u64) -> Result<(), StoreError>;

    /// Changes the limits of a run that has not ended; whether there is a run of that ARN.
    async fn update_map_run(&self, arn: &str, limits: MapRunLimits) -> Result<bool, StoreError>;

    /// Child executions of a run, the newest first, after the ARN named; `None` where there is no such run.
    async fn executions_of_map_run(
        &self,
        arn: &str,
        filter: ExecutionFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<ExecutionRecord>>, StoreError>;
}
