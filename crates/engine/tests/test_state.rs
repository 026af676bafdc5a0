//! One state under test, with a task performed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use engine::{
    Clock, Engine, Options,
    engine::{Refusal, TestRefusal, Testee},
};
use execution::{Inspection, Trial, inspection::TestStatus};
use jiff::Timestamp;
use serde_json::{Value, json};
use support::*;

fn trial(testee: Testee) -> Trial {
    Trial {
        state: testee.state,
        within_map: testee.within_map,
        role_arn: Some(ROLE.to_owned()),
        variables: serde_json::Map::new(),
        context: None,
        mock: None,
        retry_count: None,
        failed_iterations: None,
        item_reader_data: None,
    }
}

async fn inspected(engine: &Engine, state: Value) -> Inspection {
    let testee = Testee::find(&state.to_string(), None).unwrap();
    engine.test_state(ACCOUNT, REGION, "{\"Bucket\":\"b\"}", trial(testee), false).await.unwrap()
}

fn task(action: &str) -> Value {
    let resource = format!("arn:aws:states:::aws-sdk:s3:{action}");
    json!({"Type": "Task", "Resource": resource, "Next": "N", "Retry": [{"ErrorEquals": ["S3.S3Exception"]}]})
}

#[test]
fn a_state_is_found_in_its_definition() {
    let inner = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Pass", "End": true}}});
    let machine = json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [inner("B")], "Next": "M"},
        "M": {"Type": "Map", "ItemProcessor": inner("I"), "End": true},
    }});
    let check = |definition: &Value, name: Option<&str>, expected: Result<(&str, bool), &str>| {
        let found = Testee::find(&definition.to_string(), name);
        let found = found.map(|testee| (testee.state.name.clone(), testee.within_map)).map_err(|error| match error {
            TestRefusal::Validation(text) | TestRefusal::Refusal(Refusal::InvalidDefinition(text)) => text,
            other => other.to_string(),
        });
        assert_eq!(found, expected.map(|(name, within)| (name.to_owned(), within)).map_err(str::to_owned), "{name:?}");
    };
    check(&machine, Some("P"), Ok(("P", false)));
    check(&machine, Some("B"), Ok(("B", false)));
    check(&machine, Some("I"), Ok(("I", true)));
    check(&machine, Some("X"), Err("State not found in definition"));
    check(&json!({"Type": "Pass", "Next": "Anywhere"}), None, Ok(("StateName", false)));
    let missing = "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [Type] at /States/StateName'";
    check(&json!({"Next": "Anywhere"}), None, Err(missing));
    let broken = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "Nowhere"}}}});
    assert!(Testee::find(&broken.to_string(), None).is_err(), "what is inside of a state leads somewhere");
}

#[tokio::test]
async fn a_task_is_performed_and_nothing_is_kept() {
    let home = Home::new();
    let engine = home.engine().await;
    let inspection = inspected(&engine, task("listBuckets")).await;
    assert_eq!(inspection.status, TestStatus::Succeeded);
    assert_eq!(inspection.output.unwrap().value(), &json!({"Buckets": ["b"]}));
    let inspection = inspected(&engine, task("createBucket")).await;
    assert_eq!((inspection.status, inspection.error.as_deref()), (TestStatus::Retriable, Some("S3.S3Exception")));
    let inspection = inspected(&engine, task("putObject")).await;
    assert_eq!((inspection.status, inspection.error.as_deref()), (TestStatus::Failed, Some("States.Runtime")));
    let mut endless = task("deleteObject");
    endless["TimeoutSeconds"] = json!(1);
    let inspection = inspected(&engine, endless).await;
    assert_eq!((inspection.status, inspection.error.as_deref()), (TestStatus::Failed, Some("States.Timeout")));
    let inspection = inspected(&engine, json!({"Type": "Wait", "Seconds": 1, "Next": "N"})).await;
    assert_eq!((inspection.status, inspection.next_state.as_deref()), (TestStatus::Succeeded, Some("N")));
    let performed = home.executor.performed.lock().unwrap().clone();
    assert_eq!(performed[0].scheduled.arguments, json!({"Bucket": "b"}));
    assert!(performed[0].state_machine_arn.starts_with("arn:aws:states:eu-central-1:123456789012:stateMachine:"));
    assert!(performed[0].execution_arn.starts_with("arn:aws:states:eu-central-1:123456789012:express:"));
    assert!(engine.list_state_machines(ACCOUNT, REGION, None, 10).await.unwrap().is_empty());
}

/// Four minutes later whenever it is asked.
struct Leaping(AtomicI64);

impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.fetch_add(240, Ordering::SeqCst)).unwrap()
    }

    fn seed(&self) -> [u8; 32] {
        [1; 32]
    }
}

#[tokio::test]
async fn a_state_takes_five_minutes_at_most() {
    let home = Home::new();
    let clock = Arc::new(Leaping(AtomicI64::new(0)));
    let engine = Engine::start(home.store().await, home.executor.clone(), clock, Options::default()).await.unwrap();
    for state in [json!({"Type": "Wait", "Seconds": 301, "Next": "N"}), task("deleteObject")] {
        let inspection = inspected(&engine, state).await;
        assert_eq!((inspection.status, inspection.error.as_deref()), (TestStatus::Failed, Some("States.Timeout")));
        assert!(inspection.inspection_data.unwrap().after_input_path.is_some());
    }
}
