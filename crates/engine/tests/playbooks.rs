//! Playbooks that events start: once for an event, so many at once, the others in their order, also after a crash.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use engine::{
    Engine,
    ports::{PlaybookStart, Reactions},
};
use execution::Status;
use serde_json::json;
use support::*;

async fn playbook(engine: &Engine, concurrency: u32) -> String {
    engine.limit_playbook("p", concurrency).await.unwrap();
    machine(engine, "playbook", json!({"Ask": ask(json!({"End": true}))})).await
}

fn start(machine: &str, name: &str) -> PlaybookStart {
    let input = json!({"event": name}).to_string();
    PlaybookStart {
        playbook: "p".into(),
        state_machine_arn: machine.into(),
        execution_name: name.into(),
        input,
        findings: Vec::new(),
    }
}

async fn receive(engine: &Engine, machine: &str, id: &str) -> usize {
    let reactions = Reactions { playbooks: vec![start(machine, id)], ..Reactions::default() };
    engine.receive(&event(id), reactions).await.unwrap().started
}

fn arn(machine: &str, name: &str) -> String {
    format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"))
}

async fn events_of(engine: &Engine, arn: &str) -> usize {
    engine.history(arn, None, 100, false).await.unwrap().len()
}

/// Waits until the question of an execution is on record: after a crash before, it would be asked again.
async fn submitted(engine: &Engine, arn: &str) {
    until("the question is on record", || async { events_of(engine, arn).await >= 5 }).await;
}

async fn answer(home: &Home, engine: &Engine, nth: usize) {
    let token = home.executor.token(nth).await;
    engine.send_task_success(&token, json!({})).await.unwrap();
}

#[tokio::test]
async fn the_second_waits_until_the_first_has_ended_also_across_a_restart() {
    let home = Home::new();
    let engine = home.engine().await;
    let machine = playbook(&engine, 1).await;
    for id in ["1", "2", "3"] {
        assert_eq!(receive(&engine, &machine, id).await, 1);
    }
    assert_eq!(receive(&engine, &machine, "2").await, 0, "a duplicate starts nothing");
    submitted(&engine, &arn(&machine, "1")).await;
    assert_eq!(engine.playbook_waiting("p").await.unwrap(), 2);
    assert_eq!(events_of(&engine, &arn(&machine, "2")).await, 0);
    drop(engine);

    let engine = home.engine().await;
    playbook(&engine, 1).await;
    assert_eq!(engine.playbook_waiting("p").await.unwrap(), 2);
    answer(&home, &engine, 0).await;
    assert_eq!(engine.wait_for_end(&arn(&machine, "1")).await.unwrap().status, Status::Succeeded);
    // The next in its order, and no more.
    home.executor.token(1).await;
    assert_eq!(engine.playbook_waiting("p").await.unwrap(), 1);
    assert!(events_of(&engine, &arn(&machine, "2")).await > 0);
    assert_eq!(events_of(&engine, &arn(&machine, "3")).await, 0);
    answer(&home, &engine, 1).await;
    answer(&home, &engine, 2).await;
    assert_eq!(engine.wait_for_end(&arn(&machine, "3")).await.unwrap().status, Status::Succeeded);
    assert_eq!(engine.playbook_waiting("p").await.unwrap(), 0);
}

#[tokio::test]
async fn a_turn_that_was_given_before_a_crash_is_taken_after_it() {
    let home = Home::new();
    let engine = home.engine().await;
    let machine = playbook(&engine, 1).await;
    receive(&engine, &machine, "1").await;
    receive(&engine, &machine, "2").await;
    submitted(&engine, &arn(&machine, "1")).await;
    drop(engine);
    // All that happened before the crash is the write.
    let store = home.store().await;
    assert_eq!(store.executions().limit_playbook("p", 2).await.unwrap(), [arn(&machine, "2")]);
    drop(store);
    let engine = home.engine().await;
    answer(&home, &engine, 1).await;
    assert_eq!(engine.wait_for_end(&arn(&machine, "2")).await.unwrap().status, Status::Succeeded);
}

#[tokio::test]
async fn a_higher_limit_lets_those_begin_that_wait() {
    let home = Home::new();
    let engine = home.engine().await;
    let machine = playbook(&engine, 1).await;
    for id in ["1", "2", "3"] {
        receive(&engine, &machine, id).await;
    }
    home.executor.token(0).await;
    engine.limit_playbook("p", 2).await.unwrap();
    home.executor.token(1).await;
    assert_eq!(engine.playbook_waiting("p").await.unwrap(), 1);
}

#[tokio::test]
async fn one_that_is_stopped_while_it_waits_ends_and_takes_nobodys_turn() {
    let home = Home::new();
    let engine = home.engine().await;
    let machine = playbook(&engine, 1).await;
    for id in ["1", "2", "3"] {
        receive(&engine, &machine, id).await;
    }
    home.executor.token(0).await;
    engine.stop_execution(&arn(&machine, "2"), None, None).await.unwrap();
    assert_eq!(engine.wait_for_end(&arn(&machine, "2")).await.unwrap().status, Status::Aborted);
    assert_eq!(engine.playbook_waiting("p").await.unwrap(), 1);
    assert_eq!(events_of(&engine, &arn(&machine, "3")).await, 0);
}

#[tokio::test]
async fn a_playbook_is_started_again_under_its_name_once() {
    let home = Home::new();
    let engine = home.engine().await;
    let machine = playbook(&engine, 5).await;
    receive(&engine, &machine, "1").await;
    engine.start_playbook(start(&machine, "1")).await.unwrap();
    engine.start_playbook(start(&machine, "2")).await.unwrap();
    home.executor.token(1).await;
    assert_eq!(engine.list_executions(&machine, None, None, 10).await.unwrap().len(), 2);
}
