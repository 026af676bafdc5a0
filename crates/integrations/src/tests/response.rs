//! Whole responses: a compiled guardrail, run by the engine, against an emulated account.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use asl::{Document, Format};
use async_trait::async_trait;
use aws::{Aws, Call, HttpClient};
use detection::{
    Event, Finding, FindingInput, Guardrail, Mode, Settings, Stage, WorkflowStatus, finding::Milestone,
    guardrail::CompileOptions,
};
use engine::{
    Engine, FindingStore, Options, SystemClock, TaskExecutor,
    ports::{CallKey, Responder, Task, TaskOutcome},
};
use execution::Status;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{moto::Moto, receiver::receiver};
use crate::{Channels, Executor, GuardrailSettings, KnownResources, functions::tests::store};

/// An executor whose task in one state fails, always.
struct Faulty {
    executor: Executor,
    state: Option<String>,
    /// The states whose tasks were performed.
    performed: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl TaskExecutor for Faulty {
    async fn perform(&self, task: Task) -> TaskOutcome {
        let state = task.scheduled.state_name.clone();
        self.performed.lock().unwrap().push(state.clone());
        if self.state.as_ref() == Some(&state) {
            return TaskOutcome::Failed { error: "Boom".to_owned(), cause: "it always fails".to_owned() };
        }
        self.executor.perform(task).await
    }

    async fn tell_of_failure(&self, finding: &Finding) -> Result<(), String> {
        self.executor.tell_of_failure(finding).await
    }
}

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// Everything that a response needs, with one open bucket.
struct House {
    bucket: String,
    performed: Arc<Mutex<Vec<String>>>,
    aws: Aws,
    engine: Engine,
    findings: Arc<dyn FindingStore>,
    guardrail: Guardrail,
    settings: Settings,
    machine: String,
    received: Arc<Mutex<Vec<Value>>>,
    _moto: Arc<Moto>,
    _folder: TempDir,
}

impl House {
    /// `None` where there is no emulated account. The webhook answers with these statuses.
    async fn new(mode: Mode, statuses: &'static [u16]) -> Option<House> {
        Some(House::with_fault(&Arc::new(Moto::start()?), "reports", mode, statuses, None).await)
    }

    /// One of several houses of the same account, in which the task of a state may fail.
    async fn with_fault(
        moto: &Arc<Moto>,
        bucket: &str,
        mode: Mode,
        statuses: &'static [u16],
        fault: Option<&str>,
    ) -> House {
        let aws = Aws::new(moto.options());
        let guardrail = guardrail(&aws);
        let mut settings = Settings::of_risk(guardrail.risk);
        settings.mode = mode;
        let (url, received) = receiver(statuses).await;
        let channels = serde_json::from_value(json!({"team": {"webhook": {"url": url}}})).unwrap();
        let channels = Channels::new(&channels, &HttpClient::new()).unwrap();
        let (store, folder) = store();
        let all = BTreeMap::from([(guardrail.id.clone(), settings.clone())]);
        let executor = Executor::new(aws.clone(), store.findings(), GuardrailSettings::new(all), channels);
        let performed = Arc::default();
        let executor = Faulty { executor, state: fault.map(str::to_owned), performed: Arc::clone(&performed) };
        let engine = Engine::start(store, Arc::new(executor), Arc::new(SystemClock), Options::default()).await.unwrap();
        let definition = guardrail.compile(&CompileOptions::default()).to_string();
        let definition = ["finding", "owner", "tell", "ask"].iter().fold(definition, |definition, name| {
            definition.replace(&format!("${{function.{name}}}"), &format!("rectify-{name}"))
        });
        let role = format!("arn:aws:iam::{ACCOUNT}:role/rectify");
        let machine =
            engine.put_state_machine(ACCOUNT, REGION, "rectify-bucket", &definition, &role).await.unwrap().arn;
        let findings = engine.findings();
        let house = House {
            bucket: bucket.to_owned(),
            performed,
            aws,
            engine,
            findings,
            guardrail,
            settings,
            machine,
            received,
            _moto: Arc::clone(moto),
            _folder: folder,
        };
        house.call("createBucket", json!({"Bucket": bucket, "ObjectOwnership": "BucketOwnerPreferred"})).await;
        house.call("putBucketAcl", json!({"Bucket": bucket, "Acl": "public-read"})).await;
        let tags = json!({"Bucket": bucket, "Tagging": {"TagSet": [{"Key": "Owner", "Value": "data@example.com"}]}});
        house.call("putBucketTagging", tags).await;
        house
    }

