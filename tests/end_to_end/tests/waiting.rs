//! A thousand executions that wait (for times, tokens, workers, children, retries) and twenty kill -9 at random moments, also while
//! it starts: every one ends as it should, none twice, and no history is ever rewritten.
//!
//! The moments come from a seed, which is printed; `RECTIFY_SEED` takes one again. How the threads run is not in it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test tells what broke by panicking"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws::{Aws, Call, CallError};
use end_to_end::{Serve, Webhook};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const EXECUTIONS: u64 = 1000;
/// That wait for days, beside them.
const SLEEPERS: u64 = 100;
const KILLS: u64 = 20;
const STARTERS: u64 = 12;
/// They begin at this pace, so that some do at all times.
const PACE: Duration = Duration::from_millis(20);
const WORKERS: u64 = 3;
/// How long all of them may take to end after the last kill.
const PATIENCE: Duration = Duration::from_secs(240);
const ARN: &str = "arn:aws:states:us-east-1:123456789012";
const KINDS: [&str; 10] =
    ["seconds", "timestamp", "token", "silent", "map", "parallel", "retry", "nested", "activity", "deep"];
/// What SQS answers.
const SENT: &str = r#"{"MessageId":"m","MD5OfMessageBody":"d"}"#;

/// SplitMix64: numbers from a seed.
struct Random(AtomicU64);

impl Random {
    fn below(&self, limit: u64) -> u64 {
        let mut mixed = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    async fn pause(&self, most_milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(self.below(most_milliseconds))).await;
    }
}

fn kind_of(n: u64) -> &'static str {
    KINDS[usize::try_from(n).unwrap() % KINDS.len()]
}

fn machine_arn(kind: &str) -> String {
    format!("{ARN}:stateMachine:{kind}")
}

fn execution_arn(n: u64) -> String {
    format!("{ARN}:execution:{}:e-{n}", kind_of(n))
}

/// A task that waits for its token, with what is to be answered.
fn ask(answer: &str, more: Value) -> Value {
    let mut state = json!({
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
        "HeartbeatSeconds": 300, "TimeoutSeconds": 600,
        "Arguments": {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/q", "MessageBody": {
            "token": "{% $states.context.Task.Token %}", "n": "{% $states.input.n %}",
            "attempt": "{% $states.context.State.RetryCount %}", "answer": answer}},
    });
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    state
}

