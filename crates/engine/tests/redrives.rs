//! Redrives: an execution that ended badly goes on in its journal, and a crash changes nothing about it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod support;

use std::time::Duration;

use engine::engine::Refusal;
use execution::{EventType, Status};
use serde_json::json;
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_redriven_once_for_each_client_token() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let states = json!({
        "Look": {"Type": "Task", "Resource": task("listBuckets"), "Next": "Ask"},
        "Ask": ask(json!({"End": true})),
    });
    let machine = machine(&engine, "m", states).await;
    let arn = engine.start_execution(&machine, Some("e"), "{}").await.unwrap().arn;
    let refused = engine.redrive_execution(&arn, None).await.unwrap_err();
    assert!(matches!(&refused, Refusal::ExecutionNotRedrivable(text) if text.contains("is RUNNING")), "{refused}");
    engine.send_task_failure(&home.executor.token(0).await, Some("No".into()), None).await.unwrap();
    assert_eq!(engine.wait_for_end(&arn).await.unwrap().status, Status::Failed);
    let before = engine.history(&arn, None, 100, false).await.unwrap();
    // Many at once with one token are one redrive.
    let redriving: Vec<_> = (0..8)
        .map(|_| {
            let (engine, arn) = (engine.clone(), arn.clone());
            tokio::spawn(async move { engine.redrive_execution(&arn, Some("t")).await })
        })
        .collect();
    let mut dates = Vec::new();
    for redriving in redriving {
        dates.push(redriving.await.unwrap().unwrap());
    }
    dates.dedup();
    assert_eq!(dates.len(), 1);
    let record = engine.describe_execution(&arn).await.unwrap();
    assert_eq!((record.status, record.redrive_count, record.redriven_at), (Status::Running, 1, dates.first().copied()));
    assert_eq!((record.stopped_at, record.ended), (None, None));
    // A crash in the middle of the redrive: it goes on, and what had succeeded is not done again.
    home.executor.token(1).await;
    drop(engine);
    drop(store);
    let engine = home.engine().await;
    let end = engine.wait_for_end(&arn);
    let token = home.executor.token(1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    engine.send_task_success(&token, json!("yes")).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), end).await.unwrap().unwrap();
    assert_eq!((ended.status, ended.output), (Status::Succeeded, Some(json!("yes"))));
    assert_eq!(home.executor.count("listBuckets"), 1);
    let after = engine.history(&arn, None, 100, false).await.unwrap();
    assert!(after.starts_with(&before));
    assert_eq!(after.get(before.len()).map(|event| event.kind), Some(EventType::ExecutionRedriven));
    let refused = engine.redrive_execution(&arn, Some("u")).await.unwrap_err();
    assert!(matches!(&refused, Refusal::ExecutionNotRedrivable(text) if text.contains("is SUCCEEDED")), "{refused}");
    assert_eq!(engine.redrive_execution(&arn, Some("t")).await.ok(), dates.first().copied(), "the same redrive still");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_or_timed_out_long_ago_is_redriven_from_the_store() {
    let home = Home::new();
    let engine = home.engine().await;
    let states = json!({"W": {"Type": "Wait", "Seconds": 1, "Next": "T"}, "T": {"Type": "Task", "Resource": task("listBuckets"), "End": true}});
    let machine = machine(&engine, "m", states).await;
    let arn = engine.start_execution(&machine, None, "{}").await.unwrap().arn;
    engine.stop_execution(&arn, Some("Mine".into()), None).await.unwrap();
    drop(engine);
    let engine = home.engine().await;
    engine.redrive_execution(&arn, None).await.unwrap();
    engine.stop_execution(&arn, None, None).await.unwrap();
    engine.redrive_execution(&arn, None).await.unwrap();
    assert_eq!(engine.wait_for_end(&arn).await.unwrap().status, Status::Succeeded);
    let record = engine.describe_execution(&arn).await.unwrap();
    assert_eq!(record.redrive_count, 2);
    let listed = engine.list_executions(&machine, Some(Status::Succeeded), None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|record| record.redrive_count).collect::<Vec<_>>(), [2]);
}
