//! The spans of an execution that has ended, made of its history.
//!
//! ```text
//! noticed                 from the event's own time to when it was taken in here; one for each finding
//!  └ STATE MACHINE        the execution
//!     └ STATE …           each Task that was performed, also again
//! ```
//!
//! All ids are hashes of what they name, so that the spans of an event's executions meet in one trace, also after a restart.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use detection::{Finding, finding::Occurrence};
use engine::engine::ExecutionRecord;
use execution::{EventDetails, EventType, HistoryEvent, Status};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::otlp::{attributes, nanoseconds};

/// `SPAN_KIND_INTERNAL`, `SPAN_KIND_CLIENT`, `SPAN_KIND_CONSUMER`.
const INTERNAL: u64 = 1;
const CLIENT: u64 = 3;
const CONSUMER: u64 = 5;
/// `STATUS_CODE_OK` and `STATUS_CODE_ERROR`.
const OK: u64 = 1;
const ERROR: u64 = 2;

/// The spans of an execution, and of the event that it responds to.
pub(super) fn spans(execution: &ExecutionRecord, history: &[HistoryEvent], finding: Option<&Finding>) -> Vec<Value> {
    let noticed = finding.and_then(|finding| Some((finding, responded_to(finding, execution)?)));
    let event_id = noticed.and_then(|(_, occurrence)| occurrence.events.first());
    let trace = Trace { id: hash(event_id.unwrap_or(&execution.arn), 16) };
    let mut spans = Vec::new();
    let parent = noticed.zip(event_id).map(|((finding, occurrence), event_id)| {
        let id = hash(&format!("{event_id} {}", finding.id), 8);
        let attributes = [
            ("rectify.event.id", event_id.as_str()),
            ("rectify.finding.id", &finding.id),
            ("rectify.guardrail", &finding.guardrail),
        ];
        spans.push(trace.span(
            &id,
            "",
            "noticed",
            CONSUMER,
            (occurrence.event_at, occurrence.noticed_at),
            &attributes,
            None,
        ));
        id
    });
    let own = hash(&execution.arn, 8);
    let name = execution.state_machine_arn.rsplit(':').next().unwrap_or_default();
    let end = execution.stopped_at.unwrap_or(execution.started_at);
    let error = execution.ended.as_ref().and_then(|ended| ended.error.as_deref());
    let error = error.or((execution.status != Status::Succeeded).then_some("aborted"));
    let attributes = [
        ("rectify.execution.arn", execution.arn.as_str()),
        ("rectify.finding.id", finding.map_or("", |finding| &finding.id)),
    ];
    let parent = parent.unwrap_or_default();
    spans.push(trace.span(&own, &parent, name, INTERNAL, (execution.started_at, end), &attributes, error));
    spans.extend(tasks(history).into_iter().map(|task| {
        let id = hash(&format!("{} {}", execution.arn, task.event_id), 8);
        let attributes = [("rectify.resource", task.resource.as_str())];
        trace.span(&id, &own, task.state_name, CLIENT, (task.from, task.until.unwrap_or(end)), &attributes, task.error)
    }));
    spans
}

/// The appearance of the problem that an execution was begun for.
fn responded_to<'a>(finding: &'a Finding, execution: &ExecutionRecord) -> Option<&'a Occurrence> {
    // A response is named by its finding and by the occurrence's number.
    let number: u64 = execution.name.strip_prefix(&finding.id)?.strip_prefix('-')?.parse().ok()?;
    finding.occurrences.iter().find(|occurrence| occurrence.number == number)
}

/// The first bytes of a hash, in hexadecimal digits.
fn hash(text: &str, bytes: usize) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

struct Trace {
    id: String,
}

impl Trace {
    #[expect(
        clippy::too_many_arguments,
        reason = "a span has so many parts, all of them told by their types or values"
    )]
    fn span(
        &self,
        id: &str,
        parent: &str,
        name: &str,
        kind: u64,
        (from, until): (Timestamp, Timestamp),
        about: &[(&str, &str)],
        error: Option<&str>,
    ) -> Value {
        let about = about.iter().copied().filter(|(_, value)| !value.is_empty());
        let status = match error {
            None => json!({"code": OK}),
            Some(error) => json!({"code": ERROR, "message": error}),
        };
        // An event's own time may be ahead of ours.
        let until = until.max(from);
        json!({"traceId": self.id, "spanId": id, "parentSpanId": parent, "name": name, "kind": kind,
            "startTimeUnixNano": nanoseconds(from), "endTimeUnixNano": nanoseconds(until), "attributes": attributes(about), "status": status})
    }
}

/// A Task as the history tells it.
struct Performed<'a> {
    event_id: u64,
    state_name: &'a str,
    resource: String,
    from: Timestamp,
    /// None where the execution ended before it.
    until: Option<Timestamp>,
    error: Option<&'a str>,
}

