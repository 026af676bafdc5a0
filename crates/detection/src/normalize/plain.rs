//! Events found in a body's text without making values of them, so that past events by the million can be matched as texts.
//!
//! What CloudTrail and EventBridge write, in the form in which they write it, is plain: a log object (`{"Records": […]}`), an array of
//! records or envelopes, or one of them. All of the text is checked as it is when values are made of it (`Check`). Whatever else a
//! body is, `read_with` says what becomes of it; the two agree wherever this one answers.

use std::fmt;

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use super::{Read, cloudtrail, read};

/// How many records of a plain body may be [`Piece::Text`].
const TEXTS_MAX: usize = 100;

/// A part of a plain body.
#[derive(Debug)]
pub enum Piece<'body> {
    /// An event.
    Event(Plain<'body>),
    /// A record that has to be read as a value, by itself: what it lacks is told there.
    Text(&'body str),
}

/// An event, as it stands in a body.
#[derive(Debug)]
pub struct Plain<'body> {
    /// When it happened.
    pub time: Timestamp,
    text: &'body str,
    /// Where it is a record, what its envelope says; `None` where it is an envelope.
    record: Option<Record<'body>>,
}

/// What the envelope of a CloudTrail record says.
#[derive(Debug)]
struct Record<'body> {
    id: &'body str,
    source: &'body str,
    detail_type: &'static str,
    account: &'body str,
    region: &'body str,
    time: &'body str,
}

impl<'body> Plain<'body> {
    /// The event's envelope as JSON text: what patterns are matched against. `buffer` is what it is written to where it is none yet.
    pub fn envelope<'text>(&'text self, buffer: &'text mut String) -> &'text str {
        let Some(Record { id, source, detail_type, account, region, time }) = &self.record else {
            return self.text;
        };
        buffer.clear();
        // None of these texts has anything in it that would have to be escaped.
        for part in [
            r#"{"version":"0","id":""#,
            id,
            r#"","detail-type":""#,
            detail_type,
            r#"","source":"aws."#,
            source,
            r#"","account":""#,
            account,
            r#"","time":""#,
            time,
            r#"","region":""#,
            region,
            r#"","resources":[],"detail":"#,
            self.text,
            "}",
        ] {
            buffer.push_str(part);
        }
        buffer
    }

    /// The event as a value, as [`read`](super::read) makes it.
    pub fn read(&self) -> Read {
        read(self.text.as_bytes())
    }
}

/// The events of a body that is one plain document; `None` where it is anything else, and has to be read as values.
pub fn plain(body: &[u8]) -> Option<Vec<Piece<'_>>> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let mut scan = Scan { rest: std::str::from_utf8(body).ok()?, pieces: Vec::new(), texts: 0 };
    scan.document()?;
    (scan.skip_blanks().is_empty() && scan.texts <= TEXTS_MAX).then_some(scan.pieces)
}

struct Scan<'body> {
    rest: &'body str,
    pieces: Vec<Piece<'body>>,
    texts: usize,
}

impl<'body> Scan<'body> {
    fn skip_blanks(&mut self) -> &'body str {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
        self.rest
    }

    fn take(&mut self, wanted: &str) -> Option<()> {
        self.rest = self.skip_blanks().strip_prefix(wanted)?;
        Some(())
    }

    fn document(&mut self) -> Option<()> {
        let start = self.skip_blanks();
        if self.take("[").is_some() {
            return self.elements();
        }
        let is_log = ["{", "\"Records\"", ":", "["].into_iter().all(|part| self.take(part).is_some());
        if is_log {
            self.elements()?;
            return self.take("}");
        }
        self.rest = start;
        self.element()
    }

    fn elements(&mut self) -> Option<()> {
        loop {
            self.element()?;
            if self.take(",").is_none() {
                return self.take("]");
            }
        }
    }

    fn element(&mut self) -> Option<()> {
        let rest = self.skip_blanks();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Fields<'body>>();
        let fields = values.next()?.ok()?;
        let (text, after) = rest.split_at_checked(values.byte_offset())?;
        self.rest = after;
        let piece = fields.piece(text)?;
        self.texts += usize::from(matches!(piece, Piece::Text(_)));
        self.pieces.push(piece);
        Some(())
    }
}

