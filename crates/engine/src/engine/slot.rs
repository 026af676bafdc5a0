//! One execution in memory: takes inputs from its queue, steps, and says what is to be written before anything is done.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
};

use execution::{Command, IllegalInput, Input, Moment, ScheduledTask, Step, Timer};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::{
    executions::to_the_millisecond,
    message::{Delivered, Live, Room, Started},
};
use crate::{
    Clock,
    engine::Refusal,
    ports::{
        ExecutionKind, JournalRow, MapRunChange, NewExecution, NewJob, Progress, Redrive, Standing, StoreError, Task,
    },
};

/// Steps in one write, at most: the rest of the queue comes with the next.
const STEPS_A_WRITE: usize = 64;

/// An execution's place in memory, from the moment something comes for it until it has ended or is evicted.
pub(super) struct Slot {
    pub(super) phase: Phase,
    /// What has not been taken yet.
    pub(super) queue: VecDeque<Queued>,
    /// Tasks under way whose answer is not durable yet: not to be performed a second time by this process.
    pub(super) under_way: BTreeSet<u64>,
    /// Jobs that its journal tells of and that the store may not have.
    pub(super) jobs_found: Vec<Command>,
    /// Its timers.
    pub(super) timers: BTreeMap<Timer, Timestamp>,
    /// Loads and writes that failed in a row.
    pub(super) failures: u32,
    /// Others who want to begin an execution of this ARN, while it is being begun.
    pub(super) beginners: Vec<oneshot::Sender<Result<Started, Refusal>>>,
    /// A step of it panicked: it is being stopped.
    pub(super) poisoned: bool,
    /// What is being loaded is loaded even if it has ended.
    pub(super) even_if_ended: bool,
    /// It responds to an event, and has not called anybody yet.
    pub(super) awaits_first_call: bool,
    /// Since when it only waits.
    pub(super) idle_since: Option<Timestamp>,
    /// Dropped with the slot.
    room: Option<Room>,
}

/// Where an execution is between the store and the next step.
pub(super) enum Phase {
    /// Being read and replayed.
    Loading,
    /// Everything about it is durable, and the queue is empty.
    Idle(Box<Live>),
    /// Its last steps are being written; nothing that they asked for has been done.
    Writing(Box<Live>, Batch),
    /// Its first steps are being written. The one who asked is told afterwards.
    Beginning(Box<Live>, Batch, oneshot::Sender<Result<Started, Refusal>>),
}

/// Something to be told to an execution, and who wants to know what became of it.
pub(super) struct Queued {
    pub(super) input: Input,
    /// Of a redrive.
    pub(super) client_token: Option<String>,
    pub(super) reply: Option<oneshot::Sender<Result<Delivered, StoreError>>>,
}

impl Queued {
    pub(super) fn new(input: Input) -> Queued {
        Queued { input, client_token: None, reply: None }
    }

    /// The task whose end somebody tells who is not its performer: by its token, or of the job that it began.
    fn told(&self) -> Option<u64> {
        match (&self.input, &self.reply) {
            (Input::TaskSucceeded { event_id, .. } | Input::TaskFailed { event_id, .. }, Some(_)) => Some(*event_id),
            _ => None,
        }
    }

    pub(super) fn answer(self, answer: Result<Delivered, StoreError>) {
        if let Some(reply) = self.reply {
            // A caller that has gone away needs no answer.
            let _ = reply.send(answer);
        }
    }
}

/// What some steps asked for, to be done once it is durable.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) taken: Vec<(Queued, Delivered)>,
    pub(super) commands: Vec<Command>,
    pub(super) rows: Vec<JournalRow>,
    pub(super) redrive: Option<Redrive>,
}

/// A step panicked, which is a bug: the execution in memory can't be trusted any more.
#[derive(Debug)]
pub(super) struct Panicked;

impl Slot {
    pub(super) fn new(phase: Phase, room: Option<Room>) -> Slot {
        Slot {
            phase,
            queue: VecDeque::new(),
            under_way: BTreeSet::new(),
            jobs_found: Vec::new(),
            timers: BTreeMap::new(),
            failures: 0,
            beginners: Vec::new(),
            poisoned: false,
            even_if_ended: false,
            awaits_first_call: false,
            idle_since: None,
            room,
        }
    }

