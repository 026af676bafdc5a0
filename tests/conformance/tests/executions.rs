//! Executions recorded on AWS Step Functions: run here with simulated time, their tasks answered as in the recording,
//! compared with what AWS showed.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test through and through: a case that is not as described is a failed test, each difference is told"
)]

use std::collections::BTreeMap;

use asl::{Document, Format, parse::AnyResource};
use execution::{Command, Execution, ExecutionStart, HistoryEvent, Input, Moment, Record, Status, replay, step};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What a case came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    /// Another end than AWS's.
    Wrong,
    /// The same status, output, error and cause.
    Final,
    /// The same events too: types, states, ids.
    Events,
    /// Everything that was recorded.
    Full,
}

#[test]
fn executions_end_as_on_aws() {
    let Some(cases) = conformance::corpus("asl/recorded-public.jsonl.gz", 759) else { return };
    let mut grades: BTreeMap<Grade, usize> = BTreeMap::new();
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases.iter().filter(|case| case["kind"] == "exec") {
        if let Some(reason) = skip(case) {
            *skipped.entry(reason).or_default() += 1;
            continue;
        }
        let grade = match run(case) {
            Ok((execution, events)) => grade(case, &execution, &events),
            Err(problem) => {
                println!("{}: {problem}", case["id"]);
                Grade::Wrong
            }
        };
        *grades.entry(grade).or_default() += 1;
    }
    let at_least = |least: Grade| grades.range(least..).map(|(_, count)| count).sum::<usize>();
    let (all, end, events, full) =
        (at_least(Grade::Wrong), at_least(Grade::Final), at_least(Grade::Events), at_least(Grade::Full));
    println!("of {all} executions {end} end as on AWS, {events} with the same events, {full} in everything recorded");
    println!("skipped: {skipped:?}");
    assert!(end >= END && events >= EVENTS && full >= FULL, "fewer than before: {END}, {EVENTS}, {FULL}");
}

/// What was reached; may not fall.
const END: usize = 510;
const EVENTS: usize = 510;
const FULL: usize = 509;

/// Why a case can't be run here.
fn skip(case: &Value) -> Option<&'static str> {
    let needs = |need: &str| case["needs"].as_array().is_some_and(|needs| needs.iter().any(|its| its == need));
    if needs("distributed-map") {
        return Some("runs a distributed Map");
    }
    if needs("mock") {
        return Some("answers come from a mock file, and the recording leaves them out");
    }
    if case["incomplete"] == true {
        return Some("incomplete recording");
    }
    case["final"].is_null().then_some("no end was recorded")
}

