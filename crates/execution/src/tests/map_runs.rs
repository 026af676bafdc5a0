//! A Map in Mode DISTRIBUTED, as its execution sees it.

use serde_json::{Value, json};

use super::harness::Run;
use crate::{
    Input, Status,
    map_run::{
        Batching, Destination, ItemSource, MapRunFailure, MapRunSpecification, OutputType, Transformation, Writing,
    },
};

/// A machine of one Map with these fields more.
fn machine(fields: Value) -> String {
    let mut map = json!({
        "Type": "Map", "End": true,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P",
                          "States": {"P": {"Type": "Pass", "End": true}}},
    });
    map.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let mut states = json!({"M": map});
    if fields.get("Catch").is_some() {
        states["C"] = json!({"Type": "Pass", "End": true});
    }
    json!({"StartAt": "M", "States": states}).to_string()
}

fn begun(run: &Run) -> MapRunSpecification {
    run.map_runs.values().next().unwrap_or_else(|| panic!("no map run: {:#?}", run.outline())).clone()
}

fn end(run: &mut Run, outcome: Result<Value, MapRunFailure>) {
    let event_id = begun(run).event_id;
    run.feed(Input::MapRunEnded { event_id, outcome }).unwrap();
}

fn failure(error: &str) -> MapRunFailure {
    MapRunFailure { error: Some(error.to_owned()), cause: Some("why".to_owned()) }
}

#[test]
fn a_run_begins_and_ends() {
    let mut run =
        Run::start(&machine(json!({"Label": "L", "MaxConcurrency": 3, "ToleratedFailureCount": 2})), "[1, 2]");
    let specification = begun(&run);
    let prefix = "arn:aws:states:eu-west-1:123456789012:mapRun:machine/L:";
    assert_eq!(specification.arn.strip_prefix(prefix).map(str::len), Some(36), "{}", specification.arn);
    assert_eq!(specification.state_machine_arn, "arn:aws:states:eu-west-1:123456789012:stateMachine:machine/L");
    assert_eq!((specification.limits.max_concurrency, specification.limits.tolerated_failure_count), (3, Some(2)));
    assert!(
        matches!(&specification.source, ItemSource::Items(items) if items.text() == "[1,2]" || items.text() == "[1, 2]")
    );
    assert!(run.execution.only_waits(), "it can leave memory");
    end(&mut run, Ok(json!([3, 4])));
    assert_eq!(run.ended().output, Some(json!([3, 4])));
    let outline = [
        "1 after 0: ExecutionStarted",
        "2 after 0: MapStateEntered M",
        "3 after 2: MapStateStarted",
        "4 after 3: MapRunStarted",
        "5 after 4: MapRunSucceeded",
        "6 after 5: MapStateSucceeded",
        "7 after 5: MapStateExited M",
        "8 after 7: ExecutionSucceeded",
    ];
    assert_eq!(run.outline(), outline);
    let again = run.execution.last_event_id();
    assert!(run.feed(Input::MapRunEnded { event_id: 4, outcome: Ok(json!(1)) }).unwrap().records.is_empty());
    assert_eq!(run.execution.last_event_id(), again, "told twice, it is taken once");
}

#[test]
fn a_failed_run_can_be_caught_and_tried_again() {
    let fields = json!({"Retry": [{"ErrorEquals": ["States.ItemReaderFailed"], "MaxAttempts": 1}],
                        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]});
    let mut run = Run::start(&machine(fields), "[1]");
    let first = begun(&run).arn;
    end(&mut run, Err(failure("States.ItemReaderFailed")));
    run.fire();
    assert_ne!(begun(&run).arn, first, "a retry is a run of its own");
    end(&mut run, Err(failure("States.ExceedToleratedFailureThreshold")));
    assert_eq!(run.ended().output, Some(json!({"Error": "States.ExceedToleratedFailureThreshold", "Cause": "why"})));
    let outline = run.outline();
    assert!(
        outline[8..].starts_with(&["9 after 8: MapStateFailed".to_owned(), "10 after 9: MapStateExited M".to_owned()]),
        "{outline:#?}"
    );
}

#[test]
fn a_redrive_lets_the_same_run_go_on() {
    let mut run = Run::start(&machine(json!({})), "[1]");
    let first = begun(&run);
    end(&mut run, Err(failure("States.ExceedToleratedFailureThreshold")));
    run.feed(Input::Redrive).unwrap();
    let again = begun(&run);
    assert_eq!(again.arn, first.arn);
    run.feed(Input::StopExecution { error: None, cause: None }).unwrap();
    run.feed(Input::Redrive).unwrap();
    end(&mut run, Ok(json!([3])));
    assert_eq!(run.ended().output, Some(json!([3])));
    let redriven: Vec<Value> = run
        .journal
        .iter()
        .map(|record| serde_json::to_value(record).unwrap())
        .filter_map(|record| record.pointer("/Event/mapRunRedrivenEventDetails").cloned())
        .collect();
    let details = |count: u64| json!({"mapRunArn": first.arn, "redriveCount": count});
    assert_eq!(redriven, [details(1), details(2)], "{:#?}", run.outline());
    let outline = [
        "5 after 4: MapRunFailed",
        "6 after 5: MapStateFailed",
        "7 after 6: ExecutionFailed",
        "8 after 7: ExecutionRedriven",
        "9 after 8: MapRunRedriven",
    ];
    assert_eq!(run.outline()[4..9], outline);
}

