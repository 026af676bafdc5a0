//! Tasks: what they are given, their retries, time-outs, heartbeats, tokens; answers that come too late.

use serde_json::{Value, json};

use super::harness::{Answer, EXECUTION_ARN, Run, start};
use crate::{Command, Fact, IllegalInput, Input, Record, Status, Step, Timer, TimerPurpose};

fn task(more: Value) -> String {
    let mut state = json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:sendMessage", "End": true});
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let caught = state.get("Catch").map(|_| ("Caught".to_owned(), json!({"Type": "Pass", "End": true})));
    let states: serde_json::Map<String, Value> = [("T".to_owned(), state)].into_iter().chain(caught).collect();
    json!({"StartAt": "T", "States": states}).to_string()
}

#[test]
fn a_retry_adds_no_event_and_waits() {
    let definition = task(json!({
        "Parameters": {"Try.$": "$$.State.RetryCount"},
        "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 2, "MaxAttempts": 2, "BackoffRate": 3.0}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]}));
    let mut run = Run::start(&definition, "{}");
    let begun = run.now;
    for (attempt, seconds) in [(0, 0), (1, 2), (2, 8)] {
        assert_eq!(run.task().arguments, json!({"Try": attempt}));
        assert_eq!(run.now.duration_since(begun).as_secs(), seconds);
        run.fail("Broken");
        if attempt < 2 {
            assert!(run.execution.only_waits());
            assert_eq!(run.fire().purpose, TimerPurpose::Retry);
        }
    }
    assert_eq!(run.ended().output, Some(json!({"Error": "Broken", "Cause": "why"})));
    assert_eq!(
        run.outline()[2..],
        [
            "3 after 2: TaskScheduled",
            "4 after 3: TaskStarted",
            "5 after 4: TaskFailed",
            "6 after 5: TaskScheduled",
            "7 after 6: TaskStarted",
            "8 after 7: TaskFailed",
            "9 after 8: TaskScheduled",
            "10 after 9: TaskStarted",
            "11 after 10: TaskFailed",
            "12 after 11: TaskStateExited T",
            "13 after 12: PassStateEntered Caught",
            "14 after 13: PassStateExited Caught",
            "15 after 14: ExecutionSucceeded",
        ]
    );
}

#[test]
fn a_whole_parallel_or_map_is_retried() {
    let retry = json!([{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]);
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true}}});
    let check = |state: Value, expected: Value| {
        let definition = json!({"StartAt": "S", "States": {"S": state}}).to_string();
        let mut failures = 1;
        let run = Run::start(&definition, "[1,2]").finish(|task| match failures {
            0 => Answer::Output(task.arguments.clone()),
            _ => {
                failures -= 1;
                Answer::Error("Broken")
            }
        });
        assert_eq!(run.ended().output, Some(expected), "{:#?}", run.outline());
    };
    check(
        json!({"Type": "Parallel", "Branches": [inner, {"StartAt": "J", "States": {"J": {"Type": "Wait", "Seconds": 1, "End": true}}}], "Retry": retry, "End": true}),
        json!([[1, 2], [1, 2]]),
    );
    check(
        json!({"Type": "Map", "ItemProcessor": inner, "MaxConcurrency": 1, "Retry": retry, "End": true}),
        json!([1, 2]),
    );
}

#[test]
fn a_task_times_out() {
    let definition = task(json!({"TimeoutSeconds": 60, "HeartbeatSeconds": 10}));
    let mut run = Run::start(&definition, "{}");
    let scheduled = run.task().clone();
    assert_eq!((scheduled.timeout_seconds, scheduled.heartbeat_seconds), (Some(60), Some(10)));
    let begun = run.now;
    // Five beats put the heartbeat off; then the whole time is over.
    for _ in 0..6 {
        run.now += jiff::SignedDuration::from_secs(9);
        let done = run.feed(Input::TaskHeartbeat { event_id: scheduled.event_id }).unwrap();
        assert!(matches!(
            done.commands[..],
            [Command::StartTimer { timer: Timer { purpose: TimerPurpose::Heartbeat, .. }, .. }]
        ));
    }
    assert_eq!(run.fire().purpose, TimerPurpose::TaskTimeout);
    assert_eq!(run.now.duration_since(begun).as_secs(), 60);
    assert_eq!((run.ended().error.as_deref(), run.ended().cause.as_deref()), (Some("States.Timeout"), None));
}

