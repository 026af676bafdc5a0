//! One state under test: what TestState answers.

use std::sync::Arc;

use asl::{Document, Format, parse::AnyResource};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    ExecutionStart, Input, Json, Mock, Moment, StateTest, Trial,
    inspection::{Progress, Untestable},
};

const NOW: &str = "2026-01-01T00:00:00Z";

fn moment() -> Moment {
    Moment { now: NOW.parse().unwrap(), seed: [7; 32] }
}

/// A state that is tested with nothing but itself.
fn trial(state: &Value) -> Trial {
    let machine = json!({"StartAt": "S", "States": {"S": state}});
    let document = Document::parse(&machine.to_string(), Format::Json).unwrap();
    let (machine, _) =
        asl::parse::parse_open(&document, &AnyResource).unwrap_or_else(|problems| panic!("{problems:#?}"));
    Trial {
        state: Arc::clone(&machine.flow.states["S"]),
        role_arn: None,
        variables: serde_json::Map::new(),
        context: None,
        within_map: false,
        mock: None,
        retry_count: None,
        failed_iterations: None,
        item_reader_data: None,
    }
}

fn result(value: Value) -> Option<Mock> {
    Some(Mock::Result(Json::new(value)))
}

fn error(error: &str) -> Option<Mock> {
    Some(Mock::Error { error: error.to_owned(), cause: Some("because".to_owned()) })
}

fn begin(trial: Trial, input: &str) -> Result<(StateTest, Progress), Untestable> {
    let start = ExecutionStart {
        express: false,
        quotas: crate::Quotas::AWS,
        execution_arn: "arn:aws:states:eu-west-1:123456789012:express:m:e".to_owned(),
        name: "e".to_owned(),
        state_machine_arn: "arn:aws:states:eu-west-1:123456789012:stateMachine:m".to_owned(),
        state_machine_name: "m".to_owned(),
        role_arn: String::new(),
        input: input.to_owned(),
    };
    StateTest::begin(trial, start, moment())
}

/// What is answered, its texts of JSON as JSON.
fn answer(progress: Progress) -> Value {
    let Progress::Inspected(inspection) = progress else { panic!("{progress:?}") };
    let mut answer = serde_json::to_value(inspection).unwrap();
    let parse = |value: &mut Value| {
        if let Some(parsed) = value.as_str().and_then(|text| serde_json::from_str(text).ok()) {
            *value = parsed;
        }
    };
    answer.get_mut("output").map(parse);
    answer["inspectionData"].as_object_mut().unwrap().values_mut().for_each(parse);
    answer
}

#[track_caller]
fn check(trial: Trial, input: Value, expected: Value) {
    let (_, progress) = begin(trial, &input.to_string()).unwrap();
    let mut answer = answer(progress);
    let data = answer["inspectionData"].as_object_mut().unwrap();
    assert_eq!(data.shift_remove("input"), Some(input));
    assert_eq!(answer, expected);
}

const LAMBDA: &str = "arn:aws:states:::lambda:invoke";

#[test]
fn states_that_only_decide() {
    let check = |state: Value, input: Value, expected: Value| check(trial(&state), input, expected);
    check(
        json!({"Type": "Pass", "InputPath": "$.payload", "Parameters": {"data": 1}, "ResultPath": "$.result", "OutputPath": "$.result.data", "Next": "Another"}),
        json!({"payload": {"foo": "bar"}}),
        json!({
            "output": 1,
            "inspectionData": {
                "afterInputPath": {"foo": "bar"},
                "afterParameters": {"data": 1},
                "afterResultSelector": {"data": 1},
                "afterResultPath": {"payload": {"foo": "bar"}, "result": {"data": 1}},
            },
            "nextState": "Another",
            "status": "SUCCEEDED",
        }),
    );
    check(
        json!({"Type": "Pass", "InputPath": "$.missing", "Result": {"a": 1}, "End": true}),
        json!({}),
        json!({
            "output": {"a": 1},
            "inspectionData": {"result": {"a": 1}, "afterResultSelector": {"a": 1}, "afterResultPath": {"a": 1}},
            "status": "SUCCEEDED",
        }),
    );
    check(
        json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.a + 1 %}", "Assign": {"b": 2}, "End": true}),
        json!({"a": 1}),
        json!({"output": 2, "inspectionData": {"variables": {"b": 2}}, "status": "SUCCEEDED"}),
    );
    check(
        json!({"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 2, "Next": "Two"}], "Default": "No"}),
        json!({"n": 2}),
        json!({"output": {"n": 2}, "inspectionData": {"afterInputPath": {"n": 2}}, "nextState": "Two", "status": "SUCCEEDED"}),
    );
    check(
        json!({"Type": "Fail", "Error": "E", "Cause": "C"}),
        json!({}),
        json!({"error": "E", "cause": "C", "inspectionData": {"afterInputPath": {}}, "status": "FAILED"}),
    );
    check(
        json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $nothing %}", "End": true}),
        json!({}),
        json!({
            "error": "States.QueryEvaluationError",
            "cause": "An error occurred while executing the state 'StateName' (entered at the event id #2). The JSONata expression '$nothing' specified for the field 'Output' returned nothing (undefined).",
            "inspectionData": {},
            "status": "FAILED",
        }),
    );
}

