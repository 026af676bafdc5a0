//! The port through which executions are kept, and what goes through it.
//!
//! Whoever starts an execution or makes it go on writes once, and acts afterwards. So a crash has only two outcomes: before the
//! write, nothing happened, and whoever asked asks again; after it, replaying what was written finds what is still to be done.

use async_trait::async_trait;
use detection::{Event, Finding};
use execution::{Ended, HistoryEvent, MapRunSpecification, Record, Status, map_run::MapRunRedrive};
use jiff::Timestamp;

use super::{
    CatalogueStore, JobStore, MapRunChild, MapRunStore, NewJob, PlaybookStart, Reactions, Receipt, StoreError,
};
use crate::engine::{ExecutionRecord, StateMachineRecord};

/// SHA-256 of a definition's text: definitions are kept once by it, and an execution keeps the one it began with.
pub type DefinitionHash = [u8; 32];

/// SHA-256 of a task token: the token itself is not looked up by, nor kept beside, what it stands for.
pub type TokenHash = [u8; 32];

/// How an execution is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecutionKind {
    /// All of it: what was answered survives a crash.
    #[default]
    Standard,
    /// Of an Express machine, and somebody waits for its end: nothing of it, a crash ends it.
    Synchronous,
    /// Of an Express machine: its start. A crash begins it anew (at least once).
    Asynchronous,
    /// An Express child of a map run: its start and its end. A crash in between begins it anew.
    MapRunChild,
}

/// An execution to be kept from now on.
#[derive(Clone, Debug)]
pub struct NewExecution {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Its state machine.
    pub state_machine_arn: String,
    /// How it is kept.
    pub kind: ExecutionKind,
    /// The version that it is started as, where it is.
    pub version_arn: Option<String>,
    /// The alias that it is started by, where it is.
    pub alias_arn: Option<String>,
    /// What the machine's settings and revision are kept by.
    pub revision: Option<DefinitionHash>,
    /// The definition it runs to its end.
    pub definition: DefinitionHash,
    /// The machine's role.
    pub role_arn: String,
    /// Its input's text.
    pub input: String,
    /// The finding it responds to, which fails if it does.
    pub finding: Option<String>,
    /// The map run whose child it is.
    pub map_run: Option<MapRunChild>,
    /// When it began.
    pub started_at: Timestamp,
}

/// What one or more steps said, in one write.
#[derive(Clone, Debug)]
pub struct Progress {
    /// One row a step, in order; never rewritten.
    pub rows: Vec<JournalRow>,
    /// The tokens of the tasks that these steps asked for, each with the task's event id.
    pub tokens: Vec<(TokenHash, u64)>,
    /// The activity tasks that these steps asked for: the activity's ARN and the task's event id. Each waits for a worker.
    pub offered: Vec<(String, u64)>,
    /// Jobs that these steps found begun. One that is there stays as it is.
    pub jobs: Vec<NewJob>,
    /// Tasks, by their event ids, that nobody waits for any more: no worker is to have them, and jobs among them are to be stopped.
    pub withdrawn: Vec<u64>,
    /// Tasks, by their event ids, whose ends somebody else than their performers told: jobs among them are over, and forgotten.
    pub told: Vec<u64>,
    /// The redrive that was among these steps, if one was.
    pub redrive: Option<Redrive>,
    /// The map runs that these steps began.
    pub map_runs: Vec<MapRunSpecification>,
    /// What became of map runs that were there before, or that these steps began; in the order of the steps.
    pub map_run_changes: Vec<MapRunChange>,
    /// How the execution stands afterwards.
    pub standing: Standing,
    /// It stands as the store has it: nothing is to be changed about that.
    pub stands_as_before: bool,
}

/// What became of a map run.
#[derive(Clone, Debug, PartialEq)]
pub enum MapRunChange {
    /// Nobody waits for it any more; its ARN.
    Stopped(String),
    /// It goes on.
    Redriven(MapRunRedrive),
}

/// A redrive of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// How many there have been with this one.
    pub count: u64,
    /// When.
    pub at: Timestamp,
    /// `clientToken`: the same again is the same redrive.
    pub client_token: Option<String>,
}

