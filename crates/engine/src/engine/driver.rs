//! Runs a worker on a thread of its own: hands it what happens, one message at a time, and does what it asks for.
//!
//! The thread only decides; what it waits for runs on the async runtime. So a step that computes for long holds up this worker's
//! executions, and never the runtime.

use std::{
    collections::HashMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use asl::{Kind, StateMachine, integration};
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{self, BoxFuture, abortable},
    stream::FuturesUnordered,
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    task::{AbortHandle, Id, JoinError, JoinSet},
};

use super::{
    Shared,
    message::{Arn, Effect, Live, Message},
    worker::Worker,
};
use crate::ports::{Begun, ExecutionKind, MapRunChild, StoreError, Task, TaskOutcome};
#[cfg(feature = "simulator")]
use crate::threads::Threads;

/// How long an Express execution may take.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const EXPRESS_SECONDS: u64 = 300;

/// What a worker has under way outside itself: each ends in one message.
struct Jobs {
    shared: Arc<Shared>,
    /// Writes under way, and tasks that the executor performs itself. They run on the worker's own thread: for the store's writer they
    /// only wait, and the answers of one commit wake this thread once; such tasks compute little, and less than it costs to hand them
    /// to another thread.
    here: FuturesUnordered<BoxFuture<'static, Message>>,
    running: JoinSet<Message>,
    kinds: HashMap<Id, Job>,
    tasks: HashMap<(Arn, u64), Performing>,
    /// Jobs that are being begun though nobody waits for them any more: to be stopped as soon as their service has answered. Each has
    /// its permit until then.
    unwanted: HashMap<Id, Box<Task>>,
    /// Whose turn it is among [`SOURCES`].
    turn: usize,
}

/// What a worker hears from: its inbox, what runs on its own thread, what else it has under way, and the time.
const SOURCES: usize = 4;

/// What a worker hears.
enum Happened {
    Message(Message),
    Ended(Box<Result<(Id, Message), JoinError>>),
}

#[derive(Clone)]
enum Job {
    Load(Arn),
    Begin(Arn),
    Write(Arn),
    Task(Arn, u64),
    Offer(Arn, u64),
}

/// A task under way.
struct Performing {
    handle: LetGo,
    /// What to stop at the called service, where it begins a job there.
    job: Option<Box<Task>>,
    /// Set by whoever comes first: the task, before it is handed to the executor; or the one who cancels it.
    settled: Arc<AtomicBool>,
}

/// How a task is let go.
enum LetGo {
    /// It runs on the worker's own thread.
    Here(future::AbortHandle),
    Spawned(AbortHandle),
}

impl LetGo {
    fn abort(&self) {
        match self {
            LetGo::Here(handle) => handle.abort(),
            LetGo::Spawned(handle) => handle.abort(),
        }
    }

    fn id(&self) -> Option<Id> {
        match self {
            LetGo::Here(_) => None,
            LetGo::Spawned(handle) => Some(handle.id()),
        }
    }
}

/// Begins a worker, within an async runtime. It ends, with all that it has under way, once the sender of `stopped` is gone and it
/// is in no step; the process can end before.
pub(super) fn spawn(
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Message>,
    stopped: watch::Receiver<()>,
) -> Result<(), StoreError> {
    #[cfg(feature = "simulator")]
    if shared.threads == Threads::One {
        tokio::spawn(run(shared, inbox, stopped));
        return Ok(());
    }
    let runtime = Handle::current();
    let work = move || runtime.block_on(run(shared, inbox, stopped));
    std::thread::Builder::new().name("worker".to_owned()).spawn(work).map(drop).map_err(|error| {
        StoreError::Unavailable(format!(
            "no thread can be begun for a worker: {error}; allow this process more threads"
        ))
    })
}

async fn run(shared: Arc<Shared>, mut inbox: mpsc::Receiver<Message>, mut stopped: watch::Receiver<()>) {
    let mut worker = Worker::new(shared.clock.clone(), &shared.options);
    let mut jobs = Jobs {
        shared,
        here: FuturesUnordered::new(),
        running: JoinSet::new(),
        kinds: HashMap::new(),
        tasks: HashMap::new(),
        unwanted: HashMap::new(),
        turn: 0,
    };
    let mut effects = Vec::new();
    loop {
        let message = tokio::select! {
            // First, since the runtime may be gone then.
            biased;
            _ = stopped.changed() => return,
            message = jobs.next(&mut inbox, worker.due()) => message,
        };
        let before = worker.executions();
        worker.handle(message, &mut effects);
        let (now, in_memory) = (worker.executions(), &jobs.shared.in_memory);
        if now > before {
            in_memory.fetch_add(now - before, Ordering::Relaxed);
        } else if now < before {
            in_memory.fetch_sub(before - now, Ordering::Relaxed);
        }
        for effect in effects.drain(..) {
            jobs.perform(effect);
        }
    }
}