#[test]
fn texts_come_out_as_they_went_in() {
    let (_, progress) = begin(trial(&json!({"Type": "Succeed"})), "{\"number\": 2}").unwrap();
    let Progress::Inspected(inspection) = progress else { panic!("{progress:?}") };
    assert_eq!(inspection.output.unwrap().text(), "{\"number\": 2}");
}

#[test]
fn a_task_with_a_mock() {
    let state = json!({"Type": "Task", "Resource": LAMBDA, "Parameters": {"FunctionName": "f", "Payload.$": "$.x"}, "ResultSelector": {"r.$": "$.Payload"}, "ResultPath": "$.y", "Next": "N"});
    let mocked = Trial { mock: result(json!({"Payload": 5})), ..trial(&state) };
    let data = json!({
        "afterInputPath": {"x": 1},
        "afterParameters": {"FunctionName": "f", "Payload": 1},
        "result": {"Payload": 5},
        "afterResultSelector": {"r": 5},
        "afterResultPath": {"x": 1, "y": {"r": 5}},
    });
    check(
        mocked,
        json!({"x": 1}),
        json!({"output": {"x": 1, "y": {"r": 5}}, "inspectionData": data, "nextState": "N", "status": "SUCCEEDED"}),
    );
    let state = json!({"Type": "Task", "QueryLanguage": "JSONata", "Resource": LAMBDA, "Arguments": {"FunctionName": "f"}, "Output": "{% $states.result.b + $v %}", "End": true});
    let variables = json!({"v": 10}).as_object().unwrap().clone();
    check(
        Trial { mock: result(json!({"b": 5})), variables, ..trial(&state) },
        json!({}),
        json!({
            "output": 15,
            "inspectionData": {"afterArguments": {"FunctionName": "f"}, "result": {"b": 5}, "variables": {"v": 10}},
            "status": "SUCCEEDED",
        }),
    );
}

#[test]
fn failures_are_retried_caught_or_not() {
    let state = json!({
        "Type": "Task", "QueryLanguage": "JSONata", "Resource": LAMBDA, "Arguments": {"FunctionName": "f"}, "End": true,
        "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 0}, {"ErrorEquals": ["B"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2}],
        "Catch": [{"ErrorEquals": ["A"], "Next": "First"}, {"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.Error & $states.input.x %}", "Next": "Second"}],
    });
    let failed = |name: &str, retry_count| Trial { mock: error(name), retry_count, ..trial(&state) };
    let expected = |name: &str, details: Value, more: Value| {
        let mut expected = json!({"error": name, "cause": "because", "inspectionData": {"afterArguments": {"FunctionName": "f"}, "errorDetails": details}});
        expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        expected
    };
    let retried = |seconds: u64| json!({"retryIndex": 1, "retryBackoffIntervalSeconds": seconds});
    check(failed("B", None), json!({}), expected("B", retried(2), json!({"status": "RETRIABLE"})));
    check(failed("B", Some(1)), json!({}), expected("B", retried(4), json!({"status": "RETRIABLE"})));
    let caught = json!({"output": "B1", "nextState": "Second", "status": "CAUGHT_ERROR"});
    check(failed("B", Some(3)), json!({"x": "1"}), expected("B", json!({"catchIndex": 1}), caught.clone()));
    let context = Some(json!({"State": {"RetryCount": 3}}));
    let exhausted = Trial { context, ..failed("B", None) };
    check(exhausted, json!({"x": "1"}), expected("B", json!({"catchIndex": 1}), caught));
    let first = json!({"output": {"Error": "A", "Cause": "because"}, "nextState": "First", "status": "CAUGHT_ERROR"});
    check(failed("A", None), json!({}), expected("A", json!({"catchIndex": 0}), first));
    check(
        Trial { mock: error("States.Runtime"), ..trial(&state) },
        json!({}),
        json!({"error": "States.Runtime", "cause": "because", "inspectionData": {"afterArguments": {"FunctionName": "f"}}, "status": "FAILED"}),
    );
}

