//! The world around the engine: chance, time, what is known to have happened, and what was seen to be wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use execution::{Ended, HistoryEvent};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

use super::{jobs::ServiceJob, machines::Machine, random::Random};
use crate::{Clock, Engine};

/// Violations kept of a run.
const VIOLATIONS: usize = 20;

pub(super) struct World {
    state: Mutex<State>,
    /// Told when the process ends.
    pub(super) crashed: Notify,
    pub(super) name: String,
}

/// Everything that outlives a crash, beside the store.
pub(super) struct State {
    pub(super) random: Random,
    pub(super) weather: Weather,
    pub(super) ledger: Ledger,
    pub(super) machines: Vec<Machine>,
    /// Sees what is committed; keeps the store in memory.
    pub(super) store: Connection,
    pub(super) engine: Option<Engine>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) violations: Vec<String>,
    /// Everything that executions need is in the store.
    pub(super) is_registered: bool,
    pub(super) is_crashed: bool,
    /// How far this life's own time is.
    began: Option<Instant>,
    before: Duration,
    /// How far the clock is ahead.
    skew: SignedDuration,
    pub(super) has_jumped: bool,
    trace: DefaultHasher,
    is_printed: bool,
}

/// How bad it is; in hundredths, where it is a chance.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather {
    pub(super) write_fails: u64,
    pub(super) one_write_fails: u64,
    pub(super) read_fails: u64,
    /// The disk is full until then.
    pub(super) full_until: Option<Duration>,
    /// The process ends at this commit of its life, or after this time.
    pub(super) crash_at_commit: Option<u64>,
    pub(super) crash_after: bool,
    pub(super) commits: u64,
    /// Of tasks: `(lost, slow, throttled)`.
    pub(super) tasks: (u64, u64, u64),
    pub(super) is_calm: bool,
    pub(super) jumps: bool,
    /// Milliseconds that a write and a read take at most.
    pub(super) write_milliseconds: u64,
    pub(super) read_milliseconds: u64,
}

/// What those outside know.
#[derive(Default)]
pub(super) struct Ledger {
    /// Starts of Standard executions, by their ARNs.
    pub(super) starts: BTreeMap<String, Start>,
    /// Asynchronous Express executions that were acknowledged, and which of all have had a task performed.
    pub(super) express: BTreeSet<String>,
    pub(super) express_performed: BTreeSet<String>,
    /// By execution and event id.
    pub(super) tasks: BTreeMap<(String, u64), Performed>,
    /// Jobs at their services, by execution and event id.
    pub(super) jobs: BTreeMap<(String, u64), ServiceJob>,
    /// By their tokens.
    pub(super) tokens: BTreeMap<String, Token>,
    /// Histories as they were shown last.
    pub(super) shown: BTreeMap<String, Vec<HistoryEvent>>,
    /// Ends that were told to those who waited for them.
    pub(super) told: Vec<(String, Ended)>,
    /// Those who wait for an end now.
    pub(super) watching: u64,
    /// Events by their ids: `(resource, acknowledged)`.
    pub(super) events: BTreeMap<String, (String, bool)>,
    /// By resource: responses of which a receipt said that they began, and receipts that got lost.
    pub(super) responses: BTreeMap<String, (u64, u64)>,
    /// By finding: how often somebody was told of its failure.
    pub(super) alerts: BTreeMap<String, u64>,
}

/// A start.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) machine: usize,
    pub(super) name: String,
    /// The inputs it was tried with.
    pub(super) inputs: Vec<String>,
    /// The input it was acknowledged with.
    pub(super) acknowledged: Option<String>,
    /// Somebody tried to stop or redrive it.
    pub(super) is_meddled: bool,
}

/// A task, as its executor knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Performed {
    pub(super) idempotency_token: String,
    pub(super) times: Vec<Timestamp>,
    /// Answers that were given, by whoever.
    pub(super) answers: Vec<Answer>,
}

/// What a task is answered with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Output(Value),
    Error(String, String),
}

