//! A worker decides for its executions: (message, the clock) → effects. It waits for nothing and calls nothing.
//!
//! ```text
//!            TakeUp, Deliver           Loaded                 nothing queued
//!   (store) ────────────────▶ Loading ────────▶ step ──────────────────────▶ Idle ──▶ evicted (store)
//!                                ▲               │ ▲                          │
//!                  write failed  │    records    │ │ queued meanwhile         │ an input
//!                                └─── Writing ◀──┘ └──────── Written ◀────────┘
//! ```
//!
//! Whatever a step asks for is done after `Written`. A failed write throws the execution away and replays it: recovery, loading and
//! retrying are one path.

mod evictions;
mod figures;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use execution::{Command, Ended, Input, Quotas, Status, Timer};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use self::figures::Counting;
use super::{
    Options, Refusal,
    message::{Arn, Beginning, Effect, Live, Message, Redriving, Started},
    slot::{Batch, Phase, Queued, Slot, task_of},
};
use crate::{
    Clock,
    ports::{Begun, ExecutionKind, Progress, Standing, StoreError, TaskOutcome},
};

/// Timers that are due and fire in one go: then others have their turn.
const TIMERS_A_TICK: usize = 64;
/// ARNs with watchers, from which on those who have gone away are looked for.
const WATCHED: usize = 64;
/// The pause after the first failed load or write of an execution, doubled with each further one up to the limit.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_LIMIT: Duration = Duration::from_secs(10);

pub(super) struct Worker {
    clock: Arc<dyn Clock>,
    evict_after: SignedDuration,
    ask_jobs_after: SignedDuration,
    quotas: Quotas,
    counting: Counting,
    slots: HashMap<Arn, Slot>,
    timers: BTreeSet<(Timestamp, Arn, Timer)>,
    /// (when, which, idle since when): the same pause for all, so in order.
    evictions: VecDeque<(Timestamp, Arn, Timestamp)>,
    watchers: HashMap<Arn, Vec<oneshot::Sender<Ended>>>,
    /// With so many ARNs there, those who have gone away are looked for.
    most_watched: usize,
}

impl Worker {
    pub(super) fn new(clock: Arc<dyn Clock>, options: &Options) -> Worker {
        let seconds = i64::try_from(options.evict_after_seconds).unwrap_or(i64::MAX).min(i64::from(u32::MAX));
        Worker {
            clock,
            evict_after: SignedDuration::from_secs(seconds),
            ask_jobs_after: options.ask_jobs_after(),
            quotas: options.quotas,
            counting: Counting::new(options),
            slots: HashMap::new(),
            timers: BTreeSet::new(),
            evictions: VecDeque::new(),
            watchers: HashMap::new(),
            most_watched: WATCHED,
        }
    }

    /// Executions in memory.
    pub(super) fn executions(&self) -> usize {
        self.slots.len()
    }