    async fn call(&self, action: &str, parameters: Value) -> Value {
        let call = Call {
            service: "s3".to_owned(),
            action: action.to_owned(),
            parameters,
            region: None,
            role_arn: None,
            idempotency_token: None,
            attempts: 1,
            timeout_seconds: 10,
            answer_bytes: None,
        };
        self.aws.call(call).await.unwrap_or_else(|error| json!({"Error": error.to_string()}))
    }

    async fn flags(&self) -> Value {
        self.call("getPublicAccessBlock", json!({"Bucket": self.bucket})).await["PublicAccessBlockConfiguration"]
            .clone()
    }

    /// Receives the event of the open bucket; the response's execution.
    async fn receive(&self) -> String {
        let event = json!({
            "id": "e1", "source": "aws.s3", "detail-type": "AWS API Call via CloudTrail", "account": ACCOUNT, "region": REGION,
            "time": "2026-01-02T03:04:05Z",
            "detail": {
                "eventSource": "s3.amazonaws.com", "eventName": "PutBucketAcl", "requestParameters": {"bucketName": self.bucket},
                "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/alice", "userName": "alice"},
            },
        });
        let event = Event::from_envelope(event).unwrap();
        assert!(self.guardrail.pattern.matches(&event.envelope()));
        let sightings = self.guardrail.sightings(&event).unwrap();
        let responder = |sighting| Responder { sighting, state_machine_arn: self.machine.clone() };
        let receipt =
            self.engine.receive(&event, sightings.into_iter().map(responder).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(receipt.started, 1);
        self.engine.list_executions(&self.machine, None, None, 10).await.unwrap().remove(0).arn
    }

    async fn ended(&self, execution: &str) -> (Status, Option<Value>, String) {
        let ended = tokio::time::timeout(Duration::from_secs(60), self.engine.wait_for_end(execution)).await;
        let ended = ended.expect("the execution has not ended in a minute").unwrap();
        let why = format!("{}: {}", ended.error.unwrap_or_default(), ended.cause.unwrap_or_default());
        (ended.status, ended.output, why)
    }

    async fn finding(&self) -> Finding {
        let id = Finding::id_of(&self.guardrail.id, ACCOUNT, REGION, &self.bucket);
        self.findings.finding(&id).await.unwrap().unwrap()
    }

