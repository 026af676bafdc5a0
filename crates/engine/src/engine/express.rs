//! Express: executions that live in memory, for five minutes at most.
//!
//! They go through the same workers and the same steps as others, but nothing of their journal is written. Of an asynchronous one the
//! start is kept until it has ended, and begun anew after a crash: at least once. A synchronous one ends with its caller's connection
//! when the process dies. Beyond [`Options::express_executions`](super::Options) starts are refused.

use std::{sync::Arc, time::Duration};

use asl::StateMachine;
use execution::Ended;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    Engine, ExecutionRecord, MachineType, Refusal, Shared,
    executions::{not_of_this_type, to_the_millisecond},
    machines::Registered,
    message::{Beginning, Message, Room, Started},
    stopping,
};
use crate::ports::{ExecutionKind, NewExecution, Progress, Standing, StoreError};

/// Starts read at once.
const PAGE: usize = 256;
/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// What StartSyncExecution answers.
#[derive(Clone, Debug)]
pub struct SyncExecution {
    /// What it began with.
    pub record: ExecutionRecord,
    /// How it ended.
    pub ended: Ended,
    /// When.
    pub stopped_at: Timestamp,
}

impl Engine {
    /// StartSyncExecution: answers when the execution has ended, within five minutes.
    pub async fn start_sync_execution(
        &self,
        state_machine_arn: &str,
        name: Option<&str>,
        input: &str,
    ) -> Result<SyncExecution, Refusal> {
        let (registered, _) = self.startable(state_machine_arn).await?;
        if registered.record.machine_type != MachineType::Express {
            return Err(not_of_this_type());
        }
        let new = self.new_execution(&registered, name, input, ExecutionKind::Synchronous)?;
        let room = self.shared().express.try_acquire().ok_or_else(|| {
            let text = "Rate exceeded: as many Express executions run as may at once; ask again when some have ended";
            Refusal::Throttling(text.to_owned())
        })?;
        let (watcher, ended) = oneshot::channel();
        let record = self.begin_express(&registered, new, Some(watcher), room).await?;
        let ended = ended.await.map_err(|_| stopping())?;
        Ok(SyncExecution { record, ended, stopped_at: to_the_millisecond(self.shared().clock.now()) })
    }

    /// StartExecution on an Express machine: any name begins another execution.
    pub(super) async fn start_express(
        &self,
        registered: &Registered,
        name: Option<&str>,
        input: &str,
    ) -> Result<ExecutionRecord, Refusal> {
        let new = self.new_execution(registered, name, input, ExecutionKind::Asynchronous)?;
        let room = self.shared().express.try_acquire().ok_or_else(|| {
            let text = "The maximum number of running executions has been reached. Running executions must end or be stopped before a new execution can be started.";
            Refusal::ExecutionLimitExceeded(text.to_owned())
        })?;
        self.begin_express(registered, new, None, room).await
    }

    async fn begin_express(
        &self,
        registered: &Registered,
        new: NewExecution,
        watcher: Option<oneshot::Sender<Ended>>,
        room: Room,
    ) -> Result<ExecutionRecord, Refusal> {
        let (reply, answer) = oneshot::channel();
        let arn = new.arn.clone();
        let beginning =
            Beginning { new, machine: registered.machine.clone(), kept_as: None, watcher, room: Some(room), reply };
        self.shared().send(&arn, Message::Begin(Box::new(beginning))).await?;
        match answer.await.map_err(|_| stopping())?? {
            Started::New(record) => Ok(*record),
            Started::Exists(_) => Err(Refusal::ExecutionAlreadyExists(format!("Execution Already Exists: '{arn}'"))),
        }
    }
}

impl Shared {
    /// Keeps the start of one that may outlive this process, if it has not ended already; its number.
    pub(super) async fn begin_express(
        &self,
        new: NewExecution,
        kept_as: Option<u64>,
        progress: &Progress,
    ) -> Result<u64, StoreError> {
        let ended = matches!(progress.standing, Standing::Ended { .. });
        match (new.kind, kept_as) {
            (ExecutionKind::Asynchronous, None) if !ended => self.store.keep_express(new).await,
            (ExecutionKind::Asynchronous, Some(number)) if ended => {
                self.store.forget_express(number).await.map(|()| number)
            }
            (ExecutionKind::MapRunChild, Some(number)) => {
                self.end_express_child(number, progress).await;
                Ok(number)
            }
            (_, number) => Ok(number.unwrap_or(0)),
        }
    }

    /// Keeps how a map run's child ended, if it has. Its run waits for that, and nothing else has its result: so this does not give up.
    async fn end_express_child(&self, number: u64, progress: &Progress) {
        let Standing::Ended { ended, at } = &progress.standing else { return };
        while let Err(error) = self.store.end_express_child(number, ended.clone(), *at).await {
            tracing::warn!(number, %error, "the end of a map run's child can't be kept; trying again");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Forgets the start of one that has ended. What it did in between is kept nowhere.
    pub(super) async fn express_went_on(
        &self,
        kind: ExecutionKind,
        number: u64,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        if kind == ExecutionKind::MapRunChild {
            self.end_express_child(number, progress).await;
        }
        if kind == ExecutionKind::Asynchronous
            && matches!(progress.standing, Standing::Ended { .. })
            && let Err(error) = self.store.forget_express(number).await
        {
            tracing::warn!(number, %error, "an Express execution that has ended is begun once more after a restart");
        }
        Ok(())
    }
}

/// Begins anew what the last process had begun and not ended, as fast as there is room; `until` is the last number that it kept.
pub(super) async fn recover(shared: Arc<Shared>, until: u64) {
    let (mut after, mut begun) = (0, 0_usize);
    loop {
        match shared.store.express_starts(after, until, PAGE).await {
            Ok(page) if page.is_empty() => break,
            Ok(page) => {
                for (number, new, definition) in page {
                    after = number;
                    match begin_anew(&shared, number, new, &definition).await {
                        Ok(()) => begun += 1,
                        Err(error) => tracing::error!(number, %error, "an Express execution can't be begun anew"),
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "Express executions can't be begun anew; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    tracing::info!(begun, "Express executions that had not ended are begun anew");
}

async fn begin_anew(shared: &Arc<Shared>, number: u64, new: NewExecution, definition: &str) -> Result<(), StoreError> {
    let machine = shared.machines.of_definition(new.definition, definition)?;
    begin_kept(shared, number, new, machine).await
}

/// Begins one whose start is kept under this number, as soon as there is room.
pub(super) async fn begin_kept(
    shared: &Arc<Shared>,
    number: u64,
    new: NewExecution,
    machine: Arc<StateMachine>,
) -> Result<(), StoreError> {
    let room = shared.express.acquire().await.ok_or_else(stopping)?;
    // Nobody waits for the answer.
    let (reply, _) = oneshot::channel();
    let arn = new.arn.clone();
    let beginning = Beginning { new, machine, kept_as: Some(number), watcher: None, room: Some(room), reply };
    shared.send(&arn, Message::Begin(Box::new(beginning))).await
}