#[test]
fn a_missed_heartbeat_is_a_time_out() {
    for (name, caught) in [("States.Timeout", true), ("States.HeartbeatTimeout", true), ("States.TaskFailed", false)] {
        let definition = task(json!({"HeartbeatSeconds": 10, "Catch": [{"ErrorEquals": [name], "Next": "Caught"}]}));
        let mut run = Run::start(&definition, "{}");
        let timer = run.fire();
        assert_eq!(timer.purpose, TimerPurpose::Heartbeat);
        assert_eq!(run.ended().status == Status::Succeeded, caught, "{name}");
    }
}

#[test]
fn a_heartbeat_timer_that_was_put_off_does_nothing() {
    let mut run = Run::start(&task(json!({"HeartbeatSeconds": 10})), "{}");
    let event_id = run.task().event_id;
    let timer = Timer { event_id, purpose: TimerPurpose::Heartbeat };
    run.now += jiff::SignedDuration::from_secs(9);
    run.feed(Input::TaskHeartbeat { event_id }).unwrap();
    run.now += jiff::SignedDuration::from_secs(1);
    let at = run.timers[&timer];
    let moment = crate::Moment { now: run.now, seed: [9; 32] };
    let done = crate::step(&run.machine, &mut run.execution, Input::TimerFired { timer }, moment);
    assert_eq!(done, Ok(Step::default()));
    assert_eq!(run.execution.outstanding().last(), Some(Command::StartTimer { timer, at }));
}

#[test]
fn a_token_is_seen_by_the_arguments_only() {
    let definition = task(json!({
        "Resource": "arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken",
        "Parameters": {"Token.$": "$$.Task.Token"}}));
    let mut run = Run::start(&definition, "{}");
    let scheduled = run.task().clone();
    let token = scheduled.task_token.clone().unwrap();
    assert_eq!(scheduled.arguments, json!({"Token": token}));
    let fact = run.journal.iter().find(|record| matches!(record, Record::Fact(Fact::Task(_))));
    assert!(!format!("{scheduled:?}{fact:?}").contains(&token), "what is debugged is not told");
    assert!(!run.execution.only_waits(), "it is still to be sent");
    run.feed(Input::TaskSubmitted { event_id: scheduled.event_id, output: json!({"MessageId": "1"}) }).unwrap();
    assert!(run.execution.only_waits());
    assert_eq!(run.execution.outstanding().count(), 0, "it is not sent again");
    let twice = run.feed(Input::TaskSubmitted { event_id: scheduled.event_id, output: json!({}) });
    assert_eq!(twice, Ok(Step::default()));
    run.feed(Input::TaskSucceeded { event_id: scheduled.event_id, output: json!("yes") }).unwrap();
    assert_eq!(run.ended().output, Some(json!("yes")));

    let again = Run::start(&definition, "{}");
    assert_eq!(again.task().task_token, Some(token), "the same seed gives the same token");
    let mut other = Run::new(&definition);
    let _ = other.feed(Input::StopExecution { error: None, cause: None });
    other.feed(start("{}")).unwrap();
    assert_ne!(other.task().task_token, again.task().task_token, "another seed another");
}

#[test]
fn an_activity_is_started_by_its_worker() {
    let arn = "arn:aws:states:eu-west-1:123456789012:activity:approve";
    let mut run = Run::start(&task(json!({"Resource": arn, "HeartbeatSeconds": 5, "TimeoutSeconds": 60})), "{}");
    let event_id = run.task().event_id;
    assert_eq!(run.timers.keys().map(|timer| timer.purpose).collect::<Vec<_>>(), [TimerPurpose::TaskTimeout]);
    run.feed(Input::ActivityStarted { event_id, worker_name: Some("w".to_owned()) }).unwrap();
    assert_eq!(run.timers.len(), 2, "its heart beats from now on");
    run.feed(Input::TaskFailed { event_id, error: None, cause: None }).unwrap();
    assert_eq!(
        run.outline()[2..],
        [
            "3 after 2: ActivityScheduled",
            "4 after 3: ActivityStarted",
            "5 after 4: ActivityFailed",
            "6 after 5: ExecutionFailed"
        ]
    );
}