impl Shared {
    /// Sleeps until then, or for a while where nothing is due.
    pub(super) async fn sleep_until(&self, due: Option<jiff::Timestamp>) {
        self.clock.sleep_until(due).await;
    }
}

impl Jobs {
    /// The next thing that happens, whichever it is.
    async fn next(&mut self, inbox: &mut mpsc::Receiver<Message>, due: Option<jiff::Timestamp>) -> Message {
        loop {
            let shared = self.shared.clone();
            let is_due = due.is_some_and(|due| due <= shared.clock.now());
            let happened = tokio::select! {
                biased;
                happened = poll_fn(|context| self.poll(inbox, is_due, context)) => happened,
                () = shared.sleep_until(due) => return Message::Tick,
            };
            match happened {
                Happened::Message(message) => return message,
                Happened::Ended(ended) => {
                    if let Some(message) = self.ended(*ended) {
                        return message;
                    }
                }
            }
        }
    }

    /// Of what has happened, each kind in its turn: none goes before another for long, so none has to wait for ever.
    fn poll(&mut self, inbox: &mut mpsc::Receiver<Message>, is_due: bool, context: &mut Context<'_>) -> Poll<Happened> {
        for _ in 0..SOURCES {
            self.turn = (self.turn + 1) % SOURCES;
            let message = |polled: Poll<Option<Message>>| polled.map(|message| message.map(Happened::Message));
            let happened = match self.turn {
                0 => message(inbox.poll_recv(context)),
                1 => message(self.poll_here(context)),
                2 => self.running.poll_join_next_with_id(context).map(|ended| ended.map(Box::new).map(Happened::Ended)),
                _ if is_due => return Poll::Ready(Happened::Message(Message::Tick)),
                _ => Poll::Pending,
            };
            if let Poll::Ready(Some(happened)) = happened {
                return Poll::Ready(happened);
            }
        }
        Poll::Pending
    }

    /// What has ended on this thread. Only what was not cancelled does.
    fn poll_here(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        let polled = self.here.poll_next_unpin(context);
        if let Poll::Ready(Some(Message::TaskEnded { arn, event_id, .. })) = &polled {
            self.tasks.remove(&(arn.clone(), *event_id));
        }
        polled
    }

    fn perform(&mut self, effect: Effect) {
        let shared = self.shared.clone();
        match effect {
            Effect::Load { arn, even_if_ended, after } => drop(self.spawn(Job::Load(arn.clone()), async move {
                tokio::time::sleep(after).await;
                let outcome = load(&shared, &arn, even_if_ended).await;
                Message::Loaded { arn, outcome }
            })),
            Effect::Begin { arn, new, kept_as, progress } => self.run_here(Job::Begin(arn.clone()), async move {
                let outcome = match (new.kind, kept_as) {
                    (ExecutionKind::Standard, _) => shared.store.begin(Arc::unwrap_or_clone(new), progress).await,
                    _ => shared.begin_express(Arc::unwrap_or_clone(new), kept_as, &progress).await.map(Begun::New),
                };
                Message::BeginWritten { arn, outcome }
            }),
            Effect::Write { arn, kind, number, mut progress } => self.run_here(Job::Write(arn.clone()), async move {
                for job in &mut progress.jobs {
                    job.execution = shared.executor.awaited_execution(&job.task);
                }
                let outcome = match kind {
                    ExecutionKind::Standard => shared.store.record(number, progress).await.map(|recorded| {
                        if recorded.jobs_changed {
                            shared.jobs_changed.notify_one();
                        }
                        shared.admitted(recorded.admitted);
                    }),
                    _ => shared.express_went_on(kind, number, &progress).await,
                };
                Message::Written { arn, outcome }
            }),
            Effect::Perform { arn, task } => self.perform_task(arn, *task),
            Effect::Offer { arn, activity, event_id } => self.offer(arn, activity, event_id),
            Effect::Submitted { arn, event_id } => drop(self.tasks.remove(&(arn, event_id))),
            Effect::Withdraw { arn, event_id } => self.withdraw(&(arn, event_id)),
            Effect::Cancel { arn, event_id } => self.cancel(&(arn, event_id)),
            Effect::Evicted { next_timer_at } => shared.evicted(next_timer_at),
            Effect::PutOff { number } => shared.put_off(number),
            Effect::Alert => shared.alerts.notify_one(),
            Effect::DriveMapRun { arn } => shared.map_runs.wake(arn),
        }
    }

