//! `arn:aws:states:::apigateway:invoke`: an API behind API Gateway.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-api-gateway.html>

use std::time::Duration;

use bytes::Bytes;
use engine::ports::Task;
use http::{Request, header};
use serde_json::{Map, Value};

use super::{
    Executor, Failure, aws_sdk, home, http_answer,
    http_parameters::{Parameters, with_query},
};

const RESOURCE: &str = "apigateway:invoke";

const KNOWN: &[&str] = &[
    "ApiEndpoint",
    "Method",
    "Headers",
    "Stage",
    "Path",
    "QueryParameters",
    "RequestBody",
    "AllowNullValues",
    "AuthType",
];

/// Headers that a Task can't set, and beginnings of such.
const RESERVED: &[&str] = &[
    "authorization",
    "connection",
    "content-md5",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
];
const RESERVED_BEGINNINGS: &[&str] = &["x-amz-", "x-amzn-", "x-forwarded-"];

/// API Gateway gives up after 29 s, or later where its quota was raised.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Of an answer: API Gateway's own limit.
const ANSWER_BYTES: usize = 10 * 1024 * 1024;

impl Executor {
    pub(super) async fn invoke_api(&self, task: &Task) -> Result<Value, Failure> {
        let parameters = Parameters::new(RESOURCE, &task.scheduled.arguments, KNOWN)?;
        let mut request = request(&parameters)?;
        match parameters.text("AuthType")?.unwrap_or("NO_AUTH") {
            "NO_AUTH" => {}
            "IAM_ROLE" | "RESOURCE_POLICY" => {
                let (home, _) = home(task)?;
                let region = region_of(request.uri().host().unwrap_or_default()).unwrap_or(home).to_owned();
                let role = task.scheduled.role_arn.as_deref();
                let signed = self.aws.sign(&mut request, ("execute-api", &region), role, "ApiGateway").await;
                signed.map_err(|error| aws_sdk::Error::Call(error).into_failure(&task.scheduled.state_name))?;
            }
            other => {
                let why = format!("`AuthType` must be NO_AUTH, IAM_ROLE or RESOURCE_POLICY, not `{other}`");
                return Err(parameters.wrong(&why));
            }
        }
        let answer = self.http.client.send(request, TIMEOUT, ANSWER_BYTES).await;
        let answer = answer
            .map_err(|error| Failure { error: "ApiGateway.SdkClientException".to_owned(), cause: error.message })?;
        http_answer::shown(&answer, "ApiGateway.", header_name)
    }
}