    /// When it wants [`Message::Tick`].
    pub(super) fn due(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(at, ..)| *at);
        let eviction = self.evictions.front().map(|(at, ..)| *at);
        timer.into_iter().chain(eviction).min()
    }

    /// The one place where things happen.
    pub(super) fn handle(&mut self, message: Message, effects: &mut Vec<Effect>) {
        #[cfg(feature = "simulator")]
        super::simulated::count(&message);
        match message {
            Message::Begin(beginning) => self.begin(*beginning, effects),
            Message::TakeUp { arn, room } => {
                if !self.slots.contains_key(&arn) {
                    self.load(arn, Slot::new(Phase::Loading, room), effects);
                }
            }
            Message::Deliver { arn, input, reply } => {
                self.deliver(arn, Queued { input, client_token: None, reply: Some(reply) }, effects);
            }
            Message::Redrive(redriving) => self.redrive(*redriving, effects),
            Message::Loaded { arn, outcome } => self.loaded(&arn, outcome, effects),
            Message::BeginWritten { arn, outcome } => self.begin_written(&arn, outcome, effects),
            Message::Written { arn, outcome } => self.written(&arn, outcome, effects),
            Message::TaskEnded { arn, event_id, outcome } => {
                // An execution that waits for a worker of an activity may have left memory when there turns out to be no such activity.
                if self.slots.contains_key(&arn) || matches!(outcome, TaskOutcome::ScheduleFailed { .. }) {
                    self.deliver(arn, Queued::new(input_of(event_id, outcome)), effects);
                }
            }
            Message::Watch { arn, watching, reply } => {
                self.watch(arn, reply);
                // Who has gone away needs no word.
                let _ = watching.send(());
            }
            #[cfg(feature = "simulator")]
            Message::Look { look, done } => {
                look(self.memory());
                // Whoever asks is there.
                let _ = done.send(());
            }
            Message::MakeRoom => self.make_room(effects),
            Message::Nothing => {}
            Message::Tick => self.tick(effects),
        }
    }

    fn watch(&mut self, arn: Arn, reply: oneshot::Sender<Ended>) {
        if self.watchers.len() >= self.most_watched {
            // An execution that ended before it was watched never takes its watchers away.
            self.watchers.retain(|_, watchers| {
                watchers.retain(|watcher| !watcher.is_closed());
                !watchers.is_empty()
            });
            self.most_watched = self.watchers.len().saturating_mul(2).max(WATCHED);
        }
        let watchers = self.watchers.entry(arn).or_default();
        watchers.retain(|watcher| !watcher.is_closed());
        watchers.push(reply);
    }

    #[cfg(feature = "simulator")]
    fn memory(&self) -> super::simulated::Memory {
        let idle = self.slots.iter().filter_map(|(arn, slot)| match &slot.phase {
            Phase::Idle(live) if live.new.kind == ExecutionKind::Standard => {
                Some((arn.clone(), live.machine.clone(), live.execution.clone()))
            }
            _ => None,
        });
        let mut idle: Vec<_> = idle.collect();
        idle.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        super::simulated::Memory {
            slots: self.slots.len(),
            timers: self.timers.len(),
            watchers: self.watchers.values().flatten().filter(|watcher| !watcher.is_closed()).count(),
            idle,
        }
    }

    fn begin(&mut self, beginning: Beginning, effects: &mut Vec<Effect>) {
        let Beginning { new, machine, kept_as, watcher, room, reply } = beginning;
        let arn: Arn = new.arn.as_str().into();
        if let Some(there) = self.slots.get_mut(&arn) {
            match there.phase {
                Phase::Beginning(..) => there.beginners.push(reply),
                _ => answer(reply, Ok(Started::Exists(None))),
            }
            return;
        }
        let mut live = Box::new(Live {
            number: 0,
            new: Arc::new(new),
            machine,
            execution: execution::Execution::new(),
            next_seq: 0,
            standing: Standing::Working,
        });
        let mut slot = Slot::new(Phase::Loading, room);
        slot.queue.push_back(Queued::new(Input::StartExecution(Box::new(start_of(&live, self.quotas)))));
        match slot.take(&mut live, &*self.clock) {
            Ok(mut batch) if !batch.rows.is_empty() => {
                self.set_timers(&arn, &mut slot, &batch.commands);
                let now = self.clock.now();
                let standing = slot.standing(&live, now);
                live.standing = standing.clone();
                let progress = batch.progress(&live.new, standing, self.job_times(now));
                effects.push(Effect::Begin { arn: arn.clone(), new: live.new.clone(), kept_as, progress });
                if let Some(watcher) = watcher {
                    self.watchers.entry(arn.clone()).or_default().push(watcher);
                }
                slot.phase = Phase::Beginning(live, batch, reply);
                self.slots.insert(arn, slot);
            }
            Ok(_) => answer(reply, Err(super::executions::not_json(&live.new.input))),
            // Somebody keeps its start and waits for its end.
            Err(_) if let Some(number) = kept_as => {
                live.number = number;
                self.give_up(arn, slot, live, effects);
            }
            Err(panicked) => {
                tracing::error!(%arn, ?panicked, "an execution can't begin; this is a bug");
                let text = "the execution's first step panicked; this is a bug: please report it".to_owned();
                answer(reply, Err(StoreError::Damaged(text).into()));
            }
        }
    }

    fn begin_written(&mut self, arn: &Arn, outcome: Result<Begun, StoreError>, effects: &mut Vec<Effect>) {
        let Some(mut slot) = self.slots.remove(arn) else { return };
        let (mut live, batch, reply) = match std::mem::replace(&mut slot.phase, Phase::Loading) {
            Phase::Beginning(live, batch, reply) => (live, batch, reply),
            other => {
                slot.phase = other;
                self.slots.insert(arn.clone(), slot);
                return;
            }
        };
        let beginners = std::mem::take(&mut slot.beginners);
        match outcome {
            Ok(Begun::New(number)) => {
                live.number = number;
                self.counting.started(&live);
                answer(reply, Ok(Started::New(Box::new(live.record()))));
                beginners.into_iter().for_each(|beginner| answer(beginner, Ok(Started::Exists(None))));
                match slot.has_room() || !slot.queue.is_empty() || live.standing != Standing::Working {
                    true => self.durable(arn.clone(), slot, live, batch, effects),
                    false => self.put_off(arn, slot, &live, batch, effects),
                }
            }
            Ok(Begun::Exists(there)) => {
                let runs = there.status == Status::Running;
                answer(reply, Ok(Started::Exists(Some(there))));
                beginners.into_iter().for_each(|beginner| answer(beginner, Ok(Started::Exists(None))));
                self.forget_timers(arn, &mut slot);
                // Whatever came for the one in the store meanwhile, a timer that is due or an answer, must not be lost.
                if runs || !slot.queue.is_empty() {
                    self.load(arn.clone(), slot, effects);
                }
            }
            Err(error) => {
                // Of a Standard execution that is there already, others wait for its end.
                if live.new.kind != ExecutionKind::Standard {
                    self.watchers.remove(arn);
                }
                answer(reply, Err(error.clone().into()));
                beginners.into_iter().for_each(|beginner| answer(beginner, Err(error.clone().into())));
                self.forget_timers(arn, &mut slot);
                slot.queue.into_iter().for_each(|queued| queued.answer(Err(error.clone())));
            }
        }
    }

    /// There is no room for a new execution that has something to do: that is found again by replay, when it is taken up.
    fn put_off(&mut self, arn: &Arn, mut slot: Slot, live: &Live, batch: Batch, effects: &mut Vec<Effect>) {
        self.forget_timers(arn, &mut slot);
        let of_map_runs = batch.commands.into_iter().filter(|command| matches!(command, Command::StartMapRun(_)));
        perform(arn, &mut slot, live, of_map_runs.collect(), effects);
        effects.push(Effect::PutOff { number: live.number });
    }

    fn deliver(&mut self, arn: Arn, queued: Queued, effects: &mut Vec<Effect>) {
        let mut slot = match self.slots.remove(&arn) {
            Some(slot) => slot,
            // Answers and stops are let in without room: they only bring executions nearer to their end. Those that then wait again
            // leave at once.
            None => {
                let mut slot = Slot::new(Phase::Loading, None);
                slot.queue.push_back(queued);
                return self.load(arn, slot, effects);
            }
        };
        slot.queue.push_back(queued);
        match std::mem::replace(&mut slot.phase, Phase::Loading) {
            Phase::Idle(live) => self.advance(arn, slot, live, effects),
            busy => {
                slot.phase = busy;
                self.slots.insert(arn, slot);
            }
        }
    }

    /// One that has ended goes on; one that is here has not.
    fn redrive(&mut self, redriving: Redriving, effects: &mut Vec<Effect>) {
        let Redriving { arn, client_token, room, reply } = redriving;
        let queued = Queued { input: Input::Redrive, client_token, reply: Some(reply) };
        if self.slots.contains_key(&arn) {
            return self.deliver(arn, queued, effects);
        }
        let mut slot = Slot::new(Phase::Loading, Some(room));
        slot.queue.push_back(queued);
        self.load(arn, slot, effects);
    }

    /// Has the execution read from the store, after a pause that grows with its failures.
    fn load(&mut self, arn: Arn, mut slot: Slot, effects: &mut Vec<Effect>) {
        let after = match slot.failures {
            0 => Duration::ZERO,
            failures => FIRST_PAUSE.saturating_mul(1_u32 << failures.saturating_sub(1).min(16)).min(PAUSE_LIMIT),
        };
        slot.even_if_ended = slot.is_redriven();
        effects.push(Effect::Load { arn: arn.clone(), even_if_ended: slot.even_if_ended, after });
        slot.phase = Phase::Loading;
        self.slots.insert(arn, slot);
    }

    fn loaded(&mut self, arn: &Arn, outcome: Result<Option<Box<Live>>, StoreError>, effects: &mut Vec<Effect>) {
        let Some(mut slot) = self.slots.remove(arn) else { return };
        match outcome {
            Ok(Some(live)) => {
                let outstanding: Vec<Command> = live.execution.outstanding().collect();
                self.set_timers(arn, &mut slot, &outstanding);
                if live.standing == Standing::Working {
                    // An older program kept no jobs.
                    slot.jobs_found = outstanding.iter().filter(|command| is_begun_job(command)).cloned().collect();
                }
                perform(arn, &mut slot, &live, outstanding, effects);
                if live.next_seq == 0 {
                    slot.awaits_first_call = live.new.finding.is_some();
                    slot.queue.push_front(Queued::new(Input::StartExecution(Box::new(start_of(&live, self.quotas)))));
                }
                self.advance(arn.clone(), slot, live, effects);
            }
            // The redrive came while it was being loaded for something else.
            Ok(None) if slot.is_redriven() && !slot.even_if_ended => self.load(arn.clone(), slot, effects),
            Ok(None) => {
                cancel_all(arn, &slot, effects);
                slot.queue.into_iter().for_each(|queued| queued.answer(Ok(super::message::Delivered::Late)));
            }
            Err(error @ StoreError::Unavailable(_)) => {
                tracing::warn!(%arn, %error, "an execution can't be loaded; it is tried again");
                self.again(arn.clone(), slot, Batch::default(), &error, effects);
            }
            Err(error) => {
                tracing::error!(%arn, %error, "an execution can't be taken up; it stays in the store as it is");
                cancel_all(arn, &slot, effects);
                slot.queue.into_iter().for_each(|queued| queued.answer(Err(error.clone())));
            }
        }
    }

    /// Takes what is queued, and has it written; or rests.
    fn advance(&mut self, arn: Arn, mut slot: Slot, mut live: Box<Live>, effects: &mut Vec<Effect>) {
        slot.idle_since = None;
        let Ok(mut batch) = slot.take(&mut live, &*self.clock) else {
            return match live.new.kind {
                ExecutionKind::Standard => self.poison(arn, slot, effects),
                _ => self.give_up(arn, slot, live, effects),
            };
        };
        self.set_timers(&arn, &mut slot, &batch.commands);
        let now = self.clock.now();
        let standing = slot.standing(&live, now);
        let stands_as_before = batch.leaves(&live.standing, &standing);
        let found = std::mem::take(&mut slot.jobs_found);
        if batch.rows.is_empty() && stands_as_before && found.is_empty() {
            return self.durable(arn, slot, live, batch, effects);
        }
        live.standing = standing.clone();
        let (kind, number) = (live.new.kind, live.number);
        batch.commands.extend(found);
        let progress = Progress { stands_as_before, ..batch.progress(&live.new, standing, self.job_times(now)) };
        effects.push(Effect::Write { arn: arn.clone(), kind, number, progress });
        slot.phase = Phase::Writing(live, batch);
        self.slots.insert(arn, slot);
    }

    fn written(&mut self, arn: &Arn, outcome: Result<(), StoreError>, effects: &mut Vec<Effect>) {
        let Some(mut slot) = self.slots.remove(arn) else { return };
        match std::mem::replace(&mut slot.phase, Phase::Loading) {
            Phase::Writing(live, batch) => match outcome {
                Ok(()) => self.durable(arn.clone(), slot, live, batch, effects),
                Err(error) => {
                    tracing::warn!(%arn, %error, "an execution's steps were not written; it is replayed");
                    self.again(arn.clone(), slot, batch, &error, effects);
                }
            },
            other => {
                slot.phase = other;
                self.slots.insert(arn.clone(), slot);
            }
        }
    }

    /// Everything up to here is in the store: now the answers are given and the commands performed.
    fn durable(&mut self, arn: Arn, mut slot: Slot, live: Box<Live>, batch: Batch, effects: &mut Vec<Effect>) {
        slot.failures = 0;
        for (queued, delivered) in batch.taken {
            let was_under_way = slot.answered(&queued.input);
            // Answered by its token before its performer has ended, or even begun: nobody waits for that any more.
            if let (Some(event_id), Some(_)) = (was_under_way, &queued.reply) {
                effects.push(Effect::Withdraw { arn: arn.clone(), event_id });
            }
            queued.answer(Ok(delivered));
        }
        self.counting.commanded(&mut slot.awaits_first_call, &live, &batch.commands, &*self.clock);
        perform(&arn, &mut slot, &live, batch.commands, effects);
        if let Standing::Ended { ended, .. } = &live.standing {
            self.finish(arn, slot, &live, ended, effects);
        } else if slot.queue.is_empty() {
            self.rest(arn, slot, live, effects);
        } else {
            self.advance(arn, slot, live, effects);
        }
    }

    fn finish(&mut self, arn: Arn, mut slot: Slot, live: &Live, ended: &Ended, effects: &mut Vec<Effect>) {
        self.counting.ended(live, ended.status);
        self.forget_timers(&arn, &mut slot);
        cancel_all(&arn, &slot, effects);
        for watcher in self.watchers.remove(&arn).unwrap_or_default() {
            // A watcher that has gone away needs no answer.
            let _ = watcher.send(ended.clone());
        }
        if live.new.finding.is_some() && ended.status != Status::Succeeded {
            effects.push(Effect::Alert);
        }
        if let Some(child) = &live.new.map_run {
            effects.push(Effect::DriveMapRun { arn: child.arn.as_str().into() });
        }
        if slot.is_redriven() {
            // It came while the end was being written.
            slot.under_way.clear();
            return self.load(arn, slot, effects);
        }
        slot.queue.into_iter().for_each(|queued| queued.answer(Ok(super::message::Delivered::Late)));
    }

    /// Throws the execution away and replays it.
    fn again(&mut self, arn: Arn, mut slot: Slot, batch: Batch, error: &StoreError, effects: &mut Vec<Effect>) {
        self.forget_timers(&arn, &mut slot);
        slot.give_back(batch, error);
        slot.failures = slot.failures.saturating_add(1);
        self.load(arn, slot, effects);
    }

    /// A step panicked: the execution is replayed and stopped; if even that panics, it is left in the store.
    fn poison(&mut self, arn: Arn, mut slot: Slot, effects: &mut Vec<Effect>) {
        let error = StoreError::Damaged("a step of the execution panicked; this is a bug: please report it".to_owned());
        tracing::error!(%arn, stopped = slot.poisoned, "a step of an execution panicked; this is a bug");
        self.forget_timers(&arn, &mut slot);
        slot.give_back(Batch::default(), &error);
        slot.queue.clear();
        if slot.poisoned {
            return cancel_all(&arn, &slot, effects);
        }
        slot.poisoned = true;
        let (error, cause) = (Some("States.Runtime".to_owned()), Some(error.to_string()));
        slot.queue.push_back(Queued::new(Input::StopExecution { error, cause }));
        self.load(arn, slot, effects);
    }

    /// A step of an Express execution panicked: there is nothing to replay, so it ends here.
    fn give_up(&mut self, arn: Arn, mut slot: Slot, mut live: Box<Live>, effects: &mut Vec<Effect>) {
        tracing::error!(%arn, "a step of an execution panicked; this is a bug");
        let ended = Ended {
            status: Status::Failed,
            output: None,
            error: Some("States.Runtime".to_owned()),
            cause: Some("a step of the execution panicked; this is a bug: please report it".to_owned()),
        };
        let now = self.clock.now();
        live.standing = Standing::Ended { ended, at: super::executions::to_the_millisecond(now) };
        let (kind, number) = (live.new.kind, live.number);
        let progress = Batch::default().progress(&live.new, live.standing.clone(), self.job_times(now));
        effects.push(Effect::Write { arn: arn.clone(), kind, number, progress });
        slot.phase = Phase::Writing(live, Batch::default());
        self.slots.insert(arn, slot);
    }

    fn tick(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now();
        let mut fired = 0;
        while fired < TIMERS_A_TICK
            && self.timers.first().is_some_and(|(at, ..)| *at <= now)
            && let Some((_, arn, timer)) = self.timers.pop_first()
        {
            fired += 1;
            if let Some(slot) = self.slots.get_mut(&arn) {
                slot.timers.remove(&timer);
                self.deliver(arn, Queued::new(Input::TimerFired { timer }), effects);
            }
        }
        while self.evictions.front().is_some_and(|(at, ..)| *at <= now) {
            self.evict_next(now, effects);
        }
    }

    fn set_timers(&mut self, arn: &Arn, slot: &mut Slot, commands: &[Command]) {
        for command in commands {
            match command {
                Command::StartTimer { timer, at } => {
                    if let Some(before) = slot.timers.insert(*timer, *at) {
                        self.timers.remove(&(before, arn.clone(), *timer));
                    }
                    self.timers.insert((*at, arn.clone(), *timer));
                }
                Command::CancelTimer { timer } => {
                    if let Some(at) = slot.timers.remove(timer) {
                        self.timers.remove(&(at, arn.clone(), *timer));
                    }
                }
                _ => {}
            }
        }
    }

    /// When a job was begun that is begun now, and when it is asked after.
    fn job_times(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        (now, now.saturating_add(self.ask_jobs_after).unwrap_or(now))
    }

    fn forget_timers(&mut self, arn: &Arn, slot: &mut Slot) {
        for (timer, at) in std::mem::take(&mut slot.timers) {
            self.timers.remove(&(at, arn.clone(), timer));
        }
    }
}

