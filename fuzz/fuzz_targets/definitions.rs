//! State machine definitions: JSON and YAML are read, printed and read again; what is a machine runs, and replays as it ran.
#![no_main]

use std::time::Duration;

use asl::{Diagnostic, Document, Format, parse::AnyResource};
use execution::{Command, Execution, ExecutionStart, Input, Moment, Record, Status, replay, step};
use fuzz::{caught, let_panics_be_caught, within};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(init: let_panics_be_caught(), |text: &str| caught(|| check(text)));

fn check(text: &str) {
    let format = Format::of_text(text);
    let parsed = within(Duration::from_secs(5), "reading a document", || Document::read(text, format));
    let (document, problems) = match parsed {
        Ok(read) => read,
        Err(problems) => return check_places(text, &problems),
    };
    check_places(text, &problems);
    let printed = document.value().to_string();
    let (again, none) = Document::read(&printed, Format::Json).expect("what was printed can be read");
    assert_eq!(again.value(), document.value(), "{printed}");
    assert!(none.is_empty(), "{none:?}");
    let machine = within(Duration::from_secs(5), "checking a definition", || asl::parse::parse(&document, &AnyResource));
    let of_printed = asl::parse::parse(&again, &AnyResource);
    match (machine, of_printed) {
        (Ok((machine, warnings)), Ok((_, same))) => {
            check_places(text, &warnings);
            assert_eq!(words(&warnings), words(&same));
            run(&machine);
        }
        (Err(problems), Err(same)) => {
            check_places(text, &problems);
            assert_eq!(words(&problems), words(&same), "{printed}");
        }
        (one, other) => panic!("read {:?}, printed {:?}", one.err(), other.err()),
    }
}

/// Every problem is somewhere in the text.
fn check_places(text: &str, problems: &[Diagnostic]) {
    for problem in problems {
        let span = problem.span;
        assert!(span.start <= span.end && span.end <= text.len() && span.line > 0 && span.column > 0, "{problem:?}");
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{problem:?}");
    }
}

/// What and where, in any order: the printed text has other places.
fn words(problems: &[Diagnostic]) -> Vec<(&str, &str, &str)> {
    let mut words: Vec<_> = problems
        .iter()
        .map(|problem| (problem.pointer.as_str(), problem.code.as_str(), problem.message.as_str()))
        .collect();
    words.sort_unstable();
    words
}

/// A few steps: tasks fail and succeed in turn, timers fire.
fn run(machine: &asl::StateMachine) {
    let mut execution = Execution::new();
    let mut journal: Vec<Record> = Vec::new();
    let start = ExecutionStart {
        execution_arn: "arn:aws:states:eu-west-1:123456789012:execution:machine:run".to_owned(),
        name: "run".to_owned(),
        state_machine_arn: "arn:aws:states:eu-west-1:123456789012:stateMachine:machine".to_owned(),
        state_machine_name: "machine".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/runner".to_owned(),
        input: r#"{"a": {"b": [1, 2]}, "list": [1, 2, 3], "n": 5, "t": "2026-01-02T03:04:05Z"}"#.to_owned(),
        express: false,
        quotas: execution::Quotas::default(),
    };
    let mut input = Some(Input::StartExecution(Box::new(start)));
    let mut now = jiff::Timestamp::from_second(1_767_323_045).unwrap();
    for turn in 0..12u8 {
        let Some(next) = input.take() else { break };
        let moment = Moment { now, seed: [turn; 32] };
        let done = step(machine, &mut execution, next, moment).expect("the input fits");
        journal.extend(done.records);
        let replayed = replay(machine, &journal).expect("the journal can be replayed");
        assert_eq!(replayed, execution, "replay gives what is live");
        if execution.status() != Status::Running {
            break;
        }
        let outstanding: Vec<Command> = execution.outstanding().collect();
        assert!(!outstanding.is_empty(), "it runs and waits for nothing");
        input = outstanding.into_iter().find_map(|command| match command {
            Command::Continue => Some(Input::Continue),
            Command::ScheduleTask(task) if turn % 2 == 0 => {
                Some(Input::TaskFailed { event_id: task.event_id, error: Some("E".to_owned()), cause: None })
            }
            Command::ScheduleTask(task) => {
                Some(Input::TaskSucceeded { event_id: task.event_id, output: json!({"Payload": [turn]}) })
            }
            Command::StartTimer { timer, at } => {
                now = now.max(at);
                Some(Input::TimerFired { timer })
            }
            _ => None,
        });
    }
}