    fn perform_task(&mut self, arn: Arn, task: Task) {
        let (shared, event_id) = (self.shared.clone(), task.scheduled.event_id);
        let (key, kind) = ((arn.clone(), event_id), Job::Task(arn.clone(), event_id));
        let is_local = shared.executor.is_local(&task);
        let is_job = integration::of_resource(&task.scheduled.resource).is_some_and(|(_, pattern)| pattern.is_job());
        let job = is_job.then(|| Box::new(task.clone()));
        let settled = Arc::new(AtomicBool::new(false));
        let is_cancelled = settled.clone();
        let work = async move {
            let _permit = match (shared.executor.calls_engine(&task), is_local) {
                // One that held a place would keep it from those that it waits for; `express_executions` limits these.
                (true, _) => None,
                (false, true) => shared.local_tasks.acquire().await,
                (false, false) => shared.tasks.acquire().await,
            };
            if is_cancelled.swap(true, Ordering::SeqCst) {
                return Message::Nothing;
            }
            let begun = Instant::now();
            let outcome = shared.executor.perform(task).await;
            shared.options.figures.performed(&outcome, begun.elapsed());
            Message::TaskEnded { arn, event_id, outcome }
        };
        // What begins a job is waited for even when nobody wants it any more.
        let handle = if is_local && !is_job {
            let (work, handle) = abortable(work);
            self.run_here(kind, work.map(|ended| ended.unwrap_or(Message::Nothing)));
            LetGo::Here(handle)
        } else {
            LetGo::Spawned(self.spawn(kind, work))
        };
        self.tasks.insert(key, Performing { handle, job, settled });
    }

    /// A task was answered by its token. Its performer may still have something to put on record: it is let go on if it has begun.
    fn withdraw(&mut self, key: &(Arn, u64)) {
        if let Some(task) = self.tasks.get(key)
            && !task.settled.swap(true, Ordering::SeqCst)
        {
            task.handle.abort();
            self.tasks.remove(key);
        }
    }

    /// Nobody waits for a task any more.
    fn cancel(&mut self, key: &(Arn, u64)) {
        let Some(Performing { handle, job, settled }) = self.tasks.remove(key) else { return };
        let is_performed = settled.swap(true, Ordering::SeqCst);
        match job {
            // Its service may have begun it already: only the answer tells what to stop.
            Some(task) if task.scheduled.submitted.is_none() && is_performed => {
                self.unwanted.extend(handle.id().map(|id| (id, task)));
            }
            Some(task) if task.scheduled.submitted.is_some() => {
                handle.abort();
                self.stop(task);
            }
            _ => handle.abort(),
        }
    }

    /// Has a job stopped that the store does not know: nobody waited for it any more when it was begun. That must not hold up, nor be
    /// held up by, what the worker has under way.
    fn stop(&self, task: Box<Task>) {
        let shared = self.shared.clone();
        tokio::spawn(async move { shared.unwanted_job(*task).await });
    }

    /// Wakes a worker of an activity, if there is such an activity.
    fn offer(&mut self, arn: Arn, activity: String, event_id: u64) {
        let (shared, job) = (self.shared.clone(), Job::Offer(arn.clone(), event_id));
        self.spawn(job, async move {
            match shared.offer(&activity).await {
                true => Message::Nothing,
                false => {
                    let cause = format!("Activity Does Not Exist: '{activity}'");
                    let outcome = TaskOutcome::ScheduleFailed { error: "States.Runtime".to_owned(), cause };
                    Message::TaskEnded { arn, event_id, outcome }
                }
            }
        });
    }

    fn run_here(&self, job: Job, work: impl Future<Output = Message> + Send + 'static) {
        let mut work = Box::pin(work);
        let guarded = poll_fn(move |context| {
            let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
            polled.unwrap_or_else(|_| Poll::Ready(job.clone().panicked()))
        });
        self.here.push(Box::pin(guarded));
    }