#[test]
fn a_redrive_begins_a_new_run_where_the_old_one_could_only_fail() {
    for error in ["States.ItemReaderFailed", "States.DataLimitExceeded", "States.Runtime"] {
        let mut run = Run::start(&machine(json!({})), "[1]");
        let first = begun(&run).arn;
        end(&mut run, Err(failure(error)));
        run.feed(Input::Redrive).unwrap();
        assert_ne!(begun(&run).arn, first, "{error}");
    }
}

#[test]
fn a_result_that_is_too_large_fails_the_run() {
    let mut run = Run::start(&machine(json!({})), "[1]");
    end(&mut run, Ok(Value::String("x".repeat(300_000))));
    assert_eq!(run.ended().error.as_deref(), Some("States.DataLimitExceeded"));
    assert!(run.outline()[4].ends_with("MapRunFailed"));
}

#[test]
fn whoever_ends_the_execution_stops_the_run() {
    let mut run = Run::start(&machine(json!({})), "[1]");
    run.feed(Input::StopExecution { error: None, cause: None }).unwrap();
    assert!(run.map_runs.is_empty());
    let branches = json!({"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
        serde_json::from_str::<Value>(&machine(json!({}))).unwrap(),
        {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true}}},
    ]}}});
    let mut run = Run::start(&branches.to_string(), "[1]");
    run.fail("Broken");
    assert!(run.map_runs.is_empty());
    let outline = run.outline().join("\n");
    assert!(outline.contains("MapRunAborted") && outline.contains("MapStateAborted"), "{outline}");
    assert_eq!(run.ended().status, Status::Failed);
}

#[test]
fn fields_are_evaluated_on_entry() {
    let reader = json!({"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket.$": "$.b", "Key": "k"},
                        "ReaderConfig": {"InputType": "JSON", "MaxItemsPath": "$.n"}});
    let fields = json!({
        "ItemReader": reader, "ItemSelector": {"v.$": "$$.Map.Item.Value"},
        "ItemBatcher": {"MaxItemsPerBatchPath": "$.n", "MaxInputBytesPerBatch": 100, "BatchInput": {"b.$": "$.b"}},
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket.$": "$.b", "Prefix": "p"}},
    });
    let run = Run::start(&machine(fields), r#"{"b": "bucket", "n": 2}"#);
    let specification = begun(&run);
    let ItemSource::Reader(reading) = &specification.source else { panic!("{specification:?}") };
    assert_eq!((&reading.arguments, reading.max_items), (&json!({"Key": "k", "Bucket": "bucket"}), 2));
    let batching = Batching { max_items: Some(2), max_bytes: Some(100), input: Some(json!({"b": "bucket"})) };
    assert_eq!(specification.batching, Some(batching));
    let destination = Some(Destination { bucket: "bucket".to_owned(), prefix: "p".to_owned() });
    let writing = Writing { destination, transformation: Transformation::None, output_type: OutputType::Json };
    assert_eq!(specification.writing, Some(writing));
    assert!(specification.surroundings.is_some());
}

#[test]
fn a_field_that_is_none_fails_before_the_run() {
    let check = |fields: Value, input: &str, cause: &str| {
        let run = Run::start(&machine(fields), input);
        let ended = run.ended();
        let before = "An error occurred while executing the state 'M' (entered at the event id #2). ";
        assert_eq!(ended.error.as_deref(), Some("States.Runtime"), "{ended:?}");
        assert_eq!(ended.cause.as_deref(), Some(format!("{before}{cause}").as_str()));
        assert!(run.outline()[3].ends_with("ExecutionFailed"), "{:?}", run.outline());
    };
    let percentage = json!({"ItemsPath": "$.i", "ToleratedFailurePercentagePath": "$.p"});
    check(percentage.clone(), r#"{"i": [], "p": 100.1}"#, "ToleratedFailurePercentage must be between 0 and 100.");
    let text = "The ToleratedFailurePercentagePath field refers to value \"x\" which is not a valid float: $.p";
    check(percentage, r#"{"i": [], "p": "x"}"#, text);
    let count = json!({"ItemsPath": "$.i", "ToleratedFailureCountPath": "$.p"});
    check(count, r#"{"i": [], "p": -1}"#, "ToleratedFailureCount cannot be negative.");
}
