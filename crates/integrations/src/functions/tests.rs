//! The functions against a store, through the executor, with the payloads of [`detection::finding::request`].

use std::sync::Mutex;

use aws::{Aws, http::HttpClient};
use detection::{Event, Severity, Sighting, WorkflowStatus, decide::Mode, finding::Milestone};
use engine::{
    ExecutionStore, TaskExecutor,
    engine::{MachineSettings, MachineType, StateMachineRecord},
    ports::{Responder, Task, TaskOutcome},
    sqlite::SqliteStore,
};
use execution::ScheduledTask;
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{ChannelConfiguration, Channels, Executor, tests::receiver::receiver};

const MACHINE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:m";

/// A store in a temporary folder, which lives as long as it is held.
pub(crate) fn store() -> (Arc<SqliteStore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Arc::new(SqliteStore::open(folder.path()).unwrap()), folder)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// Receives an event of the sighting; the response's execution.
async fn begin(store: &dyn ExecutionStore, sighting: Sighting) -> String {
    let now = Timestamp::now();
    let machine = StateMachineRecord {
        arn: MACHINE.to_owned(),
        name: "m".to_owned(),
        definition: "{}".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        machine_type: MachineType::Standard,
        settings: MachineSettings::default(),
        revision_id: None,
        updated_at: now,
        version: None,
        description: None,
        created_at: now,
        is_deleting: false,
    };
    store.put_state_machine(machine, false).await.unwrap();
    let event = Event {
        id: sighting.event_id.clone(),
        source: "aws.s3".to_owned(),
        detail_type: "AWS API Call via CloudTrail".to_owned(),
        account: sighting.account.clone(),
        region: sighting.region.clone(),
        time: sighting.event_time,
        resources: Vec::new(),
        detail: json!({}),
    };
    let responder = Responder { sighting, state_machine_arn: MACHINE.to_owned() };
    store.receive(&event, vec![responder].into(), now).await.unwrap().1.remove(0).1
}

/// An executor over a store with one finding, whose response is under way.
struct House {
    executor: Executor,
    findings: Arc<dyn FindingStore>,
    id: String,
    execution: String,
    _folder: TempDir,
}

impl House {
    async fn new(mode: Mode, webhooks: &[&str]) -> House {
        let sighting = Sighting {
            guardrail: "open-bucket".to_owned(),
            title: "S3 bucket is open to the public".to_owned(),
            severity: Severity::High,
            resource_type: "AWS::S3::Bucket".to_owned(),
            resource: "reports".to_owned(),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            event_id: "e1".to_owned(),
            event_time: "2026-01-02T03:04:05Z".parse().unwrap(),
            actor: Some(json!({"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/alice", "userName": "alice"})),
            rule: None,
        };
        let id = Finding::id_of("open-bucket", "123456789012", "eu-west-1", "reports");
        let (store, folder) = store();
        let execution = begin(store.executions().as_ref(), sighting).await;
        let findings = store.findings();
        let mut settings = Settings::of_risk(Risk::Safe);
        settings.mode = mode;
        let settings = GuardrailSettings::new([("open-bucket".to_owned(), settings)].into());
        let channels: BTreeMap<String, ChannelConfiguration> = webhooks
            .iter()
            .enumerate()
            .map(|(index, url)| (format!("c{index}"), json!({"webhook": {"url": url}})))
            .map(|(name, value)| (name, serde_json::from_value(value).unwrap()))
            .collect();
        let channels = Channels::new(&channels, &HttpClient::new()).unwrap();
        let executor = Executor::new(Aws::from_environment().await, Arc::clone(&findings), settings, channels);
        House { executor, findings, id, execution, _folder: folder }
    }

    /// Invokes a function in a state, as a compiled machine does.
    async fn invoke(&self, function: &str, state: &str, mut payload: Value) -> TaskOutcome {
        let caller = json!({"FindingId": self.id, "Execution": self.execution, "State": state, "Round": 1});
        payload.as_object_mut().unwrap().extend(caller.as_object().unwrap().clone());
        self.invoke_with(function, state, payload).await
    }