    /// Whether it counts among those that have room in memory.
    pub(super) fn has_room(&self) -> bool {
        self.room.is_some()
    }

    /// Whether a redrive waits to be taken.
    pub(super) fn is_redriven(&self) -> bool {
        self.queue.iter().any(|queued| queued.input == Input::Redrive)
    }

    /// Takes what is queued. What comes too late is answered at once.
    pub(super) fn take(&mut self, live: &mut Live, clock: &dyn Clock) -> Result<Batch, Panicked> {
        let mut batch = Batch::default();
        while batch.rows.len() < STEPS_A_WRITE
            && let Some(queued) = self.queue.pop_front()
        {
            let moment = Moment { now: clock.now(), seed: clock.seed() };
            let now = moment.now;
            match guarded_step(live, queued.input.clone(), moment)? {
                Ok(step) if step.records.is_empty() && step.commands.is_empty() => {
                    self.too_late(&queued);
                    // A heart may beat for a task that needs none.
                    let beats = matches!(queued.input, Input::TaskHeartbeat { event_id } if live.execution.awaits_task(event_id));
                    batch.answer(
                        queued,
                        if beats { Delivered::Taken(to_the_millisecond(now)) } else { Delivered::Late },
                    );
                }
                Ok(step) => {
                    let delivered = delivered(&step, now);
                    batch.add(live, step);
                    if let (Input::Redrive, (count, Some(at))) = (&queued.input, live.execution.redrives()) {
                        batch.redrive = Some(Redrive { count, at, client_token: queued.client_token.clone() });
                    }
                    batch.taken.push((queued, delivered));
                }
                Err(illegal) => {
                    tracing::debug!(arn = live.new.arn, %illegal, "an input was refused");
                    self.too_late(&queued);
                    batch.answer(queued, Delivered::Late);
                }
            }
        }
        Ok(batch)
    }

    /// A performer whose answer nobody waits for has ended. Whoever else comes too late says nothing of the performer: a second answer by
    /// token must not hide that the first, not written yet, lets it go.
    fn too_late(&mut self, queued: &Queued) {
        if queued.reply.is_none() {
            self.answered(&queued.input);
        }
    }

    /// The task that an input answers is no longer under way; which it is, if it was.
    pub(super) fn answered(&mut self, input: &Input) -> Option<u64> {
        match input {
            Input::TaskSucceeded { event_id, .. }
            | Input::TaskFailed { event_id, .. }
            | Input::ActivityScheduleFailed { event_id, .. }
            | Input::TaskSubmitted { event_id, .. } => self.under_way.remove(event_id).then_some(*event_id),
            _ => None,
        }
    }

    /// How the execution stands after its last step, at the store's precision.
    pub(super) fn standing(&self, live: &Live, now: Timestamp) -> Standing {
        if let Some(ended) = live.execution.ended() {
            return Standing::Ended { ended: ended.clone(), at: to_the_millisecond(now) };
        }
        // What is in memory only can't leave it.
        let is_kept = live.new.kind == ExecutionKind::Standard;
        if is_kept && live.execution.only_waits() && live.next_seq > 0 {
            let next = self.timers.values().min();
            return Standing::Waiting {
                next_timer_at: next.and_then(|next| Timestamp::from_microsecond(next.as_microsecond()).ok()),
            };
        }
        Standing::Working
    }

    /// Whether it can leave memory: it waits, nothing is under way, and no timer is due before `soon`.
    pub(super) fn is_evictable(&self, soon: Timestamp) -> bool {
        matches!(&self.phase, Phase::Idle(live) if matches!(live.standing, Standing::Waiting { .. }))
            && self.under_way.is_empty()
            && self.queue.is_empty()
            && self.timers.values().all(|at| *at > soon)
    }

    /// Fails everybody who waits for an answer, and keeps what has to be taken again: a task's own answer.
    pub(super) fn give_back(&mut self, batch: Batch, error: &StoreError) {
        let waiting = std::mem::take(&mut self.queue);
        let taken = batch.taken.into_iter().map(|(queued, _)| queued);
        for queued in taken.chain(waiting) {
            if queued.reply.is_some() {
                queued.answer(Err(error.clone()));
            } else if !matches!(queued.input, Input::TimerFired { .. } | Input::StartExecution(_) | Input::Continue) {
                // Timers, the start and what is ready are found again by replay.
                self.queue.push_back(queued);
            }
        }
    }
}

