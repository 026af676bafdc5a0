//! Revisions, versions, aliases and tags.

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
    engine::{MachineSettings, NewMachine, Refusal},
    ports::{Creation, Route},
};
use execution::Status;
use serde_json::json;
use support::*;

async fn pass(engine: &Engine, output: i64) -> String {
    machine(engine, "m", json!({"P": {"Type": "Pass", "Output": output, "End": true}})).await
}

async fn update(engine: &Engine, arn: &str, output: i64) -> Option<String> {
    let definition = json!({"StartAt": "P", "QueryLanguage": "JSONata", "States": {"P": {"Type": "Pass", "Output": output, "End": true}}});
    let updated = engine
        .update_state_machine(arn, Some(definition.to_string()), None, MachineSettings::default(), None)
        .await
        .unwrap();
    updated.machine.revision_id.filter(|_| updated.changed)
}

async fn output_of(engine: &Engine, arn: &str) -> serde_json::Value {
    let execution = engine.start_execution(arn, None, "{}").await.unwrap();
    engine.wait_for_end(&execution.arn).await.unwrap().output.unwrap()
}

fn route(arn: &str, version: u64, weight: u64) -> Route {
    Route { state_machine_version_arn: format!("{arn}:{version}"), weight }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_published_once_and_keeps_its_definition() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = pass(&engine, 1).await;
    assert_eq!(engine.publish_version(&arn, None, Some("first")).await.unwrap().number, 1);
    assert_eq!(engine.publish_version(&arn, Some("INITIAL"), None).await.unwrap().number, 1);
    assert_eq!(update(&engine, &arn, 1).await, None, "nothing is different");
    let revision = update(&engine, &arn, 2).await.expect("a new revision");
    let refused = engine.publish_version(&arn, Some("another"), None).await.unwrap_err();
    assert!(
        matches!(&refused, Refusal::Conflict(text) if text.ends_with(&format!("revision is {revision}."))),
        "{refused}"
    );
    assert_eq!(engine.publish_version(&arn, Some(&revision), None).await.unwrap().number, 2);
    engine.delete_version(&format!("{arn}:2")).await.unwrap();
    assert_eq!(engine.publish_version(&arn, None, None).await.unwrap().number, 3, "a number is given once");
    drop(engine);
    let engine = home.engine().await;
    for (qualifier, expected) in [("", 2), (":1", 1), (":3", 2)] {
        assert_eq!(output_of(&engine, &format!("{arn}{qualifier}")).await, json!(expected));
    }
    let refused = engine.start_execution(&format!("{arn}:2"), None, "{}").await.unwrap_err();
    assert!(matches!(refused, Refusal::StateMachineDoesNotExist(_)));
    let numbers: Vec<u64> =
        engine.list_versions(&arn, None, 10).await.unwrap().iter().map(|version| version.number).collect();
    assert_eq!(numbers, [3, 1]);
    engine.delete_state_machine(&arn).await.unwrap();
    assert!(engine.start_execution(&format!("{arn}:1"), None, "{}").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_again_is_the_same_or_refused() {
    let home = Home::new();
    let engine = home.engine().await;
    let new = |output: i64| {
        NewMachine {
        name: "m".to_owned(),
        definition: json!({"StartAt": "P", "QueryLanguage": "JSONata", "States": {"P": {"Type": "Pass", "Output": output, "End": true}}})
            .to_string(),
        role_arn: ROLE.to_owned(),
        ..NewMachine::default()
    }
    };
    let creation = |publish: bool, description: Option<&str>, tag: &str| Creation {
        tags: vec![("k".to_owned(), tag.to_owned())],
        publish,
        version_description: description.map(str::to_owned),
    };
    let create = async |new: NewMachine| match engine.create_with_version(ACCOUNT, REGION, new).await {
        Ok((machine, version)) => format!("{} {:?}", machine.name, version.map(|version| version.number)),
        Err(refusal @ Refusal::StateMachineAlreadyExists(_)) => refusal.to_string(),
        Err(other) => panic!("{other}"),
    };
    let published = "m Some(1)";
    let exists = "State Machine Already Exists: 'arn:aws:states:eu-central-1:123456789012:stateMachine:m'";
    assert_eq!(create(NewMachine { creation: creation(true, Some("d"), "first"), ..new(1) }).await, published);
    let off = MachineSettings {
        logging_configuration: Some(json!({"level": "OFF"})),
        tracing_configuration: Some(json!({"enabled": false})),
        encryption_configuration: Some(json!({"type": "AWS_OWNED_KEY"})),
    };
    let on = MachineSettings { tracing_configuration: Some(json!({"enabled": true})), ..off.clone() };
    for (again, expected) in [
        (NewMachine { creation: creation(true, Some("d"), "second"), ..new(1) }, published),
        (NewMachine { creation: creation(true, Some("d"), "third"), settings: off, ..new(1) }, published),
        (NewMachine { creation: creation(true, Some("d"), "third"), settings: on, ..new(1) }, exists),
        (NewMachine { creation: creation(true, Some("e"), "third"), ..new(1) }, exists),
        (NewMachine { creation: creation(false, None, "third"), ..new(1) }, exists),
        (NewMachine { creation: creation(true, Some("d"), "third"), ..new(2) }, exists),
    ] {
        assert_eq!(create(again).await, expected);
    }
    let arn = exists.trim_start_matches("State Machine Already Exists: ").trim_matches('\'');
    assert_eq!(engine.tags(arn).await.unwrap(), [("k".to_owned(), "first".to_owned())], "tags stay as they were");
    let many = (0..51).map(|number| (format!("k{number}"), String::new())).collect();
    let refused =
        NewMachine { name: "n".to_owned(), creation: Creation { tags: many, ..Creation::default() }, ..new(1) };
    let refused = engine.create_with_version(ACCOUNT, REGION, refused).await.unwrap_err();
    assert!(matches!(refused, Refusal::TooManyTags(_)), "{refused}");
    let names: Vec<String> =
        engine.list_state_machines(ACCOUNT, REGION, None, 9).await.unwrap().into_iter().map(|m| m.name).collect();
    assert_eq!(names, ["m"], "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_machine_takes_its_executions_along() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = machine(&engine, "m", json!({"W": {"Type": "Wait", "Seconds": 3600, "End": true}})).await;
    let runs = [
        engine.start_execution(&arn, None, "{}").await.unwrap().arn,
        engine.start_execution(&arn, None, "{}").await.unwrap().arn,
    ];
    engine.delete_state_machine(&arn).await.unwrap();
    for run in &runs {
        assert_eq!(engine.wait_for_end(run).await.unwrap().status, Status::Aborted);
    }
    let refused = engine.describe_state_machine(&arn).await.unwrap_err();
    assert!(matches!(refused, Refusal::StateMachineDoesNotExist(_)), "{refused}");
    assert_eq!(pass(&engine, 1).await, arn, "its name is free again");
    for qualified in [format!("{arn}:1"), format!("{arn}:live"), format!("{arn}/map")] {
        let refused = engine.delete_state_machine(&qualified).await.unwrap_err();
        assert!(matches!(refused, Refusal::Validation(_)), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_leads_to_versions_by_weight() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = pass(&engine, 1).await;
    engine.publish_version(&arn, None, None).await.unwrap();
    update(&engine, &arn, 2).await;
    engine.publish_version(&arn, None, None).await.unwrap();
    let check = async |routing: Vec<Route>, expected: &str| {
        let refused = engine.create_alias("bad", None, routing).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    };
    check(vec![route(&arn, 1, 50), route(&arn, 1, 50)], "must contain distinct").await;
    check(vec![route(&arn, 1, 50), route(&arn, 2, 49)], "must equal 100. Received: [50, 49]").await;
    check(
        vec![Route { state_machine_version_arn: arn.clone(), weight: 100 }],
        "must contain state machine version ARNs",
    )
    .await;
    check(vec![route(&arn, 7, 100)], "references a resource that does not exist").await;
    let both = vec![route(&arn, 1, 50), route(&arn, 2, 50)];
    let alias = engine.create_alias("live", Some("d".into()), both.clone()).await.unwrap();
    assert_eq!(engine.create_alias("live", Some("d".into()), both).await.unwrap(), alias);
    let mut outputs = std::collections::BTreeSet::new();
    for _ in 0..40 {
        outputs.insert(output_of(&engine, &alias.arn).await.to_string());
    }
    assert_eq!(outputs.len(), 2, "both, but for once in 2^39 times");
    engine.update_alias(&alias.arn, None, Some(vec![route(&arn, 2, 100)])).await.unwrap();
    assert_eq!(output_of(&engine, &alias.arn).await, json!(2));
    assert_eq!(engine.list_executions(&alias.arn, None, None, 100).await.unwrap().len(), 41);
    let refused = engine.delete_version(&format!("{arn}:2")).await.unwrap_err();
    assert!(refused.to_string().ends_with("this version: [live]"), "{refused}");
    assert_eq!(engine.list_aliases(&format!("{arn}:1"), None, 10).await.unwrap(), []);
    engine.delete_alias(&alias.arn).await.unwrap();
    assert!(matches!(engine.describe_alias(&alias.arn).await, Err(Refusal::ResourceNotFound(_))));
}

#[tokio::test]
async fn tags_are_set_removed_and_limited() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = pass(&engine, 1).await;
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    engine.tag(&arn, vec![tag("a", "1"), tag("b", "2")]).await.unwrap();
    engine.tag(&arn, vec![tag("a", "3")]).await.unwrap();
    engine.untag(&arn, vec!["b".into(), "c".into()]).await.unwrap();
    assert_eq!(engine.tags(&arn).await.unwrap(), [tag("a", "3")]);
    let many = (0..50).map(|number| tag(&number.to_string(), "")).collect();
    assert!(matches!(engine.tag(&arn, many).await, Err(Refusal::TooManyTags(_))));
    assert_eq!(engine.tags(&arn).await.unwrap().len(), 1);
    assert!(matches!(engine.tags(&format!("{arn}x")).await, Err(Refusal::ResourceNotFound(_))));
}
