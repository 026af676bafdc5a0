//! Smithy RPC v2 CBOR.
//!
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use ciborium::Value as Cbor;
use jiff::Timestamp;
use serde_json::{Map, Number, Value, json};

use super::{Request, blob, timestamp};
use crate::model::{Node, Service, Type};
use crate::names::member_name;

/// How deep an answer may nest.
const DEPTH: usize = 64;
/// The tag of a timestamp: seconds since 1970.
const SECONDS: u64 = 1;

pub(super) fn request(
    service: &Service,
    name: &str,
    input: Option<Node<'_>>,
    parameters: &Map<String, Value>,
) -> Result<Request, String> {
    let prefix = service.metadata.target_prefix.as_deref().unwrap_or_default();
    let mut headers = vec![
        ("smithy-protocol".to_owned(), "rpc-v2-cbor".to_owned()),
        ("accept".to_owned(), "application/cbor".to_owned()),
    ];
    let mut body = Vec::new();
    if let Some(node) = input {
        let item = write(node, &Value::Object(parameters.clone()));
        ciborium::into_writer(&item, &mut body).map_err(|error| format!("no CBOR can be made of it: {error}"))?;
        headers.push(("content-type".to_owned(), "application/cbor".to_owned()));
    }
    if service.metadata.aws_query_compatible.is_some() {
        headers.push(("x-amzn-query-mode".to_owned(), "true".to_owned()));
    }
    let path = format!("/service/{prefix}/operation/{name}");
    Ok(Request { method: "POST".to_owned(), path, headers, body, ..Request::default() })
}

/// Bound parameters → the item.
fn write(node: Node<'_>, value: &Value) -> Cbor {
    match (node.r#type(), value) {
        (Type::Structure, Value::Object(given)) if !node.shape.document => {
            let members = node.members().filter_map(|(name, member)| Some((name, member, given.get(name)?)));
            Cbor::Map(
                members
                    .map(|(name, member, value)| {
                        (Cbor::from(member.location_name().unwrap_or(name)), write(member, value))
                    })
                    .collect(),
            )
        }
        (Type::List, Value::Array(items)) => match node.item() {
            Some(item) => Cbor::Array(items.iter().map(|each| write(item, each)).collect()),
            None => plain(value),
        },
        (Type::Map, Value::Object(entries)) => match node.map_value() {
            Some(of) => {
                Cbor::Map(entries.iter().map(|(key, each)| (Cbor::from(key.as_str()), write(of, each))).collect())
            }
            None => plain(value),
        },
        (Type::Blob, Value::String(text)) => Cbor::Bytes(text.clone().into_bytes()),
        (Type::Float | Type::Double, Value::Number(number)) => number.as_f64().map_or(Cbor::Null, Cbor::Float),
        (Type::Timestamp, Value::String(text)) => {
            Cbor::Tag(SECONDS, Box::new(plain(&timestamp::write(text, "unixTimestamp"))))
        }
        _ => plain(value),
    }
}

fn plain(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(truth) => Cbor::Bool(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Cbor::from(whole),
            (None, Some(whole)) => Cbor::from(whole),
            (None, None) => number.as_f64().map_or(Cbor::Null, Cbor::Float),
        },
        Value::String(text) => Cbor::from(text.as_str()),
        Value::Array(items) => Cbor::Array(items.iter().map(plain).collect()),
        Value::Object(entries) => {
            Cbor::Map(entries.iter().map(|(key, each)| (Cbor::from(key.as_str()), plain(each))).collect())
        }
    }
}

/// The body, an empty one being no members.
pub(super) fn parse(body: &[u8]) -> Result<Cbor, String> {
    if body.is_empty() {
        return Ok(Cbor::Map(Vec::new()));
    }
    ciborium::de::from_reader_with_recursion_limit(body, DEPTH)
        .map_err(|error| format!("the answer's body is no CBOR that can be read: {error}"))
}

/// A text member of a structure.
pub(super) fn text<'c>(item: &'c Cbor, name: &str) -> Option<&'c str> {
    member(item.as_map()?, name)?.as_text()
}

/// The result of an operation that went well.
pub(super) fn result(node: Node<'_>, body: &[u8]) -> Result<Value, String> {
    Ok(read(node, &parse(body)?).unwrap_or_else(|| json!({})))
}

