//! Takes up what the store holds: at the start what has something to do, and all along what waits until its timer is due.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;

use super::{Shared, message::Message};
use crate::ports::{Due, StoreError};

/// Executions read at once.
const PAGE: usize = 256;
/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// Recovery: loads everything that was at work when the last process ended, as fast as there is room; from then on, what begins while
/// there is none. Never ends.
pub(super) async fn recover(shared: Arc<Shared>) {
    let taken_up = take_up_after(&shared, 0).await;
    tracing::info!(taken_up, "executions that were at work are taken up");
    loop {
        shared.begun.notified().await;
        // Taken before looking: what begins after the look is announced again.
        let first = shared.put_off_from.swap(u64::MAX, Ordering::SeqCst);
        if first != u64::MAX {
            take_up_after(&shared, first.saturating_sub(1)).await;
        }
    }
}

/// Takes up everything that has something to do, above a number in the store; how much that was.
async fn take_up_after(shared: &Shared, mut after: u64) -> usize {
    let mut taken_up = 0_usize;
    loop {
        match page_with_work(shared, after).await {
            Ok((last, count)) => {
                taken_up += count;
                after = last;
                if count < PAGE {
                    return taken_up;
                }
            }
            Err(error) => {
                tracing::error!(%error, "what was at work can't be taken up; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn page_with_work(shared: &Shared, after: u64) -> Result<(u64, usize), StoreError> {
    let page = shared.store.with_work(after, PAGE).await?;
    let count = page.len();
    let mut last = after;
    for (number, arn) in page {
        shared.take_up(&arn).await?;
        last = number;
    }
    Ok((last, count))
}

/// Wakes what has left memory when its timer is due. Never ends.
pub(super) async fn wake(shared: Arc<Shared>) {
    // Everything up to here has been handed to its worker. Evicted is only what is due later than the clock, so nothing is missed.
    let mut handed: Option<Due> = None;
    loop {
        let now = shared.clock.now();
        if handed.as_ref().is_some_and(|handed| handed.at > now) {
            // The clock was set back.
            handed = None;
        }
        let next = match wake_due(&shared, &mut handed, now).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the store does not say which timers are due; trying again");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        tokio::select! {
            biased;
            () = shared.sleep_until(next) => {}
            () = shared.evictions.notified() => {}
        }
    }
}

/// Hands over what is due; when the next one is.
async fn wake_due(shared: &Shared, handed: &mut Option<Due>, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    // Said before looking: an eviction after the look then sees that it is earlier.
    shared.sleeping_until.store(i64::MAX, Ordering::SeqCst);
    loop {
        let page = shared.store.waiting(handed.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE;
        for due in page {
            if due.at > now {
                shared.sleeping_until.fetch_min(due.at.as_microsecond(), Ordering::SeqCst);
                return Ok(Some(due.at));
            }
            shared.take_up(&due.arn).await?;
            *handed = Some(due);
        }
        if !full {
            return Ok(None);
        }
    }
}

impl Shared {
    /// Has an execution loaded that is in the store and has something to do.
    pub(super) async fn take_up(&self, arn: &str) -> Result<(), StoreError> {
        let room = Some(self.room().await?);
        self.send(arn, Message::TakeUp { arn: arn.into(), room }).await
    }

    /// A new execution is in the store only, under this number: it is taken up when there is room.
    pub(super) fn put_off(&self, number: u64) {
        #[cfg(feature = "simulator")]
        super::simulated::count_put_off();
        self.put_off_from.fetch_min(number, Ordering::SeqCst);
        self.begun.notify_one();
    }

    /// An execution left memory: wakes the waker if it would sleep for too long.
    pub(super) fn evicted(&self, next_timer_at: Option<Timestamp>) {
        if let Some(at) = next_timer_at
            && at.as_microsecond() < self.sleeping_until.load(Ordering::SeqCst)
        {
            self.evictions.notify_one();
        }
    }
}
