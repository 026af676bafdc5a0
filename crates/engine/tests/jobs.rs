//! Jobs (`.sync`): begun once, waited for across crashes, stopped when nobody waits any more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::time::Duration;

use engine::Engine;
use execution::{EventType, Status};
use serde_json::{Value, json};
use support::*;

async fn job(engine: &Engine, name: &str, action: &str, more: Value) -> String {
    let mut state = json!({"Type": "Task", "Resource": format!("arn:aws:states:::{action}"), "End": true});
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    machine(engine, name, json!({"Job": state})).await
}

async fn is_submitted(engine: &Engine, arn: &str) -> bool {
    let history = engine.history(arn, None, 100, false).await.unwrap();
    history.iter().any(|event| event.kind == EventType::TaskSubmitted)
}

#[tokio::test]
async fn a_job_that_was_begun_is_waited_for_after_a_crash_and_not_begun_again() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = job(&engine, "m", "glue:startJobRun.sync", json!({"Arguments": {"JobName": "j"}})).await;
    let execution = engine.start_execution(&arn, None, "{}").await.unwrap();
    until("the job is begun", || is_submitted(&engine, &execution.arn)).await;
    until("its end is waited for", || async { home.executor.count("startJobRun.sync") > 2 }).await;
    drop(engine);
    let asked = home.executor.count("startJobRun.sync");
    let engine = home.engine().await;
    until("its end is waited for again", || async { home.executor.count("startJobRun.sync") > asked }).await;
    assert_eq!(home.executor.begun("startJobRun.sync"), 1);
    let last = home.executor.performed.lock().unwrap().last().unwrap().clone();
    assert_eq!(last.scheduled.submitted, Some(json!({"Job": {"JobName": "j"}})));
    assert!(home.executor.stopped.lock().unwrap().is_empty(), "a crash stops no job");
    assert_eq!(engine.describe_execution(&execution.arn).await.unwrap().status, Status::Running);
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_any_more_is_stopped() {
    let home = Home::new();
    let engine = home.engine().await;
    let stopped = job(&engine, "stopped", "glue:startJobRun.sync", json!({"Arguments": {"JobName": "stopped"}})).await;
    let late = json!({"Arguments": {"JobName": "late"}, "TimeoutSeconds": 1});
    let late = job(&engine, "late", "glue:startJobRun.sync", late).await;
    let stopped = engine.start_execution(&stopped, None, "{}").await.unwrap();
    let late = engine.start_execution(&late, None, "{}").await.unwrap();
    until("the job is begun", || is_submitted(&engine, &stopped.arn)).await;
    until("its end is waited for", || async { home.executor.count("startJobRun.sync") >= 4 }).await;
    engine.stop_execution(&stopped.arn, None, None).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), engine.wait_for_end(&late.arn)).await.unwrap().unwrap();
    assert_eq!((ended.status, ended.error.as_deref()), (Status::Failed, Some("States.Timeout")));
    until("both are stopped", || async { home.executor.stopped.lock().unwrap().len() == 2 }).await;
    let names: Vec<Value> =
        home.executor.stopped.lock().unwrap().iter().map(|task| task.scheduled.arguments["JobName"].clone()).collect();
    assert!(names.contains(&json!("stopped")) && names.contains(&json!("late")), "{names:?}");
}

