//! What is over goes once it is old enough, and nothing else does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::{collections::BTreeMap, sync::Arc};

use detection::{Compliance, Finding, FindingInput, Mode, Settings, decide::Risk, finding::MatchedRule};
use engine::{
    FindingStore,
    engine::Refusal,
    ports::CallKey,
    sqlite::{Pruned, Pruner, Retention, SqliteStore},
};
use execution::Status;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde_json::{Value, json};
use support::*;

async fn prune(store: &Arc<SqliteStore>, days_from_now: i64) -> Pruned {
    let now = Timestamp::now() + SignedDuration::from_hours(24 * days_from_now);
    Pruner::new(store.clone(), Retention::default()).round(now).await.unwrap()
}

/// The tables that are not empty, and how many rows they have.
fn rows(home: &Home) -> BTreeMap<String, i64> {
    let connection = Connection::open(home.folder.path().join("rectify.sqlite")).unwrap();
    let mut names =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name != 'greatest_ids'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let counted = names.into_iter().map(|name| {
        let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).unwrap();
        (name, rows)
    });
    counted.filter(|(_, rows)| *rows > 0).collect()
}

/// The same, without what belongs to machines.
fn rows_of_executions(home: &Home) -> BTreeMap<String, i64> {
    // Those of machines, and the counts of findings, which stay when they are 0.
    let others = ["state_machines", "definitions", "machine_revisions", "finding_counts"];
    rows(home).into_iter().filter(|(name, _)| !others.contains(&name.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_execution_goes_with_all_that_belongs_to_it() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let machine = machine(&engine, "m", everything()).await;
    let arn = engine.start_execution(&machine, Some("e"), "{}").await.unwrap().arn;
    let token = home.executor.token(0).await;
    engine.send_task_success(&token, json!("yes")).await.unwrap();
    engine.wait_for_end(&arn).await.unwrap();
    let waiting = engine.start_execution(&machine, Some("waiting"), "{}").await.unwrap().arn;
    home.executor.token(1).await;

    assert_eq!(prune(&store, 89).await, Pruned::default());
    assert_eq!(prune(&store, 91).await, Pruned { executions: 1, ..Pruned::default() });
    let refused = engine.describe_execution(&arn).await.unwrap_err();
    assert!(matches!(refused, Refusal::ExecutionDoesNotExist(_)), "{refused}");
    let refused = engine.history(&arn, None, 10, false).await.unwrap_err();
    assert!(matches!(refused, Refusal::ExecutionDoesNotExist(_)), "{refused}");
    let refused = engine.send_task_success(&token, json!(1)).await.unwrap_err();
    assert!(matches!(refused, Refusal::InvalidToken(_)), "{refused}");
    assert_eq!(rows_of_executions(&home)["executions"], 1);
    assert_eq!(rows_of_executions(&home)["task_tokens"], 1);

    // The one that waits goes on, years later too, and the name of the other is free.
    assert_eq!(prune(&store, 4000).await, Pruned::default());
    engine.send_task_success(&home.executor.token(1).await, json!("yes")).await.unwrap();
    assert_eq!(engine.wait_for_end(&waiting).await.unwrap().status, Status::Succeeded);
    assert_eq!(engine.start_execution(&machine, Some("e"), "{}").await.unwrap().arn, arn);
    engine.send_task_success(&home.executor.token(2).await, json!("yes")).await.unwrap();
    engine.wait_for_end(&arn).await.unwrap();
    assert_eq!(prune(&store, 91).await.executions, 2);
    assert_eq!(rows_of_executions(&home), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_a_map_run_go_with_the_execution_at_the_root() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let distributed = |inner: Value, next: Value| {
        let mut map = json!({"Type": "Map", "Items": "{% [1..3] %}", "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "In", "States": {"In": inner}}});
        map.as_object_mut().unwrap().extend(next.as_object().unwrap().clone());
        map
    };
    let inner = distributed(json!({"Type": "Pass", "End": true}), json!({"End": true}));
    let inner = inner.to_string().replace("\"In\"", "\"Innermost\"");
    let states = json!({
        "All": distributed(serde_json::from_str(&inner).unwrap(), json!({"Next": "Ask"})),
        "Ask": ask(json!({"End": true})),
    });
    let machine = machine(&engine, "m", states).await;
    let arn = engine.start_execution(&machine, Some("e"), "{}").await.unwrap().arn;
    let token = home.executor.token(0).await;
    let all = rows_of_executions(&home);
    assert_eq!((all["executions"], all["map_runs"]), (1 + 3 + 9, 1 + 3));

    assert_eq!(prune(&store, 4000).await, Pruned::default(), "their parent goes on");
    engine.send_task_failure(&token, Some("No".into()), None).await.unwrap();
    assert_eq!(engine.wait_for_end(&arn).await.unwrap().status, Status::Failed);
    assert_eq!(prune(&store, 89).await, Pruned::default());
    engine.redrive_execution(&arn, None).await.unwrap();
    let token = home.executor.token(1).await;
    assert_eq!(prune(&store, 4000).await, Pruned::default(), "it was redriven");
    engine.send_task_success(&token, json!(1)).await.unwrap();
    assert_eq!(engine.wait_for_end(&arn).await.unwrap().status, Status::Succeeded);
    assert_eq!(prune(&store, 91).await.executions, 1);
    assert_eq!(rows_of_executions(&home), BTreeMap::new());
}

async fn apply(store: &Arc<SqliteStore>, id: &str, caller: &str, call: &str, input: FindingInput) {
    let settings = Settings { mode: Mode::Fix, ..Settings::of_risk(Risk::Safe) };
    let key = CallKey { caller: caller.into(), call: call.into() };
    FindingStore::apply(store.as_ref(), id, &key, &input, &settings).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolved_finding_goes_by_its_own_age_and_an_open_one_never() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let machine = machine(&engine, "guardrail", json!({"Ask": ask(json!({"End": true}))})).await;
    for (number, bucket) in ["open", "resolved"].into_iter().enumerate() {
        engine.receive(&event(bucket), vec![responder(&machine, bucket, bucket)]).await.unwrap();
        home.executor.token(number).await;
    }
    let id = |bucket: &str| Finding::id_of("s3-bucket-public-access", ACCOUNT, REGION, bucket);
    let executions = engine.list_executions(&machine, None, None, 10).await.unwrap();
    let of = |bucket: &str| executions.iter().find(|execution| execution.input.contains(bucket)).unwrap().arn.clone();
    let (compliance, reason) = (Compliance::Compliant, "It is shut.".to_owned());
    let resolved = of("resolved");
    apply(&store, &id("resolved"), &resolved, "inspect", FindingInput::Inspecting {}).await;
    apply(&store, &id("resolved"), &resolved, "record", FindingInput::Record { compliance, reason: reason.clone() })
        .await;
    apply(&store, &id("resolved"), &resolved, "close", FindingInput::Close { generation: 1, compliance, reason }).await;
    let resolved = store.finding(&id("resolved")).await.unwrap().unwrap();
    assert_eq!(resolved.compliance, Some(Compliance::Compliant));
    assert!(resolved.under_way.is_none(), "{resolved:#?}");

    let events = prune(&store, 401).await;
    assert_eq!(events, Pruned { events: 2, ..Pruned::default() }, "their responses go on");
    for number in 0..2 {
        engine.send_task_success(&home.executor.token(number).await, json!(1)).await.unwrap();
    }
    for execution in &executions {
        engine.wait_for_end(&execution.arn).await.unwrap();
    }
    assert_eq!(prune(&store, 91).await, Pruned { executions: 2, ..Pruned::default() });
    assert_eq!(rows_of_executions(&home), BTreeMap::from([("findings".to_owned(), 2)]));
    assert_eq!(prune(&store, 399).await, Pruned::default());
    assert_eq!(prune(&store, 401).await, Pruned { findings: 1, ..Pruned::default() });
    assert!(store.finding(&id("open")).await.unwrap().is_some());

    // The same resource begins anew.
    let receipt = engine.receive(&event("again"), vec![responder(&machine, "again", "resolved")]).await.unwrap();
    assert_eq!(receipt.started, 1);
    home.executor.token(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_s_finding_goes_by_its_age_though_nobody_resolved_it() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let machine = machine(&engine, "rule", json!({"Done": {"Type": "Succeed"}})).await;
    let rule = |untold: Option<&str>| MatchedRule {
        tags: Vec::new(),
        reason: "PutBucketAcl of s3.amazonaws.com".to_owned(),
        dedup_window_seconds: 3_600,
        untold: untold.map(str::to_owned),
    };
    let matched = |event: &str, resource: &str, untold: Option<&str>| {
        let mut responder = responder(&machine, event, resource);
        responder.sighting.rule = Some(rule(untold));
        responder
    };
    let started = engine
        .receive(&event("1"), vec![matched("1", "told", None), matched("1", "untold", Some("LOW"))])
        .await
        .unwrap()
        .started;
    assert_eq!(started, 1, "what nobody is told of needs no execution");
    assert_eq!(engine.receive(&event("2"), vec![matched("2", "untold", None)]).await.unwrap().absorbed, 1);
    let execution = engine.list_executions(&machine, None, None, 10).await.unwrap().remove(0);
    engine.wait_for_end(&execution.arn).await.unwrap();
    assert_eq!(prune(&store, 399).await.findings, 0);
    // That one's telling said no end: it is under way, and stays.
    assert_eq!(prune(&store, 401).await.findings, 1);
    let id = |resource: &str| Finding::id_of("s3-bucket-public-access", ACCOUNT, REGION, resource);
    assert!(store.finding(&id("untold")).await.unwrap().is_none());
    apply(&store, &id("told"), &execution.arn, "leave", FindingInput::Leave {}).await;
    assert_eq!(prune(&store, 401).await.findings, 1);
    assert_eq!(rows_of_executions(&home), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_nobody_has_heard_of_stays() {
    let home = Home::new();
    home.executor.deaf.store(usize::MAX, std::sync::atomic::Ordering::SeqCst);
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let machine = machine(&engine, "guardrail", json!({"Fail": {"Type": "Fail"}})).await;
    engine.receive(&event("1"), vec![responder(&machine, "1", "b")]).await.unwrap();
    let arn = engine.list_executions(&machine, None, None, 1).await.unwrap()[0].arn.clone();
    engine.wait_for_end(&arn).await.unwrap();
    assert_eq!(prune(&store, 4000).await.executions, 0);
    assert!(engine.describe_execution(&arn).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_goes_a_day_after_nothing_refers_to_it() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let first = machine(&engine, "m", json!({"Ask": ask(json!({"End": true}))})).await;
    let arn = engine.start_execution(&first, Some("e"), "{}").await.unwrap().arn;
    let token = home.executor.token(0).await;
    machine(&engine, "m", json!({"Other": {"Type": "Succeed"}})).await;
    machine(&engine, "never-used", json!({"Unused": {"Type": "Succeed"}})).await;
    engine.delete_state_machine(&first.replace(":m", ":never-used")).await.unwrap();
    let mut pruner = Pruner::new(store.clone(), Retention::default());
    let now = Timestamp::now();
    let mut round = async |days: i64| pruner.round(now + SignedDuration::from_hours(24 * days)).await.unwrap();
    assert_eq!((round(1).await.definitions, rows(&home)["definitions"]), (0, 3));
    assert_eq!((round(1).await.definitions, rows(&home)["definitions"]), (0, 3), "once a day");
    assert_eq!((round(2).await.definitions, rows(&home)["definitions"]), (1, 2), "what runs keeps its own");
    engine.send_task_success(&token, json!("yes")).await.unwrap();
    engine.wait_for_end(&arn).await.unwrap();
    assert_eq!(round(91).await.executions, 1);
    assert_eq!((round(92).await.definitions, rows(&home)["definitions"]), (1, 1));
    assert_eq!(rows(&home)["machine_revisions"], 1);
    let arn = engine.start_execution(&first, None, "{}").await.unwrap().arn;
    assert_eq!(engine.wait_for_end(&arn).await.unwrap().status, Status::Succeeded);
    assert!(engine.describe_state_machine_for_execution(&arn).await.unwrap().definition.contains("Other"));
}