#[test]
fn the_context_object_is_made_or_given() {
    let state = json!({"Type": "Task", "QueryLanguage": "JSONata", "Resource": LAMBDA, "Output": "{% $states.context %}", "End": true});
    let output = |trial: Trial| answer(begin(trial, "{\"a\":1}").unwrap().1)["output"].clone();
    let mocked = || Trial { mock: result(json!({})), ..trial(&state) };
    let time = "2026-01-01T00:00:00.000Z";
    let made = json!({
        "Execution": {"Id": "arn:aws:states:eu-west-1:123456789012:express:m:e", "Input": {"a": 1}, "StartTime": time, "Name": "e", "RoleArn": null},
        "StateMachine": {"Id": "arn:aws:states:eu-west-1:123456789012:stateMachine:m", "Name": "m"},
        "State": {"Name": "StateName", "EnteredTime": time, "RetryCount": 0},
    });
    assert_eq!(output(mocked()), made);
    let mut within = made;
    within["Execution"]["RoleArn"] = "arn:aws:iam::123456789012:role/r".into();
    within["Map"] = json!({"Item": {"Index": 0, "Value": {"a": 1}}});
    let role_arn = Some("arn:aws:iam::123456789012:role/r".to_owned());
    assert_eq!(output(Trial { within_map: true, role_arn, ..mocked() }), within);
    let given = json!({"Execution": {"Name": "mine"}});
    assert_eq!(output(Trial { context: Some(given.clone()), ..mocked() }), given);
}

#[test]
fn parallel_and_map_with_a_mock() {
    let branch = json!({"StartAt": "B", "States": {"B": {"Type": "Fail"}}});
    let parallel = json!({"Type": "Parallel", "Parameters": {"p": 1}, "Branches": [branch], "Next": "N"});
    check(
        Trial { mock: result(json!([1])), ..trial(&parallel) },
        json!({}),
        json!({
            "output": [1],
            "inspectionData": {"afterInputPath": {}, "afterParameters": {"p": 1}, "afterResultSelector": [1], "afterResultPath": [1]},
            "nextState": "N",
            "status": "SUCCEEDED",
        }),
    );
    let map = json!({
        "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3, "End": true,
        "ItemSelector": {"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index"},
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Fail"}}},
    });
    check(
        Trial { mock: result(json!([10, 20])), ..trial(&map) },
        json!({"items": ["a", "b"]}),
        json!({
            "output": [10, 20],
            "inspectionData": {
                "afterInputPath": {"items": ["a", "b"]},
                "afterItemsPath": ["a", "b"],
                "afterItemSelector": [{"v": "a", "i": 0}, {"v": "b", "i": 1}],
                "afterResultSelector": [10, 20],
                "afterResultPath": [10, 20],
                "maxConcurrency": 3,
            },
            "status": "SUCCEEDED",
        }),
    );
    let wrong = begin(Trial { mock: result(json!([10])), ..trial(&map) }, "{\"items\":[1,2]}");
    let text = "Input array does not equal the mocked result array's size.".to_owned();
    assert_eq!(wrong.err(), Some(Untestable::Trial(text)));
}

#[test]
fn a_distributed_map_makes_batches() {
    let map = |batcher: Value, reader: Value| {
        let mut map = json!({
            "Type": "Map", "End": true, "ItemBatcher": batcher, "ItemSelector": {"v.$": "$$.Map.Item.Value"},
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": {"Type": "Succeed"}}},
        });
        map.as_object_mut().unwrap().extend(reader.as_object().unwrap().clone());
        trial(&map)
    };
    let batched =
        json!([{"BatchInput": {"b": 7}, "Items": [{"v": 1}, {"v": 2}]}, {"BatchInput": {"b": 7}, "Items": [{"v": 3}]}]);
    check(
        Trial {
            mock: result(json!(["a", "b"])),
            ..map(json!({"MaxItemsPerBatch": 2, "BatchInput": {"b.$": "$.b"}}), json!({"ItemsPath": "$.items"}))
        },
        json!({"items": [1, 2, 3], "b": 7}),
        json!({
            "output": ["a", "b"],
            "inspectionData": {
                "afterInputPath": {"items": [1, 2, 3], "b": 7},
                "afterItemsPath": [1, 2, 3],
                "afterItemSelector": [{"v": 1}, {"v": 2}, {"v": 3}],
                "afterItemBatcher": batched,
                "afterResultSelector": ["a", "b"],
                "afterResultPath": ["a", "b"],
                "maxConcurrency": 0,
            },
            "status": "SUCCEEDED",
        }),
    );
    let reader = json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 2}, "Parameters": {"Bucket": "b", "Key": "k"}}});
    let read = Trial {
        mock: result(json!([1, 2])),
        item_reader_data: Some(r#"[{"c": "1"}, {"c": "2"}, {"c": "3"}]"#.to_owned()),
        ..map(json!({"MaxItemsPerBatch": 1}), reader)
    };
    let answer = answer(begin(read, "{}").unwrap().1);
    assert_eq!(
        answer["inspectionData"]["afterItemBatcher"],
        json!([{"Items": [{"v": {"c": "1"}}]}, {"Items": [{"v": {"c": "2"}}]}])
    );
    let refused =
        begin(Trial { mock: result(json!([1])), ..map(json!({"MaxItemsPerBatch": 2}), json!({})) }, "[1, 2, 3]");
    assert!(matches!(refused.err(), Some(Untestable::Trial(text)) if text.contains("mocked result array's size")));
}

