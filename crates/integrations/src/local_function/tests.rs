//! Real processes; what they say to the Runtime API is said by the test, in the place of each.

use std::{collections::HashSet, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::*;

/// How long something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Says where its Runtime API is, and waits.
const WAITS: &str = "echo $AWS_LAMBDA_RUNTIME_API > new.$$ && mv new.$$ api.$$ && exec sleep 1000";

/// A function `f` that runs a script in a folder of its own.
struct Host {
    folder: TempDir,
    functions: LocalFunctions,
    seen: HashSet<PathBuf>,
}

impl Host {
    fn new(script: &str) -> Host {
        Host::with(script, |function| function, TIMEOUTS)
    }

    fn with(script: &str, change: impl FnOnce(LocalFunction) -> LocalFunction, timeouts: Timeouts) -> Host {
        let folder = tempfile::tempdir().unwrap();
        let function = LocalFunction {
            command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            code: folder.path().to_owned(),
            handler: Some("f.handler".to_owned()),
            runtime: Some("python3.12".to_owned()),
            environment: BTreeMap::from([("OWN".to_owned(), "1".to_owned())]),
            timeout_seconds: 60,
            memory_size: 256,
            concurrency: 1,
        };
        let home = Home {
            environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            region: "eu-west-1".to_owned(),
            log_folder: folder.path().join("functions"),
        };
        let functions = BTreeMap::from([("f".to_owned(), change(function))]);
        let functions = LocalFunctions::with_timeouts(functions, home, timeouts).unwrap();
        Host { folder, functions, seen: HashSet::new() }
    }

    fn function(&self) -> &Arc<Pool> {
        self.functions.get("f").unwrap()
    }

    /// Invokes it in the background.
    fn invoke(&self, payload: &str) -> tokio::task::JoinHandle<Result<Answer, TooManyRequests>> {
        let (function, invocation) = (Arc::clone(self.function()), invocation(payload));
        tokio::spawn(async move { function.invoke(invocation).await })
    }

    /// The Runtime API of the next process that is started.
    async fn next_process(&mut self) -> Runtime {
        let found = until(|| {
            let entries = fs::read_dir(self.folder.path()).unwrap().flatten().map(|entry| entry.path());
            let is_new =
                |path: &PathBuf| path.file_stem().is_some_and(|name| name == "api") && !self.seen.contains(path);
            entries.filter(is_new).min()
        });
        let path = found.await;
        let address = fs::read_to_string(&path).unwrap().trim().to_owned();
        let pid = path.extension().unwrap().to_str().unwrap().to_owned();
        self.seen.insert(path);
        Runtime { address, pid }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("functions/f.log")).unwrap_or_default()
    }
}

fn invocation(payload: &str) -> Invocation {
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f:live";
    Invocation::new(arn.to_owned(), payload.to_owned(), Some("{\"client\":1}".to_owned()))
}

/// What `happens` answers, once it answers something.
async fn until<T>(mut happens: impl FnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            match happens() {
                Some(answer) => return answer,
                None => sleep(Duration::from_millis(5)).await,
            }
        }
    };
    timeout(PATIENCE, wait).await.expect("it did not happen")
}

/// Whether there is no such process, or only what is left of it.
fn is_gone(pid: &str) -> bool {
    match fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
        Ok(stat) => stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X'])),
        Err(_) => !Path::new("/proc/self").exists() || !Path::new(&format!("/proc/{}", pid.trim())).exists(),
    }
}

/// A process, as its Runtime API sees it.
struct Runtime {
    address: String,
    pid: String,
}

impl Runtime {
    /// Status, head and body of an answer.
    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let length = match headers.contains("transfer-encoding") {
            true => String::new(),
            false => format!("content-length: {}\r\n", body.len()),
        };
        let request = format!(
            "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{length}{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
    }

    /// Asks for the next invocation: its id and payload.
    async fn next(&self) -> (String, String) {
        let (status, head, body) = self.ask("GET", "invocation/next", "", "").await;
        assert_eq!(status, 200, "{head} {body}");
        (header(&head, "lambda-runtime-aws-request-id"), body)
    }

