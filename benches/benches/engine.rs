//! Executions of ten Pass states, durable, in process, beside what SQLite's group commit allows for the same rows in the same run.
//!
//! The floor is a writer thread that does nothing but the inserts of one execution (its row and its journal row, of the same sizes, in
//! the store's own tables) for as many clients, in groups as they queue. Also: ten Task states whose tasks answer at once, a durable
//! step each.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends when it fails"
)]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use detection::Finding;
use engine::{
    Clock, Engine, Options, SystemClock, TaskExecutor,
    ports::{Task, TaskOutcome},
    sqlite::SqliteStore,
};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

const CLIENTS: u32 = 512;
const TASK_CLIENTS: u32 = 64;
const STATES: usize = 10;
const FOR: Duration = Duration::from_secs(5);
const INPUT: &str = r#"{"bucket": "a-bucket-with-a-name", "account": "123456789012", "actor": {"type": "IAMUser", "userName": "somebody"}}"#;

/// Answers every task at once.
struct AtOnce;

#[async_trait]
impl TaskExecutor for AtOnce {
    async fn perform(&self, _task: Task) -> TaskOutcome {
        TaskOutcome::Succeeded(json!({"done": true}))
    }

    async fn tell_of_failure(&self, _finding: &Finding) -> Result<(), String> {
        Ok(())
    }
}

/// What clients saw.
struct Measured {
    per_second: f64,
    /// The process's, clients and all, in microseconds.
    cpu_each: f64,
    latencies: Vec<Duration>,
}

impl Measured {
    fn quantile(&self, quantile: f64) -> f64 {
        let milliseconds: Vec<f64> = self.latencies.iter().map(|latency| latency.as_secs_f64() * 1000.0).collect();
        let wanted = quantile * f64::from(u32::try_from(milliseconds.len()).unwrap());
        milliseconds.into_iter().zip(1_u32..).find(|(_, rank)| f64::from(*rank) >= wanted).unwrap().0
    }

    fn print(&self, what: &str) {
        let (half, most) = (self.quantile(0.5), self.quantile(0.99));
        let (rate, cpu) = (self.per_second, self.cpu_each);
        println!("{what:<36} {rate:>7.0}/s   p50 {half:>6.1} ms   p99 {most:>6.1} ms   {cpu:>5.0} µs of CPU each");
    }
}

/// The processor time this process has used, to a hundredth of a second; zero where there is no `/proc`.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// Clients that ask again as soon as they are answered (or at a pace), for a while.
async fn load<F, Fut>(clients: u32, pace: Option<Duration>, ask: F) -> Measured
where
    F: Fn(u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let clients: Vec<_> = (0..clients)
        .map(|client| {
            let (ask, next) = (ask.clone(), next.clone());
            // At a pace, they begin spread over it.
            let wait = pace.map(|pace| pace.mul_f64(f64::from(client) / f64::from(clients)));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                tokio::time::sleep(wait.unwrap_or_default()).await;
                while began.elapsed() < FOR {
                    let asked = Instant::now();
                    ask(next.fetch_add(1, Ordering::Relaxed)).await;
                    latencies.push(asked.elapsed());
                    if let Some(pace) = pace {
                        tokio::time::sleep(pace.saturating_sub(asked.elapsed())).await;
                    }
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await.unwrap());
    }
    let elapsed = began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let count = f64::from(u32::try_from(latencies.len()).unwrap());
    Measured { per_second: count / elapsed, cpu_each: (cpu_seconds() - cpu) * 1e6 / count, latencies }
}

fn states(one: &Value) -> Value {
    let states = (0..STATES).map(|i| {
        let mut state = one.clone();
        let fields = state.as_object_mut().unwrap();
        if i + 1 == STATES {
            fields.insert("End".to_owned(), json!(true));
        } else {
            fields.insert("Next".to_owned(), json!(format!("State {}", i + 1)));
        }
        (format!("State {i}"), state)
    });
    json!({"StartAt": "State 0", "States": states.collect::<serde_json::Map<_, _>>()})
}

async fn executions(engine: &Engine, name: &str, state: Value, clients: u32, pace: Option<Duration>) -> Measured {
    let role = "arn:aws:iam::123456789012:role/r";
    let definition = states(&state).to_string();
    let machine = engine.put_state_machine("123456789012", "eu-central-1", name, &definition, role).await.unwrap();
    let engine = engine.clone();
    load(clients, pace, move |_| {
        let (engine, machine) = (engine.clone(), machine.arn.clone());
        async move {
            let execution = engine.start_execution(&machine, None, INPUT).await.unwrap();
            if execution.ended.is_none() {
                engine.wait_for_end(&execution.arn).await.unwrap();
            }
        }
    })
    .await
}

/// The same rows, and nothing else.
async fn floor(folder: &Path, journal: Vec<u8>, ended: String) -> Measured {
    let (jobs, mut queue) = mpsc::channel::<(u64, oneshot::Sender<()>)>(4096);
    let path = folder.join("rectify.sqlite");
    let writer = std::thread::spawn(move || {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "synchronous", "full").unwrap();
        connection.pragma_update(None, "cache_size", -(16 << 10)).unwrap();
        connection.query_row("PRAGMA wal_autocheckpoint = 4000", [], |_| Ok(())).unwrap();
        while let Some(first) = queue.blocking_recv() {
            let mut group = vec![first];
            while group.len() < 1024
                && let Ok(job) = queue.try_recv()
            {
                group.push(job);
            }
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            for (number, _) in &group {
                insert(&connection, *number, &journal, &ended);
            }
            connection.execute_batch("COMMIT").unwrap();
            for (_, reply) in group {
                let _ = reply.send(());
            }
        }
    });
    let measured = load(CLIENTS, None, {
        let jobs = jobs.clone();
        move |number| {
            let jobs = jobs.clone();
            async move {
                let (reply, answer) = oneshot::channel();
                jobs.send((number, reply)).await.expect("the writer runs");
                answer.await.expect("the writer answers");
            }
        }
    })
    .await;
    drop(jobs);
    writer.join().unwrap();
    measured
}