#[test]
fn a_distributed_map_tolerates_what_it_says() {
    let map = |tolerated: Value| {
        let mut map = json!({
            "Type": "Map", "QueryLanguage": "JSONata", "End": true,
            "Catch": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Output": "caught", "Next": "N"}],
            "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON", "ItemsPointer": "/x"}, "Arguments": {}},
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": {"Type": "Fail"}}},
        });
        map.as_object_mut().unwrap().extend(tolerated.as_object().unwrap().clone());
        let item_reader_data = Some("{\"x\": [1, 2, 3, 4]}".to_owned());
        Trial { item_reader_data, ..trial(&map) }
    };
    let status = |tolerated: Value, mock: Option<Mock>, failed: u64| {
        let trial = Trial { mock, failed_iterations: Some(failed), ..map(tolerated) };
        let answer = answer(begin(trial, "{}").unwrap().1);
        assert_eq!(answer["inspectionData"]["afterItemsPointer"], json!([1, 2, 3, 4]));
        (answer["status"].clone(), answer["error"].clone())
    };
    let exceeded = (json!("CAUGHT_ERROR"), json!("States.ExceedToleratedFailureThreshold"));
    let succeeded = (json!("SUCCEEDED"), Value::Null);
    let failed = (json!("FAILED"), json!("E"));
    let count = || json!({"ToleratedFailureCount": "{% 1 %}"});
    assert_eq!(status(count(), result(json!([1, 2, 3])), 1), succeeded);
    assert_eq!(status(count(), result(json!([1, 2])), 2), exceeded);
    assert_eq!(status(json!({"ToleratedFailurePercentage": 50}), result(json!([1, 2])), 2), succeeded);
    assert_eq!(status(json!({"ToleratedFailurePercentage": 49.9}), error("E"), 2), exceeded);
    assert_eq!(status(count(), error("E"), 1), failed);
    assert_eq!(status(json!({}), error("E"), 2), failed);
    assert_eq!(status(json!({}), result(json!([1, 2, 3])), 1), exceeded);
    let trial = |failed_iterations, item_reader_data| {
        let mock = result(json!([]));
        begin(Trial { mock, failed_iterations, item_reader_data, ..map(json!({})) }, "{}")
            .err()
            .map(|error| error.to_string())
    };
    let too_many = "Map iteration failure count must be less than or equal to the number of Map iterations.";
    assert_eq!(trial(Some(5), Some("{\"x\": [1]}".to_owned())).as_deref(), Some(too_many));
    let none = "ItemReader data must be specified when testing a Map state with ItemReader specified.";
    assert_eq!(trial(None, None).as_deref(), Some(none));
}

#[test]
fn without_a_mock_the_world_is_asked() {
    let state = json!({"Type": "Task", "Resource": LAMBDA, "TimeoutSeconds": 5, "Next": "N"});
    let (mut test, progress) = begin(trial(&state), "{}").unwrap();
    let Progress::Waits { task: Some(task), timers } = progress else { panic!("{progress:?}") };
    assert_eq!((task.resource.as_str(), timers.len()), (LAMBDA, 1));
    assert_eq!(timers[0].1, "2026-01-01T00:00:05Z".parse::<Timestamp>().unwrap());
    let late = Moment { now: timers[0].1, ..moment() };
    let timed_out = answer(test.go_on(Input::TimerFired { timer: timers[0].0 }, late).unwrap());
    assert_eq!((&timed_out["status"], &timed_out["error"]), (&json!("FAILED"), &json!("States.Timeout")));

    let (mut test, progress) = begin(trial(&json!({"Type": "Wait", "Seconds": 60, "Next": "N"})), "{}").unwrap();
    let Progress::Waits { task: None, timers } = progress else { panic!("{progress:?}") };
    assert_eq!(answer(Progress::Inspected(Box::new(test.timed_out())))["error"], "States.Timeout");
    let late = Moment { now: timers[0].1, ..moment() };
    assert_eq!(answer(test.go_on(Input::TimerFired { timer: timers[0].0 }, late).unwrap())["nextState"], "N");
}

#[test]
fn an_input_that_is_no_json_is_refused() {
    assert!(matches!(begin(trial(&json!({"Type": "Succeed"})), "{").err(), Some(Untestable::Input(_))));
}
