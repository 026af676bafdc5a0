//! The writer as the simulator has it: a task of the one thread, on a disk that fails as it is told.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::{Counters, Job, QUEUE_LIMIT, Writer, commit_group, group_of};
use crate::ports::StoreError;

/// What becomes of a group of writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is committed, and its writers are told.
    Committed,
    /// Nothing of it is done, and its writers are told that.
    Failed(StoreError),
    /// One of its writes, by its place, is not done; the others are committed.
    OneFailed(usize, StoreError),
    /// The process ends before the commit.
    CrashBefore,
    /// The process ends after the commit, before any writer is told.
    CrashAfter,
}

/// The disk under a simulated store.
#[async_trait]
pub(crate) trait Disk: Send + Sync {
    /// Decides about a group of so many writes; takes its time, in which more may come.
    async fn write(&self) -> Fate;
    /// A group was committed, durably.
    fn committed(&self, writes: usize);
    /// Decides about a read, and takes its time.
    async fn read(&self) -> Result<(), StoreError>;
    /// The process ends now.
    fn crash(&self);
}

impl Writer {
    /// The same as [`Writer::start`], as a task of the runtime.
    pub(in crate::sqlite) fn simulate(connection: Connection, disk: Arc<dyn Disk>) -> Writer {
        let (jobs, queue) = mpsc::channel(QUEUE_LIMIT);
        let counters = Arc::new(Counters::default());
        tokio::spawn(run(connection, queue, counters.clone(), disk));
        Writer { jobs, counters }
    }
}

async fn run(
    connection: Connection,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    counters: Arc<Counters>,
    disk: Arc<dyn Disk>,
) {
    while let Some(first) = queue.recv().await {
        let fate = disk.write().await;
        let mut group = group_of(first, &mut queue);
        let outcome = match &fate {
            Fate::Failed(error) => Err(error.clone()),
            Fate::CrashBefore => return disk.crash(),
            Fate::OneFailed(place, error) => {
                let job = group.remove(place % group.len());
                job.answer(Some(error));
                commit_group(&connection, &mut group, &mut || {})
            }
            Fate::Committed | Fate::CrashAfter => commit_group(&connection, &mut group, &mut || {}),
        };
        if outcome.is_ok() {
            counters.commits.fetch_add(1, Ordering::Relaxed);
            disk.committed(group.len());
        }
        if fate == Fate::CrashAfter {
            return disk.crash();
        }
        for job in group {
            job.answer(outcome.as_ref().err());
        }
    }
}
