//! The states of an execution as lines for people, made of its journal record by record.
//!
//! Beside the history events the journal says what AWS never shows: when a retry comes, until when a Wait waits, which branch or item a
//! path is. What is kept here is one entry for each path that is open, so a long execution needs no more memory than it has parallel
//! parts.

use std::collections::HashMap;

use execution::{EventDetails, EventType, Fact, HistoryEvent, Record};
use jiff::Timestamp;

/// How many characters of an error's cause are shown.
const CAUSE_CHARACTERS: usize = 300;

/// Tells an execution's states.
pub struct States {
    colours: bool,
    paths: HashMap<u32, Place>,
    path: u32,
    started_at: Option<Timestamp>,
    /// When the last event was: facts have no time of their own.
    now: Timestamp,
}

/// Where a path is.
#[derive(Clone, Debug, Default)]
struct Place {
    /// The path whose state it is a part of.
    parent: u32,
    depth: usize,
    state: String,
    kind: String,
    entered_at: Timestamp,
    attempt: u64,
}

#[derive(Clone, Copy)]
enum Colour {
    Plain,
    Faint,
    Green,
    Yellow,
    Red,
}

impl States {
    /// With colours, where a terminal shows them.
    pub fn new(colours: bool) -> States {
        States { colours, paths: HashMap::new(), path: 0, started_at: None, now: Timestamp::UNIX_EPOCH }
    }

    /// The line that a record is worth, if it is.
    pub fn line(&mut self, record: &Record) -> Option<String> {
        match record {
            Record::Event(event) => self.event(event),
            Record::Fact(fact) => self.fact(fact),
        }
    }

    /// A line about a Distributed Map's run, as it stands at `now`.
    pub fn of_map_run(&mut self, now: Timestamp, text: &str) -> String {
        self.now = self.now.max(now);
        self.write(1, Colour::Faint, text)
    }

    fn event(&mut self, event: &HistoryEvent) -> Option<String> {
        self.now = event.timestamp;
        let kind = format!("{:?}", event.kind);
        if let Some(state_kind) = kind.strip_suffix("StateEntered") {
            return self.entered(event, state_kind);
        }
        let (error, cause) = failure(event.details.as_ref());
        let depth = self.place().depth;
        match (event.kind, &event.details) {
            (EventType::ExecutionStarted, _) => {
                self.started_at = Some(event.timestamp);
                Some(self.write(0, Colour::Faint, "started"))
            }
            (EventType::ExecutionSucceeded, _) => Some(self.write(0, Colour::Green, "succeeded")),
            (EventType::ExecutionFailed, _) => Some(self.write(0, Colour::Red, &format!("failed{error}{cause}"))),
            (EventType::ExecutionTimedOut, _) => Some(self.write(0, Colour::Red, &format!("timed out{error}{cause}"))),
            (EventType::ExecutionAborted, _) => Some(self.write(0, Colour::Red, &format!("stopped{error}{cause}"))),
            (EventType::MapStateStarted, Some(EventDetails::MapStateStarted(started))) => {
                Some(self.write(depth + 1, Colour::Faint, &format!("{} items", started.length)))
            }
            (EventType::MapIterationStarted, Some(EventDetails::MapIterationStarted(item))) => {
                Some(self.write(depth, Colour::Faint, &format!("item {}", item.index)))
            }
            (kind, Some(EventDetails::MapIterationSucceeded(item))) => self.item_ended(kind, item.index, "done"),
            (kind, Some(EventDetails::MapIterationFailed(item))) => self.item_ended(kind, item.index, "failed"),
            (kind, Some(EventDetails::MapIterationAborted(item))) => self.item_ended(kind, item.index, "given up"),
            (_, Some(EventDetails::MapRunStarted(run))) => {
                Some(self.write(depth + 1, Colour::Faint, &format!("map run {}", run.map_run_arn)))
            }
            (_, Some(EventDetails::TaskScheduled(task))) => {
                let text = format!("{}:{}", task.resource_type, task.resource);
                Some(self.write(depth + 1, Colour::Faint, &text))
            }
            (_, Some(EventDetails::LambdaFunctionScheduled(task) | EventDetails::ActivityScheduled(task))) => {
                Some(self.write(depth + 1, Colour::Faint, &task.resource))
            }
            (EventType::TaskSubmitted, _) => {
                Some(self.write(depth + 1, Colour::Faint, "handed over; waits for its end"))
            }
            (EventType::ActivityStarted, _) => Some(self.write(depth + 1, Colour::Faint, "a worker has it")),
            (_, Some(EventDetails::StateExited(exited))) => {
                let text = format!("{} done after {}", exited.name, self.since(self.place().entered_at));
                Some(self.write(depth, Colour::Green, &text))
            }
            _ if ["Failed", "TimedOut", "Aborted"].iter().any(|end| kind.ends_with(end)) => {
                let what = if kind.ends_with("TimedOut") {
                    "timed out"
                } else if kind.ends_with("Aborted") {
                    "given up"
                } else {
                    "failed"
                };
                let text = format!("{} {what}{error}{cause}", self.place().state);
                Some(self.write(depth, Colour::Red, &text))
            }
            _ => None,
        }
    }