/// Runs a case with simulated time; checks on the way that replay gives the same execution.
fn run(case: &Value) -> Result<(Execution, Vec<HistoryEvent>), String> {
    let definition = match &case["definition"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let document = Document::parse(&definition, Format::Json).map_err(|problems| format!("{problems:?}"))?;
    let (machine, _) = asl::parse::parse(&document, &AnyResource).map_err(|problems| format!("{problems:?}"))?;
    let input = case["input"].as_str().unwrap_or("{}").to_owned();
    let mut execution = Execution::new();
    let mut now: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let mut timers = BTreeMap::new();
    let mut journal = Vec::new();
    let mut tasks = Vec::new();
    let mut answers = answers(case).into_iter();
    let mut next = Input::StartExecution(Box::new(ExecutionStart {
        express: false,
        quotas: execution::Quotas::AWS,
        execution_arn: "arn:aws:states:us-east-1:000000000000:execution:machine:run".to_owned(),
        name: "run".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:machine".to_owned(),
        state_machine_name: "machine".to_owned(),
        role_arn: "snf_role_arn".to_owned(),
        input,
    }));
    let mut goes_on = false;
    for round in 0u8..=255 {
        let moment = Moment { now, seed: [round; 32] };
        let done = step(&machine, &mut execution, next, moment).map_err(|error| error.to_string())?;
        journal.extend(done.records);
        assert_eq!(replay(&machine, &journal).as_ref(), Ok(&execution), "{}", case["id"]);
        for command in done.commands {
            match command {
                Command::StartTimer { timer, at } => _ = timers.insert(timer, at),
                Command::CancelTimer { timer } => _ = timers.remove(&timer),
                Command::ScheduleTask(task) => tasks.push(task.event_id),
                Command::CancelTask { event_id } => tasks.retain(|task| *task != event_id),
                Command::Continue => goes_on = true,
                // No recording of a map run is among those that are replayed here.
                Command::HandOver(_)
                | Command::StartMapRun(_)
                | Command::RedriveMapRun(_)
                | Command::StopMapRun { .. }
                | Command::CompleteExecution(_) => {}
            }
        }
        if execution.status() != Status::Running {
            let events = journal.into_iter().filter_map(|record| match record {
                Record::Event(event) => Some(*event),
                Record::Fact(_) => None,
            });
            return Ok((execution, events.collect()));
        }
        if std::mem::take(&mut goes_on) {
            next = Input::Continue;
            continue;
        }
        if let Some(&event_id) = tasks.first()
            && let Some(answer) = answers.next()
        {
            match answer {
                Answer::Submitted(output) => next = Input::TaskSubmitted { event_id, output },
                Answer::Started(worker_name) => next = Input::ActivityStarted { event_id, worker_name },
                Answer::Succeeded(output) => next = Input::TaskSucceeded { event_id, output },
                Answer::Failed(error, cause) => next = Input::TaskFailed { event_id, error, cause },
                Answer::TimedOut => {
                    let Some((timer, at)) =
                        timers.iter().filter(|(timer, _)| timer.event_id == event_id).min_by_key(|(_, at)| **at)
                    else {
                        return Err("has no time-out".to_owned());
                    };
                    now = *at;
                    next = Input::TimerFired { timer: *timer };
                }
            }
            if !matches!(next, Input::TaskSubmitted { .. } | Input::ActivityStarted { .. }) {
                tasks.remove(0);
            }
            continue;
        }
        let Some((timer, at)) = timers.iter().map(|(timer, at)| (*timer, *at)).min_by_key(|(_, at)| *at) else {
            return Err("waits for nothing".to_owned());
        };
        timers.remove(&timer);
        now = now.max(at);
        next = Input::TimerFired { timer };
    }
    Err("goes on and on".to_owned())
}

/// An answer of a task, as it was recorded.
enum Answer {
    Submitted(Value),
    Started(Option<String>),
    Succeeded(Value),
    Failed(Option<String>, Option<String>),
    TimedOut,
}

/// The answers of the tasks of a case, in their order.
fn answers(case: &Value) -> Vec<Answer> {
    let events = case["expected"]["history"]["events"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        object => Some(object.to_string()),
    };
    // Objects were parsed; everything else is JSON text still.
    let output = |value: &Value| match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        object => object.clone(),
    };
    let answer = |event: &Value| {
        let kind = event["type"].as_str()?.to_owned();
        let details = event.as_object()?.iter().find(|(key, _)| key.ends_with("EventDetails")).map(|(_, value)| value);
        let details = details.cloned().unwrap_or_default();
        match kind.as_str() {
            "TaskSubmitted" => Some(Answer::Submitted(output(&details["output"]))),
            "ActivityStarted" => Some(Answer::Started(text(&details["workerName"]))),
            "TaskSucceeded" | "LambdaFunctionSucceeded" | "ActivitySucceeded" => {
                Some(Answer::Succeeded(output(&details["output"])))
            }
            "TaskFailed" | "LambdaFunctionFailed" | "ActivityFailed" => {
                Some(Answer::Failed(text(&details["error"]), text(&details["cause"])))
            }
            "TaskTimedOut" | "LambdaFunctionTimedOut" | "ActivityTimedOut" => Some(Answer::TimedOut),
            _ => None,
        }
    };
    events.iter().filter_map(answer).collect()
}