/// A token that somebody was given.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) arn: String,
    pub(super) event_id: u64,
    pub(super) script: Value,
    /// An answer of this was acknowledged.
    pub(super) taken: Option<Answer>,
    /// Nobody needs to answer any more.
    pub(super) is_settled: bool,
}

impl World {
    pub(super) fn new(seed: u64, name: String, store: Connection, is_printed: bool) -> World {
        let state = State {
            random: Random::new(seed),
            weather: Weather::default(),
            ledger: Ledger::default(),
            machines: Vec::new(),
            store,
            engine: None,
            counts: BTreeMap::new(),
            violations: Vec::new(),
            is_registered: false,
            is_crashed: false,
            began: None,
            before: Duration::ZERO,
            skew: SignedDuration::ZERO,
            has_jumped: false,
            trace: DefaultHasher::new(),
            is_printed,
        };
        World { state: Mutex::new(state), crashed: Notify::new(), name }
    }

    /// Never held while something is awaited.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, what: &'static str) {
        self.state().count(what);
    }

    pub(super) fn note(&self, what: std::fmt::Arguments<'_>) {
        self.state().note(what);
    }

    pub(super) fn violation(&self, what: std::fmt::Arguments<'_>) {
        self.state().violation(what);
    }

    /// The engine of this life.
    pub(super) fn engine(&self) -> Option<Engine> {
        self.state().engine.clone()
    }

    pub(super) async fn pause(&self, least: u64, most: u64) {
        let milliseconds = self.state().random.between(least, most);
        if milliseconds > 0 {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }

    pub(super) fn crash(&self) {
        self.state().is_crashed = true;
        self.crashed.notify_one();
    }
}

impl State {
    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Something happened: a part of the trace.
    pub(super) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        let mut text = String::new();
        let _ = write!(text, "{:>10.3} {what}", self.elapsed().as_secs_f64());
        self.trace.write(text.as_bytes());
        if self.is_printed {
            println!("{text}");
        }
    }

    pub(super) fn violation(&mut self, what: std::fmt::Arguments<'_>) {
        self.note(format_args!("VIOLATION: {what}"));
        if self.violations.len() < VIOLATIONS {
            self.violations.push(what.to_string());
        }
    }

    /// Everything that happened, in a number.
    pub(super) fn trace_hash(&mut self, bytes: &[u8]) -> u64 {
        self.trace.write(bytes);
        self.trace.finish()
    }

    pub(super) fn begin_life(&mut self) {
        self.began = Some(Instant::now());
        self.is_crashed = false;
        self.weather.commits = 0;
    }

    pub(super) fn end_life(&mut self) {
        self.before = self.elapsed();
        self.began = None;
        self.engine = None;
    }

    /// Simulated time since the beginning of all.
    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    pub(super) fn now(&self) -> Timestamp {
        let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().expect("it is a time");
        epoch + SignedDuration::try_from(self.elapsed()).expect("it is no age") + self.skew
    }

    pub(super) fn jump(&mut self, by: SignedDuration) {
        self.skew += by;
        self.has_jumped = true;
    }

    /// The id of the last event of an execution that is committed.
    pub(super) fn last_event(&self, arn: &str) -> Option<u64> {
        self.store
            .prepare_cached(
                "SELECT max(last_event) FROM executions JOIN journal ON execution = executions.id WHERE arn = ?1",
            )
            .and_then(|mut statement| statement.query_row([arn], |row| row.get::<_, Option<u32>>(0)).optional())
            .expect("the store is readable")
            .flatten()
            .map(u64::from)
    }
}

/// The clock of the world.
pub(super) struct WorldClock(pub(super) Arc<World>);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.0.state().now()
    }

    fn seed(&self) -> [u8; 32] {
        let mut state = self.0.state();
        let mut seed = [0; 32];
        for part in seed.chunks_mut(8) {
            part.copy_from_slice(&state.random.next().to_le_bytes());
        }
        seed
    }
}
