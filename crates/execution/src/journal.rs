//! Records as bytes: each long JSON text once.
//!
//! What a state puts out is what the next one gets, often what its task answered, at last what the execution puts out: in a
//! row of the journal all but the first are `#n`, the n-th long text of the row from 0. (No JSON begins with `#`.)

use std::collections::HashMap;

use serde::de::Error as _;

use crate::{
    EventDetails, Fact, Json, Record,
    record::{Ready, Work},
};

/// Texts shorter than this are written again: the reference would save nothing worth the search.
const LONG: usize = 64;

/// The bytes that a record takes, or a little more.
const RECORD_BYTES: usize = 192;

/// The records of a step as bytes.
pub fn write(mut records: Vec<Record>) -> Result<Vec<u8>, serde_json::Error> {
    let mut seen: HashMap<Box<str>, usize> = HashMap::new();
    // Most often it is the same document once more, and no text need be compared.
    let mut last: Option<(Json, Json)> = None;
    for payload in records.iter_mut().filter_map(payload_mut).filter(|payload| payload.text().len() >= LONG) {
        if let Some((document, reference)) = &last
            && document == payload
        {
            *payload = reference.clone();
            continue;
        }
        let number = seen.get(payload.text()).copied();
        let reference = Json::reference(number.unwrap_or(seen.len()));
        let document = match number {
            Some(_) => std::mem::replace(payload, reference.clone()),
            None => {
                seen.insert(payload.text().into(), seen.len());
                payload.clone()
            }
        };
        last = Some((document, reference));
    }
    let mut bytes = Vec::with_capacity(records.len().saturating_mul(RECORD_BYTES));
    serde_json::to_writer(&mut bytes, &records)?;
    Ok(bytes)
}

/// The records that [`write`] wrote.
pub fn read(bytes: &[u8]) -> Result<Vec<Record>, serde_json::Error> {
    let mut records: Vec<Record> = serde_json::from_slice(bytes)?;
    let mut seen: Vec<Json> = Vec::new();
    for payload in records.iter_mut().filter_map(payload_mut) {
        match payload.referred() {
            Some(number) => {
                let referred = seen.get(number).cloned();
                *payload = referred.ok_or_else(|| serde_json::Error::custom(format!("there is no text #{number}")))?;
            }
            None if payload.text().len() >= LONG => seen.push(payload.clone()),
            None => {}
        }
    }
    Ok(records)
}

/// The text of a record that may be long.
pub(crate) fn payload(record: &Record) -> Option<&Json> {
    use EventDetails as Details;
    match record {
        Record::Event(event) => match event.details.as_ref()? {
            Details::ExecutionStarted(details) => Some(&details.input),
            Details::StateEntered(details) => Some(&details.input),
            Details::StateExited(details) => Some(&details.output),
            Details::TaskScheduled(details) => Some(&details.parameters),
            Details::LambdaFunctionScheduled(details) | Details::ActivityScheduled(details) => Some(&details.input),
            Details::TaskSubmitted(details) | Details::TaskSucceeded(details) => Some(&details.output),
            Details::LambdaFunctionSucceeded(details)
            | Details::ActivitySucceeded(details)
            | Details::ExecutionSucceeded(details) => Some(&details.output),
            _ => None,
        },
        Record::Fact(
            Fact::Items { items: payload, .. }
            | Fact::Ready { ready: Ready { work: Work::Enter { input: payload, .. }, .. }, .. },
        ) => Some(payload),
        Record::Fact(_) => None,
    }
}

/// The same, to change it.
fn payload_mut(record: &mut Record) -> Option<&mut Json> {
    use EventDetails as Details;
    match record {
        Record::Event(event) => match event.details.as_mut()? {
            Details::ExecutionStarted(details) => Some(&mut details.input),
            Details::StateEntered(details) => Some(&mut details.input),
            Details::StateExited(details) => Some(&mut details.output),
            Details::TaskScheduled(details) => Some(&mut details.parameters),
            Details::LambdaFunctionScheduled(details) | Details::ActivityScheduled(details) => Some(&mut details.input),
            Details::TaskSubmitted(details) | Details::TaskSucceeded(details) => Some(&mut details.output),
            Details::LambdaFunctionSucceeded(details)
            | Details::ActivitySucceeded(details)
            | Details::ExecutionSucceeded(details) => Some(&mut details.output),
            _ => None,
        },
        Record::Fact(
            Fact::Items { items: payload, .. }
            | Fact::Ready { ready: Ready { work: Work::Enter { input: payload, .. }, .. }, .. },
        ) => Some(payload),
        Record::Fact(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{EventType, HistoryEvent, history::OutputDetails};

    fn record(text: &str) -> Record {
        let output = Json::parse(text).unwrap();
        let details = EventDetails::ExecutionSucceeded(OutputDetails { output, output_details: Default::default() });
        Record::Event(Box::new(HistoryEvent {
            id: 1,
            previous_event_id: 0,
            timestamp: Timestamp::UNIX_EPOCH,
            kind: EventType::ExecutionSucceeded,
            details: Some(details),
        }))
    }

    #[test]
    fn long_texts_are_written_once() {
        let (one, other) = (format!("\"{}\"", "a".repeat(100)), format!("\"{}\"", "b".repeat(100)));
        let records = [&one, "1", &other, "1", &one, &other, &other].map(record);
        let bytes = write(records.to_vec()).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!((text.matches("aaa").count(), text.matches("bbb").count()), (33, 33));
        assert_eq!(read(&bytes).unwrap(), records);
    }

    #[test]
    fn a_text_that_is_not_there_is_an_error() {
        let text = serde_json::to_string(&[record("1")]).unwrap().replace("\"output\":\"1\"", "\"output\":\"#3\"");
        assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), "there is no text #3");
    }
}
