//! Machines and what becomes of them.

use serde_json::{Value, json};

use super::harness::{Answer, Run, start};
use crate::{Command, Input, Status, TimerPurpose};

/// Runs to the end, each task answering with its arguments, and compares the output.
fn check_output(definition: Value, input: Value, expected: Value) {
    let run =
        Run::start(&definition.to_string(), &input.to_string()).finish(|task| Answer::Output(task.arguments.clone()));
    let ended = run.ended();
    assert_eq!((ended.status, ended.output.as_ref()), (Status::Succeeded, Some(&expected)), "{definition}: {ended:?}");
}

/// Runs to the end, each task failing, and compares error and cause.
fn check_failure(definition: Value, input: Value, error: &str, cause: &str) {
    let run = Run::start(&definition.to_string(), &input.to_string()).finish(|_| Answer::Error("Broken"));
    let ended = run.ended();
    let expected = (Status::Failed, Some(error), Some(cause));
    assert_eq!((ended.status, ended.error.as_deref(), ended.cause.as_deref()), expected, "{definition}");
}

fn one(state: Value) -> Value {
    json!({"StartAt": "S", "States": {"S": state}})
}

fn jsonata(state: Value) -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {"S": state}})
}

#[test]
fn data_flows_through_states() {
    let echo = "arn:aws:states:::aws-sdk:lambda:invoke";
    check_output(one(json!({"Type": "Pass", "End": true})), json!({"a": 1}), json!({"a": 1}));
    check_output(
        one(json!({"Type": "Pass", "Result": {"x.$": "$.y"}, "ResultPath": "$.r", "End": true})),
        json!({"a": 1}),
        json!({"a": 1, "r": {"x.$": "$.y"}}),
    );
    check_output(
        one(
            json!({"Type": "Pass", "InputPath": "$.a", "Parameters": {"b.$": "$.b"}, "ResultPath": "$.c", "OutputPath": "$.c", "End": true}),
        ),
        json!({"a": {"b": 2}}),
        json!({"b": 2}),
    );
    check_output(
        one(json!({"Type": "Task", "Resource": echo, "Parameters": {"FunctionName": "f", "v.$": "$.a"},
                   "ResultSelector": {"got.$": "$.v"}, "ResultPath": "$.r", "End": true})),
        json!({"a": 1}),
        json!({"a": 1, "r": {"got": 1}}),
    );
    check_output(
        one(json!({"Type": "Task", "Resource": echo, "ResultPath": null, "End": true})),
        json!({"a": 1}),
        json!({"a": 1}),
    );
    check_output(
        jsonata(
            json!({"Type": "Task", "Resource": echo, "Arguments": {"FunctionName": "f", "v": "{% $states.input.a + 1 %}"},
                       "Output": {"was": "{% $states.input.a %}", "is": "{% $states.result.v %}"}, "End": true}),
        ),
        json!({"a": 1}),
        json!({"was": 1, "is": 2}),
    );
    check_output(one(json!({"Type": "Succeed", "InputPath": "$.a"})), json!({"a": [1]}), json!([1]));
    check_output(
        json!({"StartAt": "A", "QueryLanguage": "JSONata", "States": {
            "A": {"Type": "Pass", "Assign": {"n": 1, "m": "{% $states.input.a %}"}, "Next": "B"},
            "B": {"Type": "Pass", "Assign": {"n": "{% $n + 1 %}"}, "Output": "{% [$n, $m] %}", "Next": "C"},
            "C": {"Type": "Pass", "Output": "{% [$n, $states.input] %}", "End": true}}}),
        json!({"a": "x"}),
        json!([2, 1, "x"]),
    );
}

#[test]
fn choices_choose() {
    let machine = json!({"StartAt": "C", "States": {
        "C": {"Type": "Choice", "Default": "Other", "Choices": [
            {"Variable": "$.n", "NumericGreaterThan": 10, "Next": "Big"},
            {"And": [{"Variable": "$.s", "IsPresent": true}, {"Not": {"Variable": "$.s", "StringMatches": "a*"}}], "Next": "Text"}]},
        "Big": {"Type": "Pass", "Result": "big", "End": true},
        "Text": {"Type": "Pass", "Result": "text", "End": true},
        "Other": {"Type": "Pass", "Result": "other", "End": true}}});
    check_output(machine.clone(), json!({"n": 11}), json!("big"));
    check_output(machine.clone(), json!({"n": "11", "s": "b"}), json!("text"));
    check_output(machine.clone(), json!({"n": 1, "s": "ab"}), json!("other"));
    check_failure(
        machine,
        json!({}),
        "States.Runtime",
        "An error occurred while executing the state 'C' (entered at the event id #2). Invalid path '$.n': The choice \
         state's condition path references an invalid value.",
    );
    check_output(
        json!({"QueryLanguage": "JSONata", "StartAt": "C", "States": {
            "C": {"Type": "Choice", "Choices": [
                {"Condition": "{% $states.input.n > 1 %}", "Output": "{% $states.input.n * 2 %}", "Assign": {"v": 7}, "Next": "E"}]},
            "E": {"Type": "Pass", "Output": "{% [$states.input, $v] %}", "End": true}}}),
        json!({"n": 4}),
        json!([8, 7]),
    );
    check_failure(
        json!({"StartAt": "C", "States": {
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "E"}]},
            "E": {"Type": "Succeed"}}}),
        json!({"n": 2}),
        "States.NoChoiceMatched",
        "An error occurred while executing the state 'C' (entered at the event id #2). Failed to transition out of the \
         state. The state does not point to a next state.",
    );
}

