//! Timers by a clock that is set by hand: each fires at its moment, once, however many are due with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use engine::{Clock, Engine, Options};
use execution::{EventType, Status};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use support::*;
use tokio::{sync::watch, task::JoinSet};

/// A clock that stands still until it is set. Its seeds differ.
struct ByHand {
    now: watch::Sender<Timestamp>,
}

#[async_trait]
impl Clock for ByHand {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn seed(&self) -> [u8; 32] {
        engine::SystemClock.seed()
    }

    async fn sleep_until(&self, due: Option<Timestamp>) {
        let mut seen = self.now.subscribe();
        let _ = seen.wait_for(|now| due.is_some_and(|due| due <= *now)).await;
    }
}

impl ByHand {
    fn advance(&self, milliseconds: i64) {
        self.now.send_modify(|now| *now += SignedDuration::from_millis(milliseconds));
    }
}

async fn engine(home: &Home, options: Options) -> (Engine, Arc<ByHand>) {
    let clock = Arc::new(ByHand { now: watch::Sender::new("2026-01-01T00:00:00Z".parse().unwrap()) });
    let engine = Engine::start(home.store().await, home.executor.clone(), clock.clone(), options).await.unwrap();
    (engine, clock)
}

async fn waits(engine: &Engine, seconds: u64) -> String {
    machine(engine, "waits", json!({"W": {"Type": "Wait", "Seconds": seconds, "End": true}})).await
}

async fn begin(engine: &Engine, machine: &str, count: usize) -> Vec<String> {
    let mut starts = JoinSet::new();
    for _ in 0..count {
        let (engine, machine) = (engine.clone(), machine.to_owned());
        starts.spawn(async move { engine.start_execution(&machine, None, "{}").await.unwrap().arn });
    }
    starts.join_all().await
}

/// In memory, and out of it.
const EVICTED_AFTER: [u64; 2] = [3600, 0];

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_of_a_second_ends_at_that_millisecond() {
    for evict_after_seconds in EVICTED_AFTER {
        let home = Home::new();
        let (engine, clock) = engine(&home, Options { evict_after_seconds, ..home.options.clone() }).await;
        let sleeper = begin(&engine, &waits(&engine, 3).await, 1).await.remove(0);
        let pass = machine(&engine, "pass", json!({"P": {"Type": "Pass", "End": true}})).await;
        if evict_after_seconds == 0 {
            until("it leaves memory", || async { engine.executions_in_memory() == 0 }).await;
        }
        clock.advance(2999);
        // Whatever its worker does after the clock was set comes before the end of one that began later.
        for arn in begin(&engine, &pass, 64).await {
            engine.wait_for_end(&arn).await.unwrap();
        }
        assert_eq!(engine.describe_execution(&sleeper).await.unwrap().status, Status::Running, "a millisecond early");
        clock.advance(1);
        engine.wait_for_end(&sleeper).await.unwrap();
        let ended = engine.describe_execution(&sleeper).await.unwrap();
        assert_eq!(ended.stopped_at.unwrap() - ended.started_at, jiff::Span::new().seconds(3).fieldwise());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_timers_that_are_due_at_once_fire_once_each_and_others_end_meanwhile() {
    const COUNT: usize = 10_000;
    let home = Home::new();
    // Half of them find room in memory.
    let options = Options { evict_after_seconds: 3600, executions_in_memory: COUNT / 2, ..home.options.clone() };
    let (engine, clock) = engine(&home, options).await;
    let waiting = waits(&engine, 60).await;
    let sleepers = begin(&engine, &waiting, COUNT).await;
    let pass = machine(&engine, "pass", json!({"P": {"Type": "Pass", "End": true}})).await;
    assert!(engine.executions_in_memory() <= COUNT / 2 + 64);
    clock.advance(60_000);
    for arn in begin(&engine, &pass, 100).await {
        engine.wait_for_end(&arn).await.unwrap();
    }
    let due = *clock.now.borrow();
    let (mut after, mut ended) = (None, 0);
    while ended < COUNT {
        let page = engine.list_executions(&waiting, None, after.as_deref(), 1000).await.unwrap();
        for execution in &page {
            if execution.stopped_at.is_none() {
                engine.wait_for_end(&execution.arn).await.unwrap();
            }
            let stopped_at = match execution.stopped_at {
                Some(at) => Some(at),
                None => engine.describe_execution(&execution.arn).await.unwrap().stopped_at,
            };
            assert_eq!(stopped_at, Some(due));
        }
        ended += page.len();
        after = page.last().map(|last| last.arn.clone());
    }
    for arn in sleepers.iter().step_by(100) {
        let history = engine.history(arn, None, 100, false).await.unwrap();
        let exits = history.iter().filter(|event| event.kind == EventType::WaitStateExited);
        assert_eq!(exits.count(), 1, "{arn}");
    }
}
