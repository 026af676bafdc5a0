//! Executions from start to end, with the real store: answers, timers, tokens, stops, eviction, back-pressure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use engine::{
    Clock, Engine, SystemClock,
    engine::{NewMachine, Refusal},
};
use execution::{Ended, Status};
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json};
use support::*;

async fn run(home: &Home, states: Value, input: &str) -> Ended {
    let engine = home.engine().await;
    let machine = machine(&engine, "m", states).await;
    let execution = engine.start_execution(&machine, Some("e"), input).await.unwrap();
    engine.wait_for_end(&execution.arn).await.unwrap()
}

#[tokio::test]
async fn passes_end_at_once_and_cost_one_write() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let states: serde_json::Map<String, Value> = (0..10)
        .map(|i| {
            let next = if i == 9 {
                json!({"Type": "Pass", "End": true})
            } else {
                json!({"Type": "Pass", "Next": format!("P{}", i + 1)})
            };
            (format!("P{i}"), next)
        })
        .collect();
    let machine = machine(&engine, "passes", Value::Object(states)).await;
    let before = store.counts();
    let execution = engine.start_execution(&machine, Some("e"), r#"{"a": 1}"#).await.unwrap();
    assert_eq!(store.counts().writes - before.writes, 1);
    assert_eq!(execution.arn, "arn:aws:states:eu-central-1:123456789012:execution:passes:e");
    assert_eq!(engine.wait_for_end(&execution.arn).await.unwrap().output, Some(json!({"a": 1})));
    let described = engine.describe_execution(&execution.arn).await.unwrap();
    assert_eq!((described.status, described.input.as_str()), (Status::Succeeded, r#"{"a": 1}"#));
    assert!(described.stopped_at.is_some());

    let history = engine.history(&execution.arn, None, 1000, false).await.unwrap();
    assert_eq!(history.len(), 22);
    let ids = |events: &[execution::HistoryEvent]| events.iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(&history), (1..=22).collect::<Vec<_>>());
    assert_eq!(ids(&engine.history(&execution.arn, Some(20), 5, false).await.unwrap()), [21, 22]);
    assert_eq!(ids(&engine.history(&execution.arn, None, 2, true).await.unwrap()), [22, 21]);
    assert_eq!(ids(&engine.history(&execution.arn, Some(3), 5, true).await.unwrap()), [2, 1]);
}

#[tokio::test]
async fn history_is_paged_over_the_rows_of_many_steps() {
    let home = Home::new();
    let engine = home.engine().await;
    let machine = machine(&engine, "m", everything()).await;
    let execution = engine.start_execution(&machine, None, "{}").await.unwrap();
    let token = home.executor.token(0).await;
    engine.send_task_success(&token, json!("yes")).await.unwrap();
    engine.wait_for_end(&execution.arn).await.unwrap();
    let whole = engine.history(&execution.arn, None, 1000, false).await.unwrap();
    for size in [1, 2, 7] {
        for reverse in [false, true] {
            let mut paged = Vec::new();
            loop {
                let after = paged.last().map(|event: &execution::HistoryEvent| event.id);
                let page = engine.history(&execution.arn, after, size, reverse).await.unwrap();
                if page.is_empty() {
                    break;
                }
                assert!(page.len() <= size);
                paged.extend(page);
            }
            if reverse {
                paged.reverse();
            }
            assert_eq!(paged, whole, "{size} at a time, reversed: {reverse}");
        }
    }
}

#[tokio::test]
async fn tasks_succeed_fail_and_panic() {
    let ended =
        run(&Home::new(), json!({"T": {"Type": "Task", "Resource": task("listBuckets"), "End": true}}), "{}").await;
    assert_eq!(ended.output, Some(json!({"Buckets": ["b"]})));
    let ended =
        run(&Home::new(), json!({"T": {"Type": "Task", "Resource": task("createBucket"), "End": true}}), "{}").await;
    assert_eq!((ended.status, ended.error.as_deref()), (Status::Failed, Some("S3.S3Exception")));
    let ended =
        run(&Home::new(), json!({"T": {"Type": "Task", "Resource": task("putObject"), "End": true}}), "{}").await;
    assert_eq!((ended.status, ended.error.as_deref()), (Status::Failed, Some("States.Runtime")));
}

#[tokio::test]
async fn time_outs_and_waits() {
    let slow = json!({"T": {"Type": "Task", "Resource": task("deleteObject"), "TimeoutSeconds": 1, "End": true}});
    let ended = run(&Home::new(), slow, "{}").await;
    assert_eq!((ended.status, ended.error.as_deref()), (Status::Failed, Some("States.Timeout")));

    let waits = json!({"W": {"Type": "Wait", "Seconds": 1, "Next": "P"}, "P": {"Type": "Pass", "Output": "woken", "End": true}});
    assert_eq!(run(&Home::new(), waits, "{}").await.output, Some(json!("woken")));
}

#[tokio::test]
async fn an_evicted_execution_is_woken_by_its_timer() {
    let mut home = Home::new();
    home.options.evict_after_seconds = 0;
    let waits = json!({"W": {"Type": "Wait", "Seconds": 2, "Next": "P"}, "P": {"Type": "Pass", "Output": "woken", "End": true}});
    let began = std::time::Instant::now();
    assert_eq!(run(&home, waits, "{}").await.output, Some(json!("woken")));
    assert!((1990..3500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_evicted_execution_is_completed_by_its_token_also_after_a_restart() {
    let mut home = Home::new();
    home.options.evict_after_seconds = 0;
    let engine = home.engine().await;
    let machine = machine(&engine, "m", json!({"Ask": ask(json!({"End": true}))})).await;
    let execution = engine.start_execution(&machine, None, "{}").await.unwrap();
    let token = home.executor.token(0).await;
    engine.send_task_success(&token, json!({"Approved": true})).await.unwrap();
    assert_eq!(engine.wait_for_end(&execution.arn).await.unwrap().output, Some(json!({"Approved": true})));

    let second = engine.start_execution(&machine, None, "{}").await.unwrap();
    let token = home.executor.token(1).await;
    until("the task is submitted", || async {
        format!("{:?}", engine.history(&second.arn, None, 100, false).await.unwrap()).contains("TaskSubmitted")
    })
    .await;
    drop(engine);
    let engine = home.engine().await;
    let end = engine.wait_for_end(&second.arn);
    engine.send_task_success(&token, json!(2)).await.unwrap();
    assert_eq!(end.await.unwrap().output, Some(json!(2)));
    assert_eq!(home.executor.count("invoke.waitForTaskToken"), 2, "what was submitted is not performed again");
}

#[tokio::test]
async fn tokens_are_refused_when_wrong_used_or_late() {
    let home = Home::new();
    let engine = home.engine().await;
    let machine = machine(&engine, "m", json!({"Ask": ask(json!({"End": true}))})).await;
    assert!(matches!(engine.send_task_success("nonsense", json!(1)).await, Err(Refusal::InvalidToken(_))));
    let execution = engine.start_execution(&machine, None, "{}").await.unwrap();
    let token = home.executor.token(0).await;
    engine.send_task_heartbeat(&token).await.ok();
    engine.send_task_failure(&token, Some("No".into()), None).await.unwrap();
    let ended = engine.wait_for_end(&execution.arn).await.unwrap();
    assert_eq!((ended.status, ended.error.as_deref()), (Status::Failed, Some("No")));
    let late = engine.send_task_success(&token, json!(1)).await.unwrap_err();
    assert_eq!(late.to_string(), "Task Timed Out: 'Provided task does not exist anymore'");
    assert!(matches!(late, Refusal::TaskTimedOut(_)));
}

#[tokio::test]
async fn a_stopped_execution_takes_no_late_answer() {
    let home = Home::new();
    let engine = home.engine().await;
    let slow =
        machine(&engine, "slow", json!({"T": {"Type": "Task", "Resource": task("deleteObject"), "End": true}})).await;
    let asks = machine(&engine, "asks", json!({"Ask": ask(json!({"End": true}))})).await;
    let first = engine.start_execution(&slow, None, "{}").await.unwrap();
    let second = engine.start_execution(&asks, None, "{}").await.unwrap();
    let token = home.executor.token(0).await;
    for arn in [&first.arn, &second.arn] {
        let stopped = engine.stop_execution(arn, Some("Stopped".into()), Some("by hand".into())).await.unwrap();
        let ended = engine.wait_for_end(arn).await.unwrap();
        assert_eq!((ended.status, ended.cause.as_deref()), (Status::Aborted, Some("by hand")));
        let again = engine.stop_execution(arn, None, None).await.unwrap();
        assert!(stopped.duration_since(again).abs() < jiff::SignedDuration::from_millis(1000));
    }
    assert!(matches!(engine.send_task_success(&token, json!(1)).await, Err(Refusal::TaskTimedOut(_))));
    assert_eq!(engine.describe_execution(&second.arn).await.unwrap().status, Status::Aborted);
}

#[tokio::test]
async fn the_api_refuses_in_the_words_of_aws() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = machine(&engine, "m", json!({"Ask": ask(json!({"End": true}))})).await;
    let check = |outcome: Result<engine::engine::ExecutionRecord, Refusal>, expected: &str| {
        assert_eq!(outcome.map(|_| ()).map_err(|refusal| refusal.to_string()), Err(expected.to_owned()));
    };
    let nowhere = "arn:aws:states:eu-central-1:123456789012:stateMachine:nowhere";
    check(engine.start_execution(nowhere, None, "{}").await, &format!("State Machine Does Not Exist: '{nowhere}'"));
    check(engine.start_execution(&arn, Some("a b"), "{}").await, "Invalid Name: 'a b'");
    check(engine.describe_execution("x").await, "Invalid Arn: 'Invalid ARN prefix: x'");
    let missing = "arn:aws:states:eu-central-1:123456789012:execution:m:missing";
    check(engine.describe_execution(missing).await, &format!("Execution Does Not Exist: '{missing}'"));
    let invalid = engine.start_execution(&arn, None, "{").await.unwrap_err();
    assert!(
        matches!(&invalid, Refusal::InvalidExecutionInput(text) if text.starts_with("Invalid State Machine Execution Input: 'com.fasterxml.jackson.core."))
    );

    let first = engine.start_execution(&arn, Some("e"), "{}").await.unwrap();
    let same = engine.start_execution(&arn, Some("e"), "{}").await.unwrap();
    assert_eq!((same.arn, same.started_at), (first.arn.clone(), first.started_at));
    check(engine.start_execution(&arn, Some("e"), "[]").await, &format!("Execution Already Exists: '{}'", first.arn));
    engine.stop_execution(&first.arn, None, None).await.unwrap();
    check(engine.start_execution(&arn, Some("e"), "{}").await, &format!("Execution Already Exists: '{}'", first.arn));
}

#[tokio::test]
async fn state_machines_are_made_described_listed_and_deleted() {
    let home = Home::new();
    let engine = home.engine().await;
    let pass = |comment: &str| {
        json!({"Comment": comment, "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}).to_string()
    };
    let make = |name: &'static str, definition: String| {
        let engine = engine.clone();
        async move {
            let (name, role_arn) = (name.to_owned(), ROLE.to_owned());
            let new = NewMachine { name, definition, role_arn, ..NewMachine::default() };
            engine.create_state_machine(ACCOUNT, REGION, new).await
        }
    };
    let a = make("a", pass("1")).await.unwrap();
    assert_eq!(make("a", pass("1")).await.unwrap().created_at, a.created_at);
    assert!(matches!(make("a", pass("2")).await, Err(Refusal::StateMachineAlreadyExists(_))));
    let refused = make("b", r#"{"StartAt": "P"}"#.to_owned()).await.unwrap_err().to_string();
    assert!(refused.starts_with("Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: "), "{refused}");
    let b = make("b", pass("b")).await.unwrap();
    let names =
        |machines: Vec<engine::engine::StateMachineRecord>| machines.into_iter().map(|m| m.name).collect::<Vec<_>>();
    assert_eq!(names(engine.list_state_machines(ACCOUNT, REGION, None, 10).await.unwrap()), ["a", "b"]);
    assert_eq!(names(engine.list_state_machines(ACCOUNT, REGION, Some(&a.arn), 10).await.unwrap()), ["b"]);
    assert_eq!(names(engine.list_state_machines(ACCOUNT, "eu-west-1", None, 10).await.unwrap()), Vec::<String>::new());
    engine.delete_state_machine(&b.arn).await.unwrap();
    engine.delete_state_machine(&b.arn).await.unwrap();
    assert!(matches!(engine.describe_state_machine(&b.arn).await, Err(Refusal::StateMachineDoesNotExist(_))));
}

#[tokio::test]
async fn an_execution_keeps_the_definition_it_began_with() {
    let mut home = Home::new();
    home.options.evict_after_seconds = 0;
    let engine = home.engine().await;
    let says =
        |what: &str| json!({"Ask": ask(json!({"Next": "P"})), "P": {"Type": "Pass", "Output": what, "End": true}});
    let arn = machine(&engine, "m", says("old")).await;
    let old = engine.start_execution(&arn, None, "{}").await.unwrap();
    let token = home.executor.token(0).await;
    machine(&engine, "m", says("new")).await;
    let new = engine.start_execution(&arn, None, "{}").await.unwrap();
    engine.send_task_success(&home.executor.token(1).await, json!(1)).await.unwrap();
    assert_eq!(engine.wait_for_end(&new.arn).await.unwrap().output, Some(json!("new")));
    drop(engine);
    let engine = home.engine().await;
    engine.send_task_success(&token, json!(1)).await.unwrap();
    assert_eq!(engine.wait_for_end(&old.arn).await.unwrap().output, Some(json!("old")));
}

#[tokio::test]
async fn executions_are_listed_the_newest_first() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = machine(&engine, "m", json!({"F": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.ok %}", "Next": "S"}], "Default": "X"},
        "S": {"Type": "Succeed"}, "X": {"Type": "Fail"}})).await;
    for (name, ok) in [("a", true), ("b", false), ("c", true)] {
        let execution = engine.start_execution(&arn, Some(name), &json!({"ok": ok}).to_string()).await.unwrap();
        engine.wait_for_end(&execution.arn).await.unwrap();
    }
    let list = |status, after: Option<String>, limit| {
        let (engine, arn) = (engine.clone(), arn.clone());
        async move {
            let found = engine.list_executions(&arn, status, after.as_deref(), limit).await.unwrap();
            found.into_iter().map(|execution| execution.name).collect::<Vec<_>>()
        }
    };
    assert_eq!(list(None, None, 10).await, ["c", "b", "a"]);
    assert_eq!(list(Some(Status::Failed), None, 10).await, ["b"]);
    assert_eq!(list(None, None, 1).await, ["c"]);
    let c = engine.list_executions(&arn, None, None, 1).await.unwrap()[0].arn.clone();
    assert_eq!(list(None, Some(c), 10).await, ["b", "a"]);
}

#[tokio::test]
async fn memory_and_tasks_are_limited_and_everybody_gets_in() {
    let mut home = Home::new();
    home.options.executions_in_memory = 4;
    home.options.tasks_at_once = 3;
    let engine = home.engine().await;
    let waiting = machine(&engine, "waiting", json!({"Ask": ask(json!({"End": true}))})).await;
    let slow =
        machine(&engine, "slow", json!({"T": {"Type": "Task", "Resource": task("getObject"), "End": true}})).await;
    // More than have room: those that only wait have to leave for the others.
    let mut running = tokio::task::JoinSet::new();
    for i in 0..20 {
        let (engine, machine) = (engine.clone(), if i % 2 == 0 { waiting.clone() } else { slow.clone() });
        running.spawn(async move { engine.start_execution(&machine, None, &format!("{i}")).await.unwrap() });
    }
    let started = tokio::time::timeout(Duration::from_secs(30), running.join_all()).await.unwrap();
    for i in 0..10 {
        engine.send_task_success(&home.executor.token(i).await, json!(1)).await.unwrap();
    }
    for execution in started {
        assert_eq!(engine.wait_for_end(&execution.arn).await.unwrap().status, Status::Succeeded);
    }
    assert!(home.executor.most_at_once.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn a_start_is_answered_where_all_room_is_held_by_those_who_may_wait_for_it() {
    let mut home = Home::new();
    home.options.executions_in_memory = 1;
    let engine = home.engine().await;
    let task = |action: &str| json!({"T": {"Type": "Task", "Resource": task(action), "End": true}});
    let (endless, short) =
        (machine(&engine, "endless", task("deleteObject")).await, machine(&engine, "short", task("listBuckets")).await);
    let endless = engine.start_execution(&endless, None, "{}").await.unwrap();
    until("it has the only room", || async { !home.executor.performed.lock().unwrap().is_empty() }).await;
    let started = tokio::time::timeout(Duration::from_secs(30), engine.start_execution(&short, None, "{}")).await;
    let started = started.unwrap().unwrap();
    assert_eq!(engine.describe_execution(&started.arn).await.unwrap().status, Status::Running);
    assert_eq!(home.executor.performed.lock().unwrap().len(), 1, "there is no room for the second");
    engine.stop_execution(&endless.arn, None, None).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(30), engine.wait_for_end(&started.arn)).await.unwrap();
    assert_eq!(ended.unwrap().status, Status::Succeeded);
}

/// A clock that holds up the first step it is asked for until it is released, as an expression would that computes for long.
struct Stuck {
    steps: AtomicUsize,
    released: Mutex<mpsc::Receiver<()>>,
}

impl Clock for Stuck {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn seed(&self) -> [u8; 32] {
        if self.steps.fetch_add(1, Ordering::SeqCst) == 0 {
            // The test may be over.
            let _ = self.released.lock().unwrap().recv();
        }
        SystemClock.seed()
    }
}

#[tokio::test]
async fn a_step_that_computes_for_long_holds_up_only_its_worker() {
    let home = Home::new();
    let store = home.store().await;
    let (release, released) = mpsc::channel();
    let clock = Arc::new(Stuck { steps: AtomicUsize::new(0), released: Mutex::new(released) });
    let engine = Engine::start(store, home.executor.clone(), clock.clone(), home.options.clone()).await.unwrap();
    let arn = machine(&engine, "m", json!({"T": {"Type": "Task", "Resource": task("listBuckets"), "End": true}})).await;
    let run = |name: String| {
        let (engine, arn) = (engine.clone(), arn.clone());
        async move {
            let execution = engine.start_execution(&arn, Some(&name), "{}").await.unwrap();
            engine.wait_for_end(&execution.arn).await.unwrap().status
        }
    };
    let stuck = tokio::spawn(run("stuck".to_owned()));
    while clock.steps.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // This runtime has one thread: it does not wait for the step.
    let mut others: tokio::task::JoinSet<_> = (0..64).map(|i| run(format!("other-{i}"))).collect();
    for _ in 0..48 {
        let ended = tokio::time::timeout(Duration::from_secs(30), others.join_next()).await;
        assert_eq!(ended.unwrap().unwrap().unwrap(), Status::Succeeded);
    }
    assert!(engine.list_executions(&arn, None, None, 100).await.unwrap().len() >= 48);
    assert!(!stuck.is_finished());
    release.send(()).unwrap();
    assert_eq!(stuck.await.unwrap(), Status::Succeeded);
    assert!(others.join_all().await.iter().all(|status| *status == Status::Succeeded));
}

#[tokio::test]
async fn local_tasks_do_not_wait_for_those_of_other_services() {
    let mut home = Home::new();
    home.options.tasks_at_once = 2;
    let engine = home.engine().await;
    let of = |action: &str| json!({"T": {"Type": "Task", "Resource": task(action), "End": true}});
    let hanging = machine(&engine, "hanging", of("deleteObject")).await;
    for _ in 0..3 {
        engine.start_execution(&hanging, None, "{}").await.unwrap();
    }
    let arn = machine(&engine, "local", of("rectify-local")).await;
    let local = engine.start_execution(&arn, None, "{}").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(30), engine.wait_for_end(&local.arn)).await.unwrap().unwrap();
    assert_eq!(ended.status, Status::Succeeded);
    assert_eq!(home.executor.count("deleteObject"), 2);
}

#[tokio::test]
async fn an_execution_that_only_decides_sees_the_time_go_on_and_times_out_and_stops() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = loop_of(&engine, "loop", json!({})).await;
    let sees = engine.start_execution(&arn, Some("sees"), "100").await.unwrap();
    let stopped = engine.start_execution(&arn, Some("stopped"), "600000").await.unwrap();
    let limited = loop_of(&engine, "limited", json!({"TimeoutSeconds": 1})).await;
    let times_out = engine.start_execution(&limited, None, "600000").await.unwrap();
    engine.stop_execution(&stopped.arn, None, None).await.unwrap();
    for (execution, status) in [(sees, Status::Succeeded), (stopped, Status::Aborted), (times_out, Status::TimedOut)] {
        let ended = tokio::time::timeout(Duration::from_secs(60), engine.wait_for_end(&execution.arn)).await;
        assert_eq!(ended.unwrap().unwrap().status, status);
    }
}

#[tokio::test]
async fn a_deleted_machine_is_stopped_whatever_is_damaged_and_then_gone() {
    let home = Home::new();
    let engine = home.engine().await;
    let states = json!({"Ask": ask(json!({"Next": "Again"})), "Again": {"Type": "Pass", "End": true}});
    let arn = machine(&engine, "m", states).await;
    let start = async |name| engine.start_execution(&arn, Some(name), "{}").await.unwrap().arn;
    let failed = start("failed").await;
    engine.send_task_failure(&home.executor.token(0).await, None, None).await.unwrap();
    assert_eq!(engine.wait_for_end(&failed).await.unwrap().status, Status::Failed);
    let (running, damaged) = (start("running").await, start("damaged").await);
    home.executor.token(2).await;
    drop(engine);
    drop(home.store().await);
    let file = Connection::open(home.folder.path().join("rectify.sqlite")).unwrap();
    let journal = "execution = (SELECT id FROM executions WHERE name = 'damaged')";
    file.execute_batch(&format!("CREATE TABLE kept AS SELECT * FROM journal WHERE {journal}")).unwrap();
    file.execute_batch(&format!("UPDATE journal SET records = 'torn' WHERE {journal}")).unwrap();

    let engine = home.engine().await;
    engine.delete_state_machine(&arn).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), engine.wait_for_end(&running)).await;
    assert_eq!(ended.expect("a damaged one keeps no other from being stopped").unwrap().status, Status::Aborted);
    let refused = engine.redrive_execution(&failed, None).await.unwrap_err();
    assert!(matches!(&refused, Refusal::ExecutionNotRedrivable(text) if text.contains("being deleted")), "{refused}");

    // Repaired, it is stopped too, and nothing of the machine is left.
    file.execute_batch("REPLACE INTO journal SELECT * FROM kept").unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), engine.wait_for_end(&damaged)).await;
    assert_eq!(ended.expect("it is tried again").unwrap().status, Status::Aborted);
    let machines = || file.query_row("SELECT count(*) FROM state_machines", [], |row| row.get::<_, i64>(0)).unwrap();
    until("the machine is gone", || async { machines() == 0 }).await;
}
