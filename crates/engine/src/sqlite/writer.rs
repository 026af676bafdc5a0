//! The one writer: a thread that takes all writes that are queued, does them in one transaction, commits once, and answers all.
//!
//! A write is answered only after its commit, so what has been answered survives a crash. One that fails is undone alone: it runs in a
//! savepoint of its own, or, where it can be done once more, without one, which is most of the cost of a small write; should such a
//! one fail, the group is begun anew, with savepoints for all. When the commit fails, or SQLite gives up the transaction (a full disk),
//! every write of the group is answered [`StoreError::Unavailable`], and the next group tries again: the writer never ends before its
//! store does.

#[cfg(feature = "simulator")]
pub(super) mod simulated;

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoints::Checkpoints;
use crate::{Figures, ports::StoreError};

/// Writes that wait; beyond it, callers wait to hand theirs over.
const QUEUE_LIMIT: usize = 4096;
/// Writes in one transaction: bounds how long the first of them waits.
const GROUP_LIMIT: usize = 1024;

/// Commits and the writes they held, since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterCounts {
    /// Transactions committed.
    pub commits: u64,
    /// Writes that were in them.
    pub writes: u64,
}

/// Where the writer is with one of its commits, numbered from 1 since the store was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitMoment {
    /// Its writes are done within the transaction; nothing of them is durable.
    Before(u64),
    /// It is durable, and nobody has been told.
    After(u64),
}

/// Told of every commit by the writer's thread, which goes on when this returns. It is for tests that crash at an exact step: what
/// came before that step may have had all of its effects, what comes after it has had none.
pub type CommitObserver = Box<dyn FnMut(CommitMoment) + Send>;

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    writes: AtomicU64,
}

/// The way to the writer thread, which ends when the last of these is gone.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
    counters: Arc<Counters>,
}

impl Writer {
    /// Starts the thread. It keeps `lock` until it has ended, so that nobody else writes before that.
    pub(super) fn start(
        mut connection: Connection,
        checkpoints: Connection,
        lock: File,
        observer: Option<CommitObserver>,
        figures: Arc<Figures>,
    ) -> Result<Writer, StoreError> {
        let mut checkpoints = Checkpoints::start(&mut connection, checkpoints)?;
        let (jobs, queue) = mpsc::channel(QUEUE_LIMIT);
        let counters = Arc::new(Counters::default());
        let counted = counters.clone();
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let observe = observer.unwrap_or_else(|| Box::new(|_| {}));
                run(&connection, &mut checkpoints, queue, &counted, &figures, observe);
                drop(checkpoints);
                drop(connection);
                drop(lock);
            })
            .map_err(|error| StoreError::Unavailable(format!("the store's writer thread can't be started: {error}")))?;
        Ok(Writer { jobs, counters })
    }

    /// Does `work` within the next transaction; answers once that is committed. An `Err` of `work` undoes what it wrote, and nothing else.
    ///
    /// Dropped before it answers: the write may still happen.
    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let mut work = Some(work);
        let work = move |connection: &Connection| match work.take() {
            Some(work) => work(connection),
            None => Err(writer_is_gone().into()),
        };
        self.queue(work, false).await
    }

    /// The same, for a write that seldom fails and then can be done once more: it costs less.
    pub(super) async fn write_repeatable<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnMut(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.queue(work, true).await
    }

    async fn queue<T, E, F>(&self, work: F, is_repeatable: bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnMut(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Typed { work, is_repeatable, result: None, reply };
        self.jobs.send(Box::new(job)).await.map_err(|_| writer_is_gone())?;
        answer.await.unwrap_or_else(|_| Err(writer_is_gone().into()))
    }

    pub(super) fn counts(&self) -> WriterCounts {
        WriterCounts {
            commits: self.counters.commits.load(Ordering::Relaxed),
            writes: self.counters.writes.load(Ordering::Relaxed),
        }
    }
}

fn writer_is_gone() -> StoreError {
    StoreError::Unavailable("the store's writer has ended: restart the program".to_owned())
}

/// One write and its caller.
trait Job: Send {
    /// Runs; whether what it wrote is to stay.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Whether it can run once more, after what it wrote was undone.
    fn is_repeatable(&self) -> bool;
    /// Tells the caller, after the commit, or after it has failed.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);
}