    /// Asks until it is so.
    async fn until(&self, what: &str, so: impl Fn(&Finding) -> bool) -> Finding {
        for _ in 0..600 {
            let finding = self.finding().await;
            if so(&finding) {
                return finding;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never {what}: {}", self.finding().await.show());
    }

    fn kinds(&self) -> Vec<String> {
        let received = self.received.lock().unwrap();
        received.iter().map(|message| message["kind"].as_str().unwrap().to_owned()).collect()
    }

    async fn undo(&self) -> String {
        let key = CallKey { caller: "bob".to_owned(), call: "undo 1".to_owned() };
        let asked = FindingInput::UndoAsked { person: "bob".to_owned(), until: None };
        let answer = self.findings.apply(&self.finding().await.id, &key, &asked, &self.settings).await.unwrap();
        let (name, input) = (answer["ExecutionName"].as_str().unwrap(), answer["Input"].to_string());
        self.engine.start_execution(&self.machine, Some(name), &input).await.unwrap().arn
    }
}

fn guardrail(aws: &Aws) -> Guardrail {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guardrails/s3/s3-bucket-public-access.yaml");
    let document = Document::parse(&std::fs::read_to_string(file).unwrap(), Format::Yaml).unwrap();
    Guardrail::parse(&document, &KnownResources::new(aws.clone())).unwrap().0
}

fn four_flags() -> Value {
    json!({"BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true})
}

#[tokio::test(flavor = "multi_thread")]
async fn noticed_told_fixed_proved_and_undone() {
    let Some(house) = House::new(Mode::Fix, &[200]).await else { return };
    let (status, output, why) = house.ended(&house.receive().await).await;
    assert_eq!((status, output), (Status::Succeeded, Some(json!({"Outcome": "fixed"}))), "{why}");
    assert_eq!(house.flags().await, four_flags());
    let finding = house.finding().await;
    assert_eq!((finding.status, finding.stage), (WorkflowStatus::Resolved, Stage::Fixed));
    assert_eq!(house.kinds(), ["noticed", "fixed"]);
    let told = house.received.lock().unwrap()[0]["text"].as_str().unwrap().to_owned();
    assert!(told.contains("data@example.com (tag Owner), alice (CloudTrail IAMUser)"), "{told}");
    let order: Vec<Milestone> = finding.timeline.iter().map(|entry| entry.what).collect();
    let expected = [
        Milestone::Noticed,
        Milestone::Inspecting,
        Milestone::Inspected,
        Milestone::Decided,
        Milestone::Told,
        Milestone::BeforeKept,
        Milestone::Fixing,
        Milestone::Fixed,
        Milestone::Inspecting,
        Milestone::Closed,
        Milestone::Told,
    ];
    assert_eq!(order, expected);

    let (status, _, why) = house.ended(&house.undo().await).await;
    assert_eq!(status, Status::Succeeded, "{why}");
    assert_eq!(house.flags().await, Value::Null, "the bucket had no flags before");
    let finding = house.finding().await;
    assert_eq!((finding.status, finding.stage), (WorkflowStatus::Suppressed, Stage::Undone));
    assert_eq!(house.kinds(), ["noticed", "fixed", "undone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_and_approves() {
    let Some(house) = House::new(Mode::Approve, &[200]).await else { return };
    let execution = house.receive().await;
    let finding = house
        .until("asked", |finding| {
            finding.timeline.last().unwrap().what == Milestone::Told && finding.question().is_some()
        })
        .await;
    assert_eq!(
        (finding.stage, house.kinds()),
        (Stage::WaitingForAPerson, vec!["noticed".to_owned(), "question".to_owned()])
    );
    assert_eq!(house.flags().await, Value::Null, "it was fixed before anybody answered");
    let token = finding.question().unwrap().task_token.expose().to_owned();
    house.engine.send_task_success(&token, json!({"Approved": true, "Person": "bob"})).await.unwrap();
    let (status, output, why) = house.ended(&execution).await;
    assert_eq!((status, output), (Status::Succeeded, Some(json!({"Outcome": "fixed"}))), "{why}");
    assert_eq!(
        (house.flags().await, house.kinds()),
        (four_flags(), ["noticed", "question", "fixed"].map(str::to_owned).to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mode_alert_tells_and_changes_nothing() {
    let Some(house) = House::new(Mode::Alert, &[200]).await else { return };
    let (status, output, why) = house.ended(&house.receive().await).await;
    assert_eq!((status, output), (Status::Succeeded, Some(json!({"Outcome": "left"}))), "{why}");
    assert_eq!(house.flags().await, Value::Null);
    let finding = house.finding().await;
    assert_eq!((finding.status, finding.stage), (WorkflowStatus::Notified, Stage::Told));
    assert_eq!(house.kinds(), ["noticed"]);
}

/// Three attempts for `noticed` are refused, `fixed` arrives, and that not all could be told is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_told_is_told_in_the_end() {
    let Some(house) = House::new(Mode::Fix, &[403, 403, 403, 200]).await else { return };
    let (status, _, why) = house.ended(&house.receive().await).await;
    assert_eq!(status, Status::Failed);
    assert!(why.starts_with("HalfTold: "), "{why}");
    assert_eq!(house.flags().await, four_flags(), "a fix does not wait for channels");
    house.until("told of the failure", |finding| finding.timeline.last().unwrap().what == Milestone::Told).await;
    assert_eq!(house.kinds(), ["noticed", "noticed", "noticed", "fixed", "failed"]);
}

/// Whichever task of a response fails: it ends, somebody is told that it failed, and what was changed can be taken back.
#[tokio::test(flavor = "multi_thread")]
async fn with_every_task_failing_in_turn_nothing_is_left_half_told() {
    let Some(moto) = Moto::start().map(Arc::new) else { return };
    let good = House::with_fault(&moto, "good", Mode::Fix, &[200], None).await;
    let (status, _, why) = good.ended(&good.receive().await).await;
    assert_eq!(status, Status::Succeeded, "{why}");
    let mut states = good.performed.lock().unwrap().clone();
    states.sort();
    states.dedup();
    assert!(states.len() > 15, "{states:?}");
    let mut runs = tokio::task::JoinSet::new();
    for (index, state) in states.into_iter().enumerate() {
        let moto = Arc::clone(&moto);
        runs.spawn(async move { fails(&moto, &format!("bucket-{index}"), &state).await });
    }
    runs.join_all().await;
}

async fn fails(moto: &Arc<Moto>, bucket: &str, state: &str) {
    let house = House::with_fault(moto, bucket, Mode::Fix, &[200], Some(state)).await;
    let (_, _, why) = house.ended(&house.receive().await).await;
    let finding = house.until("at rest", |finding| finding.under_way.is_none()).await;
    for _ in 0..200 {
        if house.kinds().iter().any(|kind| kind == "failed") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let shown = format!("`{state}` ({why}), told {:?}: {}", house.kinds(), finding.show());
    assert!(house.kinds().iter().any(|kind| kind == "failed"), "nobody was told that it failed: {shown}");
    assert!(finding.stage == Stage::Failed || finding.stage == Stage::Fixed, "{shown}");
    let changed = house.flags().await != Value::Null;
    assert!(!changed || finding.undoable().is_some(), "it was changed and can't be taken back: {shown}");
}