#[test]
fn fields_that_fail_say_where() {
    check_failure(
        one(json!({"Type": "Pass", "Parameters": {"v.$": "$.x"}, "End": true})),
        json!({}),
        "States.Runtime",
        "An error occurred while executing the state 'S' (entered at the event id #2). The JSONPath '$.x' specified for \
         the field 'v.$' could not be found in the input '{}'",
    );
    check_failure(
        one(json!({"Type": "Pass", "OutputPath": "$.x", "End": true})),
        json!({}),
        "States.Runtime",
        "An error occurred while executing the state 'S' (entered at the event id #2). Invalid path '$.x' : No results \
         for path: $['x']",
    );
    check_failure(
        jsonata(
            json!({"Type": "Map", "Items": "{% 1 %}", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}, "End": true}),
        ),
        json!({}),
        "States.QueryEvaluationError",
        "An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '1' \
         specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'number' for value: 1",
    );
    check_failure(
        jsonata(json!({"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "because"})),
        json!({"e": "Mine"}),
        "Mine",
        "because",
    );
}

#[test]
fn a_failure_is_caught_by_its_name() {
    let machine = |names: Value, more: Value| {
        let mut catcher = json!({"ErrorEquals": names, "Next": "Caught"});
        catcher.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"StartAt": "T", "States": {
            "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Catch": [catcher], "End": true},
            "Caught": {"Type": "Pass", "End": true}}})
    };
    let check = |definition: Value, expected: Value| {
        let run = Run::start(&definition.to_string(), r#"{"a":1}"#).finish(|_| Answer::Error("Broken"));
        assert_eq!(run.ended().output, Some(expected), "{definition}");
    };
    let error = json!({"Error": "Broken", "Cause": "why"});
    check(machine(json!(["States.ALL"]), json!({})), error.clone());
    check(machine(json!(["X", "Broken"]), json!({"ResultPath": "$.e"})), json!({"a": 1, "e": error}));
    check(machine(json!(["States.TaskFailed"]), json!({"ResultPath": null})), json!({"a": 1}));
    check_failure(machine(json!(["Other"]), json!({})), json!({}), "Broken", "why");
}

#[test]
fn branches_give_an_array() {
    let branch = |name: &str, resource: &str| json!({"StartAt": name, "States": {name: {"Type": "Task", "Resource": resource, "End": true}}});
    let service = "arn:aws:states:::lambda:invoke";
    let machine = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [branch("A", service), branch("B", service)], "End": true}}});
    let mut run = Run::start(&machine.to_string(), "{}");
    let second = run.tasks.keys().nth(1).copied().unwrap();
    run.feed(Input::TaskSucceeded { event_id: second, output: json!("b") }).unwrap();
    run.succeed(json!("a"));
    assert_eq!(run.ended().output, Some(json!(["a", "b"])));
    assert_eq!(
        run.outline(),
        [
            "1 after 0: ExecutionStarted",
            "2 after 0: ParallelStateEntered P",
            "3 after 2: ParallelStateStarted",
            "4 after 3: TaskStateEntered A",
            "5 after 4: TaskScheduled",
            "6 after 5: TaskStarted",
            "7 after 3: TaskStateEntered B",
            "8 after 7: TaskScheduled",
            "9 after 8: TaskStarted",
            "10 after 9: TaskSucceeded",
            "11 after 10: TaskStateExited B",
            "12 after 6: TaskSucceeded",
            "13 after 12: TaskStateExited A",
            "14 after 13: ParallelStateSucceeded",
            "15 after 13: ParallelStateExited P",
            "16 after 15: ExecutionSucceeded",
        ]
    );
}