    async fn invoke_with(&self, function: &str, state: &str, payload: Value) -> TaskOutcome {
        let suffix = if function == "ask" { ".waitForTaskToken" } else { "" };
        let scheduled = ScheduledTask {
            event_id: 5,
            state_name: state.to_owned(),
            resource: format!("arn:aws:states:::lambda:invoke{suffix}"),
            arguments: json!({"FunctionName": format!("rectify-{function}"), "Payload": payload}),
            role_arn: None,
            task_token: None,
            timeout_seconds: None,
            heartbeat_seconds: None,
            submitted: None,
            idempotency_token: "11111111-2222-4333-8444-555555555555".to_owned(),
        };
        let state_machine_arn = MACHINE.to_owned();
        self.executor.perform(Task { execution_arn: self.execution.clone(), state_machine_arn, scheduled }).await
    }

    /// The same, for what has to succeed.
    async fn answer(&self, function: &str, state: &str, payload: Value) -> Value {
        match self.invoke(function, state, payload).await {
            TaskOutcome::Succeeded(result) | TaskOutcome::Submitted(result) => result["Payload"].clone(),
            other => panic!("{function} in `{state}`: {other:?}"),
        }
    }

    async fn error(&self, function: &str, state: &str, payload: Value) -> (String, String) {
        match self.invoke(function, state, payload).await {
            TaskOutcome::Failed { error, cause } => (error, cause),
            other => panic!("{function} in `{state}`: {other:?}"),
        }
    }

    /// As far as a decision.
    async fn decided(&self) -> Value {
        self.answer("finding", "Inspecting", json!({"Action": "inspecting"})).await;
        let record =
            json!({"Action": "record", "Compliance": "NON_COMPLIANT", "Reason": "its ACL lets everybody read"});
        self.answer("finding", "Record", record).await;
        self.answer("finding", "Decide", json!({"Action": "decide", "Owner": []})).await
    }

    async fn finding(&self) -> Finding {
        self.findings.finding(&self.id).await.unwrap().unwrap()
    }

    async fn times(&self, what: Milestone) -> usize {
        self.finding().await.timeline.iter().filter(|entry| entry.what == what).count()
    }
}

#[tokio::test]
async fn a_finding_is_changed_once_a_call() {
    let house = House::new(Mode::Fix, &[]).await;
    let decided = house.decided().await;
    assert_eq!((&decided["Decision"], &decided["Tell"]), (&json!("fix"), &json!(true)));
    let version = house.finding().await.version;
    assert_eq!(house.answer("finding", "Decide", json!({"Action": "decide", "Owner": []})).await, decided);
    assert_eq!(house.finding().await.version, version, "a repeated call changed the finding");
}

#[tokio::test]
async fn what_a_finding_can_not_take_is_an_error_of_its_name() {
    let house = House::new(Mode::Fix, &[]).await;
    for (payload, error, text) in [
        (json!({"Action": "fixing"}), "IllegalFindingInput", "`fixing`"),
        (json!({"Action": "dance"}), "InvalidPayload", "dance"),
        (json!({}), "InvalidPayload", "Action"),
    ] {
        let (name, cause) = house.error("finding", "S", payload).await;
        assert_eq!(name, error, "{cause}");
        assert!(cause.contains(text), "{cause}");
        assert_eq!(serde_json::from_str::<Value>(&cause).unwrap()["errorType"], error);
    }
    let gone = House { id: "gone".to_owned(), ..house };
    assert_eq!(gone.error("finding", "S", json!({"Action": "inspecting"})).await.0, "NoSuchFinding");
}