#[tokio::test]
async fn a_job_that_is_still_being_begun_when_nobody_waits_any_more_is_stopped_once_it_is_begun() {
    let home = Home::new();
    let engine = home.engine().await;
    let begin = |project: &str| json!({"Arguments": {"ProjectName": project}});
    let build = "codebuild:startBuild.sync";
    let stopped = job(&engine, "stopped", build, begin("stopped-500")).await;
    let mut late = begin("late-1500");
    late["TimeoutSeconds"] = json!(1);
    let late = job(&engine, "late", build, late).await;
    let mut sibling = begin("sibling-500");
    sibling.as_object_mut().unwrap().extend([
        ("Type".to_owned(), json!("Task")),
        ("Resource".to_owned(), json!(format!("arn:aws:states:::{build}"))),
        ("End".to_owned(), json!(true)),
    ]);
    let both = json!({"Both": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "Build", "States": {"Build": sibling}},
        {"StartAt": "Fail", "States": {"Fail": {"Type": "Task", "Resource": task("createBucket"), "End": true}}},
    ]}});
    let both = machine(&engine, "both", both).await;
    let stopped = engine.start_execution(&stopped, None, "{}").await.unwrap();
    let late = engine.start_execution(&late, None, "{}").await.unwrap();
    let both = engine.start_execution(&both, None, "{}").await.unwrap();
    until("all are being begun", || async { home.executor.begun("startBuild.sync") == 3 }).await;
    engine.stop_execution(&stopped.arn, None, None).await.unwrap();
    for (arn, error) in [(&late.arn, "States.Timeout"), (&both.arn, "S3.S3Exception")] {
        let ended = tokio::time::timeout(Duration::from_secs(10), engine.wait_for_end(arn)).await.unwrap().unwrap();
        assert_eq!((ended.status, ended.error.as_deref()), (Status::Failed, Some(error)));
    }
    until("all are stopped", || async { home.executor.stopped.lock().unwrap().len() == 3 }).await;
    for task in home.executor.stopped.lock().unwrap().iter() {
        assert_eq!(task.scheduled.submitted, Some(json!({"Job": task.scheduled.arguments})));
    }
}

