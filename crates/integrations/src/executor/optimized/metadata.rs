//! `SdkHttpMetadata` and `SdkResponseMetadata`: what the AWS SDK for Java 1 adds to each result.

use aws::VersionOneAnswer;
use query::java;
use serde_json::{Map, Value, json};

/// The result with what the HTTP answer said, its members in alphabetical order.
pub(in super::super) fn with_metadata(mut result: Map<String, Value>, answer: &VersionOneAnswer) -> Value {
    let mut headers = answer.headers.clone();
    headers.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    let mut single = Map::new();
    let mut all = Map::new();
    for (name, value) in headers {
        single.insert(name.clone(), Value::from(value.as_str()));
        if let Value::Array(values) = all.entry(name).or_insert_with(|| json!([])) {
            values.push(Value::from(value));
        }
    }
    // The older SDK keeps these in a `java.util.HashMap`, the others in order.
    let http = json!({"AllHttpHeaders": java::hash_map(all), "HttpHeaders": single, "HttpStatusCode": answer.status});
    result.insert("SdkHttpMetadata".to_owned(), http);
    result.insert("SdkResponseMetadata".to_owned(), json!({"RequestId": answer.request_id}));
    result.sort_keys();
    Value::Object(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_the_request_id_are_shown_beside_the_result() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let answer = VersionOneAnswer {
            result: Value::Null,
            status: 200,
            headers: vec![header("x-a", "1"), header("Date", "d"), header("x-a", "2")],
            request_id: Some("r".to_owned()),
        };
        let result = Map::from_iter([("Zone".to_owned(), json!(1)), ("MessageId".to_owned(), json!("m"))]);
        let expected = json!({
            "MessageId": "m",
            "SdkHttpMetadata": {
                "AllHttpHeaders": {"x-a": ["1", "2"], "Date": ["d"]},
                "HttpHeaders": {"Date": "d", "x-a": "2"},
                "HttpStatusCode": 200,
            },
            "SdkResponseMetadata": {"RequestId": "r"},
            "Zone": 1,
        });
        assert_eq!(with_metadata(result, &answer).to_string(), expected.to_string());
    }
}
