//! Activities: workers ask for tasks, and answer them by their tokens.
//!
//! What waits for a worker is in the store, and nowhere else. A worker who asks claims the oldest task; the execution writes down that
//! it was taken (`ActivityStarted`), and only then does the worker get it. The store forgets the task after that: whatever is lost
//! before, because the worker went away or the process died, is handed out again.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use execution::{Input, ScheduledTask};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

use super::{
    Engine, MachineSettings, Refusal, Shared, executions::to_the_millisecond, message::Delivered, names, tags,
};
use crate::ports::{Activity, ActivityTask, StoreError};

/// How long a worker who asks waits for a task, in seconds, as at AWS.
const POLL_LIMIT: Duration = Duration::from_secs(60);
/// Workers that ask for one activity's tasks at once.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const POLLS_AT_ONCE: usize = 1000;
/// The pause after a failure of the store, and how often it is asked to forget a task.
const PAUSE: Duration = Duration::from_secs(1);
const FORGETTINGS: usize = 60;
/// Activities of an account and Region, at most. Source: the same.
const ACTIVITIES: usize = 10_000;

/// Who asks for tasks, and which tasks are on their way to a worker.
#[derive(Debug, Default)]
pub(super) struct Activities {
    polls: Mutex<HashMap<String, Polls>>,
    /// Held while one is chosen of the tasks in the store, and while the claim of a forgotten one ends: else a task could be claimed
    /// that was handed over since it was read.
    claimed: tokio::sync::Mutex<()>,
    numbers: Mutex<HashSet<u64>>,
}

#[derive(Debug, Default)]
struct Polls {
    count: usize,
    offers: Arc<Notify>,
}

/// A task that a worker has got.
#[derive(Clone, Debug, PartialEq)]
pub struct HandedOver {
    /// What it is answered with.
    pub task_token: String,
    /// Its input.
    pub input: Value,
}

impl Engine {
    /// CreateActivity, of one without tags.
    pub async fn create_activity(&self, account: &str, region: &str, name: &str) -> Result<Activity, Refusal> {
        self.create_activity_with(account, region, name, None, Vec::new()).await
    }

    /// CreateActivity. One that is there stays as it is, with its tags; `encryption` has to be that which it has.
    pub async fn create_activity_with(
        &self,
        account: &str,
        region: &str,
        name: &str,
        encryption: Option<Value>,
        tags: Vec<(String, String)>,
    ) -> Result<Activity, Refusal> {
        names::check_name(name)?;
        tags::check(&names::activity_arn(account, region, name), &tags)?;
        let activity = Activity {
            arn: names::activity_arn(account, region, name),
            name: name.to_owned(),
            created_at: self.now_to_the_millisecond(),
            encryption,
        };
        let asked = effective_encryption(&activity);
        let kept = self.shared().store.catalogue().put_activity(activity, tags, ACTIVITIES).await?;
        let kept = kept.ok_or_else(|| {
            Refusal::ActivityLimitExceeded(format!("Activity Limit Exceeded: there may be {ACTIVITIES} of them"))
        })?;
        if effective_encryption(&kept) == asked {
            return Ok(kept);
        }
        Err(Refusal::ActivityAlreadyExists(format!(
            "Activity Already Exists: '{}'. Its encryptionConfiguration may not be updated",
            kept.arn
        )))
    }

    /// DeleteActivity. One that is not there is deleted already.
    pub async fn delete_activity(&self, arn: &str) -> Result<(), Refusal> {
        names::check_activity_arn(arn)?;
        Ok(self.shared().store.catalogue().delete_activity(arn).await?)
    }

    /// DescribeActivity.
    pub async fn describe_activity(&self, arn: &str) -> Result<Activity, Refusal> {
        names::check_activity_arn(arn)?;
        let activity = self.shared().store.catalogue().activity(arn).await?;
        activity.ok_or_else(|| Refusal::ActivityDoesNotExist(format!("Activity Does Not Exist: '{arn}'")))
    }