/// All that one step recorded.
#[derive(Clone, Debug)]
pub struct JournalRow {
    /// From 0, without a gap.
    pub seq: u64,
    /// The id of the last history event up to here.
    pub last_event: u64,
    /// What the step recorded.
    pub records: Vec<Record>,
}

/// How an execution stands, as far as it matters after a restart.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Something is to be done: it is replayed at once.
    Working,
    /// It stays in the store until this timer is due, or a token or a stop comes.
    Waiting {
        /// The next of its timers.
        next_timer_at: Option<Timestamp>,
    },
    /// It is over.
    Ended {
        /// How it ended.
        ended: Ended,
        /// When.
        at: Timestamp,
    },
}

/// What a write of [`Progress`] led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Whether there is now something to do about a job.
    pub jobs_changed: bool,
    /// The ARNs of executions that waited for this one's end and have something to do now.
    pub admitted: Vec<String>,
}

/// What became of an execution to be begun.
#[derive(Clone, Debug)]
pub enum Begun {
    /// It was kept, under this number.
    New(u64),
    /// There is one of this ARN already: nothing was written.
    Exists(Box<ExecutionRecord>),
}

/// Everything that is kept of an execution.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its number in the store.
    pub number: u64,
    /// What it began with.
    pub new: NewExecution,
    /// The definition's text.
    pub definition: String,
    /// All rows' records, in order. Empty where it was only begun, by [`ExecutionStore::receive`].
    pub records: Vec<Record>,
    /// The `seq` of the next row.
    pub next_seq: u64,
    /// How it stands, by the store.
    pub standing: Standing,
}

/// An execution that only waits, and until when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When its next timer runs out.
    pub at: Timestamp,
    /// Its number in the store.
    pub number: u64,
    /// Its ARN.
    pub arn: String,
}

/// What became of a state machine to be kept.
#[derive(Clone, Debug)]
pub enum Put {
    /// It was made or changed.
    Stored(StateMachineRecord),
    /// It was there, with the same definition and role: nothing was written.
    Same(StateMachineRecord),
    /// It was there, and different, and was not to be replaced.
    Other,
}

/// A task that waits for a worker, or was taken by one and may have got lost on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityTask {
    /// Its number in the store; older ones have smaller numbers.
    pub number: u64,
    /// The execution that waits for it.
    pub execution_arn: String,
    /// Its event id there.
    pub event_id: u64,
}

/// State machines, executions, their journals, task tokens and what is to be told.
#[async_trait]
pub trait ExecutionStore: JobStore + MapRunStore + Send + Sync {
    /// What is kept beside state machines and executions.
    fn catalogue(&self) -> &dyn CatalogueStore;

    /// Keeps a state machine and its definition; `replace` says whether one that is there may be changed.
    async fn put_state_machine(&self, machine: StateMachineRecord, replace: bool) -> Result<Put, StoreError>;

    /// Forgets a state machine, not its executions and what they need. Whether there was one.
    async fn delete_state_machine(&self, arn: &str) -> Result<bool, StoreError>;

    /// One state machine.
    async fn state_machine(&self, arn: &str) -> Result<Option<StateMachineRecord>, StoreError>;