struct Typed<T, E, F> {
    work: F,
    is_repeatable: bool,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Typed<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnMut(&Connection) -> Result<T, E> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(connection))).unwrap_or_else(|_| {
            Err(StoreError::Damaged(
                "a write panicked; nothing of it was kept. This is a bug: please report it".to_owned(),
            )
            .into())
        });
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    fn answer(self: Box<Self>, failure: Option<&StoreError>) {
        let result = match (self.result, failure) {
            (Some(Ok(_)) | None, Some(failure)) => Err(failure.clone().into()),
            (Some(result), _) => result,
            (None, None) => Err(writer_is_gone().into()),
        };
        // A caller that has gone away needs no answer.
        let _ = self.reply.send(result);
    }
}

fn run(
    connection: &Connection,
    checkpoints: &mut Checkpoints,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    counters: &Counters,
    figures: &Figures,
    mut observe: CommitObserver,
) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = group_of(first, &mut queue);
        let writes = u64::try_from(group.len()).unwrap_or(u64::MAX);
        let number = counters.commits.load(Ordering::Relaxed).saturating_add(1);
        let begun = Instant::now();
        let outcome = commit_group(connection, &mut group, &mut || observe(CommitMoment::Before(number)));
        match &outcome {
            Ok(()) => {
                figures.store_commit.observe(begun.elapsed());
                figures.store_writes.add(writes);
                observe(CommitMoment::After(number));
                counters.commits.fetch_add(1, Ordering::Relaxed);
                counters.writes.fetch_add(writes, Ordering::Relaxed);
            }
            Err(error) => {
                figures.store_failed_commits.increment();
                tracing::error!(writes, %error, "the store did not take a group of writes");
            }
        }
        for job in group {
            job.answer(outcome.as_ref().err());
        }
        checkpoints.after_commit(connection);
    }
}

/// A job, and those that wait behind it.
fn group_of(first: Box<dyn Job>, queue: &mut mpsc::Receiver<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let mut group = vec![first];
    while group.len() < GROUP_LIMIT {
        match queue.try_recv() {
            Ok(job) => group.push(job),
            Err(_) => break,
        }
    }
    group
}

fn commit_group(
    connection: &Connection,
    group: &mut [Box<dyn Job>],
    before_commit: &mut dyn FnMut(),
) -> Result<(), StoreError> {
    let outcome = run_group(connection, group, before_commit);
    if outcome.is_err() && !connection.is_autocommit() {
        // Already failing: what matters is that the next group can begin.
        let _ = connection.execute_batch("ROLLBACK");
    }
    outcome
}

fn run_group(
    connection: &Connection,
    group: &mut [Box<dyn Job>],
    before_commit: &mut dyn FnMut(),
) -> Result<(), StoreError> {
    // Nobody was answered, so none of them knows of another: any order is right.
    group.sort_by_key(|job| !job.is_repeatable());
    let (repeatable, others) = group.split_at_mut(group.partition_point(|job| job.is_repeatable()));
    execute(connection, "BEGIN IMMEDIATE")?;
    if !run_freely(connection, repeatable)? {
        execute(connection, "ROLLBACK")?;
        execute(connection, "BEGIN IMMEDIATE")?;
        repeatable.iter_mut().try_for_each(|job| run_alone(connection, job.as_mut()))?;
    }
    others.iter_mut().try_for_each(|job| run_alone(connection, job.as_mut()))?;
    before_commit();
    execute(connection, "COMMIT")
}

/// Without savepoints. Whether nothing is to be undone.
fn run_freely(connection: &Connection, group: &mut [Box<dyn Job>]) -> Result<bool, StoreError> {
    for job in group {
        let before = connection.total_changes();
        let keep = job.run(connection);
        check_transaction(connection)?;
        if !keep && connection.total_changes() != before {
            return Ok(false);
        }
    }
    Ok(true)
}

/// In a savepoint of its own.
fn run_alone(connection: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    execute(connection, "SAVEPOINT write")?;
    let keep = job.run(connection);
    check_transaction(connection)?;
    if !keep {
        execute(connection, "ROLLBACK TO write")?;
    }
    execute(connection, "RELEASE write")
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// SQLite rolls the whole transaction back by itself on a full disk or an I/O error.
fn check_transaction(connection: &Connection) -> Result<(), StoreError> {
    if connection.is_autocommit() {
        return Err(StoreError::Unavailable(
            "the store's disk is full or fails: make room or repair it; writes are taken again as soon as it works"
                .to_owned(),
        ));
    }
    Ok(())
}
