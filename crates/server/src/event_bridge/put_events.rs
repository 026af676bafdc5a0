//! PutEvents.

use detection::Event;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{App, access::Caller, aws_json::ApiError, intake::NotTaken, metrics::figures::Way};

/// Entries in one request.
const MOST_ENTRIES: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    time: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    failed_entry_count: usize,
    entries: Vec<Outcome>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Taken {
        #[serde(rename = "EventId")]
        event_id: String,
    },
    Refused {
        #[serde(rename = "ErrorCode")]
        error_code: &'static str,
        #[serde(rename = "ErrorMessage")]
        error_message: String,
    },
}

pub async fn call(app: &App, caller: &Caller, request: Request) -> Result<Response, ApiError> {
    if request.entries.is_empty() || request.entries.len() > MOST_ENTRIES {
        return Err(ApiError::validation(format!(
            "1 validation error detected: 'entries' has to hold 1 to {MOST_ENTRIES} entries"
        )));
    }
    match app.intake.admit().await {
        Ok(()) => {}
        // As AWS says it, so that SDKs wait and try again.
        Err(NotTaken::HeldUp(reason)) => {
            return Err(ApiError::caller("ThrottlingException", format!("Rate exceeded: {reason}")));
        }
        Err(error) => return Err(ApiError::unavailable(error.to_string())),
    }
    let mut entries = Vec::new();
    for entry in request.entries {
        entries.push(match event(entry, app, caller) {
            Err(refused) => refused,
            Ok(event) => match app.intake.take_event(&event).await {
                Ok(receipt) => {
                    app.registry.figures.received(Way::PutEvents, &receipt);
                    Outcome::Taken { event_id: event.id }
                }
                Err(error) => Outcome::Refused { error_code: "InternalException", error_message: error.to_string() },
            },
        });
    }
    let failed_entry_count = entries.iter().filter(|entry| matches!(entry, Outcome::Refused { .. })).count();
    Ok(Response { failed_entry_count, entries })
}

fn event(entry: Entry, app: &App, caller: &Caller) -> Result<Event, Outcome> {
    let refuse = |error_code, message: &str| Outcome::Refused { error_code, error_message: message.to_owned() };
    let missing = |name| {
        refuse("InvalidArgument", &format!("Parameter {name} is not valid. Reason: {name} is a required argument."))
    };
    let source = entry.source.filter(|source| !source.is_empty()).ok_or_else(|| missing("Source"))?;
    let detail_type = entry.detail_type.filter(|text| !text.is_empty()).ok_or_else(|| missing("DetailType"))?;
    let detail: Value = serde_json::from_str(&entry.detail.ok_or_else(|| missing("Detail"))?)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| refuse("MalformedDetail", "Detail is malformed."))?;
    if source.starts_with("aws.") {
        return Err(refuse(
            "NotAuthorizedForSourceException",
            "Not authorized for the source: as on AWS, PutEvents takes no `aws.*` source; hand AWS's own events to POST /events or through a queue",
        ));
    }
    let time = entry.time.and_then(timestamp).unwrap_or_else(Timestamp::now);
    let id = uuid::Uuid::new_v4().to_string();
    Ok(Event {
        id,
        source,
        detail_type,
        account: app.account.clone(),
        region: caller.region.clone(),
        time,
        resources: entry.resources,
        detail,
    })
}

/// Seconds since 1970, as the protocol writes a timestamp; EventBridge keeps whole seconds.
fn timestamp(seconds: f64) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`as` saturates, and what is out of a timestamp's range is refused below"
    )]
    Timestamp::from_second(seconds.floor() as i64).ok()
}
