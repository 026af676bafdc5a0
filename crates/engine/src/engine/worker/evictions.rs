//! What only waits leaves memory: after a while, or early when others want to get in.

use jiff::{SignedDuration, Timestamp};

use super::Worker;
use crate::{
    engine::{
        message::{Arn, Effect, Live},
        slot::{Phase, Slot},
    },
    ports::Standing,
};

/// An execution whose timer is due within this is not worth evicting.
const SOON: SignedDuration = SignedDuration::from_secs(1);
/// Executions with room evicted at once when others want to get into memory.
const ROOM_MADE: usize = 64;

impl Worker {
    /// An execution has nothing to do now. One that was let in without room leaves at once if it only waits: else whoever delivers
    /// often enough would fill the memory, whatever its limit.
    pub(super) fn rest(&mut self, arn: Arn, mut slot: Slot, live: Box<Live>, effects: &mut Vec<Effect>) {
        let waits = matches!(live.standing, Standing::Waiting { .. });
        slot.phase = Phase::Idle(live);
        let now = self.clock.now();
        if waits {
            slot.idle_since = Some(now);
            if (self.evict_after.is_zero() || !slot.has_room()) && slot.is_evictable(soon(now)) {
                return self.evict(&arn, slot, effects);
            }
            let at = now.saturating_add(self.evict_after).unwrap_or(now);
            self.evictions.push_back((at, arn.clone(), now));
        }
        self.slots.insert(arn, slot);
    }

    /// Others want to get into memory.
    pub(super) fn make_room(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now();
        let mut made = 0;
        while made < ROOM_MADE && !self.evictions.is_empty() {
            made += usize::from(self.evict_next(now, effects));
        }
    }

    /// Evicts the one that has been idle for the longest, if it still is. Whether that made room.
    pub(super) fn evict_next(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let Some((_, arn, since)) = self.evictions.pop_front() else { return false };
        let Some(slot) = self.slots.get_mut(&arn) else { return false };
        if slot.idle_since != Some(since) {
            return false;
        }
        if !slot.is_evictable(soon(now)) {
            // Its timer is about to fire, and brings it back here.
            slot.idle_since = None;
            return false;
        }
        let Some(slot) = self.slots.remove(&arn) else { return false };
        let has_room = slot.has_room();
        self.evict(&arn, slot, effects);
        has_room
    }

    fn evict(&mut self, arn: &Arn, mut slot: Slot, effects: &mut Vec<Effect>) {
        let next_timer_at = slot.timers.values().min().copied();
        self.forget_timers(arn, &mut slot);
        effects.push(Effect::Evicted { next_timer_at });
    }
}

fn soon(now: Timestamp) -> Timestamp {
    now.saturating_add(SOON).unwrap_or(now)
}
