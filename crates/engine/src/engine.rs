//! The engine as others see it.

mod activities;
mod alerts;
mod aliases;
mod driver;
mod executions;
mod express;
mod jobs;
mod limit;
mod machines;
mod map_runs;
mod message;
pub(crate) mod names;
mod playbooks;
mod redrive;
mod revisions;
#[cfg(feature = "simulator")]
mod simulated;
mod sleepers;
mod slot;
mod tags;
mod test_state;
mod tokens;
mod worker;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use detection::Event;
use execution::{Ended, Quotas, Status};
use futures_util::future;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
};

use self::{activities::Activities, limit::Limit, machines::Machines, map_runs::MapRuns, message::Message};
pub use self::{
    activities::HandedOver,
    express::SyncExecution,
    machines::NewMachine,
    revisions::{Updated, VersionToPublish},
    test_state::{TestRefusal, Testee},
};
#[cfg(feature = "simulator")]
pub(crate) use self::{
    simulated::{Memory, take_counts},
    slot::hash_of as hash_of_token,
};
use crate::{
    Clock, ExecutionStore, Figures, FindingStore, TaskExecutor,
    ports::{ExecutionKind, Reactions, Receipt, StoreError},
    sqlite::SqliteStore,
    threads::Threads,
};

/// Workers, at least; each owns its share of the executions and is a thread of its own. There are as many as cores, and never fewer
/// than these: a step computes for as long as its expressions do and can't be interrupted, and while one is stuck, only those that
/// share its worker wait for it. More would only share each commit's answers among more threads, which all have to be woken.
const LEAST_WORKERS: usize = 4;
/// Messages that wait for a worker; beyond it, senders wait. More than [`Options::executions_in_memory`] by default, so that those
/// who take up executions do not wait for a worker that is stuck.
const INBOX_LIMIT: usize = 16_384;
/// States tested at once; beyond it, tests wait.
const TESTS_AT_ONCE: usize = 64;
/// How often those who wait for room in memory ask for it.
const ASK_FOR_ROOM: Duration = Duration::from_secs(1);

/// Limits and habits of the engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// An execution that has only waited for this long leaves memory.
    pub evict_after_seconds: u64,
    /// Executions in memory at once; beyond it, starts wait for a moment (back-pressure), and then for room in the store.
    pub executions_in_memory: usize,
    /// Tasks under way at once, and as many more of those that the executor performs itself ([`TaskExecutor::is_local`]), not counting
    /// calls to this engine ([`TaskExecutor::calls_engine`]); beyond it, tasks wait. What waits costs little: a limit only so that a
    /// flood ends somewhere.
    pub tasks_at_once: usize,
    /// What may be larger than on AWS, in executions that begin from now on.
    pub quotas: Quotas,
    /// Jobs (`.sync`) that are asked after, or stopped, at once; beyond it, they wait for their turn. How many are begun has no limit.
    pub jobs_at_once: usize,
    /// When a job that was begun is first asked after. Later, it is asked after when it has run for a tenth longer, and each minute.
    pub ask_jobs_after_milliseconds: u64,
    /// Executions of Express machines at once; beyond it, starts are refused.
    pub express_executions: usize,
    /// What is counted: of [`Engine::start`], what its store counts too.
    pub figures: Arc<Figures>,
    /// Told the ARN of each Standard execution that has ended; not told, and counted, while it has no place.
    pub ended: Option<mpsc::Sender<Arc<str>>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            evict_after_seconds: 60,
            executions_in_memory: 10_000,
            tasks_at_once: 1024,
            quotas: Quotas::AWS,
            jobs_at_once: 256,
            ask_jobs_after_milliseconds: 1000,
            express_executions: 10_000,
            figures: Arc::default(),
            ended: None,
        }
    }
}

impl Options {
    fn ask_jobs_after(&self) -> SignedDuration {
        SignedDuration::from_millis(i64::try_from(self.ask_jobs_after_milliseconds).unwrap_or(i64::MAX))
    }
}