/// What makes an object a record or an envelope.
#[derive(Default)]
struct Fields<'body> {
    event_id: Option<&'body str>,
    event_name: Option<()>,
    event_source: Option<&'body str>,
    event_time: Option<&'body str>,
    event_type: Option<&'body str>,
    aws_region: Option<&'body str>,
    recipient_account_id: Option<&'body str>,
    envelope: Envelope<'body>,
    /// Whether it has a field by which it may be something else than a record.
    is_doubtful: bool,
    /// Whether it has a field that no envelope has.
    has_others: bool,
}

#[derive(Default)]
struct Envelope<'body> {
    version: Option<&'body str>,
    id: Option<&'body str>,
    detail_type: Option<&'body str>,
    source: Option<&'body str>,
    account: Option<&'body str>,
    time: Option<&'body str>,
    region: Option<&'body str>,
    resources: Option<()>,
    detail: Option<()>,
}

impl<'body> Fields<'body> {
    fn piece(self, text: &'body str) -> Option<Piece<'body>> {
        if self.envelope.is_any() {
            return self.of_envelope(text).map(Piece::Event);
        }
        let is_record = self.event_name.is_some() && self.event_source.is_some() && !self.is_doubtful;
        is_record.then(|| self.of_record(text).map_or(Piece::Text(text), Piece::Event))
    }

    fn of_record(&self, text: &'body str) -> Option<Plain<'body>> {
        let (source, _) = self.event_source?.split_once(".amazonaws.com")?;
        let (time, written) = canonical(self.event_time?)?;
        let record = Record {
            id: said(self.event_id)?,
            source,
            detail_type: cloudtrail::detail_type_of(self.event_type),
            account: said(self.recipient_account_id)?,
            region: said(self.aws_region)?,
            time: written,
        };
        Some(Plain { time, text, record: Some(record) })
    }

    fn of_envelope(&self, text: &'body str) -> Option<Plain<'body>> {
        let Envelope { version, id, detail_type, source, account, time, region, resources, detail } = &self.envelope;
        [id, detail_type, source, account, region].into_iter().try_for_each(|field| said(*field).map(drop))?;
        (*resources).and(*detail)?;
        if *version != Some("0") || self.has_others {
            return None;
        }
        Some(Plain { time: canonical((*time)?)?.0, text, record: None })
    }
}

impl Envelope<'_> {
    fn is_any(&self) -> bool {
        self.detail_type.is_some() || self.detail.is_some()
    }
}

fn said(field: Option<&str>) -> Option<&str> {
    field.filter(|text| !text.is_empty())
}

/// A time that is written as envelopes have it: `2026-01-31T12:00:00Z`. A leap second is not, as it is shown as the one before.
fn canonical(written: &str) -> Option<(Timestamp, &str)> {
    let fits = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    let form = b"0000-00-00T00:00:00Z";
    if written.len() != form.len() || written.ends_with(":60Z") || !written.bytes().zip(*form).all(fits) {
        return None;
    }
    Some((written.parse().ok()?, written))
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    #[serde(rename = "eventID")]
    EventId,
    #[serde(rename = "eventName")]
    EventName,
    #[serde(rename = "eventSource")]
    EventSource,
    #[serde(rename = "eventTime")]
    EventTime,
    #[serde(rename = "eventType")]
    EventType,
    #[serde(rename = "awsRegion")]
    AwsRegion,
    #[serde(rename = "recipientAccountId")]
    RecipientAccountId,
    #[serde(rename = "version")]
    Version,
    #[serde(rename = "id")]
    Id,
    #[serde(rename = "detail-type")]
    DetailType,
    #[serde(rename = "source")]
    Source,
    #[serde(rename = "account")]
    Account,
    #[serde(rename = "time")]
    Time,
    #[serde(rename = "region")]
    Region,
    #[serde(rename = "resources")]
    Resources,
    #[serde(rename = "detail")]
    Detail,
    /// By which wrappers and S3's notifications are known.
    #[serde(rename = "TopicArn", alias = "Type", alias = "Event", alias = "EventSource")]
    Doubtful,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(field) = map.next_key()? {
            let text = match field {
                Field::EventId => &mut fields.event_id,
                Field::EventSource => &mut fields.event_source,
                Field::EventTime => &mut fields.event_time,
                Field::EventType => &mut fields.event_type,
                Field::AwsRegion => &mut fields.aws_region,
                Field::RecipientAccountId => &mut fields.recipient_account_id,
                Field::Version => &mut fields.envelope.version,
                Field::Id => &mut fields.envelope.id,
                Field::DetailType => &mut fields.envelope.detail_type,
                Field::Source => &mut fields.envelope.source,
                Field::Account => &mut fields.envelope.account,
                Field::Time => &mut fields.envelope.time,
                Field::Region => &mut fields.envelope.region,
                Field::EventName => {
                    once(&mut fields.event_name, map.next_value_seed(CHECK).map(drop)?)?;
                    continue;
                }
                // `resources` of a record are objects.
                Field::Resources => {
                    let Resources { are_texts } = map.next_value()?;
                    fields.has_others |= !are_texts;
                    once(&mut fields.envelope.resources, ())?;
                    continue;
                }
                Field::Detail => {
                    once(&mut fields.envelope.detail, map.next_value_seed(CHECK).map(drop)?)?;
                    continue;
                }
                Field::Doubtful | Field::Other => {
                    fields.is_doubtful |= matches!(field, Field::Doubtful);
                    fields.has_others = true;
                    map.next_value_seed(CHECK)?;
                    continue;
                }
            };
            let value = map.next_value()?;
            once(text, value)?;
        }
        Ok(fields)
    }
}

/// Which of two texts of one name counts is nothing to decide here.
fn once<T, E: serde::de::Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("a field is there twice")),
    }
}