fn insert(connection: &Connection, number: u64, journal: &[u8], ended: &str) {
    let machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:passes";
    // As scattered as the UUIDs that executions are named by.
    let name = format!("{:016x}-floor-of-the-store-", number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    connection
        .prepare_cached(
            "INSERT INTO executions (arn, name, state_machine_arn, definition, role_arn, input, started_at, status, ended, stopped_at, waiting)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'SUCCEEDED', ?8, ?7, 0)",
        )
        .unwrap()
        .execute(params![
            format!("arn:aws:states:eu-central-1:123456789012:execution:passes:{name}"),
            name,
            machine,
            [0_u8; 32],
            "arn:aws:iam::123456789012:role/r",
            INPUT,
            1_700_000_000_000_000_i64,
            ended
        ])
        .unwrap();
    connection
        .prepare_cached("INSERT INTO journal (execution, seq, format, last_event, records) VALUES (?1, 0, 1, 22, ?2)")
        .unwrap()
        .execute(params![connection.last_insert_rowid(), journal])
        .unwrap();
}

/// The journal and the end of one of the executions, as the store has them.
fn sample(folder: &Path) -> (Vec<u8>, String) {
    let connection = Connection::open(folder.join("rectify.sqlite")).unwrap();
    connection
        .query_row("SELECT records, ended FROM journal JOIN executions ON id = execution LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap()
}

/// The microseconds that deciding takes, and writing down what was decided: without a store, on one core.
fn decided_and_serialized(definition: &str) -> (f64, f64) {
    let document = asl::Document::parse(definition, asl::Format::Json).unwrap();
    let (machine, _) = asl::parse::parse(&document, &asl::parse::AnyResource).unwrap();
    let rounds = 5000_u32;
    let (mut deciding, mut serializing) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..rounds {
        let start = execution::ExecutionStart {
            execution_arn: "arn:aws:states:eu-central-1:123456789012:execution:passes:e".to_owned(),
            name: "e".to_owned(),
            state_machine_arn: "arn:aws:states:eu-central-1:123456789012:stateMachine:passes".to_owned(),
            state_machine_name: "passes".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
            input: INPUT.to_owned(),
            express: false,
            quotas: execution::Quotas::AWS,
        };
        let moment = execution::Moment { now: SystemClock.now(), seed: SystemClock.seed() };
        let mut running = execution::Execution::new();
        let began = Instant::now();
        let input = execution::Input::StartExecution(Box::new(start));
        let step = execution::step(&machine, &mut running, input, moment).unwrap();
        deciding += began.elapsed();
        let began = Instant::now();
        std::hint::black_box(serde_json::to_string(&step.records).unwrap());
        serializing += began.elapsed();
    }
    let each = |total: Duration| total.as_secs_f64() * 1e6 / f64::from(rounds);
    (each(deciding), each(serializing))
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let engine =
        Engine::start(store.clone(), Arc::new(AtOnce), Arc::new(SystemClock), Options::default()).await.unwrap();

    let pass = json!({"Type": "Pass"});
    let passes = executions(&engine, "passes", pass.clone(), CLIENTS, None).await;
    let counts = store.counts();
    let half = Duration::from_secs_f64(f64::from(CLIENTS) / (passes.per_second / 2.0));
    let at_half = executions(&engine, "passes", pass, CLIENTS, Some(half)).await;
    let (journal, ended) = sample(folder.path());
    let floor_folder = tempfile::tempdir_in(".").unwrap();
    drop(SqliteStore::open(floor_folder.path()).unwrap());
    let floor = floor(floor_folder.path(), journal.clone(), ended).await;
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets"});
    let tasks = executions(&engine, "tasks", task, TASK_CLIENTS, None).await;

    passes.print("ten Pass states, 512 clients");
    at_half.print("the same at half load");
    floor.print("floor: their rows alone, 512 clients");
    tasks.print("ten Task states, 64 clients");
    let writes =
        f64::from(u32::try_from(counts.writes).unwrap()) / f64::from(u32::try_from(counts.commits.max(1)).unwrap());
    println!("{writes:.0} writes a commit; {} bytes of journal an execution", journal.len());
    let (deciding, serializing) = decided_and_serialized(&states(&json!({"Type": "Pass"})).to_string());
    println!("of an execution of ten Pass states, {deciding:.0} µs are deciding and {serializing:.0} µs serializing");
    println!("ten Pass states reach {:.0} % of the floor", passes.per_second / floor.per_second * 100.0);
}
