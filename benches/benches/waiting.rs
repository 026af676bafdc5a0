//! What executions cost that only wait: `cargo bench -p benches --bench waiting -- 1000000` (10,000 without a number). The binary is
//! taken from beside this benchmark's, so `cargo build --release -p rectify` comes first.
//!
//! Each is one Parallel of a task that waits for its token, with a heartbeat and a time-out of days, and of a Wait of days. They are
//! begun in this process, which is measured while they wait; those beyond 10,000 are copied in the store, each with its own name and
//! token. Then `rectify serve` is started on that store.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a benchmark prints, and ends when it fails"
)]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use aws::{Aws, Call, Options as AwsOptions};
use detection::Finding;
use engine::{
    Engine, Options, SystemClock, TaskExecutor,
    ports::{Task, TaskOutcome},
    sqlite::SqliteStore,
};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

const CLIENTS: u64 = 256;
/// Executions begun by the engine, at most; the others are copies of them.
const BEGUN: u64 = 10_000;
/// Executions whose timers are due when the process starts again.
const DUE: u64 = 1000;
const TOKENS_ANSWERED: usize = 100;
const PATIENCE: Duration = Duration::from_secs(600);
const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";

/// Hands every task over, and keeps the tokens of the last ones.
#[derive(Default)]
struct HandsOver {
    tokens: Mutex<Vec<String>>,
    submitted: AtomicU64,
}

#[async_trait]
impl TaskExecutor for HandsOver {
    async fn perform(&self, task: Task) -> TaskOutcome {
        let mut tokens = self.tokens.lock().unwrap();
        tokens.extend(task.scheduled.task_token);
        let surplus = tokens.len().saturating_sub(TOKENS_ANSWERED);
        tokens.drain(..surplus);
        self.submitted.fetch_add(1, Ordering::Relaxed);
        TaskOutcome::Submitted(json!({"StatusCode": 200}))
    }

    async fn tell_of_failure(&self, _finding: &Finding) -> Result<(), String> {
        Ok(())
    }
}

