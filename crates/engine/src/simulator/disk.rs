//! The disk under the store: slow, now and then failing, now and then full, and gone when the process ends.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::world::World;
use crate::{
    ports::StoreError,
    sqlite::{Disk, Fate},
};

pub(super) struct WorldDisk(pub(super) Arc<World>);

fn fails(what: &str) -> StoreError {
    StoreError::Unavailable(format!("the simulated disk {what}"))
}

impl WorldDisk {
    fn fate(&self) -> Fate {
        let mut state = self.0.state();
        let now = state.elapsed();
        state.weather.commits += 1;
        if state.weather.crash_at_commit == Some(state.weather.commits) {
            return if state.weather.crash_after { Fate::CrashAfter } else { Fate::CrashBefore };
        }
        if state.weather.full_until.is_some_and(|until| now < until) {
            state.count("fault: disk full");
            return Fate::Failed(fails("is full"));
        }
        let (all, one) = (state.weather.write_fails, state.weather.one_write_fails);
        if state.random.chance(all) {
            state.count("fault: write of a group failed");
            return Fate::Failed(fails("does not write"));
        }
        if state.random.chance(one) {
            state.count("fault: one write failed");
            return Fate::OneFailed(state.random.index(64), fails("does not write this"));
        }
        Fate::Committed
    }
}

#[async_trait]
impl Disk for WorldDisk {
    async fn write(&self) -> Fate {
        let most = self.0.state().weather.write_milliseconds;
        self.0.pause(0, most).await;
        let fate = self.fate();
        if matches!(fate, Fate::Failed(_)) {
            // What fails takes its time, so that nobody fails a million times in a second.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        fate
    }

    fn committed(&self, writes: usize) {
        self.0.note(format_args!("committed {writes}"));
        self.0.count("commits");
    }

    async fn read(&self) -> Result<(), StoreError> {
        let most = self.0.state().weather.read_milliseconds;
        self.0.pause(0, most).await;
        let mut state = self.0.state();
        let fails_at = state.weather.read_fails;
        if state.random.chance(fails_at) {
            state.count("fault: read failed");
            return Err(fails("does not read"));
        }
        Ok(())
    }

    fn crash(&self) {
        let after = self.0.state().weather.crash_after;
        self.0.count(if after {
            "fault: crash after a commit, its answers lost"
        } else {
            "fault: crash before a commit"
        });
        self.0.note(format_args!("crash at a commit"));
        self.0.crash();
    }
}