#[tokio::test]
async fn a_message_tells_what_who_and_how_to_take_it_back() {
    let (url, received) = receiver(&[200]).await;
    let house = House::new(Mode::Fix, &[&url]).await;
    house.decided().await;
    let payload = json!({
        "Kind": "noticed", "Text": "S3 bucket is open to the public: reports\nEverybody can read it", "Decision": "fix", "Why": "its mode is `fix`",
        "Reason": "its ACL lets everybody read", "Owner": [{"Name": "data", "From": "tag Team", "Confidence": "high"}],
    });
    let answer = house.answer("tell", "Tell", payload).await;
    assert_eq!(answer, json!({"Results": [{"Channel": "c0", "Ok": true}]}));
    let received = lock(&received).clone();
    let id = &house.id;
    let expected = format!(
        "[HIGH] S3 bucket is open to the public: reports Everybody can read it\n\
         Resource: reports (AWS::S3::Bucket) in account 123456789012, eu-west-1\n\
         Reason: its ACL lets everybody read\n\
         Done by: arn:aws:iam::123456789012:user/alice, 2026-01-02T03:04:05Z\n\
         Owner: data (tag Team)\n\
         Decision: fix it, as its mode is `fix`\n\
         Next: it is being fixed; `rectify findings undo {id}` takes the fix back\n\
         Finding: {id} (open-bucket)"
    );
    assert_eq!(received[0]["text"], expected);
    assert_eq!(received[0]["finding"]["resource"], "reports");
    assert!(!received[0].to_string().contains("task_token"));
}

#[tokio::test]
async fn one_channel_that_fails_is_told_and_all_that_fail_are_an_error() {
    let (good, _) = receiver(&[200]).await;
    let (bad, _) = receiver(&[403]).await;
    let house = House::new(Mode::Alert, &[&bad, &good]).await;
    house.decided().await;
    let answer = house.answer("tell", "Tell", json!({"Kind": "noticed", "Text": "t"})).await;
    assert_eq!(answer["Results"][0]["Ok"], false);
    assert_eq!(answer["Results"][1], json!({"Channel": "c1", "Ok": true}));

    let house = House::new(Mode::Alert, &[&bad]).await;
    house.decided().await;
    let (error, cause) = house.error("tell", "Tell", json!({"Kind": "noticed", "Text": "t"})).await;
    assert_eq!(error, "NobodyReached");
    assert!(cause.contains("`c0`: the webhook at `127.0.0.1` answered 403"), "{cause}");
}

#[tokio::test]
async fn without_channels_nobody_is_told_and_the_response_goes_on() {
    let house = House::new(Mode::Alert, &[]).await;
    house.decided().await;
    assert_eq!(house.answer("tell", "Tell", json!({"Kind": "noticed", "Text": "t"})).await, json!({"Results": []}));
}

#[tokio::test]
async fn a_question_is_sent_once_and_a_retry_replaces_its_token() {
    let (url, received) = receiver(&[200]).await;
    let house = House::new(Mode::Approve, &[&url]).await;
    assert_eq!(house.decided().await["Decision"], "ask");
    let ask = |token: &str| json!({"TaskToken": token, "DeadlineSeconds": 60, "Text": "May it be fixed?", "Owner": []});
    assert_eq!(house.answer("ask", "Ask", ask("first")).await["AlreadyAsked"], false);
    assert_eq!(house.answer("ask", "Ask", ask("first")).await["AlreadyAsked"], true);
    assert_eq!(house.answer("ask", "Ask", ask("second")).await["AlreadyAsked"], true);
    assert_eq!(lock(&received).len(), 1);
    assert_eq!(house.finding().await.question().unwrap().task_token.expose(), "second");
    let text = lock(&received)[0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains(&format!("`rectify findings approve {}`", house.id)), "{text}");
    assert!(!lock(&received)[0].to_string().contains("first"));
}