/// A line of a process's `/proc/PID/status`, in MiB.
fn memory(process: &str, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let found = status.lines().find_map(|found| found.strip_prefix(line));
    let kilobytes = found.and_then(|found| found.trim_matches([':', '\t', ' ', 'k', 'B']).parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1024.0
}

fn size_of(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

/// A running `rectify serve`, killed with this value.
struct Serve {
    process: Child,
    address: String,
}

impl Serve {
    /// Starts it, and how long it took until `/healthz` answered.
    fn start(data: &Path) -> (Serve, Duration) {
        let tests = std::env::current_exe().unwrap();
        let binary = tests.ancestors().nth(2).unwrap().join("rectify");
        assert!(binary.exists(), "there is no {}: build the package `rectify` first", binary.display());
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        fs::write(data.join("rectify.yaml"), format!("account: \"{ACCOUNT}\"\n")).unwrap();
        let began = Instant::now();
        let process = Command::new(binary)
            .args(["serve", "--listen", &address, "--data"])
            .arg(data)
            .arg("--config")
            .arg(data.join("rectify.yaml"))
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .env("AWS_ACCESS_KEY_ID", "AKIARECTIFY000000000")
            .env("AWS_SECRET_ACCESS_KEY", "rectify")
            .env("AWS_REGION", REGION)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let serve = Serve { process, address };
        until("the start of `rectify serve`", || serve.is_ready().then_some(()));
        (serve, began.elapsed())
    }

    fn is_ready(&self) -> bool {
        use std::io::{Read as _, Write as _};
        let Ok(mut stream) = std::net::TcpStream::connect(&self.address) else { return false };
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    fn print_memory(&self, when: &str) {
        let process = self.process.id().to_string();
        let (now, most) = (memory(&process, "VmRSS"), memory(&process, "VmHWM"));
        println!("{when:<58} {now:>7.1} MiB resident, at most {most:.1}");
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn until<T>(what: &str, mut happens: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = happens() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not happen within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(2));
    }
}

async fn machine(engine: &Engine, name: &str, definition: Value) -> String {
    let role = "arn:aws:iam::123456789012:role/r";
    engine.put_state_machine(ACCOUNT, REGION, name, &definition.to_string(), role).await.unwrap().arn
}

/// Begins that many, many at once.
async fn begin(engine: &Engine, machine: &str, count: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (engine, machine, next) = (engine.clone(), machine.to_owned(), next.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let input = json!({"finding": number, "bucket": "a-bucket-with-a-name"}).to_string();
                    engine.start_execution(&machine, None, &input).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

/// Makes the store: executions that wait for days, and some whose timers are due soon; tokens of the former.
async fn fill(folder: &Path, count: u64) -> Vec<String> {
    let store = Arc::new(SqliteStore::open(folder).unwrap());
    let executor = Arc::new(HandsOver::default());
    let options = Options { evict_after_seconds: 0, ..Options::default() };
    let engine = Engine::start(store, executor.clone(), Arc::new(SystemClock), options).await.unwrap();
    let days = 5 * 24 * 3600;
    let ask = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true,
        "HeartbeatSeconds": days, "TimeoutSeconds": 2 * days,
        "Arguments": {"FunctionName": "ask", "Payload": {"Token": "{% $states.context.Task.Token %}"}}});
    let waiting = machine(
        &engine,
        "waiting",
        json!({"QueryLanguage": "JSONata", "StartAt": "Both", "States": {
        "Both": {"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "Ask", "States": {"Ask": ask}},
            {"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": days, "End": true}}},
        ]}}}),
    );
    let waiting = waiting.await;
    let empty = memory("self", "VmRSS");
    let began = Instant::now();
    begin(&engine, &waiting, count).await;
    while executor.submitted.load(Ordering::Relaxed) < count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The last of them are being written.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let seconds = began.elapsed().as_secs_f64();
    let all = memory("self", "VmRSS");
    println!("{count} executions begun in {seconds:.0} s");
    println!("this process, engine and store: {empty:.1} MiB before, {all:.1} MiB while all of them wait");
    let soon = machine(
        &engine,
        "soon",
        json!({"QueryLanguage": "JSONata", "StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 5, "End": true}}}),
    );
    begin(&engine, &soon.await, DUE).await;
    drop(engine);
    let tokens = std::mem::take(&mut *executor.tokens.lock().unwrap());
    // The store's writer ends after its last write; then the folder is free.
    tokio::time::sleep(Duration::from_secs(6)).await;
    tokens
}

/// Copies the first execution in the store so many times: its row, its journal and its token, under names as scattered as UUIDs.
fn copy(folder: &Path, copies: u64) {
    let mut connection = Connection::open(folder.join("rectify.sqlite")).unwrap();
    connection.pragma_update(None, "cache_size", -(1 << 20)).unwrap();
    let others: Vec<String> = {
        let sql =
            "SELECT name FROM pragma_table_info('executions') WHERE name NOT IN ('id', 'arn', 'name', 'next_timer_at')";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let others = others.join(", ");
    let top: i64 = connection.query_row("SELECT max(id) FROM executions", [], |row| row.get(0)).unwrap();
    let event_id: i64 = {
        let sql = "SELECT event_id FROM task_tokens WHERE execution = 1";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let began = Instant::now();
    let transaction = connection.transaction().unwrap();
    let counted = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {copies})");
    let name = "printf('%08x-%08x-copied-in-the-store', i * 2654435761 % 4294967296, i)";
    let arn = format!("'arn:aws:states:{REGION}:{ACCOUNT}:execution:waiting:' || {name}");
    for sql in [
        format!(
            "INSERT INTO executions (id, arn, name, next_timer_at, {others}) {counted}
             SELECT {top} + i, {arn}, {name}, next_timer_at + i, {others} FROM n, executions WHERE id = 1"
        ),
        format!(
            "INSERT INTO journal (execution, seq, format, last_event, records) {counted}
             SELECT {top} + i, seq, format, last_event, records FROM n, journal WHERE execution = 1"
        ),
        format!(
            "INSERT INTO task_tokens (hash, execution, event_id) {counted}
             SELECT randomblob(32), {top} + i, {event_id} FROM n"
        ),
    ] {
        transaction.execute(&sql, []).unwrap();
    }
    transaction.commit().unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    println!("{copies} more copied in {:.0} s", began.elapsed().as_secs_f64());
}

/// How many of the machine `soon` have ended.
fn soon_ended(connection: &Connection) -> u64 {
    let sql = "SELECT count(*) FROM executions WHERE state_machine_arn = ?1 AND status = 'SUCCEEDED'";
    let arn = format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:soon");
    u64::try_from(connection.query_row(sql, [arn], |row| row.get::<_, i64>(0)).unwrap()).unwrap()
}

/// Answers tokens over HTTP, one after the other; the milliseconds that the median and the slowest took.
async fn answer(serve: &Serve, data: &Path, tokens: &[String]) -> (f64, f64) {
    let credentials = fs::read_to_string(data.join("credentials")).unwrap();
    let value = |name: &str| {
        let line = credentials.lines().find(|line| line.trim().starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    let mut options = AwsOptions::fixed(REGION, &value("aws_access_key_id"), &value("aws_secret_access_key"));
    options.endpoint_url = Some(format!("http://{}", serve.address));
    let aws = Aws::new(options);
    let mut latencies = Vec::new();
    for token in tokens {
        let began = Instant::now();
        let call = Call {
            service: "sfn".to_owned(),
            action: "sendTaskSuccess".to_owned(),
            parameters: json!({"TaskToken": token, "Output": "{}"}),
            region: None,
            role_arn: None,
            idempotency_token: None,
            attempts: 1,
            timeout_seconds: 60,
            answer_bytes: None,
        };
        aws.call(call).await.unwrap_or_else(|error| panic!("a token was not taken: {error}"));
        latencies.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    latencies.sort_by(f64::total_cmp);
    (latencies.get(latencies.len() / 2).copied().unwrap(), latencies.last().copied().unwrap())
}

/// How SQLite goes about what is asked at a start and for each token.
fn print_plans(connection: &Connection) {
    for sql in [
        "SELECT id, arn FROM executions WHERE status = 'RUNNING' AND waiting = 0 AND id > 0 ORDER BY id LIMIT 256",
        "SELECT next_timer_at, id, arn FROM executions WHERE status = 'RUNNING' AND waiting = 1 AND next_timer_at NOT NULL
             AND (next_timer_at, id) > (0, 0) ORDER BY next_timer_at, id LIMIT 256",
        "SELECT arn, event_id FROM task_tokens JOIN executions ON id = execution WHERE hash = x'00'",
    ] {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        println!("plan: {}", steps.map(Result::unwrap).collect::<Vec<_>>().join("; "));
    }
}

#[tokio::main]
async fn main() {
    let count: u64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    let folder = tempfile::tempdir_in(".").unwrap();
    let nothing: PathBuf = folder.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    let (serve, ready) = Serve::start(&nothing);
    println!("`rectify serve` on an empty store is ready after {:.0} ms", ready.as_secs_f64() * 1000.0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    serve.print_memory("idle, on an empty store");
    drop(serve);

    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let begun = count.min(BEGUN);
    let tokens = fill(&data, begun).await;
    if count > begun {
        copy(&data, count - begun);
    }
    println!("{} bytes of disk for each", size_of(&data) / count);
    let (serve, ready) = Serve::start(&data);
    let began = Instant::now();
    let connection =
        Connection::open_with_flags(data.join("rectify.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    until("the first timer", || (soon_ended(&connection) > 0).then_some(()));
    let first = ready + began.elapsed();
    until("all timers", || (soon_ended(&connection) == DUE).then_some(()));
    let all = ready + began.elapsed();
    println!(
        "`rectify serve` is ready after {:.0} ms; the first timer that was due is handled after {:.0} ms, all {DUE} after {:.0} ms",
        ready.as_secs_f64() * 1000.0,
        first.as_secs_f64() * 1000.0,
        all.as_secs_f64() * 1000.0
    );
    serve.print_memory("started again, the timers that were due handled");
    let (median, slowest) = answer(&serve, &data, &tokens).await;
    println!("a token is answered within {median:.1} ms (median of {}), {slowest:.1} ms at most", tokens.len());
    tokio::time::sleep(Duration::from_secs(3)).await;
    serve.print_memory("after that");
    print_plans(&connection);
}
