//! Redrives: what had succeeded stays, what had not is done again.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::harness::{Run, start};
use crate::{
    IllegalInput, Input, Status, TimerPurpose,
    redrive::{Standing, refusal},
};

const TASK: &str = "arn:aws:states:::aws-sdk:sqs:sendMessage";

fn task(more: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": TASK, "End": true});
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    state
}

/// A machine of one state.
fn of(state: Value) -> String {
    json!({"StartAt": "S", "States": {"S": state}}).to_string()
}

fn flow(states: Value) -> Value {
    json!({"StartAt": states.as_object().unwrap().keys().next(), "States": states})
}

#[test]
fn a_failed_task_is_scheduled_again_with_its_retries() {
    let definition = of(task(json!({
        "Parameters": {"Redrives.$": "$$.Execution.RedriveCount", "Retries.$": "$$.State.RetryCount", "In.$": "$.n"},
        "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1, "MaxAttempts": 1}]})));
    let mut run = Run::start(&definition, r#"{"n": 7}"#);
    for redrives in 0..3 {
        for retries in 0..2 {
            let expected = json!({"Redrives": redrives, "Retries": retries, "In": 7});
            assert_eq!(run.task().arguments, expected);
            run.fail("Broken");
            if retries == 0 {
                run.fire();
            }
        }
        assert_eq!(run.execution.status(), Status::Failed);
        run.now += SignedDuration::from_hours(1);
        run.feed(Input::Redrive).unwrap();
        assert_eq!(run.execution.redrives().0, redrives + 1);
    }
    run.succeed(json!(1));
    assert_eq!(run.ended().output, Some(json!(1)));
    assert_eq!(
        run.outline()[7..12],
        [
            "8 after 7: TaskFailed",
            "9 after 8: ExecutionFailed",
            "10 after 9: ExecutionRedriven",
            "11 after 10: TaskScheduled",
            "12 after 11: TaskStarted",
        ]
    );
    assert_eq!(run.feed(Input::Redrive), Err(IllegalInput::NotRedrivable));
}

#[test]
fn only_branches_that_failed_or_were_given_up_run_again() {
    let branches = json!([
        flow(json!({"Good": task(json!({}))})),
        flow(json!({"Bad": task(json!({}))})),
        flow(json!({"Slow": task(json!({"Parameters": "slow"}))})),
    ]);
    let definition = of(json!({"Type": "Parallel", "Branches": branches, "End": true}));
    let mut run = Run::start(&definition, "0");
    run.succeed(json!("good"));
    run.fail("Broken");
    assert_eq!(run.execution.status(), Status::Failed);
    run.feed(Input::Redrive).unwrap();
    assert_eq!(run.tasks.len(), 2);
    run.succeed(json!("mended"));
    run.succeed(json!("slow"));
    assert_eq!(run.ended().output, Some(json!(["good", "mended", "slow"])));
}

#[test]
fn only_iterations_that_failed_were_given_up_or_had_not_begun_run_again() {
    let processor = flow(json!({"T": task(json!({}))}));
    let definition = of(json!({"Type": "Map", "ItemProcessor": processor, "MaxConcurrency": 2, "End": true}));
    let mut run = Run::start(&definition, "[1, 2, 3, 4]");
    run.succeed(json!("one"));
    run.fail("Broken");
    assert_eq!(run.execution.status(), Status::Failed);
    run.feed(Input::Redrive).unwrap();
    let mut inputs = Vec::new();
    while run.execution.status() == Status::Running {
        let arguments = run.task().arguments.clone();
        inputs.push(arguments.clone());
        run.succeed(arguments);
    }
    assert_eq!(inputs, [2, 3, 4].map(Value::from));
    assert_eq!(run.ended().output, Some(json!(["one", 2, 3, 4])));
}

#[test]
fn a_branch_that_had_not_begun_or_was_between_states_goes_on() {
    // The first branch fails in the step that begins the others: none of them has entered its first state.
    let branches = json!([
        flow(json!({"Bad": {"Type": "Choice", "Choices": [
            {"Variable": "$$.Execution.RedriveCount", "NumericEquals": 0, "Next": "Fail"}], "Default": "Fine"},
            "Fail": {"Type": "Fail"}, "Fine": {"Type": "Succeed"}})),
        flow(json!({"A": {"Type": "Pass", "Next": "B"}, "B": task(json!({}))})),
    ]);
    let definition = of(json!({"Type": "Parallel", "Branches": branches, "End": true}));
    let mut run = Run::start(&definition, "5");
    assert_eq!(run.execution.status(), Status::Failed);
    run.feed(Input::Redrive).unwrap();
    // A Fail is entered again, and fails again.
    assert_eq!(run.execution.status(), Status::Failed);
    assert_eq!(run.outline().iter().filter(|line| line.ends_with("FailStateEntered Fail")).count(), 2);
    // The execution was stopped before any branch had entered its first state.
    let mut run = Run::within(1, &definition);
    run.step(start("5")).unwrap();
    run.step(Input::StopExecution { error: None, cause: None }).unwrap();
    run.step(Input::Redrive).unwrap();
    while run.continues {
        run.step(Input::Continue).unwrap();
    }
    run.step(Input::TaskSucceeded { event_id: *run.tasks.keys().next().unwrap(), output: json!(1) }).unwrap();
    assert!(run.outline().iter().any(|line| line.ends_with("PassStateExited A")));
}

#[test]
fn what_was_caught_or_tried_again_is_not_brought_back() {
    let inner = flow(json!({"I": task(json!({}))}));
    let definition = json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [inner], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "T"}], "Next": "T"},
        "T": task(json!({}))}})
    .to_string();
    let mut run = Run::start(&definition, "0");
    run.fail("Inner");
    run.fail("Outer");
    run.feed(Input::Redrive).unwrap();
    assert_eq!(run.tasks.values().map(|task| task.state_name.as_str()).collect::<Vec<_>>(), ["T"]);
}

