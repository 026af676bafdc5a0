//! Jobs that were begun (`.sync`): asked after until they end, and stopped when nobody waits any more.
//!
//! They are in the store, each with when it is due, and nowhere else: an execution that waits for one leaves memory, and a crash loses
//! nothing. A job that is an execution of this store is made due by the write that ends it; nobody asks before.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use execution::Input;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::{Shared, message::Delivered, worker::input_of};
use crate::ports::{Job, JobStanding, StoreError, Task, TaskOutcome};

/// Rows looked at beyond those that are being asked after.
const PAGE: usize = 64;
/// A job is asked after when it has run for so much longer.
const LONGER: i32 = 10;
/// But never later than this.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// The pause after stopping failed for the first time, doubled with each further one up to the limit.
const FIRST_STOP_PAUSE: SignedDuration = SignedDuration::from_secs(1);
const STOP_PAUSE_LIMIT: SignedDuration = SignedDuration::from_secs(300);
/// How often stopping is tried: for about an hour.
const STOPS_TRIED: u32 = 20;
/// How long one question after a job may take, and one stop.
const ASK_TIME_LIMIT: Duration = Duration::from_secs(300);
const STOP_TIME_LIMIT: Duration = Duration::from_secs(300);
/// The pause before a job is asked after again whose execution is damaged.
const DAMAGED_PAUSE: SignedDuration = SignedDuration::from_secs(300);
/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// Does what is due. Never ends. Begins with what the last process left.
pub(super) async fn attend(shared: Arc<Shared>) {
    let mut running: JoinSet<()> = JoinSet::new();
    let mut attended: HashMap<tokio::task::Id, u64> = HashMap::new();
    loop {
        let numbers: HashSet<u64> = attended.values().copied().collect();
        let due = match shared.store.jobs(PAGE.saturating_add(numbers.len())).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::error!(%error, "the store does not say which jobs are due; trying again");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (now, mut next, mut begun) = (shared.clock.now(), None, 0);
        for job in due.into_iter().filter(|job| !numbers.contains(&job.number)) {
            if job.due_at > now {
                next = Some(job.due_at);
                break;
            }
            if attended.len() >= shared.options.jobs_at_once.max(1) {
                break;
            }
            begun += 1;
            let number = job.number;
            let id = running.spawn(attend_one(shared.clone(), job)).id();
            attended.insert(id, number);
        }
        if begun >= PAGE {
            // There may be more that is due.
            continue;
        }
        tokio::select! {
            biased;
            Some(ended) = running.join_next_with_id(), if !running.is_empty() => {
                let id = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, ())| *id);
                attended.remove(&id);
            }
            () = shared.jobs_changed.notified() => {}
            () = shared.sleep_until(next) => {}
        }
    }
}

