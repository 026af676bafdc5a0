//! What the simulator needs of an engine beside what everybody has: to run it in one thread, and to look into it.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use asl::StateMachine;
use execution::Execution;
use tokio::sync::oneshot;

use super::{
    Engine, Options, Shared,
    limit::Limit,
    message::{Arn, Message},
};
use crate::{Clock, TaskExecutor, ports::StoreError, sqlite::SqliteStore, threads::Threads};

/// Workers of a simulated engine: few, so that executions share them.
const WORKERS: usize = 3;

/// What a worker has in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Executions that are there, idle or not.
    pub(crate) slots: usize,
    /// Their timers.
    pub(crate) timers: usize,
    /// Those who wait for an execution's end.
    pub(crate) watchers: usize,
    /// The idle ones that are kept in the store: all of them is durable.
    pub(crate) idle: Vec<(Arn, Arc<StateMachine>, Execution)>,
}

/// Somebody who looks at it, while nothing else happens.
pub(crate) type Look = Arc<dyn Fn(Memory) + Send + Sync>;

thread_local! {
    static COUNTS: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// A worker of this thread was told something.
pub(super) fn count(message: &Message) {
    let what = match message {
        Message::Begin(_) => "message: Begin",
        Message::TakeUp { .. } => "message: TakeUp",
        Message::Deliver { .. } => "message: Deliver",
        Message::Redrive(_) => "message: Redrive",
        Message::Loaded { outcome: Ok(_), .. } => "message: Loaded",
        Message::Loaded { .. } => "message: Loaded, failed",
        Message::BeginWritten { outcome: Ok(_), .. } => "message: BeginWritten",
        Message::BeginWritten { .. } => "message: BeginWritten, failed",
        Message::Written { outcome: Ok(()), .. } => "message: Written",
        Message::Written { .. } => "message: Written, failed",
        Message::TaskEnded { .. } => "message: TaskEnded",
        Message::Watch { .. } => "message: Watch",
        Message::MakeRoom => "message: MakeRoom",
        Message::Nothing => "message: Nothing",
        Message::Tick => "message: Tick",
        Message::Look { .. } => return,
    };
    COUNTS.with_borrow_mut(|counts| *counts.entry(what).or_default() += 1);
}

/// An execution of this thread began without room.
pub(super) fn count_put_off() {
    COUNTS.with_borrow_mut(|counts| *counts.entry("executions begun without room").or_default() += 1);
}

/// How often workers of this thread were told what, since this was asked last.
pub(crate) fn take_counts() -> BTreeMap<&'static str, u64> {
    COUNTS.take()
}

impl Engine {
    /// The same as [`Engine::start`], all in the runtime's one thread.
    pub(crate) async fn start_simulated(
        store: &Arc<SqliteStore>,
        executor: Arc<dyn TaskExecutor>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Engine, StoreError> {
        Engine::start_in(Threads::One, WORKERS, store.executions(), store.findings(), executor, clock, options).await
    }

    /// Looks at what its workers have in memory, one after another.
    pub(crate) async fn look(&self, look: Look) {
        for worker in &self.shared().workers {
            let (done, answer) = oneshot::channel();
            if worker.send(Message::Look { look: look.clone(), done }).await.is_ok() {
                // A worker that is no more has nothing in memory.
                let _ = answer.await;
            }
        }
    }

    /// What is held of the engine's limits, by their names: nothing, once all has ended.
    pub(crate) fn held(&self) -> Vec<String> {
        let Shared { memory, express, tasks, local_tasks, .. } = &**self.shared();
        let limits = [memory, express, tasks, local_tasks];
        limits.into_iter().filter(|limit| limit.held() > 0).map(Limit::to_string).collect()
    }

    /// Activity tasks that are claimed.
    pub(crate) fn claimed(&self) -> usize {
        self.shared().activities.claimed()
    }
}