#[test]
fn a_whole_time_out_begins_anew() {
    let definition =
        json!({"TimeoutSeconds": 10, "StartAt": "S", "States": {"S": {"Type": "Wait", "Seconds": 60, "End": true}}});
    let mut run = Run::start(&definition.to_string(), "0");
    assert_eq!(run.fire().purpose, TimerPurpose::ExecutionTimeout);
    assert_eq!(run.execution.status(), Status::TimedOut);
    run.feed(Input::Redrive).unwrap();
    let purposes: Vec<TimerPurpose> = run.timers.keys().map(|timer| timer.purpose).collect();
    assert_eq!(purposes, [TimerPurpose::ExecutionTimeout, TimerPurpose::Wait]);
    let begun = run.now;
    run.fire();
    assert_eq!((run.execution.status(), run.now.duration_since(begun).as_secs()), (Status::TimedOut, 10));
}

#[test]
fn what_can_not_be_redriven_says_why() {
    let day = |day: i64| "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * day);
    let fine = Standing {
        status: Status::Aborted,
        redrives: 999,
        last_event_id: 24_998,
        started_at: day(0),
        stopped_at: Some(day(1)),
    };
    let check = |standing: Standing, now: i64, expected: Option<&str>| {
        assert_eq!(refusal(&standing, day(now)), expected, "{standing:?} on day {now}");
    };
    check(fine, 15, None);
    check(fine, 16, Some("Execution redrivable period exceeded"));
    check(Standing { started_at: day(-360), ..fine }, 6, Some("Execution has exceeded the max execution time"));
    check(Standing { last_event_id: 24_999, ..fine }, 2, Some("Execution history event limit exceeded"));
    check(Standing { redrives: 1000, ..fine }, 2, Some("Execution redrive limit exceeded"));
    check(Standing { status: Status::Running, ..fine }, 2, Some("Execution is RUNNING and cannot be redriven"));
    check(Standing { status: Status::Succeeded, ..fine }, 2, Some("Execution is SUCCEEDED and cannot be redriven"));
}
