//! What a source said, as an EventBridge envelope.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The fields without which `TestEventPattern` refuses an event.
const REQUIRED: [&str; 6] = ["id", "account", "source", "time", "region", "detail-type"];

/// An event. Source: <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// The envelope's id.
    pub id: String,
    /// `aws.s3` …
    pub source: String,
    /// `AWS API Call via CloudTrail` …
    pub detail_type: String,
    /// Twelve digits.
    pub account: String,
    /// Region.
    pub region: String,
    /// When it happened.
    pub time: Timestamp,
    /// ARNs.
    pub resources: Vec<String>,
    /// The rest, as the source has it.
    pub detail: Value,
}

impl Event {
    /// Reads an envelope as EventBridge writes it; `resources` and `detail` may be missing. The error names the field at fault.
    pub fn from_envelope(mut envelope: Value) -> Result<Event, String> {
        let detail = envelope.get_mut("detail").map_or_else(|| json!({}), Value::take);
        let envelope = &envelope;
        Ok(Event {
            id: text(envelope, "id")?,
            source: text(envelope, "source")?,
            detail_type: text(envelope, "detail-type")?,
            account: text(envelope, "account")?,
            region: text(envelope, "region")?,
            time: time(envelope, "time")?,
            resources: resources(envelope)?,
            detail,
        })
    }

    /// What makes two deliveries the same event: CloudTrail's own `eventID` where CloudTrail speaks, else the envelope's id.
    pub fn identity(&self) -> &str {
        let cloudtrails = self.detail.get("eventID").and_then(Value::as_str).filter(|id| !id.is_empty());
        cloudtrails.filter(|_| self.is_cloudtrails()).unwrap_or(&self.id)
    }

    /// Whether CloudTrail wrote the detail. Others' details may have an `eventID` too, which says nothing of the delivery.
    fn is_cloudtrails(&self) -> bool {
        let has = |field: &str| self.detail.get(field).is_some_and(Value::is_string);
        self.detail_type.ends_with(" via CloudTrail")
            || ["eventVersion", "eventSource", "eventName", "eventTime"].into_iter().all(has)
    }

    /// The envelope as EventBridge writes it: what patterns are matched against.
    pub fn envelope(&self) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": self.time,
            "region": self.region,
            "resources": self.resources,
            "detail": self.detail,
        })
    }
}

/// Whether `TestEventPattern` takes an event: any JSON object that has `id, account, source, time, region, detail-type`. The error is
/// the message of AWS's `ValidationException`. Source:
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html>
pub fn check_envelope(event: &Value) -> Result<(), String> {
    let Some(event) = event.as_object() else {
        return Err("Parameter Event is not valid.".to_owned());
    };
    match REQUIRED.iter().find(|field| !event.contains_key(**field)) {
        None => Ok(()),
        Some(field) => {
            Err(format!("Parameter Event is not valid. Reason: Provided Event is missing required field {field}."))
        }
    }
}

/// A text field that must be there, and must not be empty.
pub(crate) fn text(object: &Value, field: &str) -> Result<String, String> {
    match object.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) => Err(format!("`{field}` is empty")),
        Some(_) => Err(format!("`{field}` must be a text")),
        None => Err(format!("`{field}` is missing")),
    }
}

/// A time field (RFC 3339) that must be there. A time without an offset is UTC, as AWS's times are.
pub(crate) fn time(object: &Value, field: &str) -> Result<Timestamp, String> {
    let written = text(object, field)?;
    written.parse::<Timestamp>().or_else(|_| {
        let civil = written.parse::<DateTime>().and_then(|civil| civil.to_zoned(TimeZone::UTC));
        civil
            .map(|zoned| zoned.timestamp())
            .map_err(|_| format!("`{field}` is no time: `{written}`; expected one like `2026-01-31T12:00:00Z`"))
    })
}