    /// ListActivities, in the account and Region, after the ARN named.
    pub async fn list_activities(
        &self,
        account: &str,
        region: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Activity>, Refusal> {
        Ok(self.shared().store.catalogue().activities(account, region, after, limit).await?)
    }

    /// GetActivityTask: the oldest task that waits for a worker; `None` if none comes within 60 seconds. Dropped before it answers, it
    /// leaves the task to the next who asks.
    pub async fn get_activity_task(&self, arn: &str, worker_name: Option<&str>) -> Result<Option<HandedOver>, Refusal> {
        self.describe_activity(arn).await?;
        let shared = self.shared();
        let poll = Poll::new(shared.clone(), arn)?;
        let until = Instant::now() + POLL_LIMIT;
        loop {
            let offered = poll.offers.notified();
            let turn = Turn::new(&poll.offers);
            while let Some(claim) = Claim::next(shared, arn, &poll.offers).await? {
                let input = Input::ActivityStarted {
                    event_id: claim.task.event_id,
                    worker_name: worker_name.map(str::to_owned),
                };
                match self.deliver(&claim.task.execution_arn, input).await? {
                    Delivered::HandedOver(task) => {
                        claim.end();
                        return Ok(Some(HandedOver::of(*task)));
                    }
                    Delivered::Taken(_) | Delivered::Late => claim.end(),
                }
            }
            turn.end();
            if tokio::time::timeout_at(until, offered).await.is_err() {
                return Ok(None);
            }
        }
    }

    fn now_to_the_millisecond(&self) -> Timestamp {
        to_the_millisecond(self.shared().clock.now())
    }
}

/// `encryptionConfiguration` as it is described.
fn effective_encryption(activity: &Activity) -> Option<Value> {
    let settings =
        MachineSettings { encryption_configuration: activity.encryption.clone(), ..MachineSettings::default() };
    settings.effective().encryption_configuration
}

impl HandedOver {
    fn of(task: ScheduledTask) -> HandedOver {
        HandedOver { task_token: task.task_token.unwrap_or_default(), input: task.arguments }
    }
}

impl Shared {
    /// Wakes one who asks for this activity's tasks. Whether there is such an activity.
    pub(super) async fn offer(&self, activity: &str) -> bool {
        let exists = loop {
            match self.store.catalogue().activity(activity).await {
                Ok(found) => break found.is_some(),
                Err(error) => {
                    tracing::warn!(activity, %error, "the store does not say whether there is an activity; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        let polls = self.activities.polls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(polls) = polls.get(activity) {
            polls.offers.notify_one();
        }
        exists
    }
}

/// One who asks.
struct Poll {
    shared: Arc<Shared>,
    activity: String,
    offers: Arc<Notify>,
}

impl Poll {
    fn new(shared: Arc<Shared>, activity: &str) -> Result<Poll, Refusal> {
        let mut polls = shared.activities.polls.lock().unwrap_or_else(PoisonError::into_inner);
        let of_activity = polls.entry(activity.to_owned()).or_default();
        if of_activity.count >= POLLS_AT_ONCE {
            return Err(Refusal::ActivityWorkerLimitExceeded(format!(
                "Activity Worker Limit Exceeded: {POLLS_AT_ONCE} workers ask for tasks of '{activity}' already"
            )));
        }
        of_activity.count += 1;
        let offers = of_activity.offers.clone();
        drop(polls);
        Ok(Poll { shared, activity: activity.to_owned(), offers })
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let mut polls = self.shared.activities.polls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_activity) = polls.get_mut(&self.activity) {
            of_activity.count = of_activity.count.saturating_sub(1);
            if of_activity.count == 0 {
                polls.remove(&self.activity);
            }
        }
    }
}

/// The turn of one who looks for a task. Several offers wake one who asks, and that one may go away or fail before it has looked: so
/// the next is woken, unless this one has seen that nothing is left.
struct Turn {
    offers: Arc<Notify>,
    nothing_is_left: bool,
}

impl Turn {
    fn new(offers: &Arc<Notify>) -> Turn {
        Turn { offers: offers.clone(), nothing_is_left: false }
    }

    /// Nothing is left that could be claimed.
    fn end(mut self) {
        self.nothing_is_left = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.nothing_is_left {
            self.offers.notify_one();
        }
    }
}

/// A task on its way to a worker: no other may have it.
struct Claim {
    shared: Arc<Shared>,
    offers: Arc<Notify>,
    task: ActivityTask,
    done: bool,
}

impl Claim {
    /// Claims the oldest task of an activity that nobody else has claimed.
    async fn next(shared: &Arc<Shared>, activity: &str, offers: &Arc<Notify>) -> Result<Option<Claim>, StoreError> {
        let activities = &shared.activities;
        let _one_at_a_time = activities.claimed.lock().await;
        let numbers = || activities.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let claimed = numbers().len();
        let page = shared.store.activity_tasks(activity, claimed.saturating_add(1)).await?;
        let mut numbers = numbers();
        let free = page.into_iter().find(|task| !numbers.contains(&task.number));
        Ok(free.map(|task| {
            numbers.insert(task.number);
            Claim { shared: shared.clone(), offers: offers.clone(), task, done: false }
        }))
    }

    /// A worker has it, or nobody wants it: the store forgets it, and only then the claim ends.
    fn end(mut self) {
        self.done = true;
        let (shared, number) = (self.shared.clone(), self.task.number);
        tokio::spawn(async move {
            for _ in 0..FORGETTINGS {
                match shared.store.forget_activity_task(number).await {
                    Ok(()) => {
                        // Whoever is choosing may have read it from the store before it was forgotten.
                        let _nobody_chooses = shared.activities.claimed.lock().await;
                        return shared.activities.release(number);
                    }
                    Err(error) => {
                        tracing::warn!(number, %error, "an activity task that a worker has can't be forgotten")
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
            // Still claimed, so that this process hands it out no more.
            tracing::error!(number, "an activity task that a worker has is handed out again after a restart");
        });
    }
}

impl Activities {
    /// Claims that have not ended.
    #[cfg(feature = "simulator")]
    pub(super) fn claimed(&self) -> usize {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn release(&self, number: u64) {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.done {
            self.shared.activities.release(self.task.number);
            self.offers.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_turn_is_passed_on_unless_nothing_is_left() {
        let offers = Arc::new(Notify::new());
        let mut next = pin!(offers.notified());
        assert!(next.as_mut().now_or_never().is_none());
        Turn::new(&offers).end();
        assert!(next.as_mut().now_or_never().is_none(), "nothing is left for the next");
        drop(Turn::new(&offers));
        assert!(next.now_or_never().is_some(), "one who went away wakes the next");
    }
}