    fn spawn(&mut self, job: Job, work: impl Future<Output = Message> + Send + 'static) -> AbortHandle {
        let handle = self.running.spawn(work);
        self.kinds.insert(handle.id(), job);
        handle
    }

    /// The message of what has ended; a panic becomes a failure of the same kind. Nothing comes of what was cancelled.
    fn ended(&mut self, ended: Result<(Id, Message), JoinError>) -> Option<Message> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let job = self.kinds.remove(&id)?;
        let answer = match &ended {
            Ok((_, Message::TaskEnded { outcome: TaskOutcome::Submitted(answer), .. })) => Some(answer),
            _ => None,
        };
        if let Some(mut task) = self.unwanted.remove(&id) {
            if answer.is_some() {
                task.scheduled.submitted = answer.cloned();
                self.stop(task);
            }
            return None;
        }
        if let Job::Task(arn, event_id) = &job {
            let key = (arn.clone(), *event_id);
            if let Some(performing) = self.tasks.get_mut(&key).filter(|task| task.handle.id() == Some(id)) {
                match (answer, &mut performing.job) {
                    // Until it is kept, only here is known what to stop.
                    (Some(answer), Some(task)) => task.scheduled.submitted = Some(answer.clone()),
                    _ => drop(self.tasks.remove(&key)),
                }
            }
        }
        match ended {
            Ok((_, message)) => Some(message),
            Err(error) if error.is_cancelled() => None,
            Err(_) => Some(job.panicked()),
        }
    }
}

impl Job {
    fn panicked(self) -> Message {
        let error = || StoreError::Damaged("a job of the engine panicked; this is a bug: please report it".to_owned());
        match self {
            Job::Load(arn) => Message::Loaded { arn, outcome: Err(error()) },
            Job::Begin(arn) => Message::BeginWritten { arn, outcome: Err::<Begun, _>(error()) },
            Job::Write(arn) => Message::Written { arn, outcome: Err(error()) },
            Job::Offer(arn, event_id) => {
                tracing::error!(%arn, event_id, "offering an activity task panicked; this is a bug");
                Message::Nothing
            }
            Job::Task(arn, event_id) => {
                tracing::error!(%arn, event_id, "a task's performer panicked; this is a bug");
                let outcome = TaskOutcome::Failed {
                    error: "States.Runtime".to_owned(),
                    cause: "the task's performer panicked; this is a bug: please report it".to_owned(),
                };
                Message::TaskEnded { arn, event_id, outcome }
            }
        }
    }
}

/// What a map run's child runs: the processor of its Map.
pub(super) fn processor(machine: &StateMachine, child: &MapRunChild) -> Result<Arc<StateMachine>, StoreError> {
    let Some(Kind::Map(map)) = machine.find(&child.state_name).map(|(_, state)| &state.kind) else {
        let text = format!("the map run `{}` is of a Map `{}` that is not there", child.arn, child.state_name);
        return Err(StoreError::Damaged(text));
    };
    Ok(Arc::new(StateMachine {
        comment: None,
        query_language: machine.query_language,
        timeout_seconds: child.is_express.then_some(EXPRESS_SECONDS),
        flow: (*map.processor).clone(),
    }))
}

/// Reads an execution and replays it, where that may take its time.
async fn load(shared: &Shared, arn: &str, even_if_ended: bool) -> Result<Option<Box<Live>>, StoreError> {
    let Some(stored) = shared.store.load(arn, even_if_ended).await? else { return Ok(None) };
    let machine = shared.machines.of_definition(stored.new.definition, &stored.definition)?;
    let machine = match &stored.new.map_run {
        Some(child) => processor(&machine, child)?,
        None => machine,
    };
    let replayed = shared.threads.run(move || {
        let execution = match stored.records.is_empty() {
            true => execution::Execution::new(),
            false => execution::replay(&machine, &stored.records).map_err(|error| {
                StoreError::Damaged(format!("the journal of `{}` can't be replayed: {error}", stored.new.arn))
            })?,
        };
        Ok(Box::new(Live {
            number: stored.number,
            new: Arc::new(stored.new),
            machine,
            execution,
            next_seq: stored.next_seq,
            standing: stored.standing,
        }))
    });
    match replayed.await {
        Ok(live) => live.map(Some),
        Err(_) => Err(StoreError::Damaged(format!("replaying `{arn}` panicked; this is a bug: please report it"))),
    }
}