/// Timers were set when the step was taken; the rest is done now.
fn perform(arn: &Arn, slot: &mut Slot, live: &Live, commands: Vec<Command>, effects: &mut Vec<Effect>) {
    for command in commands {
        match command {
            Command::ScheduleTask(scheduled) if scheduled.activity().is_some() => {
                let activity = scheduled.resource;
                effects.push(Effect::Offer { arn: arn.clone(), activity, event_id: scheduled.event_id });
            }
            // It is in the store.
            Command::ScheduleTask(scheduled) if scheduled.submitted.is_some() => {
                effects.push(Effect::Submitted { arn: arn.clone(), event_id: scheduled.event_id });
            }
            Command::ScheduleTask(scheduled) => {
                if slot.under_way.insert(scheduled.event_id) {
                    let task = Box::new(task_of(&live.new, &scheduled));
                    effects.push(Effect::Perform { arn: arn.clone(), task });
                }
            }
            Command::CancelTask { event_id } => {
                slot.under_way.remove(&event_id);
                effects.push(Effect::Cancel { arn: arn.clone(), event_id });
            }
            // After whatever came meanwhile, and with a write before the next: others have their turn.
            Command::Continue => {
                if !slot.queue.iter().any(|queued| queued.input == Input::Continue) {
                    slot.queue.push_back(Queued::new(Input::Continue));
                }
            }
            Command::StartMapRun(run) => effects.push(Effect::DriveMapRun { arn: run.arn.into() }),
            Command::RedriveMapRun(redrive) => effects.push(Effect::DriveMapRun { arn: redrive.arn.into() }),
            Command::StopMapRun { arn } => effects.push(Effect::DriveMapRun { arn: arn.into() }),
            Command::StartTimer { .. }
            | Command::CancelTimer { .. }
            | Command::HandOver(_)
            | Command::CompleteExecution(_) => {}
        }
    }
}