/// The ARNs; none where the field is missing.
pub(crate) fn resources(envelope: &Value) -> Result<Vec<String>, String> {
    match envelope.get("resources") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(resources)) => resources
            .iter()
            .map(|resource| resource.as_str().map(str::to_owned).ok_or("`resources` must hold texts only".to_owned()))
            .collect(),
        Some(_) => Err("`resources` must be an array of texts".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Value {
        json!({
            "version": "0", "id": "1", "detail-type": "T", "source": "s", "account": "123456789012",
            "time": "2015-11-11T21:29:54Z", "region": "us-east-1", "resources": ["arn:a"], "detail": {"eventID": "e"}
        })
    }

    #[test]
    fn an_envelope_comes_back_as_it_was() {
        let event = Event::from_envelope(envelope()).unwrap();
        assert_eq!(event.envelope(), envelope());
        assert_eq!(serde_json::from_value::<Event>(serde_json::to_value(&event).unwrap()).unwrap(), event);
    }

    #[test]
    fn cloudtrail_names_its_events_and_others_do_not() {
        let check = |detail_type: &str, detail: Value, expected: &str| {
            let mut envelope = envelope();
            envelope["detail-type"] = json!(detail_type);
            envelope["detail"] = detail;
            let event = Event::from_envelope(envelope).unwrap();
            assert_eq!(event.identity(), expected, "{event:?}");
        };
        for detail_type in ["AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail"] {
            check(detail_type, json!({"eventID": "e"}), "e");
            for id in [json!(""), json!(7), Value::Null] {
                check(detail_type, json!({"eventID": id}), "1");
            }
            check(detail_type, json!({}), "1");
        }
        let record = json!({
            "eventVersion": "1.11", "eventSource": "s3.amazonaws.com", "eventName": "PutBucketAcl",
            "eventTime": "2015-11-11T21:29:54Z", "eventID": "e",
        });
        check("forwarded", record, "e");
        check("order placed", json!({"eventID": "e"}), "1");
        check("order placed", json!({"eventID": "e", "eventName": "placed", "eventSource": "shop"}), "1");
    }

    #[test]
    fn what_an_envelope_lacks_is_named() {
        let check = |change: fn(&mut Value), expected: &str| {
            let mut envelope = envelope();
            change(&mut envelope);
            assert_eq!(Event::from_envelope(envelope).unwrap_err(), expected);
        };
        check(|envelope| drop(envelope.as_object_mut().unwrap().remove("id")), "`id` is missing");
        check(|envelope| envelope["account"] = json!(12), "`account` must be a text");
        check(|envelope| envelope["region"] = json!(""), "`region` is empty");
        check(
            |envelope| envelope["time"] = json!("soon"),
            "`time` is no time: `soon`; expected one like `2026-01-31T12:00:00Z`",
        );
        check(|envelope| envelope["resources"] = json!("arn"), "`resources` must be an array of texts");
        check(|envelope| envelope["resources"] = json!([1]), "`resources` must hold texts only");
    }

    #[test]
    fn a_time_without_an_offset_is_utc() {
        let mut envelope = envelope();
        envelope["time"] = json!("2015-11-11 21:29:54.000000000");
        assert_eq!(Event::from_envelope(envelope).unwrap().time.to_string(), "2015-11-11T21:29:54Z");
    }

    #[test]
    fn test_event_pattern_needs_six_fields() {
        let mut minimal = envelope();
        for field in ["version", "resources", "detail"] {
            minimal.as_object_mut().unwrap().remove(field);
        }
        assert_eq!(check_envelope(&minimal), Ok(()));
        for field in REQUIRED {
            let mut event = minimal.clone();
            event.as_object_mut().unwrap().remove(field);
            let message =
                format!("Parameter Event is not valid. Reason: Provided Event is missing required field {field}.");
            assert_eq!(check_envelope(&event), Err(message));
        }
        assert_eq!(check_envelope(&json!([])), Err("Parameter Event is not valid.".to_owned()));
    }
}
