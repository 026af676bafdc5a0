//! What the engine's tests share: a store in a folder of its own, an executor that does as it is told, machines.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use detection::{Event, Finding, Severity, Sighting};
use engine::{
    Engine, Options, SystemClock, TaskExecutor,
    ports::{JobStanding, Responder, Task, TaskOutcome},
    sqlite::SqliteStore,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-central-1";
pub const ROLE: &str = "arn:aws:iam::123456789012:role/r";

/// Performs tasks by the action that their Resource ends in, and keeps what it performed.
#[derive(Default)]
pub struct Executor {
    pub performed: Mutex<Vec<Task>>,
    pub told: Mutex<Vec<Finding>>,
    /// Jobs that were begun and stopped.
    pub stopped: Mutex<Vec<Task>>,
    /// So many stops fail first.
    pub unstoppable: AtomicUsize,
    /// The executions that jobs are, and what those ended with.
    pub ended: Mutex<HashMap<String, Value>>,
    /// So many tellings fail first.
    pub deaf: AtomicUsize,
    /// The engine that executions of executions are begun on.
    pub engine: OnceLock<Engine>,
    pub at_once: AtomicUsize,
    pub most_at_once: AtomicUsize,
}

#[async_trait]
impl TaskExecutor for Executor {
    async fn perform(&self, task: Task) -> TaskOutcome {
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        let resource = task.scheduled.resource.clone();
        let arguments = task.scheduled.arguments.clone();
        assert_eq!(task.scheduled.submitted, None, "jobs are asked after");
        self.performed.lock().unwrap().push(task);
        let outcome = match resource.rsplit(':').next().unwrap() {
            "listBuckets" => TaskOutcome::Succeeded(json!({"Buckets": ["b"]})),
            "createBucket" => TaskOutcome::Failed { error: "S3.S3Exception".into(), cause: "no".into() },
            "getObject" => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                TaskOutcome::Succeeded(arguments)
            }
            "deleteObject" => std::future::pending().await,
            "startSyncExecution" => {
                let inner = arguments.get("StateMachineArn").and_then(Value::as_str).unwrap();
                let engine = self.engine.get().unwrap();
                let done = engine.start_sync_execution(inner, None, r#"{"n": 1}"#).await.unwrap();
                TaskOutcome::Succeeded(done.ended.output.unwrap())
            }
            "putObject" => panic!("the performer of this task panics"),
            "rectify-local" => TaskOutcome::Succeeded(arguments),
            "runTask.sync" | "startJobRun.sync" => TaskOutcome::Submitted(json!({"Job": arguments})),
            "startExecution.sync" => TaskOutcome::Submitted(json!({"ExecutionArn": arguments.get("Name")})),
            "startBuild.sync" => {
                // The project's name ends in the milliseconds that its builds take to begin.
                let takes = arguments
                    .get("ProjectName")
                    .and_then(Value::as_str)
                    .and_then(|name| name.rsplit('-').next())
                    .unwrap();
                tokio::time::sleep(Duration::from_millis(takes.parse().unwrap())).await;
                TaskOutcome::Submitted(json!({"Job": arguments}))
            }
            "invoke.waitForTaskToken" => TaskOutcome::Submitted(json!({"StatusCode": 200})),
            other => panic!("no such task: {other}"),
        };
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    async fn ask_job(&self, task: Task) -> JobStanding {
        let (resource, begun) = (task.scheduled.resource.clone(), task.scheduled.submitted.clone().unwrap());
        self.performed.lock().unwrap().push(task);
        match resource.rsplit(':').next().unwrap() {
            "runTask.sync" => JobStanding::Ended(TaskOutcome::Succeeded(json!({"Ended": begun}))),
            "startExecution.sync" => {
                let arn = begun.get("ExecutionArn").and_then(Value::as_str).unwrap();
                let ended = self.ended.lock().unwrap().get(arn).cloned();
                ended.map_or(JobStanding::Running, |output| JobStanding::Ended(TaskOutcome::Succeeded(output)))
            }
            _ => JobStanding::Running,
        }
    }

    fn awaited_execution(&self, task: &Task) -> Option<String> {
        task.scheduled.submitted.as_ref()?.get("ExecutionArn")?.as_str().map(str::to_owned)
    }

    async fn stop_job(&self, task: Task) -> Result<(), String> {
        if self.unstoppable.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err("not now".into());
        }
        self.stopped.lock().unwrap().push(task);
        Ok(())
    }

    fn calls_engine(&self, task: &Task) -> bool {
        task.scheduled.resource.ends_with("startSyncExecution")
    }

    fn is_local(&self, task: &Task) -> bool {
        task.scheduled.resource.ends_with("rectify-local")
    }

    async fn tell_of_failure(&self, finding: &Finding) -> Result<(), String> {
        if self.deaf.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err("nobody listens".into());
        }
        self.told.lock().unwrap().push(finding.clone());
        Ok(())
    }
}

impl Executor {
    pub fn count(&self, action: &str) -> usize {
        self.performed.lock().unwrap().iter().filter(|task| task.scheduled.resource.ends_with(action)).count()
    }

    /// How often a job was begun.
    pub fn begun(&self, action: &str) -> usize {
        let performed = self.performed.lock().unwrap();
        let tasks = performed.iter().map(|task| &task.scheduled);
        tasks.filter(|task| task.resource.ends_with(action) && task.submitted.is_none()).count()
    }