    fn entered(&mut self, event: &HistoryEvent, kind: &str) -> Option<String> {
        let Some(EventDetails::StateEntered(entered)) = &event.details else { return None };
        let place = self.paths.entry(self.path).or_default();
        (place.state, place.kind) = (entered.name.clone(), kind.to_owned());
        (place.entered_at, place.attempt) = (event.timestamp, 1);
        let depth = place.depth;
        Some(self.write(depth, Colour::Plain, &format!("{} ({kind})", entered.name)))
    }

    fn item_ended(&mut self, kind: EventType, index: u64, how: &str) -> Option<String> {
        let depth = self.place().depth;
        self.leave();
        let colour = if kind == EventType::MapIterationSucceeded { Colour::Green } else { Colour::Red };
        Some(self.write(depth, colour, &format!("item {index} {how}")))
    }

    fn fact(&mut self, fact: &Fact) -> Option<String> {
        match fact {
            Fact::Path(path) => {
                self.path = *path;
                None
            }
            Fact::Begin { path, parent, index } => {
                let outer = self.paths.get(parent).cloned().unwrap_or_default();
                self.path = *path;
                let depth = outer.depth + 1;
                let is_branch = outer.kind == "Parallel";
                self.paths.insert(*path, Place { parent: *parent, depth, ..Place::default() });
                // An item of a Map has an event for that.
                is_branch.then(|| self.write(depth, Colour::Faint, &format!("branch {index}")))
            }
            Fact::BranchEnded(_) => {
                self.leave();
                None
            }
            Fact::Wait { until } => {
                let depth = self.place().depth;
                let text = format!("waits until {until} ({})", seconds(until.duration_since(self.now)));
                Some(self.write(depth + 1, Colour::Yellow, &text))
            }
            Fact::Retry { at, .. } => {
                let pause = seconds(at.duration_since(self.now));
                let place = self.paths.entry(self.path).or_default();
                place.attempt = place.attempt.saturating_add(1);
                let (depth, text) = (place.depth, format!("{}: attempt {} in {pause}", place.state, place.attempt));
                Some(self.write(depth, Colour::Yellow, &text))
            }
            Fact::Task(task) => {
                let until = task.timeout_at.map(|at| format!(", until {at}")).unwrap_or_default();
                let depth = self.place().depth;
                let waits = task.token.is_some() && task.resource.ends_with(".waitForTaskToken");
                waits.then(|| self.write(depth + 1, Colour::Yellow, &format!("waits for its task token{until}")))
            }
            _ => None,
        }
    }

    /// A branch or an iteration has ended: what follows is of the path around it, unless it says otherwise.
    fn leave(&mut self) {
        self.path = self.paths.remove(&self.path).unwrap_or_default().parent;
    }

    fn place(&self) -> Place {
        self.paths.get(&self.path).cloned().unwrap_or_default()
    }

    fn since(&self, then: Timestamp) -> String {
        seconds(self.now.duration_since(then))
    }

    /// `elapsed  text`, indented.
    fn write(&self, depth: usize, colour: Colour, text: &str) -> String {
        let elapsed = self.started_at.map_or_else(|| seconds(jiff::SignedDuration::ZERO), |at| self.since(at));
        let text = text.replace(char::is_control, " ");
        let (begin, end) = match colour {
            _ if !self.colours => ("", ""),
            Colour::Plain => ("", ""),
            Colour::Faint => ("\u{1b}[2m", "\u{1b}[0m"),
            Colour::Green => ("\u{1b}[32m", "\u{1b}[0m"),
            Colour::Yellow => ("\u{1b}[33m", "\u{1b}[0m"),
            Colour::Red => ("\u{1b}[31m", "\u{1b}[0m"),
        };
        format!("{elapsed:>11}  {:indent$}{begin}{text}{end}", "", indent = depth.saturating_mul(2))
    }
}