fn grade(case: &Value, execution: &Execution, events: &[HistoryEvent]) -> Grade {
    let ended = execution.ended().unwrap();
    let wanted = &case["final"];
    let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::String);
    let actual = json!({
        "status": ended.status,
        "output": ended.output,
        "error": text(&ended.error),
        "cause": text(&ended.cause),
    });
    for (key, value) in actual.as_object().unwrap() {
        // The recording has objects parsed, and the text of everything else.
        if !alike(&wanted[key], value) && wanted[key].as_str() != Some(&value.to_string()) {
            println!("{}: {key} is {value}, was {}", case["id"], wanted[key]);
            return Grade::Wrong;
        }
    }
    let Some(recorded) = case["expected"]["history"]["events"].as_array() else { return Grade::Full };
    let actual: Vec<Value> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    // Where branches ran at once, the recording has no ids, no order, and not the end of the Parallel.
    let is_ordered = recorded.iter().all(|event| event["id"].is_u64());
    let mut outlines = outline(recorded, is_ordered);
    let mut actual_outlines = outline(&actual, is_ordered);
    if !is_ordered {
        outlines.sort();
        actual_outlines.sort();
    }
    if outlines != actual_outlines {
        let differs = outlines.iter().zip(&actual_outlines).find(|(one, other)| one != other);
        println!("{}: {} events, were {}; first {differs:?}", case["id"], actual_outlines.len(), outlines.len());
        return Grade::Final;
    }
    for (recorded, actual) in recorded.iter().zip(&actual).filter(|_| is_ordered) {
        if !alike(recorded, actual) {
            println!("{}: event\n  {actual}\nwas\n  {recorded}", case["id"]);
            return Grade::Events;
        }
    }
    Grade::Full
}

/// Types and states, and ids where there are any.
fn outline(events: &[Value], is_ordered: bool) -> Vec<String> {
    let name = |event: &Value| {
        ["stateEnteredEventDetails", "stateExitedEventDetails"]
            .iter()
            .find_map(|key| event[key]["name"].as_str())
            .map(str::to_owned)
    };
    let end_of_parallel = ["ParallelStateSucceeded", "ParallelStateFailed"].map(Value::from);
    let events = events.iter().filter(|event| is_ordered || !end_of_parallel.contains(&event["type"]));
    let line = |event: &Value| {
        let ids =
            if is_ordered { format!("{} after {}: ", event["id"], event["previousEventId"]) } else { String::new() };
        format!("{ids}{} {}", event["type"], name(event).unwrap_or_default())
    };
    events.map(line).collect()
}

/// Whether what happened is what was recorded: JSON texts are compared as JSON, placeholders match anything.
fn alike(recorded: &Value, actual: &Value) -> bool {
    const PLACEHOLDERS: [&str; 10] = [
        "a_task_token",
        "111111111111",
        "generated-uuid",
        "RandomNumberGenerated",
        "timestamp",
        "snf_role_arn",
        "date",
        "start-time",
        "entered-time",
        "datetime",
    ];
    match (recorded, actual) {
        (Value::String(recorded), _) if PLACEHOLDERS.contains(&recorded.as_str()) || recorded.contains('<') => true,
        // The recorder numbers the names of what it makes, and shows placeholders for them.
        (Value::String(_), Value::String(actual)) if actual.contains("u0000") && !actual.starts_with(['{', '[']) => {
            true
        }
        (Value::String(one), Value::String(other)) if one == other => true,
        (Value::String(recorded), actual) if !actual.is_string() => {
            serde_json::from_str::<Value>(recorded).is_ok_and(|recorded| alike(&recorded, actual))
        }
        (recorded, Value::String(actual)) if !recorded.is_string() => {
            serde_json::from_str::<Value>(actual).is_ok_and(|actual| alike(recorded, &actual))
        }
        (Value::String(recorded), Value::String(actual)) => {
            let parsed = (serde_json::from_str::<Value>(recorded), serde_json::from_str::<Value>(actual));
            matches!(parsed, (Ok(Value::Object(_) | Value::Array(_) | Value::String(_)), Ok(_)))
                && alike(&parsed.0.unwrap(), &parsed.1.unwrap())
        }
        (Value::Array(recorded), Value::Array(actual)) => {
            recorded.len() == actual.len() && recorded.iter().zip(actual).all(|(one, other)| alike(one, other))
        }
        (Value::Object(recorded), Value::Object(actual)) => {
            recorded.len() == actual.len()
                && recorded
                    .iter()
                    .all(|(key, one)| key == "timestamp" || actual.get(key).is_some_and(|other| alike(one, other)))
        }
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (recorded, actual) => recorded == actual,
    }
}