/// Why a request was refused: each variant is AWS's error of the same name.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each is the Step Functions error of the same name, its text the message")]
pub enum Refusal {
    #[error("{0}")]
    ActivityAlreadyExists(String),
    #[error("{0}")]
    ActivityDoesNotExist(String),
    #[error("{0}")]
    ActivityLimitExceeded(String),
    #[error("{0}")]
    ActivityWorkerLimitExceeded(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    MissingRequiredParameter(String),
    #[error("{0}")]
    ResourceNotFound(String),
    #[error("{0}")]
    ServiceQuotaExceeded(String),
    #[error("{0}")]
    TooManyTags(String),
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    StateMachineDoesNotExist(String),
    #[error("{0}")]
    StateMachineAlreadyExists(String),
    #[error("{0}")]
    StateMachineDeleting(String),
    #[error("{0}")]
    StateMachineTypeNotSupported(String),
    #[error("{0}")]
    ExecutionLimitExceeded(String),
    #[error("{0}")]
    Throttling(String),
    #[error("{0}")]
    ExecutionDoesNotExist(String),
    #[error("{0}")]
    ExecutionNotRedrivable(String),
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

/// `type` of a state machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MachineType {
    /// Its executions are durable, and begun once for each name.
    #[default]
    Standard,
    /// Its executions take at most five minutes and are kept in memory.
    Express,
}

impl From<MachineType> for asl::parse::MachineType {
    fn from(machine_type: MachineType) -> asl::parse::MachineType {
        match machine_type {
            MachineType::Standard => asl::parse::MachineType::Standard,
            MachineType::Express => asl::parse::MachineType::Express,
        }
    }
}

/// What a state machine is configured with beside its definition and role, as it was given; nothing here looks into it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineSettings {
    /// `loggingConfiguration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging_configuration: Option<Value>,
    /// `tracingConfiguration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing_configuration: Option<Value>,
    /// `encryptionConfiguration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_configuration: Option<Value>,
}

impl MachineSettings {
    /// As they are described: what was not given is as AWS has it then.
    pub fn effective(&self) -> MachineSettings {
        let filled = |given: &Option<Value>, mut whole: Value| {
            if let (Some(whole), Some(Value::Object(given))) = (whole.as_object_mut(), given) {
                whole.extend(given.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())));
            }
            Some(whole)
        };
        let is_ours = |given: &Value| given.get("type").and_then(Value::as_str) != Some("CUSTOMER_MANAGED_KMS_KEY");
        let encryption = match &self.encryption_configuration {
            Some(given) if !is_ours(given) => json!({"kmsDataKeyReusePeriodSeconds": 300}),
            _ => json!({"type": "AWS_OWNED_KEY"}),
        };
        MachineSettings {
            logging_configuration: filled(
                &self.logging_configuration,
                json!({"level": "OFF", "includeExecutionData": false}),
            ),
            tracing_configuration: filled(&self.tracing_configuration, json!({"enabled": false})),
            encryption_configuration: filled(&self.encryption_configuration, encryption),
        }
    }
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
    /// `type`.
    pub machine_type: MachineType,
    /// Everything else it is configured with.
    pub settings: MachineSettings,
    /// `revisionId`: none until it was updated for the first time.
    pub revision_id: Option<String>,
    /// When it was updated last.
    pub updated_at: Timestamp,
    /// The number of the version that this is, where it is one.
    pub version: Option<u64>,
    /// `description` of the version.
    pub description: Option<String>,
    /// When it, or the version, was made.
    pub created_at: Timestamp,
    /// It was deleted, and is gone when the last of its executions has ended.
    pub is_deleting: bool,
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
    /// The version that it was started as, where it was.
    pub version_arn: Option<String>,
    /// The alias that it was started by, where it was.
    pub alias_arn: Option<String>,
    /// How often it was redriven.
    pub redrive_count: u64,
    /// When it was redriven last.
    pub redriven_at: Option<Timestamp>,
    /// The `clientToken`s of its last redrives, each with its time: the latest last.
    pub redrive_tokens: Vec<(String, Timestamp)>,
    /// `traceHeader` that it was started with.
    pub trace_header: Option<String>,
    /// The id of its last history event.
    pub last_event_id: u64,
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
    /// The map run whose child it is.
    pub map_run_arn: Option<String>,
    /// How many items it was given as such.
    pub item_count: Option<u64>,
}

/// The engine. Cheap to clone; when the last clone is dropped, it stops where it is, as a crash would, and loses nothing that was
/// answered.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    findings: Arc<dyn FindingStore>,
    /// Whether one of the loops that never end has.
    ended: watch::Receiver<bool>,
    /// Aborted when dropped.
    _running: JoinSet<()>,
    /// The workers end when it is dropped; nobody waits for one that is stuck in a step.
    _stop: watch::Sender<()>,
}

