//! A limit of things at once, told in the log when it is reached.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A limit that stays reached is told again after this.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

pub(super) struct Limit {
    /// As [`Options`](super::Options) names it.
    name: &'static str,
    limit: usize,
    permits: Arc<Semaphore>,
    told: Mutex<Option<Instant>>,
}

impl Limit {
    pub(super) fn new(name: &'static str, limit: usize) -> Limit {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Limit { name, limit, permits: Arc::new(Semaphore::new(limit)), told: Mutex::new(None) }
    }

    /// A permit, if there is one now; where there is none, that is told.
    pub(super) fn try_acquire(&self) -> Option<OwnedSemaphorePermit> {
        let permit = self.permits.clone().try_acquire_owned().ok();
        if permit.is_none() && self.is_to_be_told(Instant::now()) {
            let (name, limit) = (self.name, self.limit);
            tracing::warn!(name, limit, "a limit is reached: what comes now waits until something else has ended");
        }
        permit
    }

    /// Waits for a permit. `None` never comes: it would mean that the limit is no more.
    pub(super) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        match self.try_acquire() {
            Some(permit) => Some(permit),
            None => self.permits.clone().acquire_owned().await.ok(),
        }
    }

    /// Whether no permit is left.
    pub(super) fn is_reached(&self) -> bool {
        self.permits.available_permits() == 0
    }

    /// How many permits are held.
    #[cfg(feature = "simulator")]
    pub(super) fn held(&self) -> usize {
        self.limit.saturating_sub(self.permits.available_permits())
    }

    fn is_to_be_told(&self, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|told| now.saturating_duration_since(told) >= TOLD_AGAIN_AFTER);
        if is_due {
            *told = Some(now);
        }
        is_due
    }
}

#[cfg(feature = "simulator")]
impl std::fmt::Display for Limit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} of {}: {}", self.held(), self.name, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_once_a_minute() {
        let limit = Limit::new("things_at_once", 1);
        let permit = limit.try_acquire();
        assert!(permit.is_some() && limit.told.lock().unwrap().is_none());
        assert!(limit.try_acquire().is_none());
        let told = limit.told.lock().unwrap().unwrap();
        assert!(!limit.is_to_be_told(told + Duration::from_secs(59)));
        assert!(limit.is_to_be_told(told + Duration::from_secs(60)));
        drop(permit);
        assert!(limit.try_acquire().is_some());
    }
}