    /// State machines of an account and Region in the order of their ARNs, after the one named.
    async fn state_machines(
        &self,
        account: &str,
        region: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StateMachineRecord>, StoreError>;

    /// Keeps a new execution with its first steps, in one write, if its ARN is free.
    ///
    /// A crash before: it never was, and its starter got no answer. After: it is taken up at the next start.
    async fn begin(&self, new: NewExecution, progress: Progress) -> Result<Begun, StoreError>;

    /// Keeps what an execution's next steps said, and their tokens and map runs; where it was a map run's child and ended, counts it; where it ended badly while responding to a finding, also fails
    /// the finding and notes that somebody has to be told; where it was a playbook's and ended, lets the next of those begin that wait.
    ///
    /// A crash before: the input is lost; its task is performed again, its timer fires again. After: what the steps asked for is
    /// found by replay.
    async fn record(&self, number: u64, progress: Progress) -> Result<Recorded, StoreError>;

    /// Takes in an event: it, the findings of its sightings and the executions to start, in one write; numbers and ARNs of those that
    /// have something to do. A playbook's execution for which there is no room waits in the store, and begins in the write that ends
    /// another.
    ///
    /// A crash before: the event was not acknowledged and comes again. After: the executions have their input and no journal, and are
    /// taken up at the next start.
    async fn receive(
        &self,
        event: &Event,
        reactions: Reactions,
        now: Timestamp,
    ) -> Result<(Receipt, Vec<(u64, String)>), StoreError>;

    /// Starts a playbook as [`ExecutionStore::receive`] does, without its event; its ARN, if there is room for it now and it was not
    /// started before.
    async fn start_playbook(&self, start: PlaybookStart, now: Timestamp) -> Result<Option<String>, StoreError>;

    /// Says how many executions of a playbook may run at once from now on: the ARNs of those that begin because of it.
    async fn limit_playbook(&self, playbook: &str, concurrency: u32) -> Result<Vec<String>, StoreError>;

    /// How many executions of a playbook wait for their turn.
    async fn playbook_waiting(&self, playbook: &str) -> Result<u64, StoreError>;

    /// Keeps the start of an asynchronous execution of an Express machine; its number there.
    ///
    /// A crash before: its starter got no answer. After: it is begun anew at the next start.
    async fn keep_express(&self, new: NewExecution) -> Result<u64, StoreError>;

    /// It has ended. A crash before: it is begun once more.
    async fn forget_express(&self, number: u64) -> Result<(), StoreError>;

    /// Starts that were kept and not forgotten, each with its definition's text: numbers above `after` and up to `until`, ascending.
    async fn express_starts(
        &self,
        after: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<(u64, NewExecution, String)>, StoreError>;

    /// The highest number of a start that was kept; 0 where there is none.
    async fn last_express(&self) -> Result<u64, StoreError>;

    /// What is needed to replay an execution that has not ended, or whichever.
    async fn load(&self, arn: &str, even_if_ended: bool) -> Result<Option<Stored>, StoreError>;

    /// Executions that have not ended and do not only wait, or wait for a worker of an activity that is not there: numbers above
    /// `after`, ascending.
    async fn with_work(&self, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError>;

    /// How many executions have not ended and do not only wait; `most` where there are more.
    async fn count_at_work(&self, most: usize) -> Result<usize, StoreError>;

    /// Executions that only wait, by their next timer, after the one named.
    async fn waiting(&self, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError>;

    /// One execution.
    async fn execution(&self, arn: &str) -> Result<Option<ExecutionRecord>, StoreError>;

    /// The state machine that an execution began with, as it was then.
    async fn machine_of_execution(&self, arn: &str) -> Result<Option<StateMachineRecord>, StoreError>;

    /// Executions of a machine, a version or an alias, the newest first, after the ARN named.
    async fn executions(
        &self,
        state_machine_arn: &str,
        status: Option<Status>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ExecutionRecord>, StoreError>;

    /// History events with ids above `after` (or below it, reversed); `None` where there is no such execution.
    async fn history(
        &self,
        arn: &str,
        after: Option<u64>,
        limit: usize,
        reverse: bool,
    ) -> Result<Option<Vec<HistoryEvent>>, StoreError>;

    /// Whose a task token is: the execution's ARN and the task's event id.
    async fn task_of_token(&self, hash: TokenHash) -> Result<Option<(String, u64)>, StoreError>;

    /// Tasks that wait for a worker of an activity, the oldest first.
    async fn activity_tasks(&self, activity: &str, limit: usize) -> Result<Vec<ActivityTask>, StoreError>;

    /// A worker has it, or nobody waits for it. A crash before: it is handed out again.
    async fn forget_activity_task(&self, number: u64) -> Result<(), StoreError>;

    /// Failed findings that nobody has been told of yet, the oldest first, each with the number of the execution that failed.
    async fn alerts(&self, limit: usize) -> Result<Vec<(u64, Finding)>, StoreError>;

    /// Somebody has been told. A crash between the telling and this: it is told twice.
    async fn alert_told(&self, number: u64) -> Result<(), StoreError>;
}