#[test]
fn a_failing_branch_takes_the_others_along() {
    let machine = json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "E"}], "End": true, "Branches": [
            {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 9, "End": true}}},
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "End": true}}},
            {"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "I", "States": {
                "I": {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:f", "End": true}}}}}}]},
        "E": {"Type": "Pass", "End": true}}});
    let mut run = Run::start(&machine.to_string(), "[1]");
    run.fail("Broken");
    assert_eq!(run.ended().output, Some(json!({"Error": "Broken", "Cause": "why"})));
    assert_eq!(
        run.outline()[3..],
        [
            "4 after 3: TaskStateEntered A",
            "5 after 4: TaskScheduled",
            "6 after 5: TaskStarted",
            "7 after 3: WaitStateEntered W",
            "8 after 3: MapStateEntered M",
            "9 after 8: MapStateStarted",
            "10 after 9: MapIterationStarted M 0",
            "11 after 10: TaskStateEntered I",
            "12 after 11: LambdaFunctionScheduled",
            "13 after 12: LambdaFunctionStarted",
            "14 after 6: TaskFailed",
            "15 after 14: TaskStateAborted",
            "16 after 7: WaitStateAborted",
            "17 after 13: TaskStateAborted",
            "18 after 13: MapIterationAborted M 0",
            "19 after 9: MapStateAborted",
            "20 after 14: ParallelStateFailed",
            "21 after 20: ParallelStateExited P",
            "22 after 21: PassStateEntered E",
            "23 after 22: PassStateExited E",
            "24 after 23: ExecutionSucceeded",
        ]
    );
}

#[test]
fn a_map_goes_over_its_items() {
    let map = |more: Value| {
        let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "I", "States": {
            "I": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true}}}});
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"StartAt": "M", "States": {"M": state}})
    };
    check_output(map(json!({})), json!([1, 2, 3]), json!([1, 2, 3]));
    check_output(map(json!({})), json!([]), json!([]));
    check_output(
        map(json!({"ItemsPath": "$.xs", "MaxConcurrency": 2, "ResultPath": "$.r",
                   "ItemSelector": {"i.$": "$$.Map.Item.Index", "x.$": "$$.Map.Item.Value", "k.$": "$.k"}})),
        json!({"xs": ["a", "b", "c"], "k": true}),
        json!({"xs": ["a", "b", "c"], "k": true, "r": [
            {"i": 0, "x": "a", "k": true}, {"i": 1, "x": "b", "k": true}, {"i": 2, "x": "c", "k": true}]}),
    );
    check_failure(
        map(json!({"ItemsPath": "$.xs"})),
        json!({"xs": 1}),
        "States.Runtime",
        "An error occurred while executing the state 'M' (entered at the event id #2). Reference path \"$.xs\" must point to array.",
    );
    let run = Run::start(&map(json!({"MaxConcurrency": 2})).to_string(), "[1,2,3]");
    assert_eq!(run.tasks.len(), 2, "no more at once than MaxConcurrency");
    check_output(
        json!({"QueryLanguage": "JSONata", "StartAt": "M", "States": {"M": {"Type": "Map", "End": true,
            "Items": "{% [1..3] %}", "ItemSelector": {"v": "{% $states.context.Map.Item.Value * 2 %}"},
            "Output": "{% $sum($states.result) %}",
            "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true,
                "Output": "{% $states.input.v + $states.context.Map.Item.Index %}"}}}}}}),
        json!({}),
        json!(2 + 4 + 6 + 1 + 2),
    );
}

#[test]
fn a_wait_waits() {
    let check = |wait: Value, input: Value, seconds: i64| {
        let mut state = wait.clone();
        state.as_object_mut().unwrap().extend(json!({"Type": "Wait", "End": true}).as_object().unwrap().clone());
        let mut run = Run::start(&one(state).to_string(), &input.to_string());
        let begun = run.now;
        assert!(run.execution.only_waits());
        let timer = run.fire();
        assert_eq!((timer.event_id, timer.purpose), (2, TimerPurpose::Wait));
        assert_eq!(run.now.duration_since(begun).as_secs(), seconds, "{wait}");
        assert_eq!(run.ended().output, Some(input));
    };
    check(json!({"Seconds": 5}), json!({}), 5);
    check(json!({"SecondsPath": "$.s"}), json!({"s": 7}), 7);
    check(json!({"Timestamp": "2026-01-01T01:00:00Z"}), json!({}), 3_600);
    check(json!({"TimestampPath": "$.t"}), json!({"t": "2026-01-01T01:00:00+01:00"}), 0);
    check(json!({"QueryLanguage": "JSONata", "Seconds": "{% $states.input.s * 2 %}"}), json!({"s": 2}), 4);
    check(
        json!({"QueryLanguage": "JSONata", "Timestamp": "{% $states.input.t %}"}),
        json!({"t": "2026-01-01T00:00:10Z"}),
        10,
    );
}

