//! Which `ErrorEquals` names which error, what variables may be, and what is beyond a limit.
//!
//! Sources: the Step Functions developer guide, "Handling errors in Step Functions workflows", "Passing data between states with
//! variables" and "Step Functions service quotas".

use serde_json::{Value, json};

use super::harness::{Answer, Run, start};
use crate::{Input, Quotas, Status, TimerPurpose};

const SERVICE: &str = "arn:aws:states:::lambda:invoke";

/// A Task that is caught by these names.
fn caught_by(names: &Value, more: Value) -> String {
    let mut task = json!({"Type": "Task", "Resource": SERVICE, "End": true,
                          "Catch": [{"ErrorEquals": names, "Next": "Caught"}]});
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"StartAt": "T", "States": {"T": task, "Caught": {"Type": "Pass", "Result": "caught", "End": true}}})
        .to_string()
}

#[test]
fn which_name_matches_which_error() {
    let names = [
        "States.ALL",
        "States.TaskFailed",
        "States.Timeout",
        "States.HeartbeatTimeout",
        "States.DataLimitExceeded",
        "Mine",
    ];
    for (error, matching) in [
        ("Mine", vec!["States.ALL", "States.TaskFailed", "Mine"]),
        ("Lambda.Unknown", vec!["States.ALL", "States.TaskFailed"]),
        ("States.TaskFailed", vec!["States.ALL", "States.TaskFailed"]),
        ("States.Permissions", vec!["States.ALL", "States.TaskFailed"]),
        ("States.Timeout", vec!["States.ALL", "States.Timeout"]),
        ("States.HeartbeatTimeout", vec!["States.ALL", "States.TaskFailed", "States.HeartbeatTimeout"]),
        ("States.DataLimitExceeded", vec!["States.DataLimitExceeded"]),
        ("States.Runtime", vec![]),
    ] {
        for name in names {
            let run = Run::start(&caught_by(&json!([name]), json!({})), "{}").finish(|_| Answer::Error(error));
            let is_caught = run.ended().output == Some(json!("caught"));
            assert_eq!(is_caught, matching.contains(&name), "{error} by {name}: {:?}", run.ended());
        }
    }
}

