//! Events in, findings and responses out; what the built-in functions say of findings; failures that have to be told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::sync::atomic::Ordering;

use detection::{
    Compliance, Finding, FindingInput, Mode, Settings, WorkflowStatus,
    decide::{Exception, Risk},
};
use engine::{
    FindingStore,
    ports::{ApplyError, CallKey, FindingFilter, UnreadableEvent},
};
use serde_json::{Value, json};
use support::*;

fn settings() -> Settings {
    Settings { mode: Mode::Fix, ..Settings::of_risk(Risk::Safe) }
}

fn finding_id(resource: &str) -> String {
    Finding::id_of("s3-bucket-public-access", ACCOUNT, REGION, resource)
}

/// The finding of bucket `b`, noticed, its response (which asks, and so goes on) under way.
async fn noticed(home: &Home) -> (engine::Engine, String) {
    let engine = home.engine().await;
    let machine = machine(&engine, "guardrail", json!({"Ask": ask(json!({"End": true}))})).await;
    let receipt = engine.receive(&event("1"), vec![responder(&machine, "1", "b")]).await.unwrap();
    assert_eq!((receipt.duplicate, receipt.started, receipt.absorbed), (false, 1, 0));
    (engine, machine)
}

async fn execution_of(engine: &engine::Engine, machine: &str) -> String {
    engine.list_executions(machine, None, None, 1).await.unwrap()[0].arn.clone()
}

#[tokio::test]
async fn an_event_is_received_once_and_a_response_under_way_absorbs_the_next() {
    let home = Home::new();
    let (engine, machine) = noticed(&home).await;
    home.executor.token(0).await;

    let again = engine.receive(&event("1"), vec![responder(&machine, "1", "b")]).await.unwrap();
    assert_eq!((again.duplicate, again.started, again.absorbed), (true, 0, 0));
    let before = engine.findings().finding(&finding_id("b")).await.unwrap().unwrap();
    let next =
        engine.receive(&event("2"), vec![responder(&machine, "2", "b"), responder(&machine, "2", "c")]).await.unwrap();
    assert_eq!((next.duplicate, next.started, next.absorbed), (false, 1, 1));
    let after = engine.findings().finding(&finding_id("b")).await.unwrap().unwrap();
    assert_eq!((before.generation, after.generation), (1, 2));
    assert_eq!(engine.list_executions(&machine, None, None, 10).await.unwrap().len(), 2);
    assert_eq!(engine.findings().event("1").await.unwrap(), Some(event("1")));
    assert_eq!(engine.findings().event("3").await.unwrap(), None);
}

#[tokio::test]
async fn an_event_whose_machine_is_missing_is_not_taken() {
    let home = Home::new();
    let engine = home.engine().await;
    let nowhere = "arn:aws:states:eu-central-1:123456789012:stateMachine:nowhere";
    let error = engine.receive(&event("1"), vec![responder(nowhere, "1", "b")]).await.unwrap_err();
    assert!(error.to_string().contains("register it before its events"), "{error}");
    assert_eq!(engine.findings().event("1").await.unwrap(), None, "it comes again");
    assert_eq!(engine.findings().finding(&finding_id("b")).await.unwrap(), None);
}