#[test]
fn payloads_and_histories_have_limits() {
    let machine = json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "E",
              "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "All"}]},
        "E": {"Type": "Succeed"}, "All": {"Type": "Succeed"}}});
    let mut run = Run::start(&machine.to_string(), "{}");
    run.succeed(json!("a".repeat(262_143)));
    let cause =
        "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.";
    assert_eq!(
        (run.ended().error.as_deref(), run.ended().cause.as_deref()),
        (Some("States.DataLimitExceeded"), Some(cause))
    );

    let mut run = Run::start(&machine.to_string(), "{}");
    run.succeed(serde_json::from_str(&format!("{}{}", "[".repeat(101), "]".repeat(101))).unwrap());
    let cause =
        "The state/task 'lambda' returned a result whose arrays and objects nest 101 levels deep, and 100 are allowed.";
    assert_eq!(run.ended().cause.as_deref(), Some(cause));

    let run = Run::start(&machine_of_endless_passes(), "{}");
    let cause = "The execution reached the maximum number of history events (25000).";
    assert_eq!(run.ended().cause.as_deref(), Some(cause));
    assert_eq!(run.execution.last_event_id(), 25_000);
}

/// How many events the first step of a machine makes, and whether it then asks to go on.
fn check_first_step(definition: &Value, input: Value, events: u64, goes_on: bool) {
    let mut run = Run::new(&definition.to_string());
    let done = run.step(start(&input.to_string())).unwrap();
    assert_eq!((run.execution.last_event_id(), done.commands.contains(&Command::Continue)), (events, goes_on));
    assert_eq!(run.execution.outstanding().any(|command| command == Command::Continue), goes_on);
}

#[test]
fn a_step_ends_when_its_budget_is_spent() {
    let chain = |count: usize, state: Value| {
        let states: serde_json::Map<String, Value> = (0..count)
            .map(|number| {
                let mut state = state.clone();
                state["Next"] = format!("S{}", number + 1).into();
                (format!("S{number}"), state)
            })
            .chain([(format!("S{count}"), json!({"Type": "Succeed"}))])
            .collect();
        json!({"StartAt": "S0", "States": states})
    };
    let pass = json!({"Type": "Pass"});
    check_first_step(&chain(10, pass.clone()), json!({}), 24, false);
    check_first_step(&chain(99, pass.clone()), json!({}), 202, false);
    check_first_step(&chain(100, pass.clone()), json!({}), 201, true);
    // 4 MiB are 16 texts of 256 KiB: the input of the execution, and what goes in and out of states.
    check_first_step(&chain(99, pass.clone()), json!("a".repeat(262_142)), 17, true);
    let map = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}});
    // The Map is entered and starts; it is one transition, each iteration that begins another.
    check_first_step(&one(map), json!(vec![0; 1000]), 3 + 99, true);
}

#[test]
fn what_is_ready_goes_on_only_when_it_is_told_to() {
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true});
    let machine = one(json!({"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "T", "States": {"T": task}}, {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}]}));
    let mut run = Run::within(1, &machine.to_string());
    run.step(start("{}")).unwrap();
    run.step(Input::Continue).unwrap();
    // The task is scheduled, the other branch is ready.
    let event_id = run.task().event_id;
    let before = run.execution.last_event_id();
    let answer = run.step(Input::TaskSucceeded { event_id, output: json!(1) }).unwrap();
    assert!(!answer.commands.contains(&Command::Continue) && run.continues, "it was asked for before");
    assert_eq!(run.execution.last_event_id(), before + 2, "the task has ended and its state was left");
    let mut stopped = Run::within(1, &machine.to_string());
    stopped.step(start("{}")).unwrap();
    stopped.step(Input::StopExecution { error: None, cause: None }).unwrap();
    assert_eq!(stopped.ended().status, Status::Aborted);
    assert_eq!(stopped.step(Input::Continue), Ok(crate::Step::default()));
    while run.continues {
        run.step(Input::Continue).unwrap();
    }
    assert_eq!(run.ended().output, Some(json!([1, {}])));
}

fn machine_of_endless_passes() -> String {
    json!({"StartAt": "A", "States": {
        "A": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "End"}], "Default": "B"},
        "B": {"Type": "Pass", "Next": "A"}, "End": {"Type": "Succeed"}}})
    .to_string()
}

#[test]
fn the_first_state_shows_the_input_as_it_came() {
    let run = Run::start(&one(json!({"Type": "Pass", "End": true})).to_string(), "{ \"a\" :  1 }");
    let events: Vec<Value> = run.events().map(|event| serde_json::to_value(event).unwrap()).collect();
    assert_eq!(events[1]["stateEnteredEventDetails"]["input"], "{ \"a\" :  1 }");
    assert_eq!(events[2]["stateExitedEventDetails"]["output"], "{\"a\":1}");
    assert_eq!(
        events[2],
        json!({"id": 3, "previousEventId": 2, "timestamp": 1_767_225_600.0, "type": "PassStateExited",
               "stateExitedEventDetails": {"name": "S", "output": "{\"a\":1}", "outputDetails": {"truncated": false}}})
    );
}
