//! Map runs: what they do next, one step after another, each durable before the next begins.
//!
//! A run is driven whenever something happened to it: it began, a child ended, it was stopped or changed. [`next`] decides by its row;
//! nothing of it is kept in memory, so a crash at any moment leaves it where its last write left it.

mod api;
mod children;
mod read;
mod reader;
mod results;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use execution::{
    Input,
    map_run::{MapRunStatus, Next, next},
};
use tokio::{
    sync::{Notify, oneshot},
    task::{Id, JoinSet},
};

use self::reader::Readers;
use super::{
    Shared,
    executions::to_the_millisecond,
    limit::Limit,
    message::{Arn, Delivered, Message},
    stopping,
};
use crate::ports::{MapRunRecord, StoreError};

/// Runs that are driven at once; others that have something to do wait. A run is only driven while it has, not while its children run.
const DRIVEN_AT_ONCE: usize = 16;
/// Of these, runs that export their results at once, which may take long: the others are left to those that read, begin and end.
const EXPORTS_AT_ONCE: usize = DRIVEN_AT_ONCE / 2;
/// Rows read at once.
const PAGE: usize = 256;
/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// The runs that have something to do: each at most once, however often it was woken.
pub(super) struct MapRuns {
    waiting: Mutex<BTreeSet<Arn>>,
    woken: Notify,
    readers: Readers,
    exports: Limit,
}

impl Default for MapRuns {
    fn default() -> MapRuns {
        MapRuns {
            waiting: Mutex::default(),
            woken: Notify::new(),
            readers: Readers::default(),
            exports: Limit::new("map_run_exports_at_once", EXPORTS_AT_ONCE),
        }
    }
}

impl MapRuns {
    /// A run has something to do.
    pub(super) fn wake(&self, arn: Arn) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(arn);
        self.woken.notify_one();
    }

    /// One that has something to do and is not being driven.
    fn take(&self, driven: &HashMap<Id, Arn>) -> Option<Arn> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let arn = waiting.iter().find(|arn| !driven.values().any(|driven| driven == *arn)).cloned()?;
        waiting.remove(&arn);
        Some(arn)
    }
}

/// Drives all runs, at first those that the last process left. Never ends.
pub(super) async fn drive_all(shared: Arc<Shared>) {
    let mut jobs: JoinSet<Result<(), StoreError>> = JoinSet::new();
    let mut driven: HashMap<Id, Arn> = HashMap::new();
    // Before any run is driven, so that what runs in the store and not here is surely the last process's.
    children::begin_anew(&shared).await;
    jobs.spawn(take_up(shared.clone()));
    loop {
        while driven.len() < DRIVEN_AT_ONCE
            && let Some(arn) = shared.map_runs.take(&driven)
        {
            let job = jobs.spawn(drive(shared.clone(), arn.clone()));
            driven.insert(job.id(), arn);
        }
        tokio::select! {
            biased;
            Some(ended) = jobs.join_next_with_id(), if !jobs.is_empty() => {
                let id = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
                let arn = driven.remove(&id);
                match (ended, arn) {
                    (Ok((_, Ok(()))), _) | (_, None) => {}
                    (Ok((_, Err(error))), Some(arn)) => {
                        tracing::warn!(%arn, %error, "a map run can't go on; it is tried again");
                        wake_later(&shared, arn);
                    }
                    (Err(error), Some(arn)) => {
                        tracing::error!(%arn, %error, "driving a map run panicked; this is a bug; it is tried again");
                        wake_later(&shared, arn);
                    }
                }
            }
            () = shared.map_runs.woken.notified() => {}
        }
    }
}

/// Wakes a run after a pause, if the engine is still there.
fn wake_later(shared: &Arc<Shared>, arn: Arn) {
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        tokio::time::sleep(PAUSE).await;
        if let Some(shared) = shared.upgrade() {
            shared.map_runs.wake(arn);
        }
    });
}

/// Recovery: wakes every run that has not told its end.
async fn take_up(shared: Arc<Shared>) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        match shared.store.map_runs_with_work(after, PAGE).await {
            Ok(page) => {
                let is_last = page.len() < PAGE;
                for (number, arn) in page {
                    after = number;
                    shared.map_runs.wake(arn.into());
                }
                if is_last {
                    return Ok(());
                }
            }
            Err(error) => {
                tracing::error!(%error, "map runs can't be taken up; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Does what a run does next until it has to wait or has ended.
async fn drive(shared: Arc<Shared>, arn: Arn) -> Result<(), StoreError> {
    loop {
        let Some(run) = shared.store.map_run(&arn).await? else { return Ok(()) };
        match next(&run.standing) {
            Next::Read => {
                if !read::read_on(&shared, &run).await? {
                    return Ok(());
                }
            }
            Next::Begin(limit) => children::begin(&shared, &run, limit).await?,
            Next::Wait => return Ok(()),
            Next::Fail(failure) => shared.store.fail_map_run(run.number, failure).await?,
            Next::StopChildren => {
                if !stop_children(&shared, &run).await? {
                    // Those that have ended meanwhile wake it. What nobody has in memory must not keep this going round.
                    wake_later(&shared, arn);
                    return Ok(());
                }
            }
            Next::Finish(status) => {
                shared.map_runs.readers.close(run.number);
                let exports = run.specification.writing.as_ref().is_some_and(|writing| writing.destination.is_some());
                let place = exports.then(|| shared.map_runs.exports.try_acquire());
                if matches!(place, Some(None)) {
                    wake_later(&shared, arn);
                    return Ok(());
                }
                let end = results::end(&shared, &run, status).await?;
                shared.store.end_map_run(run.number, end).await?;
            }
            Next::Nothing => {
                if !run.is_told {
                    tell(&shared, &run).await?;
                }
                return Ok(());
            }
        }
    }
}

/// Stops those that run, and waits until they have stopped; whether any was there to be stopped.
async fn stop_children(shared: &Shared, run: &MapRunRecord) -> Result<bool, StoreError> {
    let mut was_there = false;
    for child in shared.store.running_children(run.number, PAGE).await? {
        let delivered = shared.deliver(&child, Input::StopExecution { error: None, cause: None }).await?;
        was_there |= delivered != Delivered::Late;
    }
    Ok(was_there)
}

/// Tells the execution that waits for a run how it ended.
async fn tell(shared: &Shared, run: &MapRunRecord) -> Result<(), StoreError> {
    let outcome = match run.status {
        MapRunStatus::Succeeded => Some(Ok(run.result.clone().unwrap_or_default())),
        MapRunStatus::Failed => Some(Err(run.standing.failure.clone().unwrap_or_default())),
        // Whoever aborted it does not wait for it.
        MapRunStatus::Aborted | MapRunStatus::Running => None,
    };
    if let Some(outcome) = outcome {
        let input = Input::MapRunEnded { event_id: run.specification.event_id, outcome };
        shared.deliver(&run.specification.execution_arn, input).await?;
    }
    shared.store.map_run_is_told(run.number).await
}

impl Shared {
    /// Tells an execution something; what became of it, durably.
    pub(super) async fn deliver(&self, arn: &str, input: Input) -> Result<Delivered, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(arn, Message::Deliver { arn: arn.into(), input, reply }).await?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }
}