#[test]
fn credentials_and_region_are_shown() {
    let definition = task(json!({"Credentials": {"RoleArn.$": "$.role"}, "Parameters": {"a": 1}}));
    let run = Run::start(&definition, r#"{"role":"arn:aws:iam::111122223333:role/fixer"}"#);
    assert_eq!(run.task().role_arn.as_deref(), Some("arn:aws:iam::111122223333:role/fixer"));
    let event = serde_json::to_value(run.events().nth(2).unwrap()).unwrap();
    assert_eq!(
        event["taskScheduledEventDetails"],
        json!({"resourceType": "aws-sdk:sqs", "resource": "sendMessage", "region": "eu-west-1", "parameters": "{\"a\":1}",
               "taskCredentials": {"roleArn": "arn:aws:iam::111122223333:role/fixer"}})
    );
}

#[test]
fn idempotency_tokens_are_of_the_execution_and_the_event() {
    let token = Run::start(&task(json!({})), "{}").task().idempotency_token.clone();
    assert_eq!(token, crate::random::idempotency_token(EXECUTION_ARN, 3));
    assert_ne!(token, crate::random::idempotency_token(EXECUTION_ARN, 4));
    let dashes: Vec<usize> = token.match_indices('-').map(|(index, _)| index).collect();
    assert_eq!((token.len(), dashes, &token[14..15]), (36, vec![8, 13, 18, 23], "8"));
}

#[test]
fn late_answers_are_normal_and_unknown_ones_are_not() {
    let definition = task(json!({"TimeoutSeconds": 5, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]}));
    let mut run = Run::start(&definition, "{}");
    let event_id = run.task().event_id;
    let timer = run.fire();
    assert_eq!(run.ended().status, Status::Succeeded);
    let late = [
        Input::TaskSucceeded { event_id, output: json!(1) },
        Input::TaskFailed { event_id, error: None, cause: None },
        Input::TaskHeartbeat { event_id },
        Input::TaskSubmitted { event_id, output: json!(1) },
        Input::ActivityStarted { event_id, worker_name: None },
        Input::TimerFired { timer },
        Input::TimerFired { timer: Timer { event_id: 0, purpose: TimerPurpose::ExecutionTimeout } },
    ];
    for input in late {
        assert_eq!(run.feed(input.clone()), Ok(Step::default()), "{input:?}");
    }
    let unknown = Input::TaskSucceeded { event_id: 2, output: json!(1) };
    assert_eq!(run.feed(unknown), Err(IllegalInput::UnknownTask(2)));
    assert_eq!(run.feed(Input::StopExecution { error: None, cause: None }), Err(IllegalInput::Ended));
    assert_eq!(run.feed(start("{}")), Err(IllegalInput::AlreadyStarted));
}

#[test]
fn an_execution_begins_with_json() {
    let mut run = Run::new(&task(json!({})));
    assert_eq!(run.feed(Input::TaskHeartbeat { event_id: 1 }), Err(IllegalInput::NotStarted));
    assert!(matches!(run.feed(start("{")), Err(IllegalInput::InputNotJson(_))));
    let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
    assert!(matches!(run.feed(start(&deep)), Err(IllegalInput::InputNotJson(_))));
    assert_eq!(run.execution, crate::Execution::new(), "nothing has happened");
}

#[test]
fn an_execution_is_stopped_or_times_out() {
    let definition = json!({"TimeoutSeconds": 30, "StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:sendMessage", "TimeoutSeconds": 60, "End": true}}});
    let mut run = Run::start(&definition.to_string(), "{}");
    run.feed(Input::StopExecution { error: Some("E".to_owned()), cause: Some("C".to_owned()) }).unwrap();
    assert_eq!((run.ended().status, run.ended().error.as_deref()), (Status::Aborted, Some("E")));
    assert_eq!(run.outline().last().unwrap(), "5 after 0: ExecutionAborted");

    let mut run = Run::start(&definition.to_string(), "{}");
    assert_eq!(run.fire(), Timer { event_id: 0, purpose: TimerPurpose::ExecutionTimeout });
    assert_eq!(run.ended().status, Status::TimedOut);
}