fn request(parameters: &Parameters<'_>) -> Result<Request<Bytes>, Failure> {
    let method = parameters.method()?;
    let url = with_query(&url(parameters)?, &parameters.pairs("QueryParameters")?);
    let mut request = Request::builder().method(method).uri(url);
    let headers = parameters.headers(is_reserved)?;
    let has_type = headers.iter().any(|(name, _)| name == header::CONTENT_TYPE);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    // A string is JSON too: it is sent in quotes.
    let body = parameters.get("RequestBody").map(|body| match parameters.get("AllowNullValues") {
        Some(Value::Bool(true)) => body.to_string(),
        _ => without_nulls(body).to_string(),
    });
    if body.is_some() && !has_type {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request
        .header(header::USER_AGENT, "Amazon|StepFunctions")
        .body(Bytes::from(body.unwrap_or_default()))
        .map_err(|error| parameters.wrong(&format!("they make no URL: {error}")))
}

/// `ApiEndpoint` is a host; on this machine, a URL.
fn url(parameters: &Parameters<'_>) -> Result<String, Failure> {
    let endpoint = parameters.required("ApiEndpoint")?.trim_end_matches('/');
    let mut url = if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") };
    for name in ["Stage", "Path"] {
        if let Some(part) =
            parameters.text(name)?.map(|part| part.trim_start_matches('/')).filter(|part| !part.is_empty())
        {
            url = format!("{url}/{}", part.replace(' ', "%20"));
        }
    }
    Ok(url)
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_BEGINNINGS.iter().any(|start| name.starts_with(start))
}

/// `id.execute-api.eu-west-1.amazonaws.com`
fn region_of(host: &str) -> Option<&str> {
    host.split_once(".execute-api.")?.1.split_once(".amazonaws.com").map(|(region, _)| region)
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let entries = entries.iter().filter(|(_, each)| !each.is_null());
            Value::Object(entries.map(|(key, each)| (key.clone(), without_nulls(each))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// As API Gateway writes it: over HTTP/1.1 capitals are kept at AWS, and lost in the client here.
fn header_name(name: &str) -> String {
    match name {
        "x-amz-apigw-id" => name.to_owned(),
        "x-amzn-requestid" => "x-amzn-RequestId".to_owned(),
        _ => {
            let words = name.split('-').map(|word| {
                let mut letters = word.chars();
                letters
                    .next()
                    .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
            });
            words.collect::<Vec<_>>().join("-")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_of_parameters() {
        let host = "abc123.execute-api.eu-west-1.amazonaws.com";
        for (given, expected) in [
            (
                json!({"ApiEndpoint": host, "Method": "POST", "Stage": "live", "Path": "/a/b", "RequestBody": "Hello"}),
                Ok(("POST", "https://abc123.execute-api.eu-west-1.amazonaws.com/live/a/b", "\"Hello\"")),
            ),
            (
                json!({"ApiEndpoint": host, "Method": "GET", "QueryParameters": {"a": ["1", "x y"], "b": "&"}, "RequestBody": null}),
                Ok(("GET", "https://abc123.execute-api.eu-west-1.amazonaws.com?a=1&a=x%20y&b=%26", "")),
            ),
            (
                json!({"ApiEndpoint": host, "Method": "POST", "RequestBody": {"a": null, "b": [{"c": null}]}}),
                Ok(("POST", "https://abc123.execute-api.eu-west-1.amazonaws.com", "{\"b\":[{}]}")),
            ),
            (
                json!({"ApiEndpoint": host, "Method": "POST", "RequestBody": {"a": null}, "AllowNullValues": true}),
                Ok(("POST", "https://abc123.execute-api.eu-west-1.amazonaws.com", "{\"a\":null}")),
            ),
            (json!({"Method": "GET"}), Err("[The field 'ApiEndpoint' is required but was missing]")),
            (json!({"ApiEndpoint": host, "Method": "get"}), Err("`Method` must be one of GET, POST")),
            (
                json!({"ApiEndpoint": host, "Method": "GET", "Headers": {"Authorization": ["x"]}}),
                Err("the header `Authorization` can't be set"),
            ),
            (
                json!({"ApiEndpoint": host, "Method": "GET", "Headers": {"a": [{}]}}),
                Err("`Headers.a` must be a string or a list of strings"),
            ),
            (
                json!({"ApiEndpoint": host, "Method": "GET", "QueryParameters": "?a=b"}),
                Err("[The value of the field 'QueryParameters' has an invalid format]"),
            ),
            (
                json!({"ApiEndpoint": host, "Methods": "GET"}),
                Err("[The field \"Methods\" is not supported by Step Functions]"),
            ),
            (json!([]), Err("The value of the parameters has an invalid format")),
        ] {
            let made = Parameters::new(RESOURCE, &given, KNOWN).and_then(|parameters| request(&parameters));
            match (made, expected) {
                (Ok(made), Ok((method, url, body))) => {
                    assert_eq!(made.method(), method, "{given}");
                    assert_eq!(made.uri().to_string().replace(".com/?", ".com?").trim_end_matches('/'), url, "{given}");
                    assert_eq!(made.body(), body, "{given}");
                }
                (Err(failure), Err(text)) => assert!(failure.cause.contains(text), "{given}: {}", failure.cause),
                (made, _) => panic!("{given}: {made:?}"),
            }
        }
    }

    #[test]
    fn regions_and_header_names() {
        assert_eq!(region_of("a.execute-api.cn-north-1.amazonaws.com.cn"), Some("cn-north-1"));
        assert_eq!(region_of("api.example.com"), None);
        for (name, shown) in [
            ("content-type", "Content-Type"),
            ("x-amz-apigw-id", "x-amz-apigw-id"),
            ("x-amzn-requestid", "x-amzn-RequestId"),
            ("x-amzn-trace-id", "X-Amzn-Trace-Id"),
        ] {
            assert_eq!(header_name(name), shown);
        }
    }
}