/// ": error" and ": cause" of an event, where it has them.
fn failure(details: Option<&EventDetails>) -> (String, String) {
    let details = details.and_then(|details| serde_json::to_value(details).ok());
    let part = |name: &str| {
        let fields = details.as_ref()?.as_object()?.values().next()?;
        let text = fields.get(name)?.as_str().filter(|text| !text.is_empty())?;
        let shown: String = text.chars().take(CAUSE_CHARACTERS).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        Some(format!(": {shown}{more}"))
    };
    (part("error").unwrap_or_default(), part("cause").unwrap_or_default())
}

/// `1.234 s`; never less than none.
fn seconds(duration: jiff::SignedDuration) -> String {
    let milliseconds = duration.as_millis().max(0);
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(second: u64, kind: &str, details: Value) -> Record {
        let mut event = json!({"id": 1, "previousEventId": 0, "timestamp": second, "type": kind});
        event.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        Record::Event(Box::new(serde_json::from_value(event).unwrap()))
    }

    fn state(second: u64, name: &str, kind: &str) -> Record {
        let data = json!({"truncated": false});
        let details = match kind.ends_with("Entered") {
            true => json!({"stateEnteredEventDetails": {"name": name, "input": "{}", "inputDetails": data}}),
            false => json!({"stateExitedEventDetails": {"name": name, "output": "{}", "outputDetails": data}}),
        };
        event(second, kind, details)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn started() -> Record {
        let details = json!({"executionStartedEventDetails": {"input": "{}", "inputDetails": {"truncated": false}, "roleArn": "r"}});
        event(100, "ExecutionStarted", details)
    }

    #[track_caller]
    fn check(records: &[Record], expected: &[&str]) {
        let mut states = States::new(false);
        let lines: Vec<String> = records.iter().filter_map(|record| states.line(record)).collect();
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_start().split_once(" s  ").unwrap().1).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_failure_is_told_with_what_comes_next() {
        let failed = json!({"taskFailedEventDetails": {"resourceType": "aws-sdk:s3", "resource": "listBuckets", "error": "S3.Gone", "cause": "no\nbucket"}});
        let scheduled = json!({"taskScheduledEventDetails": {"resourceType": "aws-sdk:s3", "resource": "listBuckets", "region": "r", "parameters": "{}"}});
        check(
            &[
                started(),
                state(100, "Look", "TaskStateEntered"),
                event(100, "TaskScheduled", scheduled),
                event(103, "TaskFailed", failed),
                Record::Fact(Fact::Retry { retrier: 0, at: at(105) }),
                state(106, "Look", "TaskStateExited"),
                state(106, "Pause", "WaitStateEntered"),
                Record::Fact(Fact::Wait { until: at(110) }),
            ],
            &[
                "started",
                "Look (Task)",
                "  aws-sdk:s3:listBuckets",
                "Look failed: S3.Gone: no bucket",
                "Look: attempt 2 in 2.000 s",
                "Look done after 6.000 s",
                "Pause (Wait)",
                "  waits until 1970-01-01T00:01:50Z (4.000 s)",
            ],
        );
    }

    #[test]
    fn what_is_inside_is_indented_and_forgotten_when_it_ends() {
        let mut states = States::new(false);
        let mut told = Vec::new();
        let mut tell = |states: &mut States, record: Record| told.extend(states.line(&record));
        tell(&mut states, started());
        tell(&mut states, state(100, "Both", "ParallelStateEntered"));
        for path in [1, 2] {
            tell(&mut states, Record::Fact(Fact::Begin { path, parent: 0, index: u64::from(path) - 1 }));
            tell(&mut states, state(101, "In", "PassStateEntered"));
            tell(&mut states, state(101, "In", "PassStateExited"));
            tell(&mut states, Record::Fact(Fact::BranchEnded(execution::record::BranchEnd::Succeeded)));
        }
        tell(&mut states, Record::Fact(Fact::Retry { retrier: 0, at: at(104) }));
        tell(&mut states, state(102, "Both", "ParallelStateExited"));
        assert_eq!(states.paths.len(), 1);
        let expected = [
            "    0.000 s  started",
            "    0.000 s  Both (Parallel)",
            "    0.000 s    branch 0",
            "    1.000 s    In (Pass)",
            "    1.000 s    In done after 0.000 s",
            "    1.000 s    branch 1",
            "    1.000 s    In (Pass)",
            "    1.000 s    In done after 0.000 s",
            "    1.000 s  Both: attempt 2 in 3.000 s",
            "    2.000 s  Both done after 2.000 s",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn colours_are_for_terminals() {
        let line = |colours| States::new(colours).line(&event(1, "ExecutionAborted", json!({}))).unwrap();
        assert_eq!((line(false).contains('\u{1b}'), line(true).contains("\u{1b}[31mstopped\u{1b}[0m")), (false, true));
    }
}
