//! Activities: whoever asks gets a task once, and none is lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::{collections::HashSet, time::Duration};

use engine::{Engine, Options, engine::HandedOver};
use execution::{EventType, Status};
use serde_json::{Value, json};
use support::*;

async fn activity(engine: &Engine) -> String {
    engine.create_activity(ACCOUNT, REGION, "approve").await.unwrap().arn
}

/// A machine of one activity task, with more fields.
async fn of_activity(engine: &Engine, activity: &str, more: Value) -> String {
    let mut state = json!({"Type": "Task", "Resource": activity, "End": true});
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    machine(engine, "m", json!({"A": state})).await
}

async fn ask_for(engine: &Engine, activity: &str) -> HandedOver {
    let asked = tokio::time::timeout(Duration::from_secs(20), engine.get_activity_task(activity, Some("w")));
    asked.await.expect("a task comes").unwrap().expect("a task")
}

async fn is_idle(engine: &Engine, activity: &str) -> bool {
    let asked = tokio::time::timeout(Duration::from_millis(150), engine.get_activity_task(activity, None));
    asked.await.is_err()
}

async fn types(engine: &Engine, arn: &str) -> Vec<EventType> {
    engine.history(arn, None, 100, false).await.unwrap().iter().map(|event| event.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_gets_a_task_and_answers_it() {
    let home = Home::new();
    let engine = home.engine().await;
    let activity = activity(&engine).await;
    let machine = of_activity(&engine, &activity, json!({"HeartbeatSeconds": 60})).await;
    // Whoever asks first waits for the task.
    let asking = tokio::spawn({
        let (engine, activity) = (engine.clone(), activity.clone());
        async move { ask_for(&engine, &activity).await }
    });
    let arn = engine.start_execution(&machine, Some("e"), r#"{"n": 1}"#).await.unwrap().arn;
    let task = asking.await.unwrap();
    assert_eq!(task.input, json!({"n": 1}));
    assert!(is_idle(&engine, &activity).await, "nobody else gets it");
    engine.send_task_heartbeat(&task.task_token).await.unwrap();
    engine.send_task_success(&task.task_token, json!("yes")).await.unwrap();
    assert_eq!(engine.wait_for_end(&arn).await.unwrap().output, Some(json!("yes")));
    let again = engine.send_task_success(&task.task_token, json!(0)).await.unwrap_err();
    assert_eq!(again.to_string(), "Task Timed Out: 'Provided task does not exist anymore'");
    assert_eq!(
        types(&engine, &arn).await[2..5],
        [EventType::ActivityScheduled, EventType::ActivityStarted, EventType::ActivitySucceeded]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_goes_away_swallows_no_task() {
    let home = Home::new();
    let engine = home.engine().await;
    let activity = activity(&engine).await;
    let machine = of_activity(&engine, &activity, json!({})).await;
    for round in 0..20_u64 {
        let arn = engine.start_execution(&machine, None, &round.to_string()).await.unwrap().arn;
        // Gone before, while and after the execution writes down that somebody took it.
        let gone = engine.get_activity_task(&activity, Some("gone"));
        if let Ok(answer) = tokio::time::timeout(Duration::from_micros(round * 300), gone).await {
            let task = answer.unwrap().unwrap();
            engine.send_task_success(&task.task_token, json!("quick")).await.unwrap();
        } else {
            let task = ask_for(&engine, &activity).await;
            assert_eq!(task.input, json!(round));
            engine.send_task_success(&task.task_token, json!("slow")).await.unwrap();
        }
        assert_eq!(engine.wait_for_end(&arn).await.unwrap().status, Status::Succeeded);
    }
    assert!(is_idle(&engine, &activity).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_get_each_task_once_and_a_crash_loses_none() {
    let mut home = Home::new();
    // What waits for a worker leaves memory.
    home.options = Options { evict_after_seconds: 0, executions_in_memory: 10, ..home.options };
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let activity = activity(&engine).await;
    let machine = of_activity(&engine, &activity, json!({})).await;
    let mut arns = Vec::new();
    for number in 0..60 {
        arns.push(engine.start_execution(&machine, None, &number.to_string()).await.unwrap().arn);
    }
    let ask_for_20 = async |engine: &Engine| {
        let asking: Vec<_> = (0..20)
            .map(|_| {
                let (engine, activity) = (engine.clone(), activity.clone());
                tokio::spawn(async move { ask_for(&engine, &activity).await })
            })
            .collect();
        let mut tasks = Vec::new();
        for asking in asking {
            tasks.push(asking.await.unwrap());
        }
        tasks
    };
    let mut tasks = ask_for_20(&engine).await;
    // That the workers have them is written down a moment after they do: a crash before that hands them out again.
    let waiting = async || store.executions().activity_tasks(&activity, 100).await.unwrap().len();
    until("what was handed out is forgotten", async || waiting().await == 40).await;
    drop(engine);
    drop(store);
    let engine = home.engine().await;
    tasks.extend(ask_for_20(&engine).await);
    tasks.extend(ask_for_20(&engine).await);
    let inputs: HashSet<String> = tasks.iter().map(|task| task.input.to_string()).collect();
    assert_eq!(inputs.len(), 60);
    for task in tasks {
        engine.send_task_success(&task.task_token, task.input).await.unwrap();
    }
    for arn in arns {
        assert_eq!(engine.wait_for_end(&arn).await.unwrap().status, Status::Succeeded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_is_not_handed_out() {
    let home = Home::new();
    let engine = home.engine().await;
    let activity = activity(&engine).await;
    let slow = of_activity(&engine, &activity, json!({"TimeoutSeconds": 1})).await;
    let timed_out = engine.start_execution(&slow, None, "1").await.unwrap().arn;
    let stopped = engine.start_execution(&slow, None, "2").await.unwrap().arn;
    engine.stop_execution(&stopped, None, None).await.unwrap();
    let ended = engine.wait_for_end(&timed_out).await.unwrap();
    assert_eq!((ended.status, ended.error.as_deref()), (Status::Failed, Some("States.Timeout")));
    assert_eq!(
        types(&engine, &timed_out).await[2..],
        [EventType::ActivityScheduled, EventType::ActivityTimedOut, EventType::ExecutionFailed]
    );
    assert!(is_idle(&engine, &activity).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activity_that_is_not_there_fails_its_task() {
    let home = Home::new();
    let engine = home.engine().await;
    let activity = activity(&engine).await;
    engine.delete_activity(&activity).await.unwrap();
    let machine = of_activity(&engine, &activity, json!({})).await;
    let arn = engine.start_execution(&machine, None, "1").await.unwrap().arn;
    assert_eq!(engine.wait_for_end(&arn).await.unwrap().status, Status::Failed);
    assert_eq!(
        types(&engine, &arn).await[2..],
        [EventType::ActivityScheduled, EventType::ActivityScheduleFailed, EventType::ExecutionFailed]
    );
    let refused = engine.get_activity_task(&activity, None).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("Activity Does Not Exist: '{activity}'"));
}
