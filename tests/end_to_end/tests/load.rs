//! Events by HTTP and by a queue, and kill -9 at random moments of it: every event that was acknowledged is there once, and every
//! match was acted on once.
//!
//! 3,000 events and three kills, unless `RECTIFY_LOAD_EVENTS` and `RECTIFY_LOAD_KILLS` say more: `docs/operating.md` has the figures
//! of 100,000 with ten. `RECTIFY_SEED` takes the moments of an earlier run again.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::cast_precision_loss,
    reason = "a test tells what broke by panicking"
)]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use end_to_end::{Serve, Sqs, Webhook};
use serde_json::{Value, json};

/// One event of so many comes by the queue, and one of so many matches.
const BY_QUEUE: u64 = 5;
const MATCHES: u64 = 9;
/// Clients that post events, each one event at a time.
const CLIENTS: u64 = 16;
/// Events in a body, when all are sent once more.
const AT_ONCE: u64 = 500;
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(120);
const GUARDRAIL: &str = r#"
id: load
title: A match of the load test
severity: LOW
risk: safe
resource: {type: "Test::Load::Thing", id: "{% $event.detail.thing %}"}
event: {source: [load], detail: {matches: [true]}}
list: {StartAt: L, States: {L: {Type: Pass, Output: {ResourceIds: []}, End: true}}}
inspect: {StartAt: I, States: {I: {Type: Pass, Output: {Compliance: NON_COMPLIANT, Reason: it always is, Before: {}}, End: true}}}
fix: {StartAt: F, States: {F: {Type: Pass, End: true}}}
undo: {StartAt: U, States: {U: {Type: Pass, End: true}}}
tests: []
"#;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap())
}

/// SplitMix64: numbers from a seed.
fn random(state: &mut u64, limit: u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) % limit.max(1)
}