/// The item → the result; nulls are left out.
fn read(node: Node<'_>, item: &Cbor) -> Option<Value> {
    Some(match (node.r#type(), item) {
        (_, Cbor::Null) => return None,
        (Type::Structure, Cbor::Map(given)) if !node.shape.document => {
            let members = node.members().filter_map(|(name, of)| {
                let item = member(given, of.location_name().unwrap_or(name))?;
                Some((member_name(name), read(of, item)?))
            });
            Value::Object(members.collect())
        }
        (Type::List, Cbor::Array(items)) => match node.item() {
            Some(of) => items.iter().map(|each| read(of, each).unwrap_or(Value::Null)).collect(),
            None => show(item),
        },
        (Type::Map, Cbor::Map(entries)) => match node.map_value() {
            Some(of) => {
                let entries = entries.iter().filter_map(|(key, each)| Some((key_text(key), read(of, each)?)));
                Value::Object(entries.collect())
            }
            None => show(item),
        },
        (Type::Timestamp, Cbor::Tag(SECONDS, inner)) => read_timestamp(inner),
        (Type::Timestamp, _) => read_timestamp(item),
        // Whole numbers come without a fraction, whatever the type.
        (Type::Float | Type::Double, Cbor::Integer(number)) => {
            let whole = i128::from(*number).to_string().parse().ok();
            whole.and_then(Number::from_f64).map_or_else(|| show(item), Value::Number)
        }
        _ => show(item),
    })
}

fn member<'c>(entries: &'c [(Cbor, Cbor)], name: &str) -> Option<&'c Cbor> {
    entries.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, item)| item)
}

fn key_text(key: &Cbor) -> String {
    match show(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn read_timestamp(item: &Cbor) -> Value {
    let at = match item {
        Cbor::Integer(seconds) => i64::try_from(*seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()),
        Cbor::Float(seconds) => timestamp::from_seconds(*seconds),
        _ => None,
    };
    at.map_or_else(|| show(item), |at| Value::String(timestamp::show(at)))
}

/// An item as it came. What JSON has no number for is its text.
fn show(item: &Cbor) -> Value {
    match item {
        Cbor::Bool(truth) => Value::Bool(*truth),
        Cbor::Integer(number) => {
            let number = i128::from(*number);
            let small = i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from));
            small.unwrap_or_else(|_| Value::String(number.to_string()))
        }
        Cbor::Float(number) => Number::from_f64(*number).map_or_else(|| special(*number), Value::Number),
        Cbor::Bytes(bytes) => blob(bytes.clone()),
        Cbor::Text(text) => Value::from(text.as_str()),
        Cbor::Array(items) => items.iter().map(show).collect(),
        Cbor::Map(entries) => Value::Object(entries.iter().map(|(key, each)| (key_text(key), show(each))).collect()),
        Cbor::Tag(_, inner) => show(inner),
        _ => Value::Null,
    }
}

/// As JSON protocols write them.
fn special(number: f64) -> Value {
    Value::from(match number {
        number if number.is_nan() => "NaN",
        number if number > 0.0 => "Infinity",
        _ => "-Infinity",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn items_of_every_kind() {
        for (bytes, expected) in [
            ("1903e8", json!(1000)),
            ("3903e7", json!(-1000)),
            ("1bffffffffffffffff", json!(u64::MAX)),
            ("3bffffffffffffffff", json!("-18446744073709551616")),
            ("f93e00", json!(1.5)),
            ("f97c00", json!("Infinity")),
            ("fb3ff199999999999a", json!(1.1)),
            ("c074323031332d30332d32315432303a30343a30305a", json!("2013-03-21T20:04:00Z")),
            ("7f657374726561646d696e67ff", json!("streaming")),
            ("5f42616243636465ff", json!("abcde")),
            ("bf61610161629f0203ffff", json!({"a": 1, "b": [2, 3]})),
            ("f7", json!(null)),
        ] {
            assert_eq!(show(&parse(&hex(bytes)).unwrap()), expected, "{bytes}");
        }
        assert!(parse(&hex("a1")).unwrap_err().starts_with("the answer's body is no CBOR"));
        assert!(parse(&[0x81; 1000]).is_err());
    }

    #[test]
    fn requests_and_answers_along_the_model() {
        let service = crate::model::speaking("cloudwatch", "smithy-rpc-v2-cbor");
        let (name, operation) = service.operation("putMetricAlarm").unwrap();
        let parameters = json!({"AlarmName": "a", "EvaluationPeriods": 2, "Threshold": 1});
        let made =
            request(&service, name, service.node(operation.input.as_ref()), parameters.as_object().unwrap()).unwrap();
        assert_eq!(made.path, "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm");
        assert_eq!(
            show(&parse(&made.body).unwrap()),
            json!({
                "AlarmName": "a", "EvaluationPeriods": 2, "Threshold": 1.0,
            })
        );

        let (_, operation) = service.operation("getMetricStatistics").unwrap();
        let output = service.node(operation.output.as_ref()).unwrap();
        // {"Label": "l", "Datapoints": [{"Timestamp": 1(1769860800), "Average": 1.5, "Unit": null}], "Unknown": 1}
        let body = hex(
            "a3654c6162656c616c6a44617461706f696e747381a36954696d657374616d70c11a697deec06741766572616765f93e0064556e6974f667556e6b6e6f776e01",
        );
        assert_eq!(
            result(output, &body).unwrap(),
            json!({"Label": "l", "Datapoints": [{"Timestamp": "2026-01-31T12:00:00Z", "Average": 1.5}]})
        );
        assert_eq!(result(output, b"").unwrap(), json!({}));
    }
}