impl Batch {
    fn add(&mut self, live: &mut Live, step: Step) {
        if !step.records.is_empty() {
            let last_event = live.execution.last_event_id();
            self.rows.push(JournalRow { seq: live.next_seq, last_event, records: step.records });
            live.next_seq = live.next_seq.saturating_add(1);
        }
        self.commands.extend(step.commands);
    }

    /// Answers an input that changed nothing. What came before it may have made it late, as an end or another redrive does: then it is
    /// answered once that is durable, and given back if it never is.
    fn answer(&mut self, queued: Queued, delivered: Delivered) {
        if self.rows.is_empty() {
            queued.answer(Ok(delivered));
        } else {
            self.taken.push((queued, delivered));
        }
    }

    /// Whether what the store has of how the execution stands stays right. It has ended again only if it has been redriven, which
    /// takes rows: when it ended does not change with the time of another look.
    pub(super) fn leaves(&self, before: &Standing, now: &Standing) -> bool {
        match (before, now) {
            (Standing::Ended { .. }, Standing::Ended { .. }) => self.rows.is_empty(),
            _ => before == now,
        }
    }

    /// What is to be written; the rows leave the batch. Jobs that were begun are asked after from `ask_at` on.
    pub(super) fn progress(
        &mut self,
        new: &NewExecution,
        standing: Standing,
        (now, ask_at): (Timestamp, Timestamp),
    ) -> Progress {
        let job = |command: &Command| match command {
            Command::ScheduleTask(scheduled) if scheduled.submitted.is_some() => {
                Some(NewJob { task: task_of(new, scheduled), begun_at: now, ask_at, execution: None })
            }
            _ => None,
        };
        let tokens = self
            .commands
            .iter()
            .filter_map(|command| match command {
                Command::ScheduleTask(task) => task.task_token.as_deref().map(|token| (hash_of(token), task.event_id)),
                _ => None,
            })
            .collect();
        let activity_task = |command: &Command| match command {
            Command::ScheduleTask(task) => task.activity().map(|activity| (activity.to_owned(), task.event_id)),
            _ => None,
        };
        let cancelled = |command: &Command| match command {
            Command::CancelTask { event_id } => Some(*event_id),
            _ => None,
        };
        let map_run = |command: &Command| match command {
            Command::StartMapRun(specification) => Some((**specification).clone()),
            _ => None,
        };
        let map_run_change = |command: &Command| match command {
            Command::StopMapRun { arn } => Some(MapRunChange::Stopped(arn.clone())),
            Command::RedriveMapRun(redrive) => Some(MapRunChange::Redriven(redrive.clone())),
            _ => None,
        };
        Progress {
            offered: self.commands.iter().filter_map(activity_task).collect(),
            jobs: self.commands.iter().filter_map(job).collect(),
            withdrawn: self.commands.iter().filter_map(cancelled).collect(),
            told: self.taken.iter().filter_map(|(queued, _)| queued.told()).collect(),
            map_runs: self.commands.iter().filter_map(map_run).collect(),
            map_run_changes: self.commands.iter().filter_map(map_run_change).collect(),
            rows: std::mem::take(&mut self.rows),
            redrive: self.redrive.take(),
            tokens,
            standing,
            stands_as_before: false,
        }
    }
}

/// A task, with whose it is.
pub(super) fn task_of(new: &NewExecution, scheduled: &ScheduledTask) -> Task {
    Task {
        execution_arn: new.arn.clone(),
        state_machine_arn: new.state_machine_arn.clone(),
        scheduled: scheduled.clone(),
    }
}

/// What to answer once a step is durable.
fn delivered(step: &Step, now: Timestamp) -> Delivered {
    let task = step.commands.iter().find_map(|command| match command {
        Command::HandOver(task) => Some(task.clone()),
        _ => None,
    });
    task.map_or_else(|| Delivered::Taken(to_the_millisecond(now)), Delivered::HandedOver)
}

/// What a task token is looked up by.
pub(crate) fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn guarded_step(live: &mut Live, input: Input, moment: Moment) -> Result<Result<Step, IllegalInput>, Panicked> {
    catch_unwind(AssertUnwindSafe(|| execution::step(&live.machine, &mut live.execution, input, moment)))
        .map_err(|_| Panicked)
}