#[tokio::test]
async fn a_job_that_waits_to_be_begun_when_nobody_waits_any_more_is_never_begun() {
    let mut home = Home::new();
    home.options.tasks_at_once = 1;
    let engine = home.engine().await;
    let holder =
        machine(&engine, "holder", json!({"Hold": {"Type": "Task", "Resource": task("deleteObject"), "End": true}}));
    let holder = engine.start_execution(&holder.await, None, "{}").await.unwrap();
    until("the only permit is taken", || async { home.executor.count("deleteObject") == 1 }).await;
    let arn = job(&engine, "m", "codebuild:startBuild.sync", json!({"Arguments": {"ProjectName": "p-0"}})).await;
    let waiting = engine.start_execution(&arn, None, "{}").await.unwrap();
    until("it is scheduled", || async {
        let history = engine.history(&waiting.arn, None, 100, false).await.unwrap();
        history.iter().any(|event| event.kind == EventType::TaskScheduled)
    })
    .await;
    engine.stop_execution(&waiting.arn, None, None).await.unwrap();
    engine.stop_execution(&holder.arn, None, None).await.unwrap();
    let next = job(&engine, "next", "ecs:runTask.sync", json!({})).await;
    let next = engine.start_execution(&next, None, "{}").await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), engine.wait_for_end(&next.arn)).await.unwrap().unwrap();
    assert_eq!(home.executor.begun("startBuild.sync"), 0);
    assert!(home.executor.stopped.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_job_that_ended_is_not_stopped() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = job(&engine, "m", "ecs:runTask.sync", json!({"Arguments": {"TaskDefinition": "t"}})).await;
    let execution = engine.start_execution(&arn, None, "{}").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), engine.wait_for_end(&execution.arn)).await;
    assert_eq!(ended.unwrap().unwrap().output, Some(json!({"Ended": {"Job": {"TaskDefinition": "t"}}})));
    assert!(home.executor.stopped.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_execution_that_awaits_a_job_leaves_memory() {
    let mut home = Home::new();
    home.options.evict_after_seconds = 0;
    let engine = home.engine().await;
    let arn = job(&engine, "m", "glue:startJobRun.sync", json!({"Arguments": {"JobName": "j"}})).await;
    for _ in 0..20 {
        engine.start_execution(&arn, None, "{}").await.unwrap();
    }
    until("all are begun", || async { home.executor.begun("startJobRun.sync") == 20 }).await;
    until("they leave memory", || async { engine.executions_in_memory() == 0 }).await;
    let asked = home.executor.count("startJobRun.sync");
    until("all are asked after all the same", || async { home.executor.count("startJobRun.sync") > asked + 40 }).await;
    assert_eq!(engine.executions_in_memory(), 0, "asking brings none of them back");
}

#[tokio::test]
async fn a_parent_is_told_by_the_end_of_its_child_and_asks_not_before() {
    let mut home = Home::new();
    home.options.evict_after_seconds = 0;
    let engine = home.engine().await;
    let child = machine(&engine, "child", json!({"Ask": ask(json!({"End": true}))})).await;
    let child = engine.start_execution(&child, None, "{}").await.unwrap();
    let early = machine(&engine, "early", json!({"P": {"Type": "Pass", "End": true}})).await;
    let early = engine.start_execution(&early, None, "{}").await.unwrap();
    let nested = |name: &str| json!({"Arguments": {"StateMachineArn": "m", "Name": name}});
    let parent = job(&engine, "parent", "states:startExecution.sync", nested(&child.arn)).await;
    let of_early = job(&engine, "of_early", "states:startExecution.sync", nested(&early.arn)).await;
    let parent = engine.start_execution(&parent, None, "{}").await.unwrap();
    until("the child is begun", || is_submitted(&engine, &parent.arn)).await;
    until("both leave memory", || async { engine.executions_in_memory() == 0 }).await;
    home.executor.ended.lock().unwrap().extend([(early.arn, json!("early")), (child.arn.clone(), json!("told"))]);
    let of_early = engine.start_execution(&of_early, None, "{}").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), engine.wait_for_end(&of_early.arn)).await.unwrap();
    assert_eq!(ended.unwrap().output, Some(json!("early")), "a child that has ended already");
    let asked = |arn: &str| {
        let performed = home.executor.performed.lock().unwrap();
        performed.iter().filter(|task| task.execution_arn == arn && task.scheduled.submitted.is_some()).count()
    };
    assert_eq!(asked(&parent.arn), 0, "the child runs");
    // The process ends and another takes over: who waits for whom is in the store.
    drop(engine);
    let engine = home.engine().await;
    engine.send_task_success(&home.executor.token(0).await, json!(1)).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), engine.wait_for_end(&parent.arn)).await.unwrap();
    assert_eq!(ended.unwrap().output, Some(json!("told")));
    assert_eq!(asked(&parent.arn), 1);
}

#[tokio::test]
async fn a_stop_that_fails_is_tried_again_also_after_a_crash() {
    let home = Home::new();
    home.executor.unstoppable.store(1, std::sync::atomic::Ordering::SeqCst);
    let engine = home.engine().await;
    let arn = job(&engine, "m", "glue:startJobRun.sync", json!({"Arguments": {"JobName": "j"}})).await;
    let execution = engine.start_execution(&arn, None, "{}").await.unwrap();
    until("the job is begun", || is_submitted(&engine, &execution.arn)).await;
    engine.stop_execution(&execution.arn, None, None).await.unwrap();
    until("it was not stopped", || async { home.executor.unstoppable.load(std::sync::atomic::Ordering::SeqCst) == 0 })
        .await;
    drop(engine);
    let engine = home.engine().await;
    until("it is stopped", || async { home.executor.stopped.lock().unwrap().len() == 1 }).await;
    drop(engine);
    let engine = home.engine().await;
    let submitted = home.executor.stopped.lock().unwrap()[0].scheduled.submitted.clone();
    assert_eq!(submitted, Some(json!({"Job": {"JobName": "j"}})));
    drop(engine);
    let store = home.store().await.executions();
    assert_eq!(store.jobs(10).await.unwrap(), [], "nothing is left to be stopped");
}