    /// Waits for the nth task token, from 0.
    pub async fn token(&self, nth: usize) -> String {
        for _ in 0..1000 {
            let token = {
                let performed = self.performed.lock().unwrap();
                performed.iter().filter_map(|task| task.scheduled.task_token.clone()).nth(nth)
            };
            match token {
                Some(token) => return token,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        panic!("no task asked for an answer by token");
    }
}

pub struct Home {
    pub folder: TempDir,
    pub executor: Arc<Executor>,
    pub options: Options,
}

impl Home {
    pub fn new() -> Home {
        let options = Options {
            evict_after_seconds: 60,
            executions_in_memory: 1000,
            tasks_at_once: 16,
            jobs_at_once: 16,
            ask_jobs_after_milliseconds: 1,
            express_executions: 100,
            ..Options::default()
        };
        Home { folder: tempfile::tempdir().unwrap(), executor: Arc::default(), options }
    }

    /// Opens the store, waiting for a writer that is just ending.
    pub async fn store(&self) -> Arc<SqliteStore> {
        for _ in 0..1000 {
            match SqliteStore::open(self.folder.path()) {
                Ok(store) => return Arc::new(store),
                Err(error) if error.to_string().contains("another process") => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the store stays locked");
    }

    pub async fn engine(&self) -> Engine {
        self.engine_on(self.store().await).await
    }

    pub async fn engine_on(&self, store: Arc<SqliteStore>) -> Engine {
        Engine::start(store, self.executor.clone(), Arc::new(SystemClock), self.options.clone()).await.unwrap()
    }
}

/// Makes a machine with these states, the first of them its start; its ARN.
pub async fn machine(engine: &Engine, name: &str, states: Value) -> String {
    let definition =
        json!({"StartAt": states.as_object().unwrap().keys().next(), "QueryLanguage": "JSONata", "States": states});
    engine.put_state_machine(ACCOUNT, REGION, name, &definition.to_string(), ROLE).await.unwrap().arn
}

/// Makes a machine that goes from a Pass to a Choice and back until the time in its input has passed.
pub async fn loop_of(engine: &Engine, name: &str, more: Value) -> String {
    let mut definition = json!({"QueryLanguage": "JSONata", "StartAt": "Note", "States": {
        "Note": {"Type": "Pass", "Assign": {"until": "{% $millis() + $states.input %}"}, "Next": "Work"},
        "Work": {"Type": "Pass", "Output": "{% $sum([1..500]) %}", "Next": "Late"},
        "Late": {"Type": "Choice", "Choices": [{"Condition": "{% $millis() > $until %}", "Next": "End"}], "Default": "Work"},
        "End": {"Type": "Succeed"}}});
    definition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    engine.put_state_machine(ACCOUNT, REGION, name, &definition.to_string(), ROLE).await.unwrap().arn
}

pub fn task(action: &str) -> String {
    format!("arn:aws:states:::aws-sdk:s3:{action}")
}

pub fn ask(next: Value) -> Value {
    let mut state = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": "ask", "Payload": {"Token": "{% $states.context.Task.Token %}"}},
    });
    state.as_object_mut().unwrap().extend(next.as_object().unwrap().clone());
    state
}

/// Two tasks, a Choice, a Wait of no time, a job and a question: everything that makes a durable point.
pub fn everything() -> Value {
    json!({
        "Look": {"Type": "Task", "Resource": task("listBuckets"), "Next": "Any"},
        "Any": {"Type": "Choice", "Choices": [{"Condition": "{% $count($states.input.Buckets) > 0 %}", "Next": "Pause"}], "Default": "Done"},
        "Pause": {"Type": "Wait", "Seconds": 0, "Next": "Job"},
        "Job": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Arguments": {"TaskDefinition": "t"}, "Next": "Both"},
        "Both": {"Type": "Parallel", "Branches": [
            {"StartAt": "Left", "States": {"Left": {"Type": "Task", "Resource": task("listBuckets"), "End": true}}},
            {"StartAt": "Right", "States": {"Right": {"Type": "Task", "Resource": task("getObject"), "Arguments": {"Key": "k"}, "End": true}}},
        ], "Next": "Try"},
        "Try": {"Type": "Task", "Resource": task("createBucket"),
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Ask"}], "Next": "Done"},
        "Ask": ask(json!({"Next": "Done"})),
        "Done": {"Type": "Pass", "Output": {"Answer": "{% $states.input %}"}, "End": true},
    })
}

pub fn event(id: &str) -> Event {
    Event {
        id: id.into(),
        source: "aws.s3".into(),
        detail_type: "AWS API Call via CloudTrail".into(),
        account: ACCOUNT.into(),
        region: REGION.into(),
        time: "2026-01-01T00:00:00Z".parse().unwrap(),
        resources: vec![],
        detail: json!({"eventID": id, "eventName": "PutBucketAcl"}),
    }
}

pub fn responder(machine: &str, event_id: &str, resource: &str) -> Responder {
    Responder {
        sighting: Sighting {
            guardrail: "s3-bucket-public-access".into(),
            title: "S3 bucket is open to the public".into(),
            severity: Severity::High,
            resource_type: "AWS::S3::Bucket".into(),
            resource: resource.into(),
            account: ACCOUNT.into(),
            region: REGION.into(),
            event_id: event_id.into(),
            event_time: "2026-01-01T00:00:00Z".parse().unwrap(),
            actor: None,
            rule: None,
        },
        state_machine_arn: machine.into(),
    }
}

/// Waits for something to become true.
pub async fn until<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    for _ in 0..1000 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("in vain: {what}");
}

pub fn counts(items: impl IntoIterator<Item = String>) -> HashMap<String, usize> {
    items.into_iter().fold(HashMap::new(), |mut counts, item| {
        *counts.entry(item).or_default() += 1;
        counts
    })
}