/// What can't be written is tried again after a pause; meanwhile the job counts as being attended to.
async fn attend_one(shared: Arc<Shared>, job: Job) {
    let outcome = match job.is_unwanted {
        true => stop(&shared, &job).await,
        false => ask(&shared, &job).await,
    };
    if let Err(error) = outcome {
        let (execution, event_id) = (&job.task.execution_arn, job.task.scheduled.event_id);
        tracing::warn!(execution, event_id, %error, "what became of a job can't be kept; it is asked after again");
        // An execution that is damaged stays so: whoever repairs it need not restart anything.
        let kept = match error {
            StoreError::Unavailable(_) => Err(error),
            StoreError::Damaged(_) => put_off(&shared, &job, DAMAGED_PAUSE, job.attempts).await,
        };
        if kept.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn ask(shared: &Shared, job: &Job) -> Result<(), StoreError> {
    let attempts = job.attempts.saturating_add(1);
    match standing(shared, &job.task).await {
        JobStanding::Running => put_off(shared, job, pause(shared, job), 0).await,
        JobStanding::Unclear { allowed, .. } if attempts <= allowed => {
            put_off(shared, job, pause(shared, job), attempts).await
        }
        JobStanding::Unclear { outcome, .. } | JobStanding::Ended(outcome) => {
            let told = shared.deliver(&job.task.execution_arn, ended(&job.task, outcome)).await?;
            if told != Delivered::Late {
                // The write that took its end forgot the job.
                return Ok(());
            }
            tracing::debug!(execution = job.task.execution_arn, "a job ended that nobody waits for");
            shared.store.forget_job(job.number, false).await
        }
    }
}

fn ended(task: &Task, outcome: TaskOutcome) -> Input {
    input_of(task.scheduled.event_id, outcome)
}

/// How it stands; a panic of the executor ends it.
async fn standing(shared: &Shared, task: &Task) -> JobStanding {
    let (executor, asked) = (shared.executor.clone(), task.clone());
    let mut asking = JoinSet::new();
    asking.spawn(async move { tokio::time::timeout(ASK_TIME_LIMIT, executor.ask_job(asked)).await });
    match asking.join_next().await {
        Some(Ok(Ok(standing))) => standing,
        Some(Ok(Err(_))) => {
            let (execution, resource) = (&task.execution_arn, &task.scheduled.resource);
            tracing::warn!(execution, resource, "a job's service did not answer; it is asked again");
            JobStanding::Running
        }
        _ => {
            tracing::error!(execution = task.execution_arn, "asking after a job panicked; this is a bug");
            JobStanding::Ended(TaskOutcome::Failed {
                error: "States.Runtime".to_owned(),
                cause: "asking after the task's job panicked; this is a bug: please report it".to_owned(),
            })
        }
    }
}

/// The longer it has run, the less it matters when its end is noticed.
fn pause(shared: &Shared, job: &Job) -> SignedDuration {
    let ran = shared.clock.now().duration_since(job.begun_at).max(SignedDuration::ZERO);
    let shortest = shared.options.ask_jobs_after();
    ran.checked_div(LONGER).unwrap_or(LONGEST_PAUSE).clamp(shortest.min(LONGEST_PAUSE), LONGEST_PAUSE)
}

async fn stop(shared: &Shared, job: &Job) -> Result<(), StoreError> {
    let (executor, task) = (shared.executor.clone(), job.task.clone());
    let mut stopping = JoinSet::new();
    stopping.spawn(async move { tokio::time::timeout(STOP_TIME_LIMIT, executor.stop_job(task)).await });
    let failure = match stopping.join_next().await {
        Some(Ok(Ok(Ok(())))) => return shared.store.forget_job(job.number, true).await,
        Some(Ok(Ok(Err(failure)))) => failure,
        Some(Ok(Err(_))) => "its service did not answer".to_owned(),
        _ => "the executor panicked; this is a bug: please report it".to_owned(),
    };
    let attempts = job.attempts.saturating_add(1);
    let (execution, resource) = (&job.task.execution_arn, &job.task.scheduled.resource);
    if attempts >= STOPS_TRIED {
        tracing::error!(
            execution,
            resource,
            attempts,
            failure,
            "a job that nobody waits for was not stopped, and it is not tried again: stop it at its service"
        );
        return shared.store.forget_job(job.number, true).await;
    }
    tracing::warn!(execution, resource, attempts, failure, "a job that nobody waits for was not stopped; trying again");
    let doubled = 1_i32.checked_shl(job.attempts).unwrap_or(i32::MAX).max(1);
    let pause = FIRST_STOP_PAUSE.saturating_mul(doubled).min(STOP_PAUSE_LIMIT);
    put_off(shared, job, pause, attempts).await
}

async fn put_off(shared: &Shared, job: &Job, pause: SignedDuration, attempts: u32) -> Result<(), StoreError> {
    let at: Timestamp = shared.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
    shared.store.put_off_job(job.number, job.is_unwanted, at, attempts).await
}

impl Shared {
    /// Keeps that a job is to be stopped, or tries that once where it can't be kept.
    pub(super) async fn unwanted_job(&self, task: Task) {
        if let Err(error) = self.store.keep_unwanted_job(task.clone(), self.clock.now()).await {
            let execution = task.execution_arn.clone();
            tracing::error!(execution, %error, "that a job is to be stopped can't be kept; it is tried once");
            if let Err(failure) = self.executor.stop_job(task).await {
                tracing::error!(
                    execution,
                    failure,
                    "a job that nobody waits for was not stopped: stop it at its service"
                );
            }
            return;
        }
        self.jobs_changed.notify_one();
    }
}
