//! Whatever a machine is and whatever comes for it, in whatever order: after every step, replay gives what is live, and what
//! is outstanding is what was asked for and not answered (the harness checks both).

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::harness::Run;
use crate::{IllegalInput, Input, Status, Step, Timer, tests::harness};

/// States without names: a flow is a chain of them.
fn chain(depth: u32) -> BoxedStrategy<Vec<Value>> {
    prop::collection::vec(state(depth), 1..4).boxed()
}

fn state(depth: u32) -> BoxedStrategy<Value> {
    let resources = [
        "arn:aws:states:::lambda:invoke",
        "arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken",
        "arn:aws:states:::states:startExecution.sync:2",
        "arn:aws:lambda:eu-west-1:123456789012:function:f",
        "arn:aws:states:eu-west-1:123456789012:activity:a",
    ];
    let task = (prop::sample::select(resources.to_vec()), any::<bool>(), any::<bool>(), handlers()).prop_map(
        |(resource, times_out, beats, handlers)| {
            let mut state =
                json!({"Type": "Task", "Resource": resource, "ResultPath": "$.r", "Parameters": parameters(resource)});
            let fields = state.as_object_mut().unwrap();
            if times_out {
                fields.insert("TimeoutSeconds".to_owned(), json!(20));
            }
            if beats {
                fields.insert("HeartbeatSeconds".to_owned(), json!(7));
            }
            fields.extend(handlers);
            state
        },
    );
    // An inner flow reads the variables around it and takes other names for its own.
    let (v, w, u) = (format!("v{depth}.$"), format!("w{depth}"), format!("u{depth}"));
    let leaf = prop_oneof![
        1 => Just(json!({"Type": "Pass", "Result": {"x": 1.5}, "Assign": {(v): "$.x", (w): "text"}})),
        1 => Just(json!({"Type": "Pass", "Parameters": {"n.$": "$$.State.Name"}})),
        1 => Just(json!({"Type": "Pass", "OutputPath": "$.r"})),
        1 => Just(json!({"QueryLanguage": "JSONata", "Type": "Pass", "Assign": {(u): "{% $uuid() %}"}, "Output": {"r": "{% $random() %}"}})),
        1 => Just(json!({"QueryLanguage": "JSONata", "Type": "Task", "Resource": resources[0], "Arguments": {"Payload": "{% $states.input.r.none %}"},
                         "Retry": [{"ErrorEquals": ["States.QueryEvaluationError"], "MaxAttempts": 1}]})),
        1 => (1u32..9).prop_map(|seconds| json!({"Type": "Wait", "Seconds": seconds})),
        1 => Just(json!({"Type": "Fail", "Error": "Broken"})),
        5 => task,
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let parallel = (prop::collection::vec(chain(depth - 1), 1..4), handlers()).prop_map(|(branches, handlers)| {
        let mut state = json!({"Type": "Parallel", "Branches": branches});
        state.as_object_mut().unwrap().extend(handlers);
        state
    });
    let map = (chain(depth - 1), 0u32..3, handlers()).prop_map(|(processor, concurrency, handlers)| {
        let mut state = json!({"Type": "Map", "ItemProcessor": processor, "MaxConcurrency": concurrency, "ItemsPath": "$$.Execution.Input.items",
                               "ItemSelector": {"v.$": "$$.Map.Item.Value", "r": 1}, "ResultPath": "$.r"});
        state.as_object_mut().unwrap().extend(handlers);
        state
    });
    prop_oneof![4 => leaf, 2 => parallel, 2 => map].boxed()
}

/// What a call can't be without.
fn parameters(resource: &str) -> Value {
    match resource {
        "arn:aws:states:::lambda:invoke" => json!({"FunctionName": "f", "Payload.$": "$"}),
        "arn:aws:states:::states:startExecution.sync:2" => json!({"StateMachineArn": "m", "Input.$": "$"}),
        _ => json!({"In.$": "$"}),
    }
}

fn handlers() -> impl Strategy<Value = Map<String, Value>> {
    (any::<bool>(), any::<bool>()).prop_map(|(retries, catches)| {
        let mut fields = Map::new();
        if retries {
            let retry = json!([{"ErrorEquals": ["Broken"], "MaxAttempts": 1, "JitterStrategy": "FULL"},
                               {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3, "MaxAttempts": 1}]);
            fields.insert("Retry".to_owned(), retry);
        }
        if catches {
            let catch = json!([{"ErrorEquals": ["States.ALL"], "ResultPath": "$.r", "Next": "?"}]);
            fields.insert("Catch".to_owned(), catch);
        }
        fields
    })
}

/// A flow from a chain: names for the states, and where each goes on.
fn flow(chain: &[Value], number: &mut u32) -> Value {
    let names: Vec<String> = chain
        .iter()
        .map(|_| {
            *number += 1;
            format!("S{number}")
        })
        .collect();
    let mut states = Map::new();
    for (index, state) in chain.iter().enumerate() {
        let mut state = state.clone();
        let next = names.get(index + 1);
        let fields = state.as_object_mut().unwrap();
        if fields["Type"] != "Fail" {
            match next {
                Some(next) => fields.insert("Next".to_owned(), json!(next)),
                None => fields.insert("End".to_owned(), json!(true)),
            };
        }
        match next {
            Some(next) => {
                if let Some(catch) = fields.get_mut("Catch") {
                    catch[0]["Next"] = json!(next);
                }
            }
            None => _ = fields.remove("Catch"),
        }
        if let Some(Value::Array(branches)) = fields.get_mut("Branches") {
            branches.iter_mut().for_each(|branch| *branch = flow(branch.as_array().unwrap(), number));
        }
        if let Some(processor) = fields.get_mut("ItemProcessor") {
            *processor = flow(processor.as_array().unwrap(), number);
        }
        states.insert(names[index].clone(), state);
        // What comes after a Fail can't be reached.
        if state_is_fail(&states, &names[index]) {
            break;
        }
    }
    json!({"StartAt": names[0], "States": states})
}

fn state_is_fail(states: &Map<String, Value>, name: &str) -> bool {
    states[name]["Type"] == "Fail"
}

/// The input that a number chooses among those that can come.
fn choose(run: &Run, choice: u16) -> Input {
    let pick = |count: usize| usize::from(choice >> 4) % count.max(1);
    let waiting: Vec<u64> = run.tasks.keys().chain(run.submitted.keys()).copied().collect();
    let event_id = waiting.get(pick(waiting.len())).copied();
    let timer = run.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, _)| *timer);
    if run.continues && (!choice.is_multiple_of(4) || event_id.is_none() && timer.is_none()) {
        return Input::Continue;
    }
    match (choice % 16, event_id, timer) {
        (0..=5, Some(event_id), _) => Input::TaskSucceeded { event_id, output: json!({"r": choice}) },
        (6 | 7, Some(event_id), _) => Input::TaskFailed { event_id, error: Some("Broken".to_owned()), cause: None },
        (8, Some(event_id), _) => Input::TaskFailed { event_id, error: None, cause: Some("c".to_owned()) },
        (9, Some(event_id), _) => Input::TaskHeartbeat { event_id },
        (10, Some(event_id), _) => Input::ActivityStarted { event_id, worker_name: None },
        (12, Some(event_id), _) if choice.is_multiple_of(3) => {
            Input::ActivityScheduleFailed { event_id, error: "Gone".to_owned(), cause: "c".to_owned() }
        }
        (11, Some(event_id), _) => Input::TaskSubmitted { event_id, output: json!({}) },
        (15, _, _) if choice > 65_000 => Input::StopExecution { error: None, cause: None },
        (_, _, Some(timer)) => Input::TimerFired { timer },
        (_, Some(event_id), None) => Input::TaskSucceeded { event_id, output: json!({"r": null}) },
        (_, None, None) => panic!("it waits for nothing: {:#?}", run.execution),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn replay_is_live(states in chain(2), choices in prop::collection::vec(any::<u16>(), 1..60)) {
        let definition = flow(&states, &mut 0).to_string();
        run_through(Run::new(&definition), &choices, Run::feed);
    }

    #[test]
    fn replay_is_live_wherever_a_step_is_cut(
        states in chain(2), choices in prop::collection::vec(any::<u16>(), 1..120), transitions in 1..3_usize
    ) {
        let definition = flow(&states, &mut 0).to_string();
        run_through(Run::within(transitions, &definition), &choices, Run::step);
    }
}