#[tokio::test]
async fn the_same_call_again_changes_nothing_and_counts_nothing() {
    let home = Home::new();
    let (engine, machine) = noticed(&home).await;
    let caller = execution_of(&engine, &machine).await;
    let findings = engine.findings();
    let id = finding_id("b");
    let say = |call: &str, input: FindingInput| {
        let (findings, id) = (findings.clone(), id.clone());
        let key = CallKey { caller: caller.clone(), call: call.to_owned() };
        async move { findings.apply(&id, &key, &input, &settings()).await }
    };
    say("Inspect 1", FindingInput::Inspecting {}).await.unwrap();
    let record = FindingInput::Record { compliance: Compliance::NonCompliant, reason: "open".into() };
    say("Record 1", record).await.unwrap();
    let decide = || say("Decide 1", FindingInput::Decide { owner: json!([]) });
    let first = decide().await.unwrap();
    assert_eq!(first["Decision"], "fix");
    let finding = findings.finding(&id).await.unwrap().unwrap();
    for _ in 0..3 {
        assert_eq!(decide().await.unwrap(), first);
    }
    assert_eq!(findings.finding(&id).await.unwrap().unwrap(), finding);

    // Another bucket, allowed only one fix an hour: the one above was counted, once.
    engine.receive(&event("2"), vec![responder(&machine, "2", "c")]).await.unwrap();
    let other = execution_of(&engine, &machine).await;
    let tight = Settings { fixes_per_hour: 2, ..settings() };
    let say = |call: &str, input: FindingInput| {
        let (findings, tight) = (findings.clone(), tight.clone());
        let key = CallKey { caller: other.clone(), call: call.to_owned() };
        async move { findings.apply(&finding_id("c"), &key, &input, &tight).await.unwrap() }
    };
    say("Inspect 1", FindingInput::Inspecting {}).await;
    say("Record 1", FindingInput::Record { compliance: Compliance::NonCompliant, reason: "open".into() }).await;
    let decided: Value = say("Decide 1", FindingInput::Decide { owner: json!([]) }).await;
    assert_eq!(decided["Decision"], "fix", "one of two was used up: {decided}");
    let decided: Value = say("Decide 2", FindingInput::Decide { owner: json!([]) }).await;
    assert_ne!(decided["Decision"], "fix", "both were used up: {decided}");
}

#[tokio::test]
async fn exceptions_are_in_force_at_once_and_end() {
    for (until, expected) in [("2999-01-01T00:00:00Z", "leave"), ("2020-01-01T00:00:00Z", "fix")] {
        let home = Home::new();
        let (engine, machine) = noticed(&home).await;
        let caller = execution_of(&engine, &machine).await;
        let exception = Exception {
            guardrail: None,
            resource: Some("b".into()),
            account: None,
            reason: "a public site".into(),
            author: "somebody".into(),
            until: until.parse().unwrap(),
        };
        engine.findings().add_exception(exception).await.unwrap();
        let mut answer = Value::Null;
        for input in [
            FindingInput::Inspecting {},
            FindingInput::Record { compliance: Compliance::NonCompliant, reason: "open".into() },
            FindingInput::Decide { owner: json!([]) },
        ] {
            let key = CallKey { caller: caller.clone(), call: input.action().to_owned() };
            answer = engine.findings().apply(&finding_id("b"), &key, &input, &settings()).await.unwrap();
        }
        assert_eq!(answer["Decision"], expected);
    }
}

#[tokio::test]
async fn findings_are_listed_and_filtered() {
    let home = Home::new();
    let (engine, machine) = noticed(&home).await;
    for (id, resource) in [("2", "c"), ("3", "d")] {
        engine.receive(&event(id), vec![responder(&machine, id, resource)]).await.unwrap();
    }
    let findings = engine.findings();
    let list = |filter: FindingFilter, after: Option<String>, limit| {
        let findings = findings.clone();
        async move {
            let found = findings.findings(&filter, after.as_deref(), limit).await.unwrap();
            found.into_iter().map(|finding| finding.resource).collect::<Vec<_>>()
        }
    };
    let all = FindingFilter::default();
    assert_eq!(list(all.clone(), None, 10).await, ["d", "c", "b"]);
    assert_eq!(list(all.clone(), None, 2).await, ["d", "c"]);
    assert_eq!(list(all.clone(), Some(finding_id("c")), 2).await, ["b"]);
    assert_eq!(list(all, Some("no such finding".into()), 2).await, Vec::<String>::new());
    let resolved = FindingFilter { status: Some(WorkflowStatus::Resolved), ..FindingFilter::default() };
    assert_eq!(list(resolved, None, 10).await, Vec::<String>::new());
    let other = FindingFilter { guardrail: Some("other".into()), ..FindingFilter::default() };
    assert_eq!(list(other, None, 10).await, Vec::<String>::new());
    let key = CallKey { caller: "x".into(), call: "y".into() };
    let missing = findings.apply("missing", &key, &FindingInput::Inspecting {}, &settings()).await;
    assert!(matches!(missing, Err(ApplyError::NoSuchFinding(_))));
}