#[test]
fn a_missed_heartbeat_is_a_timeout_that_has_a_name_of_its_own_too() {
    for (name, is_caught) in [
        ("States.Timeout", true),
        ("States.HeartbeatTimeout", true),
        ("States.ALL", true),
        ("States.TaskFailed", false),
    ] {
        let more = json!({"Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "HeartbeatSeconds": 5});
        let mut run = Run::start(&caught_by(&json!([name]), more), "{}");
        assert_eq!(run.fire().purpose, TimerPurpose::Heartbeat);
        assert_eq!(run.ended().status == Status::Succeeded, is_caught, "{name}: {:?}", run.ended());
        if !is_caught {
            assert_eq!(run.ended().error.as_deref(), Some("States.Timeout"));
        }
    }
}

/// The example of the guide: ErrorA, ErrorB, ErrorC and ErrorB again, with a pause of 1, 2 and 5 seconds.
#[test]
fn each_retrier_counts_for_itself() {
    let retry = json!([{"ErrorEquals": ["ErrorA", "ErrorB"], "IntervalSeconds": 1, "BackoffRate": 2.0, "MaxAttempts": 2},
                       {"ErrorEquals": ["ErrorC"], "IntervalSeconds": 5}]);
    let mut run = Run::start(&caught_by(&json!(["States.ALL"]), json!({"Retry": retry})), "{}");
    for (error, seconds) in [("ErrorA", 1), ("ErrorB", 2), ("ErrorC", 5)] {
        let before = run.now;
        run.fail(error);
        assert_eq!(run.fire().purpose, TimerPurpose::Retry, "{error}");
        assert_eq!(run.now.duration_since(before).as_secs(), seconds, "{error}");
    }
    run.fail("ErrorB");
    assert_eq!(run.ended().output, Some(json!("caught")));
}

#[test]
fn a_failure_inside_is_caught_outside() {
    let inside = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Inner", "Cause": "why"}}});
    for state in [
        json!({"Type": "Parallel", "Branches": [inside]}),
        json!({"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": inside}),
    ] {
        for (names, expected) in [
            (json!(["Inner"]), Some(json!({"Error": "Inner", "Cause": "why"}))),
            (json!(["States.TaskFailed"]), Some(json!({"Error": "Inner", "Cause": "why"}))),
            (json!(["Other"]), None),
        ] {
            let mut state = state.clone();
            let fields = state.as_object_mut().unwrap();
            fields.insert("Catch".to_owned(), json!([{"ErrorEquals": names, "Next": "Caught"}]));
            fields.insert("End".to_owned(), json!(true));
            let definition = json!({"StartAt": "S", "States": {"S": state, "Caught": {"Type": "Pass", "End": true}}});
            let run = Run::start(&definition.to_string(), r#"{"items": [1]}"#);
            assert_eq!(run.ended().output, expected, "{definition}");
        }
    }
}

#[test]
fn a_machine_that_times_out_says_nothing_more() {
    let definition =
        json!({"StartAt": "W", "TimeoutSeconds": 5, "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}});
    let mut run = Run::start(&definition.to_string(), "{}");
    assert_eq!(run.fire().purpose, TimerPurpose::ExecutionTimeout);
    let ended = run.ended();
    assert_eq!((ended.status, ended.error.as_deref(), ended.cause.as_deref()), (Status::TimedOut, None, None));
    assert_eq!(run.outline().last().unwrap(), "3 after 0: ExecutionTimedOut");
}

/// Assigns texts of these lengths in turn, each state its own variables, and gives the error.
fn assigned(lengths: &[&[usize]]) -> Option<String> {
    let mut states = serde_json::Map::new();
    for (index, lengths) in lengths.iter().enumerate() {
        // The quotes of a text count too.
        let variable = |(at, length): (usize, &usize)| {
            (format!("v{index}x{at}"), json!(format!("{{% $pad('', {}, 'x') %}}", length - 2)))
        };
        let assign: serde_json::Map<String, Value> = lengths.iter().enumerate().map(variable).collect();
        let next = format!("S{}", index + 1);
        states.insert(format!("S{index}"), json!({"Type": "Pass", "Output": {}, "Assign": assign, "Next": next}));
    }
    states.insert(format!("S{}", lengths.len()), json!({"Type": "Succeed"}));
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "S0", "States": states}).to_string();
    let mut run = Run::within(100, &definition);
    run.feed(start("{}")).unwrap();
    run.ended().error.clone()
}

#[test]
fn variables_have_limits() {
    let limit = Quotas::AWS.payload_bytes;
    let beyond = Some("States.DataLimitExceeded".to_owned());
    assert_eq!(assigned(&[&[limit]]), None);
    assert_eq!(assigned(&[&[limit + 1]]), beyond);
    assert_eq!(assigned(&[&[limit / 2, limit / 2]]), None);
    assert_eq!(assigned(&[&[limit / 2, limit / 2 + 1]]), beyond, "those of one Assign count together");
    assert_eq!(assigned(&[&[limit] as &[usize]; 40]), None, "10 MiB");
    assert_eq!(assigned(&[&[limit] as &[usize]; 41]), beyond);
}

#[test]
fn assignments_are_seen_from_the_next_state_on() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y": "old"}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x": "{% $x + 1 %}", "y": "{% $x %}"}, "Output": "{% $x %}", "Next": "C"},
        "C": {"Type": "Parallel", "Next": "D", "Branches": [
            {"StartAt": "P", "States": {"P": {"Type": "Pass", "Assign": {"inner": "{% $x + 10 %}"}, "Next": "Q"},
                                        "Q": {"Type": "Pass", "Output": "{% $inner %}", "End": true}}}]},
        "D": {"Type": "Pass", "Output": "{% [$states.input, $x, $y, $exists($inner)] %}", "End": true}}});
    let run = Run::start(&definition.to_string(), "{}");
    assert_eq!(run.ended().output, Some(json!([12, 2, 1, false])));
}

#[test]
fn an_execution_keeps_the_quotas_it_began_with() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {
        "S": {"Type": "Pass", "Output": "{% $pad('', 400000, 'x') %}", "End": true}}});
    for (quotas, status) in
        [(Quotas::AWS, Status::Failed), (Quotas { payload_bytes: 500_000, ..Quotas::AWS }, Status::Succeeded)]
    {
        let Input::StartExecution(mut begin) = start("{}") else { panic!("no start") };
        begin.quotas = quotas;
        let mut run = Run::new(&definition.to_string());
        run.feed(Input::StartExecution(begin)).unwrap();
        assert_eq!(run.ended().status, status, "{quotas:?}");
    }
    let endless = json!({"StartAt": "A", "States": {
        "A": {"Type": "Choice", "Default": "A", "Choices": [{"Variable": "$.end", "IsPresent": true, "Next": "E"}]},
        "E": {"Type": "Succeed"}}});
    let Input::StartExecution(mut begin) = start("{}") else { panic!("no start") };
    begin.quotas = Quotas { history_events: 25_100, ..Quotas::AWS };
    let mut run = Run::within(100_000, &endless.to_string());
    run.feed(Input::StartExecution(begin)).unwrap();
    assert_eq!(
        run.ended().cause.as_deref(),
        Some("The execution reached the maximum number of history events (25100).")
    );
    assert_eq!(run.events().count(), 25_100);
}