    /// Asks for the next invocation, and reads nothing: for as long as what is returned is there.
    async fn ask_again(&self) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: h\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> (u16, Value) {
        let (status, _, body) = self.ask("POST", path, headers, body).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn respond(&self, request_id: &str, body: &str) {
        let answered = self.post(&format!("invocation/{request_id}/response"), "", body).await;
        assert_eq!(answered, (202, json!({"status": "OK"})));
    }
}

fn header(head: &str, name: &str) -> String {
    let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    found.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
}

fn payload(answer: &Answer) -> Value {
    serde_json::from_str(&answer.payload).unwrap()
}

#[tokio::test]
async fn the_runtime_api_answers_as_aws_does() {
    let mut host = Host::new(WAITS);
    let answer = host.invoke(r#"{"n":1}"#);
    let runtime = host.next_process().await;
    let not_allowed = |from: &str, to: &str| {
        let message =
            format!("State transition from {from} to {to} failed for runtime. Error: State transition is not allowed");
        (403, json!({"errorMessage": message, "errorType": "InvalidStateTransition"}))
    };
    let early = runtime.post("invocation/x/response", "", "1").await;
    assert_eq!(early, not_allowed("Started", "InvocationResponse"));
    let (status, head, body) = runtime.ask("GET", "invocation/next", "", "").await;
    assert_eq!((status, body.as_str()), (200, r#"{"n":1}"#));
    let id = header(&head, "lambda-runtime-aws-request-id");
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f:live";
    assert_eq!(header(&head, "lambda-runtime-invoked-function-arn"), arn);
    assert_eq!(header(&head, "lambda-runtime-client-context"), r#"{"client":1}"#);
    assert!(header(&head, "lambda-runtime-trace-id").starts_with("root=1-"), "{head}");
    let deadline: i64 = header(&head, "lambda-runtime-deadline-ms").parse().unwrap();
    let left = deadline - jiff::Timestamp::now().as_millisecond();
    assert!(left > 0 && left <= 60_000, "{left}");
    let (status, _, again) = runtime.ask("GET", "invocation/next", "", "").await;
    assert_eq!((status, serde_json::from_str(&again).unwrap()), not_allowed("Running", "Ready"));
    assert_eq!(runtime.post("init/error", "", "{}").await, not_allowed("Running", "InitError"));
    for path in ["response", "error"] {
        let other = runtime.post(&format!("invocation/{}/{path}", uuid::Uuid::new_v4()), "", "{}").await;
        assert_eq!(other, (400, json!({"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"})));
    }
    runtime.respond(&id, "[2]").await;
    let twice = runtime.post(&format!("invocation/{id}/error"), "", "{}").await;
    assert_eq!(twice, not_allowed("InvocationResponse", "InvocationErrorResponse"));
    let (status, ..) = runtime.ask("GET", "invocation/nothing", "", "").await;
    assert_eq!(status, 404);
    let answer = answer.await.unwrap().unwrap();
    assert_eq!((answer.payload.as_str(), answer.failed), ("[2]", false));
}

#[tokio::test]
async fn answers_of_all_kinds_are_taken() {
    let mut host = Host::new(WAITS);
    let mut process = None;
    let longest = "x".repeat(invocation::ANSWER_BYTES_MAX);
    let too_long = format!("{longest}x");
    let chunked = "transfer-encoding: chunked\r\nlambda-runtime-function-response-mode: streaming\r\ntrailer: x\r\n";
    let broken_off = "3\r\n[1,\r\n0\r\nLambda-Runtime-Function-Error-Type: Own.Error\r\nLambda-Runtime-Function-Error-Body: eyJlcnJvclR5cGUiOiJPd24uRXJyb3IifQ==\r\n\r\n";
    let untold = "3\r\n[1,\r\n0\r\nLambda-Runtime-Function-Error-Type: Own.Error\r\n\r\n";
    let own = r#"{"errorType":"Own.Error"}"#;
    let size = r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}"#;
    let given = r#"{"errorMessage": "no", "errorType": "ValueError", "stackTrace": []}"#;
    for (path, headers, body, status, expected, failed) in [
        ("response", "", "null", 202, "null", false),
        ("response", "", "", 202, "", false),
        ("response", "", longest.as_str(), 202, longest.as_str(), false),
        ("response", "", too_long.as_str(), 413, size, true),
        ("response", chunked, "3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n", 202, "[1,2]", false),
        ("response", chunked, broken_off, 202, own, true),
        ("response", chunked, untold, 202, own, true),
        ("error", "", given, 202, given, true),
        ("error", "lambda-runtime-function-error-type: Own.Error\r\n", "", 202, own, true),
        ("error", "", too_long.as_str(), 413, size, true),
    ] {
        let answer = host.invoke("{}");
        let runtime = match &process {
            Some(runtime) => runtime,
            None => process.insert(host.next_process().await),
        };
        let (id, _) = runtime.next().await;
        let (answered, said) = runtime.post(&format!("invocation/{id}/{path}"), headers, body).await;
        assert_eq!(answered, status, "{path} {said}");
        if status == 413 {
            let message = "Exceeded maximum allowed payload size (6291556 bytes).";
            assert_eq!(said, json!({"errorMessage": message, "errorType": "RequestEntityTooLarge"}));
        }
        let answer = answer.await.unwrap().unwrap();
        assert!(answer.payload == expected && answer.failed == failed, "{path} {:.200}", answer.payload);
    }
}

#[tokio::test]
async fn a_process_that_does_not_answer_is_told_in_lambdas_words() {
    for (script, error_type, message) in [
        ("exit 1", "Runtime.ExitError", "Runtime exited with error: exit status 1"),
        ("exit 0", "Runtime.ExitError", "Runtime exited without providing a reason"),
        ("kill -9 $$", "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        ("exec sleep 1000", "Sandbox.Timedout", "Task timed out after 0.20 seconds"),
    ] {
        let timeouts = match error_type {
            "Sandbox.Timedout" => Timeouts { init: Duration::from_millis(200), ..TIMEOUTS },
            _ => TIMEOUTS,
        };
        let host = Host::with(script, |function| function, timeouts);
        let invocation = invocation("{}");
        let id = invocation.request_id.clone();
        let answer = host.function().invoke(invocation).await.unwrap();
        let expected = json!({"errorType": error_type, "errorMessage": format!("RequestId: {id} Error: {message}")});
        assert_eq!((payload(&answer), answer.failed), (expected, true), "{script}");
        assert!(host.log().contains(message), "{}", host.log());
    }
    let absent = |function| LocalFunction { command: vec!["/no/such/program".to_owned()], ..function };
    let answer = Host::with("", absent, TIMEOUTS).invoke("{}").await.unwrap().unwrap();
    assert_eq!(payload(&answer)["errorType"], "Runtime.InvalidEntrypoint");
    assert!(answer.payload.contains("`/no/such/program` can't be started"), "{}", answer.payload);
}

#[tokio::test]
async fn an_init_error_is_the_answer_and_ends_the_process() {
    let mut host = Host::new(WAITS);
    let answer = host.invoke("{}");
    let runtime = host.next_process().await;
    let error = r#"{"errorMessage":"No module named 'x'","errorType":"Runtime.ImportModuleError"}"#;
    assert_eq!(runtime.post("init/error", "", error).await, (202, json!({"status": "OK"})));
    let answer = answer.await.unwrap().unwrap();
    assert_eq!((answer.payload.as_str(), answer.failed), (error, true));
    assert!(is_gone(&runtime.pid));
}

#[tokio::test]
async fn at_its_time_out_a_process_is_killed_with_all_that_it_started() {
    let script = format!("sleep 1000 & echo $! > child; {WAITS}");
    let mut host = Host::with(&script, |function| LocalFunction { timeout_seconds: 1, ..function }, TIMEOUTS);
    let answer = host.invoke("{}");
    let runtime = host.next_process().await;
    let (id, _) = runtime.next().await;
    let answer = answer.await.unwrap().unwrap();
    let message = format!("RequestId: {id} Error: Task timed out after 1.00 seconds");
    assert_eq!(payload(&answer), json!({"errorType": "Sandbox.Timedout", "errorMessage": message}));
    let child = fs::read_to_string(host.folder.path().join("child")).unwrap();
    assert!(is_gone(&runtime.pid));
    until(|| is_gone(&child).then_some(())).await;
    // The next invocation has a process of its own.
    let answer = host.invoke("{}");
    let runtime = host.next_process().await;
    let (id, _) = runtime.next().await;
    runtime.respond(&id, "1").await;
    assert_eq!(answer.await.unwrap().unwrap().payload, "1");
}

#[tokio::test]
async fn processes_are_kept_warm_and_never_more_than_may_be() {
    let mut host = Host::with(WAITS, |function| LocalFunction { concurrency: 2, ..function }, TIMEOUTS);
    let (first, second) = (host.invoke("1"), host.invoke("2"));
    let runtimes = [host.next_process().await, host.next_process().await];
    let mut given = Vec::new();
    for runtime in &runtimes {
        given.push(runtime.next().await);
    }
    assert_eq!(host.function().invoke(invocation("3")).await, Err(TooManyRequests));
    // One process can't answer what the other was given.
    let path = format!("invocation/{}/response", given[1].0);
    assert_eq!(runtimes[0].post(&path, "", "0").await.0, 400);
    for (runtime, (id, payload)) in runtimes.iter().zip(&given) {
        runtime.respond(id, payload).await;
    }
    let answers = [first.await.unwrap().unwrap().payload, second.await.unwrap().unwrap().payload];
    assert_eq!(answers, ["1", "2"]);
    // What nobody waits for takes the process that is warm, and one invocation after the other waits for it.
    host.function().invoke_event(invocation("4")).unwrap();
    let (id, payload) = tokio::select! {
        next = runtimes[0].next() => { runtimes[0].respond(&next.0, "0").await; next }
        next = runtimes[1].next() => { runtimes[1].respond(&next.0, "0").await; next }
    };
    assert_eq!(payload, "4");
    until(|| host.log().contains(&format!("REPORT RequestId: {id}\tDuration: ")).then_some(())).await;
    assert_eq!(fs::read_dir(host.folder.path()).unwrap().flatten().count(), 3, "two processes, and the logs");
}

#[tokio::test]
async fn a_process_that_died_without_work_is_replaced() {
    let mut host = Host::new(WAITS);
    let answer = host.invoke("{}");
    let runtime = host.next_process().await;
    let (id, _) = runtime.next().await;
    runtime.respond(&id, "1").await;
    answer.await.unwrap().unwrap();
    let pid = rustix::process::Pid::from_raw(runtime.pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    until(|| is_gone(&runtime.pid).then_some(())).await;
    let answer = host.invoke("{}");
    let replaced = host.next_process().await;
    let (id, _) = replaced.next().await;
    replaced.respond(&id, "2").await;
    assert_eq!(answer.await.unwrap().unwrap().payload, "2");
}

#[tokio::test]
async fn a_process_without_work_is_ended_after_a_while() {
    let brief = Duration::from_millis(20);
    let mut host = Host::with(WAITS, |function| function, Timeouts { idle: brief, look_every: brief, ..TIMEOUTS });
    let answer = host.invoke("{}");
    let runtime = host.next_process().await;
    let (id, _) = runtime.next().await;
    runtime.respond(&id, "1").await;
    let _asking = runtime.ask_again().await;
    answer.await.unwrap().unwrap();
    until(|| is_gone(&runtime.pid).then_some(())).await;
}

#[tokio::test]
async fn a_process_is_free_only_once_it_asks_for_more() {
    let mut host = Host::with(WAITS, |function| LocalFunction { concurrency: 2, ..function }, TIMEOUTS);
    let first = host.invoke("1");
    let early = host.next_process().await;
    let (id, _) = early.next().await;
    early.respond(&id, "1").await;
    assert_eq!(first.await.unwrap().unwrap().payload, "1");
    // It works on: the next invocation has a process of its own.
    let second = host.invoke("2");
    let other = host.next_process().await;
    let (second_id, given) = other.next().await;
    assert_eq!(given, "2");
    // All are used, and one has answered: that one is waited for.
    let third = host.invoke("3");
    let (third_id, given) = early.next().await;
    assert_eq!(given, "3");
    early.respond(&third_id, "3").await;
    other.respond(&second_id, "2").await;
    assert_eq!(third.await.unwrap().unwrap().payload, "3");
    assert_eq!(second.await.unwrap().unwrap().payload, "2");
}

#[tokio::test]
async fn a_process_that_never_asks_for_more_is_ended_at_its_time_out() {
    let mut host = Host::with(WAITS, |function| LocalFunction { timeout_seconds: 1, ..function }, TIMEOUTS);
    let answer = host.invoke("1");
    let runtime = host.next_process().await;
    let (id, _) = runtime.next().await;
    runtime.respond(&id, "1").await;
    assert_eq!(answer.await.unwrap().unwrap().payload, "1");
    until(|| is_gone(&runtime.pid).then_some(())).await;
}

#[tokio::test]
async fn nobody_hears_of_what_was_under_way_when_all_is_stopped() {
    let mut host = Host::with(WAITS, |function| LocalFunction { concurrency: 2, ..function }, TIMEOUTS);
    let (mut busy, idle) = (host.invoke("{}"), host.invoke("{}"));
    let runtimes = [host.next_process().await, host.next_process().await];
    for runtime in &runtimes {
        runtime.next().await;
    }
    drop(idle);
    timeout(PATIENCE, host.functions.stop()).await.unwrap();
    for runtime in &runtimes {
        assert!(is_gone(&runtime.pid));
    }
    assert!(timeout(Duration::ZERO, &mut busy).await.is_err());
    assert!(timeout(Duration::ZERO, host.function().invoke(invocation("{}"))).await.is_err());
}

#[tokio::test]
async fn processes_end_with_their_functions() {
    let mut host = Host::new(WAITS);
    let answer = host.invoke("{}");
    let runtime = host.next_process().await;
    let (id, _) = runtime.next().await;
    runtime.respond(&id, "1").await;
    answer.await.unwrap().unwrap();
    let Host { functions, folder: _folder, .. } = host;
    drop(functions);
    until(|| is_gone(&runtime.pid).then_some(())).await;
}

#[tokio::test]
async fn the_log_has_what_was_written_and_the_environment_is_lambdas() {
    let script = format!("env | sort; echo to standard error >&2; {WAITS}");
    let mut host = Host::new(&script);
    let answer = host.invoke("{}");
    let runtime = host.next_process().await;
    let (id, _) = runtime.next().await;
    runtime.respond(&id, "1").await;
    let tail = answer.await.unwrap().unwrap().log_tail;
    let begin = format!("START RequestId: {id} Version: $LATEST\n");
    assert!(tail.starts_with(&begin), "{tail}");
    assert!(tail.contains(&format!("END RequestId: {id}\nREPORT RequestId: {id}\tDuration: ")), "{tail}");
    assert!(tail.contains("\tMemory Size: 256 MB\tInit Duration: "), "{tail}");
    let log = host.log();
    let code = host.folder.path().display().to_string();
    for expected in [
        "- to standard error\n",
        "- AWS_EXECUTION_ENV=AWS_Lambda_python3.12\n",
        "- AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256\n",
        "- AWS_LAMBDA_FUNCTION_NAME=f\n",
        "- AWS_LAMBDA_FUNCTION_VERSION=$LATEST\n",
        "- AWS_LAMBDA_INITIALIZATION_TYPE=on-demand\n",
        "- AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/f\n",
        "/[$LATEST]",
        &format!("- AWS_LAMBDA_RUNTIME_API={}\n", runtime.address),
        "- AWS_REGION=eu-west-1\n",
        "- AWS_DEFAULT_REGION=eu-west-1\n",
        &format!("- LAMBDA_TASK_ROOT={code}\n"),
        "- OWN=1\n",
        "- PATH=/usr/bin:/bin\n",
        "- TZ=:UTC\n",
        "- _HANDLER=f.handler\n",
    ] {
        assert!(log.contains(expected), "{expected} in {log}");
    }
    assert!(!log.contains("CARGO"), "this process's own environment is its own: {log}");
}