/// What the engine's parts share.
struct Shared {
    store: Arc<dyn ExecutionStore>,
    executor: Arc<dyn TaskExecutor>,
    clock: Arc<dyn Clock>,
    options: Options,
    threads: Threads,
    machines: Machines,
    workers: Vec<mpsc::Sender<Message>>,
    activities: Activities,
    memory: Limit,
    /// Executions in memory, also those that came for an answer or a timer.
    in_memory: AtomicUsize,
    express: Limit,
    tasks: Limit,
    local_tasks: Limit,
    tests: Limit,
    /// Told when an execution leaves memory whose timer is due before the waker wakes.
    evictions: Notify,
    /// Told when an execution has begun for which there is no room.
    begun: Notify,
    /// The lowest number of those since they were last taken up.
    put_off_from: AtomicU64,
    /// When the waker wakes, in microseconds since 1970.
    sleeping_until: AtomicI64,
    /// Told when there is a failure to be told of.
    alerts: Notify,
    /// Told when a state machine is to be deleted.
    deletions: Notify,
    /// Told when there is something to do about a job.
    jobs_changed: Notify,
    /// Map runs that have something to do.
    map_runs: MapRuns,
}

impl Engine {
    /// Takes up what the store holds (recovery is replay, on the path of every step) and begins to work.
    pub async fn start(
        store: Arc<SqliteStore>,
        executor: Arc<dyn TaskExecutor>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Engine, StoreError> {
        let options = Options { figures: store.figures(), ..options };
        Engine::start_on(store.executions(), store.findings(), executor, clock, options).await
    }

    /// The same, on any store.
    pub async fn start_on(
        store: Arc<dyn ExecutionStore>,
        findings: Arc<dyn FindingStore>,
        executor: Arc<dyn TaskExecutor>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Engine, StoreError> {
        let workers =
            std::thread::available_parallelism().map_or(LEAST_WORKERS, |cores| cores.get().max(LEAST_WORKERS));
        Engine::start_in(Threads::Many, workers, store, findings, executor, clock, options).await
    }

    /// The same, with so many workers.
    async fn start_in(
        threads: Threads,
        workers: usize,
        store: Arc<dyn ExecutionStore>,
        findings: Arc<dyn FindingStore>,
        executor: Arc<dyn TaskExecutor>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Engine, StoreError> {
        // Whether the store answers at all is told now, and not only in the log.
        store.with_work(0, 1).await?;
        let last_express = store.last_express().await?;
        let (workers, inboxes): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(INBOX_LIMIT)).unzip();
        let shared = Arc::new(Shared {
            store,
            executor,
            clock,
            threads,
            machines: Machines::default(),
            activities: Activities::default(),
            workers,
            memory: Limit::new("executions_in_memory", options.executions_in_memory),
            in_memory: AtomicUsize::new(0),
            express: Limit::new("express_executions", options.express_executions),
            tasks: Limit::new("tasks_at_once", options.tasks_at_once),
            local_tasks: Limit::new("tasks_at_once, of built-in functions", options.tasks_at_once),
            tests: Limit::new("states tested at once", TESTS_AT_ONCE),
            evictions: Notify::new(),
            begun: Notify::new(),
            put_off_from: AtomicU64::new(u64::MAX),
            sleeping_until: AtomicI64::new(i64::MAX),
            alerts: Notify::new(),
            deletions: Notify::new(),
            jobs_changed: Notify::new(),
            map_runs: MapRuns::default(),
            options,
        });
        let (stop, stopped) = watch::channel(());
        for inbox in inboxes {
            driver::spawn(shared.clone(), inbox, stopped.clone())?;
        }
        let mut running = JoinSet::new();
        running.spawn(sleepers::recover(shared.clone()));
        running.spawn(express::recover(shared.clone(), last_express));
        running.spawn(machines::stop_deleted(shared.clone()));
        let mut endless = JoinSet::new();
        endless.spawn(sleepers::wake(shared.clone()));
        endless.spawn(alerts::tell(shared.clone()));
        endless.spawn(map_runs::drive_all(shared.clone()));
        endless.spawn(jobs::attend(shared.clone()));
        let (end, ended) = watch::channel(false);
        running.spawn(async move {
            drop(endless.join_next().await);
            end.send_replace(true);
        });
        Ok(Engine { inner: Arc::new(Inner { shared, findings, ended, _running: running, _stop: stop }) })
    }

    /// Waits until a part of the engine has ended by itself, which is a bug: what belongs to that part stands still until the engine
    /// is started anew.
    pub async fn ended(&self) {
        let mut ended = self.inner.ended.clone();
        let worker = future::select_all(self.inner.shared.workers.iter().map(|worker| Box::pin(worker.closed())));
        tokio::select! {
            _ = worker => {}
            _ = ended.wait_for(|ended| *ended) => {}
        }
    }

    /// Takes in an event: it, the findings, and the responses and playbooks to start, in one write. Acknowledge the event once this is
    /// `Ok`.
    pub async fn receive(&self, event: &Event, reactions: impl Into<Reactions>) -> Result<Receipt, StoreError> {
        let shared = self.shared();
        let (receipt, started) = shared.store.receive(event, reactions.into(), shared.clock.now()).await?;
        (0..receipt.started).for_each(|_| shared.options.figures.started(ExecutionKind::Standard));
        // They are durable: handing them over must not depend on whether the caller goes on waiting. That it waits for a moment
        // slows the sources down; what finds no room then waits in the store, and how much may do so is the sources' to bound.
        let shared = shared.clone();
        let handing_over = tokio::spawn(async move {
            for (number, arn) in started {
                match shared.room_soon().await? {
                    Some(room) => {
                        shared.send(&arn, Message::TakeUp { arn: arn.as_str().into(), room: Some(room) }).await?;
                    }
                    None => shared.put_off(number),
                }
            }
            Ok(receipt)
        });
        handing_over.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Events, findings, exceptions and counters.
    pub fn findings(&self) -> Arc<dyn FindingStore> {
        self.inner.findings.clone()
    }

    /// What it counts.
    pub fn figures(&self) -> Arc<Figures> {
        self.shared().options.figures.clone()
    }

    /// What may be larger than on AWS.
    pub fn quotas(&self) -> Quotas {
        self.shared().options.quotas
    }

    /// Executions in memory now: those that do something, and those that have not waited for long.
    pub fn executions_in_memory(&self) -> usize {
        self.shared().in_memory.load(Ordering::Relaxed)
    }

    /// Executions that have something to do and wait in the store for room in memory, about; `most` where there are more.
    pub async fn executions_put_off(&self, most: usize) -> Result<usize, StoreError> {
        let shared = self.shared();
        if !shared.memory.is_reached() {
            return Ok(0);
        }
        let in_memory = shared.options.executions_in_memory;
        let at_work = shared.store.count_at_work(in_memory.saturating_add(most)).await?;
        Ok(at_work.saturating_sub(in_memory))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }
}

impl Shared {
    /// Hands a message to the worker that owns an execution.
    async fn send(&self, arn: &str, message: Message) -> Result<(), StoreError> {
        let mut hasher = DefaultHasher::new();
        arn.hash(&mut hasher);
        let count = u64::try_from(self.workers.len()).unwrap_or(1).max(1);
        let index = usize::try_from(hasher.finish() % count).unwrap_or(0);
        let worker = self.workers.get(index).ok_or_else(stopping)?;
        worker.send(message).await.map_err(|_| stopping())
    }

    /// Waits for room in memory, asking those who only wait to leave it.
    async fn room(&self) -> Result<message::Room, StoreError> {
        loop {
            if let Some(room) = self.room_soon().await? {
                return Ok(room);
            }
        }
    }

    /// The same, but not for long: a start may come from a task whose execution has the room until it is answered.
    async fn room_soon(&self) -> Result<Option<message::Room>, StoreError> {
        if let Some(room) = self.memory.try_acquire() {
            return Ok(Some(room));
        }
        for worker in &self.workers {
            // A worker whose inbox is full is asked again later.
            let _ = worker.try_send(Message::MakeRoom);
        }
        match tokio::time::timeout(ASK_FOR_ROOM, self.memory.acquire()).await {
            Ok(room) => room.map(Some).ok_or_else(stopping),
            Err(_) => Ok(None),
        }
    }
}

fn stopping() -> StoreError {
    StoreError::Unavailable("the engine is stopping: ask again when it runs".to_owned())
}