#[tokio::test]
async fn a_question_that_reached_nobody_is_sent_again_with_the_new_token() {
    let (url, received) = receiver(&[403, 200]).await;
    let house = House::new(Mode::Approve, &[&url]).await;
    house.decided().await;
    let ask = |token: &str| json!({"TaskToken": token, "DeadlineSeconds": 60, "Text": "May it be fixed?"});
    assert_eq!(house.error("ask", "Ask", ask("first")).await.0, "NobodyReached");
    assert_eq!(house.answer("ask", "Ask", ask("second")).await["AlreadyAsked"], false);
    assert_eq!(lock(&received).len(), 2);
    assert_eq!(house.finding().await.question().unwrap().task_token.expose(), "second");
}

#[tokio::test]
async fn a_failure_that_the_finding_does_not_know_is_told_all_the_same() {
    let (url, received) = receiver(&[200]).await;
    let house = House::new(Mode::Fix, &[&url]).await;
    house.decided().await;
    house.executor.tell_of_failure(&house.finding().await).await.unwrap();
    assert!(lock(&received)[0]["text"].as_str().unwrap().contains("the response ended badly"));
}

#[tokio::test]
async fn a_failed_response_is_told_once() {
    let (url, received) = receiver(&[403, 200]).await;
    let house = House::new(Mode::Fix, &[&url]).await;
    house.decided().await;
    let failed =
        FindingInput::ExecutionFailed { status: "FAILED".to_owned(), error: "E".to_owned(), cause: "C".to_owned() };
    let key = CallKey { caller: house.execution.clone(), call: "ended".to_owned() };
    house.findings.apply(&house.id, &key, &failed, &Settings::of_risk(Risk::Safe)).await.unwrap();

    let finding = house.finding().await;
    assert!(house.executor.tell_of_failure(&finding).await.unwrap_err().contains("403"));
    assert_eq!(house.times(Milestone::Told).await, 0, "told is recorded although nobody was reached");
    house.executor.tell_of_failure(&finding).await.unwrap();
    house.executor.tell_of_failure(&finding).await.unwrap();
    assert_eq!(house.times(Milestone::Told).await, 1);
    assert_eq!(lock(&received).len(), 2);
    assert_eq!(house.finding().await.status, WorkflowStatus::Notified);
    assert!(lock(&received)[1]["text"].as_str().unwrap().contains("Error: E: C"));
}

#[tokio::test]
async fn a_playbook_tells_without_a_finding_and_its_message_has_one_id() {
    let (url, received) = receiver(&[200]).await;
    let house = House::new(Mode::Alert, &[&url]).await;
    let notice = json!({
        "Execution": "arn:e", "State": "Tell", "Title": "An access key leaked", "Text": "one\ntwo", "Severity": "CRITICAL", "Resource": "AKIA1",
        "Owner": [{"Name": "alice", "From": "tag Team"}],
    });
    for _ in 0..2 {
        let TaskOutcome::Succeeded(told) = house.invoke_with("tell", "Tell", notice.clone()).await else { panic!() };
        assert_eq!(told["Payload"]["Results"], json!([{"Channel": "c0", "Ok": true}]));
    }
    let received = lock(&received).clone();
    assert_eq!(
        received[0]["text"],
        "[CRITICAL] An access key leaked\nResource: AKIA1\none\ntwo\nOwner: alice (tag Team)\nExecution: arn:e (state `Tell`)"
    );
    assert_eq!((&received[0]["kind"], &received[0]["id"]), (&json!("playbook"), &received[1]["id"]));
}

#[tokio::test]
async fn a_playbooks_question_holds_what_answers_it() {
    let (url, received) = receiver(&[200]).await;
    let house = House::new(Mode::Alert, &[&url]).await;
    let token = "t".repeat(1000);
    let question = json!({"Execution": "arn:e", "State": "Ask", "Title": "May it?", "TaskToken": token});
    let outcome = house.invoke_with("tell", "Ask", question).await;
    assert!(matches!(outcome, TaskOutcome::Succeeded(_)), "{outcome:?}");
    let received = lock(&received).clone();
    assert_eq!(received[0]["kind"], "question");
    assert!(received[0]["text"].as_str().unwrap().contains(&format!("--task-token {token} ")));
    assert!(!received[0]["finding"].to_string().contains(&token));
}