/// Feeds it with what is chosen, and with what comes too late.
fn run_through(mut run: Run, choices: &[u16], feed: impl Fn(&mut Run, Input) -> Result<Step, IllegalInput>) {
    feed(&mut run, harness::start(r#"{"items":[1,2,3],"r":[0]}"#)).unwrap();
    let mut asked: Vec<u64> = Vec::new();
    let mut timers: Vec<Timer> = Vec::new();
    for &choice in choices {
        asked.extend(run.tasks.keys());
        timers.extend(run.timers.keys());
        match run.execution.status() {
            Status::Running => {}
            Status::Succeeded => {
                assert_eq!(feed(&mut run, Input::Redrive), Err(IllegalInput::NotRedrivable));
                break;
            }
            Status::Failed | Status::TimedOut | Status::Aborted => {
                let redrives = run.execution.redrives().0;
                if redrives == 2 {
                    break;
                }
                feed(&mut run, Input::Redrive).unwrap();
                assert_eq!(run.execution.redrives().0, redrives + 1);
                continue;
            }
        }
        let input = choose(&run, choice);
        if let Input::TimerFired { timer } = input {
            run.now = run.now.max(run.timers[&timer]);
        }
        feed(&mut run, input).unwrap();
        // Answers that nobody waits for change nothing.
        let late = asked.iter().find(|task| !run.tasks.contains_key(*task) && !run.submitted.contains_key(*task));
        if let Some(&event_id) = late {
            let output = json!(0);
            assert_eq!(feed(&mut run, Input::TaskSucceeded { event_id, output }), Ok(Step::default()));
        }
        let late = timers.iter().find(|timer| !run.timers.contains_key(*timer));
        if let Some(&timer) = late {
            assert_eq!(feed(&mut run, Input::TimerFired { timer }), Ok(Step::default()));
        }
        if !run.continues {
            assert_eq!(feed(&mut run, Input::Continue), Ok(Step::default()));
        }
    }
}