#[tokio::test]
async fn what_could_not_be_read_is_kept_cut_and_forgotten() {
    let home = Home::new();
    let store = home.store().await;
    let body = |id: &str, body: String| UnreadableEvent {
        id: id.into(),
        origin: "POST /events".into(),
        body,
        reason: "no JSON".into(),
        received_at: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    store.keep_unreadable(body("1", "{".into())).await.unwrap();
    store.keep_unreadable(body("1", "{".into())).await.unwrap();
    store.keep_unreadable(body("2", "ä".repeat(1 << 20))).await.unwrap();
    let kept = store.unreadable(10, 5).await.unwrap();
    assert_eq!(kept.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["2", "1"]);
    assert_eq!(kept[0].body, "äääää");
    let whole = store.unreadable_event("2").await.unwrap().unwrap().body;
    assert!(whole.len() < (1 << 20) + 100 && whole.ends_with("[cut: 1048576 of 2097152 bytes are kept]"));
    assert_eq!(kept[1], body("1", "{".into()));
    store.forget_unreadable("2").await.unwrap();
    assert_eq!(store.unreadable_event("2").await.unwrap(), None);
    assert_eq!(store.unreadable(10, 5).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_response_fails_its_finding_and_is_told_until_heard() {
    let home = Home::new();
    home.executor.deaf.store(1, Ordering::SeqCst);
    let engine = home.engine().await;
    let machine =
        machine(&engine, "guardrail", json!({"T": {"Type": "Task", "Resource": task("createBucket"), "End": true}}))
            .await;
    engine.receive(&event("1"), vec![responder(&machine, "1", "b")]).await.unwrap();
    let arn = execution_of(&engine, &machine).await;
    engine.wait_for_end(&arn).await.unwrap();
    let finding = engine.findings().finding(&finding_id("b")).await.unwrap().unwrap();
    assert_eq!(finding.stage, detection::Stage::Failed);
    assert!(finding.under_way.is_none());
    until("somebody is told", || async { !home.executor.told.lock().unwrap().is_empty() }).await;
    assert_eq!(home.executor.told.lock().unwrap()[0].id, finding.id);
    assert_eq!(home.executor.deaf.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_failure_that_was_not_told_is_told_after_a_restart_and_then_never_again() {
    let home = Home::new();
    home.executor.deaf.store(usize::MAX, Ordering::SeqCst);
    let (engine, machine) = noticed(&home).await;
    let arn = execution_of(&engine, &machine).await;
    engine.stop_execution(&arn, None, None).await.unwrap();
    until("it was tried", || async { home.executor.deaf.load(Ordering::SeqCst) < usize::MAX }).await;
    drop(engine);
    home.executor.deaf.store(0, Ordering::SeqCst);
    let engine = home.engine().await;
    until("somebody is told", || async { !home.executor.told.lock().unwrap().is_empty() }).await;
    drop(engine);
    let engine = home.engine().await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(home.executor.told.lock().unwrap().len(), 1);
    drop(engine);
}

#[tokio::test]
async fn a_response_that_was_only_begun_is_taken_up_after_a_crash() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let machine =
        machine(&engine, "guardrail", json!({"T": {"Type": "Task", "Resource": task("listBuckets"), "End": true}}))
            .await;
    drop(engine);
    // The write of the event is all that happened before the crash.
    let (receipt, started) = store
        .executions()
        .receive(&event("1"), vec![responder(&machine, "1", "b")].into(), jiff::Timestamp::now())
        .await
        .unwrap();
    assert_eq!((receipt.started, started.len()), (1, 1));
    drop(store);
    let engine = home.engine().await;
    let ended = engine.wait_for_end(&started[0].1).await.unwrap();
    assert_eq!(ended.output, Some(json!({"Buckets": ["b"]})));
}
