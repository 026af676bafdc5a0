//! Answers as the AWS SDK for Java 1 shows them, which the older integrations of Step Functions still do.
//!
//! <https://docs.aws.amazon.com/AWSJavaSDK/latest/javadoc/com/amazonaws/AmazonWebServiceResult.html>

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::attempt::Performed;
use super::{Aws, Call, CallError};
use crate::model::{Node, Type};
use crate::names::{capitalized, member_name};

/// Names of headers as AWS's servers write them, where capitals at the beginnings of words are not all.
const HEADER_NAMES: &[&str] = &["connection", "x-amz-crc32", "x-amz-id-2", "x-amz-request-id", "x-amzn-RequestId"];

/// A result with what the HTTP answer said beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionOneAnswer {
    /// The members have the API's own names with a capital first (`MD5OfMessageBody`), those of a structure in alphabetical order;
    /// timestamps are milliseconds since 1970.
    pub result: Value,
    /// HTTP status.
    pub status: u16,
    /// HTTP headers, several of one name in a row.
    pub headers: Vec<(String, String)>,
    /// AWS's id of the request.
    pub request_id: Option<String>,
}

impl Aws {
    /// Makes a call, and shows its answer as the AWS SDK for Java 1 does.
    pub async fn call_as_version_1(&self, call: Call) -> Result<VersionOneAnswer, CallError> {
        let Performed { service, operation, result, status, headers, body } = self.perform(&call).await?;
        let result = match service.node(operation.output.as_ref()) {
            Some(output) => shown(output, result),
            None => result,
        };
        let request_id = header(&headers, "x-amzn-requestid").or_else(|| header(&headers, "x-amz-request-id"));
        let in_body = matches!(service.metadata.protocol.as_str(), "query" | "ec2");
        let request_id = in_body.then(|| request_id_in(&String::from_utf8_lossy(&body))).flatten().or(request_id);
        Ok(VersionOneAnswer { result, status, headers: named(&headers), request_id })
    }
}

/// What the `aws-sdk` integration shows, as the older ones do.
fn shown(node: Node<'_>, value: Value) -> Value {
    match (node.r#type(), value) {
        (Type::Structure, Value::Object(mut given)) if !node.shape.document => {
            let members = node.members().filter_map(|(name, member)| {
                Some((capitalized(name), shown(member, given.remove(&member_name(name))?)))
            });
            let mut members: Map<String, Value> = members.collect();
            members.sort_keys();
            Value::Object(members)
        }
        (Type::List, Value::Array(items)) => match node.item() {
            Some(item) => items.into_iter().map(|each| shown(item, each)).collect(),
            None => Value::Array(items),
        },
        (Type::Map, Value::Object(entries)) => match node.map_value() {
            Some(of) => Value::Object(entries.into_iter().map(|(key, each)| (key, shown(of, each))).collect()),
            None => Value::Object(entries),
        },
        (Type::Timestamp, Value::String(text)) => match text.parse::<Timestamp>() {
            Ok(at) => Value::from(at.as_millisecond()),
            Err(_) => Value::String(text),
        },
        (_, value) => value,
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// `<ResponseMetadata><RequestId>`.
fn request_id_in(text: &str) -> Option<String> {
    let (_, rest) = text.rsplit_once("<RequestId>")?;
    rest.split_once('<').map(|(id, _)| id.to_owned())
}

/// The client has made the names small; AWS's servers write capitals.
fn named(headers: &HeaderMap) -> Vec<(String, String)> {
    let texts = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    texts
        .map(|(name, value)| {
            let known = HEADER_NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
            let words = || name.split('-').map(capitalized).collect::<Vec<_>>().join("-");
            (known.map_or_else(words, |known| (*known).to_owned()), value.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_have_the_names_of_the_api_and_timestamps_are_milliseconds() {
        let check = |service: &str, action: &str, result: Value, expected: Value| {
            let service = crate::model::service(service).unwrap();
            let (_, operation) = service.operation(action).unwrap();
            let told = shown(service.node(operation.output.as_ref()).unwrap(), result);
            assert_eq!(told.to_string(), expected.to_string(), "{action}");
        };
        check(
            "sqs",
            "sendMessage",
            json!({"MessageId": "m", "Md5OfMessageBody": "d"}),
            json!({"MD5OfMessageBody": "d", "MessageId": "m"}),
        );
        check(
            "sfn",
            "startExecution",
            json!({"StartDate": "2026-01-31T12:00:00.250Z", "ExecutionArn": "a"}),
            json!({"ExecutionArn": "a", "StartDate": 1_769_860_800_250_i64}),
        );
        let item = json!({"Item": {"b": {"S": "x"}, "a": {"L": [{"N": "1"}]}}});
        check("dynamodb", "getItem", item.clone(), item);
        check(
            "ecs",
            "runTask",
            json!({"Tasks": [{"TaskArn": "t", "CreatedAt": "1970-01-01T00:00:01Z"}], "Failures": []}),
            json!({"Failures": [], "Tasks": [{"CreatedAt": 1000, "TaskArn": "t"}]}),
        );
    }

    #[test]
    fn headers_have_their_capitals_again() {
        let names = ["content-length", "x-amzn-requestid", "x-amz-crc32", "date", "connection", "x-amzn-trace-id"];
        let headers = names.iter().map(|name| (name.parse().unwrap(), http::HeaderValue::from_static("v")));
        let named: Vec<String> = named(&headers.collect()).into_iter().map(|(name, _)| name).collect();
        let expected = ["Content-Length", "x-amzn-RequestId", "x-amz-crc32", "Date", "connection", "X-Amzn-Trace-Id"];
        assert!(expected.iter().all(|name| named.iter().any(|found| found == name)), "{named:?}");
    }

    #[test]
    fn the_request_id_of_an_xml_answer_is_in_its_body() {
        let text = "<R><PublishResult><MessageId>m</MessageId></PublishResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></R>";
        assert_eq!(request_id_in(text).as_deref(), Some("r-1"));
        assert_eq!(request_id_in("<R/>"), None);
    }
}