fn definition(kind: &str) -> Value {
    let flow = |start: &str, states: Value| json!({"StartAt": start, "States": states});
    let wait = || json!({"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "Output": {"n": "{% $states.input.n %}"}, "End": true});
    let map = || {
        let items = json!("{% [1, 2, 3].{'i': $, 'seconds': $states.input.seconds} %}");
        let wait = json!({"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "Output": "{% $states.input.i * 10 %}", "End": true});
        json!({"Type": "Map", "MaxConcurrency": 2, "Items": items, "ItemProcessor": flow("Wait", json!({"Wait": wait})), "End": true})
    };
    let states = match kind {
        "seconds" => json!({"A": wait()}),
        "timestamp" => {
            json!({"A": {"Type": "Wait", "Timestamp": "{% $states.input.at %}", "Output": {"n": "{% $states.input.n %}"}, "End": true}})
        }
        "token" => {
            let caught =
                json!([{"ErrorEquals": ["Refused"], "Output": {"refused": "{% $states.input.n %}"}, "Next": "B"}]);
            json!({"A": ask("either", json!({"Catch": caught})), "B": {"Type": "Succeed"}})
        }
        "silent" => {
            let caught =
                json!([{"ErrorEquals": ["States.Timeout"], "Output": {"late": "{% $states.input.n %}"}, "Next": "B"}]);
            let beats = "{% $states.input.n % 20 = 3 ? $states.input.seconds : 500 %}";
            let late = "{% $states.input.n % 20 = 3 ? 500 : $states.input.seconds %}";
            json!({"A": ask("none", json!({"HeartbeatSeconds": beats, "TimeoutSeconds": late, "Catch": caught})), "B": {"Type": "Succeed"}})
        }
        "map" => json!({"A": map()}),
        "parallel" => {
            let branches = [flow("W", json!({"W": wait()})), flow("T", json!({"T": ask("good", json!({}))}))];
            json!({"A": {"Type": "Parallel", "Branches": branches, "End": true}})
        }
        "retry" => {
            let retry = json!([{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 1.5}]);
            json!({"A": ask("flaky", json!({"Retry": retry}))})
        }
        "nested" => {
            let arguments = json!({"StateMachineArn": machine_arn("seconds"), "Input": "{% $states.input %}"});
            json!({"A": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Arguments": arguments,
                "Output": "{% $states.result.Output %}", "End": true}})
        }
        "activity" => {
            json!({"A": {"Type": "Task", "Resource": format!("{ARN}:activity:work"), "TimeoutSeconds": 600, "End": true}})
        }
        "deep" => {
            let branches = [flow("M", json!({"M": map()})), flow("W", json!({"W": wait()}))];
            json!({"A": {"Type": "Parallel", "Branches": branches, "End": true}})
        }
        _ => json!({"A": {"Type": "Parallel", "End": true, "Branches": [
            flow("W", json!({"W": {"Type": "Wait", "Seconds": 200_000, "End": true}})),
            flow("T", json!({"T": ask("none", json!({"HeartbeatSeconds": 200_000, "TimeoutSeconds": 300_000}))})),
        ]}}),
    };
    json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": states})
}

/// What an execution ends with.
fn expected(n: u64) -> Value {
    match kind_of(n) {
        "token" if refuses(n) => json!({"refused": n}),
        "silent" => json!({"late": n}),
        "map" => json!([10, 20, 30]),
        "parallel" => json!([{"n": n}, {"n": n}]),
        "deep" => json!([[10, 20, 30], {"n": n}]),
        _ => json!({"n": n}),
    }
}

/// How many tasks, of all attempts, end well, badly and too late.
fn task_ends(n: u64) -> [usize; 3] {
    match kind_of(n) {
        "token" if refuses(n) => [0, 1, 0],
        "token" | "parallel" | "nested" | "activity" => [1, 0, 0],
        "silent" => [0, 0, 1],
        "retry" => [1, 2, 0],
        _ => [0, 0, 0],
    }
}

fn refuses(n: u64) -> bool {
    n % 30 == 2
}

/// Why a call has no result.
#[derive(Debug)]
enum No {
    /// Its code.
    Refused(String),
    /// Nobody was there, or went away.
    Lost,
}

struct World {
    aws: Aws,
    random: Random,
    began: Instant,
    /// Executions whose start was acknowledged.
    started: Mutex<BTreeSet<u64>>,
    /// What was seen of histories.
    histories: Mutex<BTreeMap<u64, Vec<Value>>>,
    /// Answers that were acknowledged; of them, those that were sent again and refused.
    answered: AtomicU64,
    doubled: AtomicU64,
    over: AtomicBool,
}

impl World {
    async fn call(&self, action: &str, parameters: Value) -> Result<Value, No> {
        let call = Call {
            service: "sfn".to_owned(),
            action: action.to_owned(),
            parameters,
            region: None,
            role_arn: None,
            idempotency_token: None,
            attempts: 1,
            timeout_seconds: 70,
            answer_bytes: None,
        };
        match self.aws.call(call).await {
            Ok(answer) => Ok(answer),
            Err(CallError::Client { .. }) => Err(No::Lost),
            Err(CallError::Service { code, status, .. }) if status < 500 => Err(No::Refused(code)),
            Err(error) => panic!("{action}: {error}"),
        }
    }

    /// The same again and again until somebody answers; and whether an answer may have been lost before.
    async fn insist(&self, action: &str, parameters: Value) -> (Result<Value, String>, bool) {
        let mut lost = false;
        loop {
            match self.call(action, parameters.clone()).await {
                Ok(answer) => return (Ok(answer), lost),
                Err(No::Refused(code)) => return (Err(code), lost),
                Err(No::Lost) => lost = true,
            }
            self.random.pause(100).await;
        }
    }

    async fn ask(&self, action: &str, parameters: Value) -> Value {
        self.insist(action, parameters).await.0.unwrap_or_else(|code| panic!("{action}: {code}"))
    }

    async fn make_machines(&self) {
        self.ask("createActivity", json!({"Name": "work"})).await;
        for kind in KINDS.into_iter().chain(["days"]) {
            let definition = definition(kind).to_string();
            let role = "arn:aws:iam::123456789012:role/r";
            self.ask("createStateMachine", json!({"Name": kind, "Definition": definition, "RoleArn": role})).await;
        }
    }

    async fn start(&self, n: u64) {
        tokio::time::sleep(PACE.saturating_mul(u32::try_from(n).unwrap()).saturating_sub(self.began.elapsed())).await;
        let seconds = 1 + self.random.below(9);
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap());
        let input = json!({"n": n, "seconds": seconds, "at": at.to_string()}).to_string();
        let parameters = json!({"StateMachineArn": machine_arn(kind_of(n)), "Name": format!("e-{n}"), "Input": input});
        match self.insist("startExecution", parameters).await {
            (Ok(begun), _) => assert_eq!(begun["ExecutionArn"], execution_arn(n)),
            // The first time it began, and it has ended since.
            (Err(code), lost) => assert!(lost && code == "ExecutionAlreadyExists", "{n}: {code}"),
        }
        self.started.lock().unwrap().insert(n);
    }

    /// Answers a token once, and sometimes once more.
    async fn answer(&self, token: &str, action: &str, answer: Value) {
        let mut parameters = answer;
        parameters["TaskToken"] = json!(token);
        match self.insist(action, parameters.clone()).await {
            (Ok(_), _) => self.answered.fetch_add(1, Ordering::Relaxed),
            (Err(code), lost) => {
                assert!(lost && code == "TaskTimedOut", "{action}: {code}");
                return;
            }
        };
        if self.random.below(3) == 0 {
            let again = self.insist(action, parameters).await.0;
            assert_eq!(again.unwrap_err(), "TaskTimedOut", "a token was taken twice");
            self.doubled.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Does what a message asks for.
    async fn obey(&self, message: Value) {
        let (token, n) = (message["token"].as_str().unwrap(), message["n"].as_u64().unwrap());
        let good = || ("sendTaskSuccess", json!({"Output": json!({"n": n}).to_string()}));
        let bad = |error: &str| ("sendTaskFailure", json!({"Error": error, "Cause": "as planned"}));
        let (action, answer) = match message["answer"].as_str().unwrap() {
            "none" => return,
            "either" if refuses(n) => bad("Refused"),
            "flaky" if message["attempt"].as_u64().unwrap() < 2 => bad("Flaky"),
            _ => good(),
        };
        self.random.pause(2000).await;
        if n.is_multiple_of(2) {
            let (beat, lost) = self.insist("sendTaskHeartbeat", json!({"TaskToken": token})).await;
            assert!(beat.is_ok(), "{n}: the heart does not beat: {beat:?} {lost}");
            self.random.pause(1000).await;
        }
        self.answer(token, action, answer).await;
    }

    /// Answers what comes by the queue, each token once: a message may come twice.
    async fn listen(self: Arc<World>, queue: Webhook) {
        let (mut seen, mut tokens, mut answers) = (0, BTreeSet::new(), JoinSet::new());
        while !self.over.load(Ordering::Relaxed) {
            let messages = queue.messages();
            for sent in &messages[seen..] {
                let message: Value = serde_json::from_str(sent["MessageBody"].as_str().unwrap()).unwrap();
                if tokens.insert(message["token"].as_str().unwrap().to_owned()) {
                    let world = Arc::clone(&self);
                    answers.spawn(async move { world.obey(message).await });
                }
            }
            seen = messages.len();
            while let Some(ended) = answers.try_join_next() {
                ended.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        while let Some(ended) = answers.join_next().await {
            ended.unwrap();
        }
    }

    /// A worker of the activity.
    async fn work(&self) {
        while !self.over.load(Ordering::Relaxed) {
            let got = self.call("getActivityTask", json!({"ActivityArn": format!("{ARN}:activity:work")})).await;
            match got {
                Ok(task) if task["TaskToken"].is_string() => {
                    let input: Value = serde_json::from_str(task["Input"].as_str().unwrap()).unwrap();
                    let output = json!({"n": input["n"]}).to_string();
                    self.answer(task["TaskToken"].as_str().unwrap(), "sendTaskSuccess", json!({"Output": output}))
                        .await;
                }
                _ => self.random.pause(100).await,
            }
        }
    }

    /// The whole history, if it can be had.
    async fn history(&self, n: u64) -> Result<Vec<Value>, No> {
        let parameters = json!({"ExecutionArn": execution_arn(n), "MaxResults": 1000});
        let page = self.call("getExecutionHistory", parameters).await?;
        assert!(page["NextToken"].is_null());
        Ok(page["Events"].as_array().unwrap().clone())
    }

    /// What was shown before begins what is shown now.
    fn check_history(&self, n: u64, now: Vec<Value>) {
        let mut histories = self.histories.lock().unwrap();
        let before = histories.entry(n).or_default();
        // Two may look at once, and be told in the other order.
        let (shorter, longer) = if before.len() > now.len() { (&now, &*before) } else { (&*before, &now) };
        assert!(longer.starts_with(shorter), "{n}: the history was rewritten:\n{before:#?}\n{now:#?}");
        if now.len() > before.len() {
            *before = now;
        }
    }

    /// Looks at histories all the time.
    async fn look(&self) {
        while !self.over.load(Ordering::Relaxed) {
            let n = {
                let started = self.started.lock().unwrap();
                let skip = self.random.below(u64::try_from(started.len()).unwrap().max(1));
                started.iter().nth(usize::try_from(skip).unwrap()).copied()
            };
            match n {
                Some(n) => match self.history(n).await {
                    Ok(history) => {
                        self.check_history(n, history);
                        self.random.pause(50).await;
                    }
                    Err(No::Refused(code)) => panic!("{n}: an execution that was acknowledged: {code}"),
                    Err(No::Lost) => self.random.pause(50).await,
                },
                None => self.random.pause(50).await,
            }
        }
    }

    async fn check_end(&self, n: u64) {
        let described = self.ask("describeExecution", json!({"ExecutionArn": execution_arn(n)})).await;
        assert_eq!(described["Status"], "SUCCEEDED", "{n}: {described:#}");
        let output: Value = serde_json::from_str(described["Output"].as_str().unwrap()).unwrap();
        assert_eq!(output, expected(n), "{n}");
        let history = self.history(n).await.unwrap();
        let kinds: Vec<&str> = history.iter().map(|event| event["Type"].as_str().unwrap()).collect();
        for (event, id) in history.iter().zip(1_u64..) {
            assert_eq!(event["Id"], id, "{n}: {kinds:?}");
        }
        let count = |ends: &[&str]| kinds.iter().filter(|kind| ends.contains(kind)).count();
        assert_eq!(count(&["ExecutionStarted"]), 1, "{n}: {kinds:?}");
        let ends = ["ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"];
        assert_eq!((count(&ends), *kinds.last().unwrap()), (1, "ExecutionSucceeded"), "{n}: {kinds:?}");
        let well = count(&["TaskSucceeded", "ActivitySucceeded"]);
        let told = [well, count(&["TaskFailed", "ActivityFailed"]), count(&["TaskTimedOut"])];
        assert_eq!(told, task_ends(n), "{n}: {kinds:?}");
        self.check_history(n, history);
    }

    async fn running(&self, kind: &str) -> usize {
        let parameters = json!({"StateMachineArn": machine_arn(kind), "StatusFilter": "RUNNING", "MaxResults": 1000});
        self.ask("listExecutions", parameters).await["Executions"].as_array().unwrap().len()
    }
}

/// How many executions are in memory.
fn in_memory(serve: &Serve) -> Option<u64> {
    serve.ask("GET", "/api/engine", None)?.body["executions_in_memory"].as_u64()
}

fn client(serve: &Serve) -> Aws {
    let credentials = fs::read_to_string(serve.data().join("credentials")).unwrap();
    let value = |name: &str| {
        let line = credentials.lines().find(|line| line.trim().starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    let mut options = aws::Options::fixed("us-east-1", &value("aws_access_key_id"), &value("aws_secret_access_key"));
    options.endpoint_url = Some(serve.url());
    Aws::new(options)
}

fn seed() -> u64 {
    let given = std::env::var("RECTIFY_SEED").ok().map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|| {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() % 1_000_000_000).unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_executions_that_wait_survive_twenty_kills() {
    let seed = seed();
    println!("RECTIFY_SEED={seed}");
    let queue = Webhook::answering(SENT);
    let environment = [("AWS_ENDPOINT_URL_SQS", queue.url.as_str())];
    let configuration = "account: \"123456789012\"\nmemory: {evict_after_seconds: 1}\n";
    let mut serve = Serve::prepare(configuration, "http://127.0.0.1:9");
    serve.restart(&environment);
    serve.wait_until_ready();
    let world = Arc::new(World {
        aws: client(&serve),
        random: Random(AtomicU64::new(seed)),
        began: Instant::now(),
        started: Mutex::default(),
        histories: Mutex::default(),
        answered: AtomicU64::new(0),
        doubled: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    world.make_machines().await;
    for number in 0..SLEEPERS {
        let parameters =
            json!({"StateMachineArn": machine_arn("days"), "Name": format!("s-{number}"), "Input": r#"{"n":0}"#});
        world.ask("startExecution", parameters).await;
    }

    let next = Arc::new(AtomicU64::new(0));
    let (mut starters, mut others) = (JoinSet::new(), JoinSet::new());
    for _ in 0..STARTERS {
        let (world, next) = (Arc::clone(&world), Arc::clone(&next));
        starters.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= EXECUTIONS {
                    break;
                }
                world.start(n).await;
            }
        });
    }
    others.spawn(Arc::clone(&world).listen(queue.clone()));
    for _ in 0..WORKERS {
        let world = Arc::clone(&world);
        others.spawn(async move { world.work().await });
    }
    let looking = Arc::clone(&world);
    others.spawn(async move { looking.look().await });

    for kill in 0..KILLS {
        // Every third comes soon after the process began: while it opens its store, or takes up what was at work.
        match kill % 3 {
            0 => world.random.pause(600).await,
            _ => tokio::time::sleep(Duration::from_millis(600 + world.random.below(1600))).await,
        }
        serve.kill();
        if kill % 5 == 4 {
            world.random.pause(500).await;
        }
        serve.restart(&environment);
    }
    serve.wait_until_ready();
    println!("{KILLS} kills within {:.1} s", world.began.elapsed().as_secs_f64());

    while let Some(started) = starters.join_next().await {
        started.unwrap();
    }
    let all_started = Instant::now();
    for kind in KINDS {
        while world.running(kind).await > 0 {
            assert!(all_started.elapsed() < PATIENCE, "{} of `{kind}` never end", world.running(kind).await);
            if let Some(ended) = others.try_join_next() {
                ended.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    println!("all have ended within {:.1} s", world.began.elapsed().as_secs_f64());
    assert_eq!(world.running("days").await, 100);
    let left = tokio::time::timeout(PATIENCE, async {
        while in_memory(&serve) != Some(0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    left.await.expect("those that wait for days leave memory");
    world.over.store(true, Ordering::Relaxed);
    serve.kill();
    serve.restart(&environment);
    serve.wait_until_ready();
    assert_eq!(in_memory(&serve), Some(0), "nothing is at work");
    while let Some(ended) = others.join_next().await {
        ended.unwrap();
    }

    assert_eq!(world.started.lock().unwrap().len(), 1000);
    let mut checks = JoinSet::new();
    for first in 0..STARTERS {
        let world = Arc::clone(&world);
        checks.spawn(async move {
            for n in (first..EXECUTIONS).step_by(usize::try_from(STARTERS).unwrap()) {
                world.check_end(n).await;
            }
        });
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
    let parameters = json!({"StateMachineArn": machine_arn("seconds"), "MaxResults": 1000});
    let all = world.ask("listExecutions", parameters).await["Executions"].as_array().unwrap().len();
    assert_eq!(all, 200, "each that nests another has begun one");
    for number in 0..SLEEPERS {
        let parameters = json!({"ExecutionArn": format!("{ARN}:execution:days:s-{number}")});
        world.ask("stopExecution", parameters.clone()).await;
        assert_eq!(world.ask("describeExecution", parameters).await["Status"], "ABORTED");
    }
    let (answered, doubled) = (world.answered.load(Ordering::Relaxed), world.doubled.load(Ordering::Relaxed));
    println!(
        "{answered} answers were acknowledged, {doubled} of them sent again and refused; {:.1} s in all",
        world.began.elapsed().as_secs_f64()
    );
    assert!(answered > 400 && doubled > 50, "{answered} {doubled}");
}