/// All Tasks, in the order in which they were scheduled. An event names the one before it on its path, and so its state and its Task.
fn tasks(history: &[HistoryEvent]) -> Vec<Performed<'_>> {
    let mut tasks: Vec<Performed<'_>> = Vec::new();
    // Event id → the state that it is in, the number of its Task.
    let mut places: HashMap<u64, (&str, Option<usize>)> = HashMap::new();
    for event in history {
        let (mut state_name, mut number) = places.get(&event.previous_event_id).copied().unwrap_or_default();
        match &event.details {
            Some(EventDetails::StateEntered(entered)) => (state_name, number) = (&entered.name, None),
            Some(EventDetails::TaskScheduled(task)) => {
                number = Some(tasks.len());
                tasks.push(Performed::new(event, state_name, format!("{}:{}", task.resource_type, task.resource)));
            }
            Some(EventDetails::LambdaFunctionScheduled(task) | EventDetails::ActivityScheduled(task)) => {
                number = Some(tasks.len());
                tasks.push(Performed::new(event, state_name, task.resource.clone()));
            }
            _ => {}
        }
        if let Some(task) = number.filter(|_| ends_task(event.kind)).and_then(|number| tasks.get_mut(number)) {
            task.until = Some(event.timestamp);
            task.error = error_of(event);
        }
        places.insert(event.id, (state_name, number));
    }
    tasks
}

impl<'a> Performed<'a> {
    fn new(event: &HistoryEvent, state_name: &'a str, resource: String) -> Performed<'a> {
        Performed { event_id: event.id, state_name, resource, from: event.timestamp, until: None, error: None }
    }
}

fn ends_task(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::TaskSucceeded
            | EventType::TaskFailed
            | EventType::TaskTimedOut
            | EventType::TaskSubmitFailed
            | EventType::LambdaFunctionSucceeded
            | EventType::LambdaFunctionFailed
            | EventType::LambdaFunctionTimedOut
            | EventType::ActivitySucceeded
            | EventType::ActivityFailed
            | EventType::ActivityTimedOut
            | EventType::ActivityScheduleFailed
    )
}

/// The error that ended a Task.
fn error_of(event: &HistoryEvent) -> Option<&str> {
    let said = match &event.details {
        Some(
            EventDetails::TaskFailed(failed)
            | EventDetails::TaskTimedOut(failed)
            | EventDetails::TaskSubmitFailed(failed),
        ) => &failed.error,
        Some(
            EventDetails::LambdaFunctionFailed(failed)
            | EventDetails::LambdaFunctionTimedOut(failed)
            | EventDetails::ActivityFailed(failed)
            | EventDetails::ActivityTimedOut(failed)
            | EventDetails::ActivityScheduleFailed(failed),
        ) => &failed.error,
        _ => return None,
    };
    Some(said.as_deref().unwrap_or("failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> Vec<HistoryEvent> {
        let event = |id: u64, previous: u64, second: u64, kind: &str, details: Value| {
            let mut event = json!({"id": id, "previousEventId": previous, "timestamp": second, "type": kind});
            event.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
            serde_json::from_value(event).unwrap()
        };
        let entered = |name: &str| json!({"stateEnteredEventDetails": {"name": name, "input": "{}", "inputDetails": {"truncated": false}}});
        let scheduled = json!({"taskScheduledEventDetails": {"resourceType": "aws-sdk:s3", "resource": "getBucketAcl", "region": "r", "parameters": "{}"}});
        let failed =
            json!({"taskFailedEventDetails": {"resourceType": "aws-sdk:s3", "resource": "getBucketAcl", "error": "E"}});
        vec![
            event(1, 0, 10, "ExecutionStarted", json!({})),
            event(2, 1, 10, "TaskStateEntered", entered("A")),
            event(3, 1, 10, "TaskStateEntered", entered("B")),
            event(4, 2, 11, "TaskScheduled", scheduled.clone()),
            event(5, 3, 12, "TaskScheduled", scheduled.clone()),
            event(6, 4, 13, "TaskFailed", failed),
            event(7, 6, 14, "TaskScheduled", scheduled),
            event(8, 5, 15, "TaskSucceeded", json!({})),
        ]
    }

    #[test]
    fn tasks_are_found_on_their_paths() {
        let history = history();
        let shown: Vec<_> = tasks(&history)
            .iter()
            .map(|task| {
                (
                    task.event_id,
                    task.state_name,
                    task.from.as_second(),
                    task.until.map(Timestamp::as_second),
                    task.error,
                )
            })
            .collect();
        assert_eq!(shown, [(4, "A", 11, Some(13), Some("E")), (5, "B", 12, Some(15), None), (7, "A", 14, None, None)]);
    }

    #[test]
    fn ids_are_hashes() {
        assert_eq!(hash("a", 8), "ca978112ca1bbdca");
        assert_eq!(hash("a", 16).len(), 32);
    }
}
