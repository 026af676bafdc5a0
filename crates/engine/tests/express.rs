//! Express machines: kept in memory, refused when there are too many, begun anew after a crash where nobody waits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::time::Duration;

use engine::{
    Engine, Options,
    engine::{MachineType, NewMachine, Refusal},
};
use execution::Status;
use serde_json::{Value, json};
use support::*;

async fn express(engine: &Engine, states: Value, more: Value) -> Result<String, Refusal> {
    let mut definition =
        json!({"StartAt": states.as_object().unwrap().keys().next(), "QueryLanguage": "JSONata", "States": states});
    definition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let new = NewMachine {
        name: "m".to_owned(),
        definition: definition.to_string(),
        role_arn: ROLE.to_owned(),
        machine_type: MachineType::Express,
        ..NewMachine::default()
    };
    engine.create_state_machine(ACCOUNT, REGION, new).await.map(|machine| machine.arn)
}

fn task_then_output() -> Value {
    json!({"T": {"Type": "Task", "Resource": task("getObject"), "Arguments": {"n": "{% $states.input.n %}"}, "End": true}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_one_answers_with_its_end() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let machine = express(&engine, task_then_output(), json!({})).await.unwrap();
    let writes = store.counts().writes;
    let done = engine.start_sync_execution(&machine, Some("e"), r#"{"n": 1}"#).await.unwrap();
    assert_eq!((done.ended.status, done.ended.output), (Status::Succeeded, Some(json!({"n": 1}))));
    let prefix = "arn:aws:states:eu-central-1:123456789012:express:m:e:";
    assert_eq!(done.record.arn.strip_prefix(prefix).map(str::len), Some(36));
    assert!(done.stopped_at >= done.record.started_at);
    assert_eq!(store.counts().writes, writes, "nothing of it is kept");
    // The same name is another execution.
    let again = engine.start_sync_execution(&machine, Some("e"), r#"{"n": 2}"#).await.unwrap();
    assert_ne!(again.record.arn, done.record.arn);
    let refused = engine.describe_execution(&done.record.arn).await.unwrap_err();
    assert_eq!(refused.to_string(), "Invalid Arn: 'Resource type not valid in this context: express'");
    let refused = engine.list_executions(&machine, None, None, 1).await.unwrap_err();
    assert!(matches!(refused, Refusal::StateMachineTypeNotSupported(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fails_and_times_out_and_is_not_ended_by_a_long_history() {
    let home = Home::new();
    let engine = home.engine().await;
    let fails = json!({"F": {"Type": "Fail", "Error": "E", "Cause": "c"}});
    let machine = express(&engine, fails, json!({})).await.unwrap();
    let done = engine.start_sync_execution(&machine, None, "{}").await.unwrap().ended;
    assert_eq!((done.status, done.error.as_deref(), done.cause.as_deref()), (Status::Failed, Some("E"), Some("c")));
    engine.delete_state_machine(&machine).await.unwrap();
    let waits = json!({"W": {"Type": "Wait", "Seconds": 600, "End": true}});
    let machine = express(&engine, waits, json!({"TimeoutSeconds": 1})).await.unwrap();
    let done = engine.start_sync_execution(&machine, None, "{}").await.unwrap().ended;
    assert_eq!(done.status, Status::TimedOut);
    engine.delete_state_machine(&machine).await.unwrap();
    let counts = json!({
        "Count": {"Type": "Pass", "Output": "{% $states.input + 1 %}", "Next": "More"},
        "More": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input < 7000 %}", "Next": "Count"}], "Default": "End"},
        "End": {"Type": "Succeed"},
    });
    let machine = express(&engine, counts, json!({})).await.unwrap();
    let done = engine.start_sync_execution(&machine, None, "0").await.unwrap().ended;
    assert_eq!((done.status, done.output), (Status::Succeeded, Some(json!(7000))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_one_begins_anew_after_a_crash_until_it_has_ended() {
    let home = Home::new();
    let engine = home.engine().await;
    let states = json!({
        "T": {"Type": "Task", "Resource": task("listBuckets"), "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 1, "Next": "U"},
        "U": {"Type": "Task", "Resource": task("createBucket"), "End": true},
    });
    let machine = express(&engine, states, json!({})).await.unwrap();
    engine.start_execution(&machine, Some("e"), "{}").await.unwrap();
    engine.start_execution(&machine, Some("e"), "{}").await.unwrap();
    until("both look", async || home.executor.count("listBuckets") == 2).await;
    drop(engine);
    let engine = home.engine().await;
    until("both end", async || home.executor.count("createBucket") == 2).await;
    assert_eq!(home.executor.count("listBuckets"), 4);
    // That they ended is written down a moment later.
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(engine);
    let _engine = home.engine().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(home.executor.count("listBuckets"), 4, "what has ended is not begun anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_are_refused() {
    let mut home = Home::new();
    home.options = Options { express_executions: 2, ..home.options };
    let engine = home.engine().await;
    let states = json!({"T": {"Type": "Task", "Resource": task("deleteObject"), "TimeoutSeconds": 1, "End": true}});
    let machine = express(&engine, states, json!({})).await.unwrap();
    for _ in 0..2 {
        engine.start_execution(&machine, None, "{}").await.unwrap();
    }
    let refused = engine.start_execution(&machine, None, "{}").await.unwrap_err();
    assert!(matches!(refused, Refusal::ExecutionLimitExceeded(_)), "{refused}");
    let refused = engine.start_sync_execution(&machine, None, "{}").await.unwrap_err();
    assert!(matches!(refused, Refusal::Throttling(_)), "{refused}");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let done = engine.start_sync_execution(&machine, None, "{}").await.unwrap().ended;
    assert_eq!((done.status, done.error.as_deref()), (Status::Failed, Some("States.Timeout")));
}

#[tokio::test]
async fn what_needs_a_standard_machine_is_refused() {
    let home = Home::new();
    let engine = home.engine().await;
    let check = async |resource: &str, expected: &str| {
        let states = json!({"T": {"Type": "Task", "Resource": resource, "End": true}});
        let refused = express(&engine, states, json!({})).await.unwrap_err();
        assert!(matches!(refused, Refusal::InvalidDefinition(_)));
        let expected = format!(
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Express state machine does not support {expected} at /States/T/Resource'"
        );
        assert_eq!(refused.to_string(), expected);
    };
    check("arn:aws:states:eu-central-1:123456789012:activity:a", "Activity ARN").await;
    check("arn:aws:states:::states:startExecution.sync:2", "'.sync:2' service integration ").await;
    check("arn:aws:states:::sqs:sendMessage.waitForTaskToken", "'.waitForTaskToken' service integration ").await;
    let standard = machine(&engine, "s", json!({"S": {"Type": "Succeed"}})).await;
    let refused = engine.start_sync_execution(&standard, None, "{}").await.unwrap_err();
    assert_eq!(refused.to_string(), "This operation is not supported by this type of state machine");
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_synchronous_ones_wait_for_no_place_that_they_hold() {
    let mut home = Home::new();
    home.options = Options { tasks_at_once: 1, ..home.options };
    let engine = home.engine().await;
    assert!(home.executor.engine.set(engine.clone()).is_ok());
    let inner = express(&engine, task_then_output(), json!({})).await.unwrap();
    let resource = "arn:aws:states:::aws-sdk:sfn:startSyncExecution";
    let calls = |machine: &str| json!({"T": {"Type": "Task", "Resource": resource, "Arguments": {"StateMachineArn": machine}, "End": true}});
    let outer = machine(&engine, "outer", calls(&inner)).await;
    let begun = engine.start_execution(&outer, None, "{}").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), engine.wait_for_end(&begun.arn)).await;
    assert_eq!(ended.expect("it waits for no place").unwrap().status, Status::Succeeded);
}