#[test]
fn a_foreign_or_broken_journal_is_refused() {
    let run = Run::start(&task(json!({})), "{}");
    let check = |machine: &asl::StateMachine, journal: &[Record], index: usize, reason: &str| {
        let error = crate::replay(machine, journal).unwrap_err();
        assert_eq!((error.index, error.reason.as_str()), (index, reason));
    };
    let other = super::harness::machine(r#"{"StartAt":"Other","States":{"Other":{"Type":"Succeed"}}}"#);
    check(&other, &run.journal, 2, "the state machine has no state `T` there");
    check(&run.machine, &run.journal[1..], 0, "a start without what was started");
    let without = |index: usize| {
        let mut journal = run.journal.clone();
        journal.remove(index);
        journal
    };
    check(&run.machine, &without(2), 2, "event 3 comes after event 1");
    check(&run.machine, &without(3), 3, "the path waits for no task");
    let lost = [run.journal.clone(), vec![Record::Fact(Fact::Path(7)), Record::Fact(Fact::Retried)]].concat();
    check(&run.machine, &lost, run.journal.len() + 1, "there is no path 7");
}

#[test]
fn evaluations_of_one_step_differ() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"one": "{% $uuid() %}"}, "Next": "B"},
        "B": {"Type": "Pass", "Output": "{% $one = $uuid() %}", "End": true}}});
    assert_eq!(Run::start(&definition.to_string(), "{}").ended().output, Some(json!(false)));
}

#[test]
fn a_job_is_begun_once_and_then_awaited() {
    let arguments = json!({"StateMachineArn": "m"});
    let resource = "arn:aws:states:::states:startExecution.sync:2";
    let definition = task(json!({"Resource": resource, "Parameters": arguments, "TimeoutSeconds": 60}));
    let mut run = Run::start(&definition, "{}");
    let begun = run.task().clone();
    assert_eq!((&begun.arguments, &begun.submitted, &begun.task_token), (&arguments, &None, &None));
    let answer = json!({"ExecutionArn": "e"});
    run.feed(Input::TaskSubmitted { event_id: begun.event_id, output: answer.clone() }).unwrap();
    let awaited = run.task().clone();
    assert_eq!(awaited, crate::ScheduledTask { submitted: Some(answer), ..begun.clone() });
    assert!(run.execution.only_waits(), "whoever keeps the job asks for its end");
    let twice = run.feed(Input::TaskSubmitted { event_id: begun.event_id, output: json!({}) });
    assert_eq!(twice, Ok(Step::default()));
    run.feed(Input::TaskSucceeded { event_id: begun.event_id, output: json!("done") }).unwrap();
    assert_eq!(run.ended().output, Some(json!("done")));
    assert_eq!(
        run.outline()[2..],
        [
            "3 after 2: TaskScheduled",
            "4 after 3: TaskStarted",
            "5 after 4: TaskSubmitted",
            "6 after 5: TaskSucceeded",
            "7 after 6: TaskStateExited T",
            "8 after 7: ExecutionSucceeded",
        ]
    );
}

#[test]
fn a_job_fails_to_begin_or_fails_later() {
    let resource = "arn:aws:states:::ecs:runTask.sync";
    let definition = task(json!({"Resource": resource, "Parameters": {"TaskDefinition": "t"}}));
    for (submitted, expected) in [(false, "5 after 4: TaskSubmitFailed"), (true, "6 after 5: TaskFailed")] {
        let mut run = Run::start(&definition, "{}");
        let event_id = run.task().event_id;
        if submitted {
            run.feed(Input::TaskSubmitted { event_id, output: json!({}) }).unwrap();
        }
        run.fail("States.TaskFailed");
        assert_eq!(run.ended().error.as_deref(), Some("States.TaskFailed"));
        assert!(run.outline().iter().any(|line| line == expected), "{:#?}", run.outline());
        let failed = run.events().find(|event| event.kind == crate::EventType::TaskSubmitFailed);
        let told = failed.map(|failed| serde_json::to_value(failed).unwrap()["taskSubmitFailedEventDetails"].clone());
        let details =
            json!({"resourceType": "ecs", "resource": "runTask.sync", "error": "States.TaskFailed", "cause": "why"});
        assert_eq!(told, (!submitted).then_some(details));
    }
}

#[test]
fn an_optimized_integration_takes_only_its_own_parameters() {
    let check = |parameters: Value, problems: &str| {
        let definition = task(json!({"Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": parameters}));
        let run = Run::start(&definition, "{}");
        let ended = run.ended();
        assert_eq!(ended.error.as_deref(), Some("States.Runtime"));
        let start = "An error occurred while executing the state 'T' (entered at the event id #2). The Parameters";
        let cause = format!("{start} '{parameters}' could not be used to start the Task: [{problems}]");
        assert_eq!(ended.cause, Some(cause));
        assert_eq!(run.outline()[2..], ["3 after 2: ExecutionFailed"]);
    };
    check(json!({"QueueUrl": "q"}), "The field 'MessageBody' is required but was missing");
    check(
        json!({"QueueUrl": "q", "MessageBody": "b", "Delay": 1}),
        "The field \"Delay\" is not supported by Step Functions",
    );
}