/// Whether a value is an array of texts, as `resources` of envelopes are.
struct Resources {
    are_texts: bool,
}

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Resources;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Resources, A::Error> {
                let mut are_texts = true;
                while let Some(is_text) = array.next_element_seed(CHECK)? {
                    are_texts &= is_text;
                }
                Ok(Resources { are_texts })
            }
        }
        deserializer.deserialize_seq(Texts)
    }
}

/// Reads any value that serde_json makes a value of: nothing is kept of it but whether it is a text, and all of it is looked at (what is
/// only passed over may hold half a surrogate, or a number beyond all bounds).
#[derive(Clone, Copy)]
struct Check {
    /// How deep it is within a record.
    depth: u8,
}

/// A record is within a log object, and is put into an envelope.
const CHECK: Check = Check { depth: 0 };
/// How deep a plain record may nest: less than what serde_json reads, wherever the record stands.
const DEPTH_MAX: u8 = 100;

impl Check {
    fn below<E: serde::de::Error>(self) -> Result<Check, E> {
        match self.depth {
            DEPTH_MAX => Err(E::custom("it nests too deep")),
            depth => Ok(Check { depth: depth + 1 }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Check {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<bool, A::Error> {
        let below = self.below()?;
        while array.next_element_seed(below)?.is_some() {}
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let below = self.below()?;
        while map.next_entry_seed(below, below)?.is_some() {}
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(change: impl FnOnce(&mut Value)) -> Value {
        let mut record = json!({"eventVersion": "1.11", "eventID": "e", "eventTime": "2026-01-01T00:00:00Z", "eventSource": "s3.amazonaws.com",
            "eventName": "PutBucketAcl", "awsRegion": "us-east-1", "recipientAccountId": "123456789012", "eventType": "AwsApiCall",
            "requestParameters": {"bucketName": "b", "x": [1, null, "\u{e9}\"\\"]}});
        change(&mut record);
        record
    }

    fn envelope(change: impl FnOnce(&mut Value)) -> Value {
        let mut envelope = json!({"version": "0", "id": "1", "detail-type": "t", "source": "s", "account": "123456789012",
            "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": ["arn:a"], "detail": {"a": {"b": 1.5}}});
        change(&mut envelope);
        envelope
    }

    /// Wherever a body is plain, its events are those that are read of it as values. Tells how many there are.
    fn agree(body: &str) -> Option<usize> {
        let pieces = plain(body.as_bytes())?;
        let read = read(body.as_bytes());
        let mut buffer = String::new();
        assert_eq!(pieces.len(), read.len(), "{body}");
        for (piece, read) in pieces.iter().zip(read) {
            match piece {
                Piece::Event(event) => {
                    let read = read.unwrap();
                    let envelope = event.envelope(&mut buffer);
                    assert_eq!(serde_json::from_str::<Value>(envelope).unwrap(), read.envelope(), "{body}");
                    assert_eq!((event.time, event.read()), (read.time, vec![Ok(read)]), "{body}");
                }
                Piece::Text(text) => {
                    let alone = super::read(text.as_bytes()).remove(0).map_err(|unreadable| unreadable.reason);
                    assert_eq!(alone, read.map_err(|unreadable| unreadable.reason), "{body}");
                }
            }
        }
        Some(pieces.len())
    }

    #[test]
    fn what_is_plain() {
        let r = record(|_| {});
        let without = |field: &str| record(|record| drop(record.as_object_mut().unwrap().remove(field)));
        let with = |field: &str, value: Value| record(|record| record[field] = value);
        for (body, events) in [
            (json!({"Records": [r, r, r]}).to_string(), Some(3)),
            (json!([r, envelope(|_| {})]).to_string(), Some(2)),
            (format!("\u{feff} {r}\n"), Some(1)),
            (format!(" {{ \"Records\" :\n[ {r} ,{r}\t] }} "), Some(2)),
            (envelope(|_| {}).to_string(), Some(1)),
            (envelope(|envelope| envelope["resources"] = json!([])).to_string(), Some(1)),
            // By themselves.
            (without("eventID").to_string(), Some(1)),
            (without("recipientAccountId").to_string(), Some(1)),
            (json!({"Records": [r, without("awsRegion"), r]}).to_string(), Some(3)),
            (with("eventTime", json!("2026-01-01 00:00:00")).to_string(), Some(1)),
            (with("eventTime", json!("2026-13-01T00:00:00Z")).to_string(), Some(1)),
            (with("eventTime", json!("2016-12-31T23:59:60Z")).to_string(), Some(1)),
            (with("eventID", json!("")).to_string(), Some(1)),
            (with("resources", json!([{"ARN": "arn:a"}])).to_string(), Some(1)),
            (without("eventType").to_string(), Some(1)),
            (with("eventType", json!("AwsConsoleSignIn")).to_string(), Some(1)),
            // As values.
            (json!({"Records": []}).to_string(), None),
            (json!({"Records": [r], "more": 1}).to_string(), None),
            (format!("{r}\n{r}"), None),
            (format!("{{\"Records\": [{r}"), None),
            (format!("{{\"Records\": [{r},]}}"), None),
            (with("eventSource", json!("aws:s3")).to_string(), Some(1)),
            (with("TopicArn", json!("arn")).to_string(), None),
            (with("Event", json!("s3:TestEvent")).to_string(), None),
            (with("eventID", json!(7)).to_string(), None),
            (with("eventID", json!("a\nb")).to_string(), None),
            (with("detail", json!({})).to_string(), None),
            (r.to_string().replacen('{', "{\"eventID\": \"f\",", 1), None),
            (r.to_string().replace("null", "\"\\ud800\""), None),
            (r.to_string().replace("null", "1e999"), None),
            (r.to_string().replace("null", &format!("{}1{}", "[".repeat(120), "]".repeat(120))), None),
            (envelope(|envelope| envelope["version"] = json!("1")).to_string(), None),
            (envelope(|envelope| envelope["more"] = json!("1")).to_string(), None),
            (envelope(|envelope| envelope["resources"] = json!([1])).to_string(), None),
            (envelope(|envelope| envelope["time"] = json!("2026-01-01T00:00:00.5Z")).to_string(), None),
            (json!([json!([r])]).to_string(), None),
            (String::new(), None),
            ("{\"a\": 1}".to_owned(), None),
        ] {
            assert_eq!(agree(&body), events, "{body}");
        }
        assert!(plain(b"\xff").is_none());
    }

    #[test]
    fn many_records_that_are_not_plain_are_read_as_a_body() {
        let odd = record(|record| record["eventID"] = json!(""));
        let body = |count: usize| json!({"Records": vec![odd.clone(); count]}).to_string();
        assert!(plain(body(TEXTS_MAX).as_bytes()).is_some());
        assert!(plain(body(TEXTS_MAX + 1).as_bytes()).is_none());
    }
}