fn event(n: u64) -> Value {
    json!({"version": "0", "id": format!("event-{n}"), "detail-type": "Load", "source": "load", "account": "123456789012",
        "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"matches": n.is_multiple_of(MATCHES), "thing": format!("thing-{n}"), "note": "x".repeat(500)}})
}

/// A connection that is kept.
struct Client {
    address: String,
    key: String,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    fn of(serve: &Serve) -> Client {
        let key = fs::read_to_string(serve.data().join("api-key")).unwrap().trim().to_owned();
        Client { address: serve.url().trim_start_matches("http://").to_owned(), key, connection: None }
    }

    /// Status and body of the answer; `None` where there was none.
    fn post(&mut self, body: &Value) -> Option<(u16, Value)> {
        let answer = self.exchange(&body.to_string());
        if answer.is_none() {
            self.connection = None;
        }
        answer
    }

    fn exchange(&mut self, body: &str) -> Option<(u16, Value)> {
        if self.connection.is_none() {
            let stream = TcpStream::connect(&self.address).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            stream.set_nodelay(true).ok()?;
            self.connection = Some(BufReader::new(stream));
        }
        let connection = self.connection.as_mut()?;
        let (key, length) = (&self.key, body.len());
        let head = format!("POST /events HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n\r\n");
        connection.get_mut().write_all((head + body).as_bytes()).ok()?;
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.starts_with("HTTP/") {
                status = line.split(' ').nth(1)?.parse().ok()?;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).ok()?;
        Some((status, serde_json::from_slice(&body).ok()?))
    }

    /// The same again and again until it is acknowledged; how often it had to be sent.
    fn insist(&mut self, body: &Value) -> (Value, u64) {
        for times in 1.. {
            match self.post(body) {
                Some((200, answer)) => return (answer, times),
                Some((503, _)) | None => thread::sleep(Duration::from_millis(20)),
                Some(other) => panic!("{other:?}"),
            }
        }
        unreachable!("it is acknowledged, or the test is ended")
    }
}

/// What the process has in memory, and the most it ever had, in KiB.
fn memory_kibibytes(pid: u32) -> [u64; 2] {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    [line("VmRSS:").unwrap_or(0), line("VmHWM:").unwrap_or(0)]
}

/// Waits for as long as `count` changes, until it is `wanted`.
fn wait_for(what: &str, wanted: u64, mut count: impl FnMut() -> Option<u64>) {
    let (mut last, mut since) = (None, Instant::now());
    loop {
        let now = count();
        if now == Some(wanted) {
            return;
        }
        if now != last {
            (last, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{what}: {last:?} of {wanted}, and no more come");
        thread::sleep(Duration::from_millis(100));
    }
}

/// All findings, by pages.
fn findings(serve: &Serve) -> Option<Vec<Value>> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = serve.ask("GET", &format!("/api/findings?guardrail=load{after}"), None)?;
        found.extend(page.body["findings"].as_array()?.iter().cloned());
        match page.body["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Some(found),
        }
    }
}

#[test]
fn every_event_is_there_once_and_every_match_is_acted_on_once() {
    let (events, kills) = (setting("RECTIFY_LOAD_EVENTS", 3000), setting("RECTIFY_LOAD_KILLS", 3));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let mut seed = setting("RECTIFY_SEED", u64::try_from(now % 1_000_000_000).unwrap());
    println!("RECTIFY_SEED={seed}");
    let (sqs, webhook, folder) = (Sqs::start(), Webhook::start(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("load.yaml"), GUARDRAIL).unwrap();
    let configuration = format!(
        "account: \"123456789012\"\nguardrails_folder: {}\nchannels: {{team: {{webhook: {{url: \"{}\"}}}}}}\nsources:\n  - sqs: {{queue_url: \"{}\", visibility_timeout_seconds: 5}}\n",
        folder.path().display(),
        webhook.url,
        sqs.url
    );
    let environment = [("AWS_ENDPOINT_URL_SQS", sqs.url.as_str()), ("RUST_LOG", "warn")];
    let mut serve = Serve::prepare(&configuration, "http://127.0.0.1:9");
    serve.restart(&environment);
    serve.wait_until_ready();

    let begun = Instant::now();
    let mut kill_at: Vec<u64> = (0..kills).map(|_| random(&mut seed, events)).collect();
    kill_at.sort_unstable();
    let (next, acknowledged, repeated) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let over = AtomicBool::new(false);
    let highest = Mutex::new(0);
    let pid = AtomicU64::new(u64::from(serve.pid()));
    for n in (0..events).filter(|n| n % BY_QUEUE == 0) {
        sqs.send(&event(n));
    }
    let taken = || acknowledged.load(Ordering::Relaxed) + u64::try_from(sqs.deletes()).unwrap();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let mut client = Client::of(&serve);
            let (next, acknowledged, repeated) = (&next, &acknowledged, &repeated);
            scope.spawn(move || {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= events {
                        return;
                    }
                    if n % BY_QUEUE != 0 {
                        let (_, times) = client.insist(&event(n));
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                        repeated.fetch_add(times - 1, Ordering::Relaxed);
                    }
                }
            });
        }
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let [now, _] = memory_kibibytes(u32::try_from(pid.load(Ordering::Relaxed)).unwrap());
                let mut highest = highest.lock().unwrap();
                *highest = now.max(*highest);
                drop(highest);
                thread::sleep(Duration::from_millis(50));
            }
        });
        for (number, at) in (0_u64..).zip(kill_at) {
            let waited = Instant::now();
            while taken() < at && waited.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(5));
            }
            serve.kill();
            serve.restart(&environment);
            // Every third is killed once more while it starts.
            if number % 3 == 2 {
                thread::sleep(Duration::from_millis(random(&mut seed, 200)));
                serve.kill();
                serve.restart(&environment);
            }
            pid.store(u64::from(serve.pid()), Ordering::Relaxed);
        }
        wait_for("events taken", events, || Some(taken()));
        over.store(true, Ordering::Relaxed);
    });
    let seconds = begun.elapsed().as_secs_f64();
    println!("{events} events taken within {seconds:.1} s, {:.0}/s, {kills} kills", events as f64 / seconds);

    let matches = events.div_ceil(MATCHES);
    let told = || {
        webhook
            .messages()
            .iter()
            .map(|message| message["finding"]["resource"].to_string())
            .collect::<BTreeSet<_>>()
            .len()
    };
    wait_for("findings told", matches, || Some(u64::try_from(told()).unwrap()));
    wait_for("executions that end", 0, || serve.ask("GET", "/api/engine", None)?.body["executions_in_memory"].as_u64());
    println!("all matches acted on within {:.1} s", begun.elapsed().as_secs_f64());

    // Each thing has one finding, and each finding one response, begun by one event.
    let findings = findings(&serve).unwrap();
    let things: BTreeSet<String> =
        findings.iter().map(|finding| finding["resource"].as_str().unwrap().to_owned()).collect();
    let expected: BTreeSet<String> =
        (0..events).step_by(usize::try_from(MATCHES).unwrap()).map(|n| format!("thing-{n}")).collect();
    assert!(things == expected && findings.len() == expected.len(), "{} findings", findings.len());
    for finding in findings.iter().step_by(findings.len() / 100 + 1) {
        let path = format!("/api/findings/{}", finding["id"].as_str().unwrap());
        let whole = serve.ask("GET", &path, None).unwrap().body;
        assert_eq!(
            (&whole["generation"], whole["occurrences"].as_array().map(Vec::len)),
            (&json!(1), Some(1)),
            "{whole:#}"
        );
    }
    let messages = webhook.messages().len();

    // What was acknowledged is there: it comes a second time, and is known.
    let mut client = Client::of(&serve);
    for first in (0..events).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let body: Vec<Value> = (first..(first + AT_ONCE).min(events)).map(event).collect();
        let (answer, _) = client.insist(&json!(body));
        assert_eq!((&answer["received"], &answer["duplicates"]), (&json!(0), &json!(body.len())), "from {first} on");
    }
    assert_eq!(webhook.messages().len(), messages, "what comes a second time does nothing");
    let [_, last] = memory_kibibytes(serve.pid());
    println!(
        "{matches} matches, {} findings, {messages} messages; {} events by HTTP sent again, {} messages of the queue handed out for {}; memory at most {} MiB while events came, {} MiB in the last process",
        findings.len(),
        repeated.load(Ordering::Relaxed),
        sqs.receives(),
        sqs.deletes(),
        *highest.lock().unwrap() / 1024,
        last / 1024
    );
    assert!(sqs.is_empty());
}