/// A job that is there to be asked after.
fn is_begun_job(command: &Command) -> bool {
    matches!(command, Command::ScheduleTask(task) if task.submitted.is_some())
}

fn cancel_all(arn: &Arn, slot: &Slot, effects: &mut Vec<Effect>) {
    effects.extend(slot.under_way.iter().map(|event_id| Effect::Cancel { arn: arn.clone(), event_id: *event_id }));
}

fn answer(reply: oneshot::Sender<Result<Started, Refusal>>, outcome: Result<Started, Refusal>) {
    // A caller that has gone away needs no answer.
    let _ = reply.send(outcome);
}

pub(super) fn input_of(event_id: u64, outcome: TaskOutcome) -> Input {
    match outcome {
        TaskOutcome::Succeeded(output) => Input::TaskSucceeded { event_id, output },
        TaskOutcome::Failed { error, cause } => Input::TaskFailed { event_id, error: Some(error), cause: Some(cause) },
        TaskOutcome::ScheduleFailed { error, cause } => Input::ActivityScheduleFailed { event_id, error, cause },
        TaskOutcome::Submitted(output) => Input::TaskSubmitted { event_id, output },
    }
}

/// What an execution begins with.
pub(super) fn start_of(live: &Live, quotas: Quotas) -> execution::ExecutionStart {
    let new = &live.new;
    execution::ExecutionStart {
        execution_arn: new.arn.clone(),
        name: new.name.clone(),
        state_machine_arn: new.state_machine_arn.clone(),
        state_machine_name: new.state_machine_arn.rsplit(':').next().unwrap_or_default().to_owned(),
        express: new.kind != ExecutionKind::Standard,
        role_arn: new.role_arn.clone(),
        input: new.input.clone(),
        quotas,
    }
}
