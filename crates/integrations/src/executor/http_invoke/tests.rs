//! Calls of a server on this machine, which is EventBridge, Secrets Manager, the authorization server and the API in turn.

use std::sync::{Arc, Mutex};

use aws::{Aws, Options, http::Destinations};
use engine::{TaskExecutor, ports::TaskOutcome};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::tests::{executor_of, task};
use super::Executor;

type Received = Arc<Mutex<Vec<String>>>;

const ARN: &str = "arn:aws:events:eu-west-1:123456789012:connection/c/11111111";

/// Gives one of the answers (status line, headers, `|`, body) after the other, which may name its URL; that, and the requests as
/// they came.
async fn serve(answers: impl FnOnce(&str) -> Vec<String>) -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = answers(&url);
    let received = Received::default();
    let seen = Arc::clone(&received);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read(&mut stream).await;
            seen.lock().unwrap().push(request);
            let (head, body) = answer.split_once('|').unwrap();
            let head = head.replace('~', "\r\n");
            let answer =
                format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, received)
}

async fn read(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1).map_or("0", |rest| rest.lines().next().unwrap());
        if body.len() >= length.parse().unwrap() {
            return text;
        }
    }
}

fn executor_at(url: &str) -> (Executor, TempDir) {
    let mut options = Options::fixed("eu-west-1", "AKIDEXAMPLE", "very-secret");
    options.endpoint_url = Some(url.to_owned());
    let (executor, folder) = executor_of(Aws::new(options));
    (executor.with_destinations(Destinations { loopback: true, private: false }), folder)
}

fn described(kind: &str, parameters: Value) -> String {
    let body = json!({
        "ConnectionState": "AUTHORIZED",
        "AuthorizationType": kind,
        "SecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s",
        "AuthParameters": parameters,
    });
    format!("200 OK|{body}")
}

fn secret(value: &Value) -> String {
    format!("200 OK|{}", json!({"SecretString": value.to_string(), "VersionId": "v1"}))
}

fn invoke(url: &str, more: Value) -> Value {
    let mut arguments =
        json!({"ApiEndpoint": format!("{url}/things?x=1"), "Method": "POST", "Authentication": {"ConnectionArn": ARN}});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    arguments
}

async fn perform(executor: &Executor, arguments: Value) -> TaskOutcome {
    executor.perform(task("arn:aws:states:::http:invoke", arguments)).await
}

const OK: &str = "201 Created~Content-Type: application/json~X-Two: a~x-two: b|{\"id\": 7}";

#[tokio::test]
async fn an_api_key_and_the_connections_parameters_go_along() {
    let parameters = json!({"InvocationHttpParameters": {"HeaderParameters": [{"Key": "x-plain", "Value": "unused"}]}});
    let (url, received) = serve(|_| {
        vec![
            described("API_KEY", parameters),
            secret(&json!({
                "api_key_name": "x-api-key",
                "api_key_value": "k3y",
                "invocation_http_parameters": {
                    "header_parameters": [{"key": "x-own", "value": "theirs", "is_value_secret": true}],
                    "query_string_parameters": [{"key": "q", "value": "the irs"}],
                    "body_parameters": [{"key": "b", "value": "theirs"}],
                },
            })),
            OK.to_owned(),
        ]
    })
    .await;
    let (executor, _folder) = executor_at(&url);
    let more = json!({
        "Headers": {"X-Own": "mine", "x-other": ["1", "2"]},
        "QueryParameters": {"q": "mine", "r": ["1", "2"]},
        "RequestBody": {"a": 1, "b": "mine"},
    });
    assert_eq!(
        perform(&executor, invoke(&url, more)).await,
        TaskOutcome::Succeeded(json!({
            "Headers": {
                "connection": ["close"], "content-length": ["9"], "content-type": ["application/json"], "x-two": ["a", "b"],
            },
            "ResponseBody": {"id": 7},
            "StatusCode": 201,
            "StatusText": "Created",
        }))
    );
    let received = received.lock().unwrap().clone();
    assert!(
        received[0].contains("AWSEvents.DescribeConnection") && received[0].ends_with("{\"Name\":\"c\"}"),
        "{received:?}"
    );
    assert!(received[1].contains("secretsmanager.GetSecretValue"), "{received:?}");
    let sent = &received[2];
    assert!(sent.starts_with("POST /things?x=1&r=1&r=2&q=the%20irs HTTP/1.1\r\n"), "{sent}");
    for header in [
        "x-api-key: k3y",
        "x-own: theirs",
        "x-other: 1",
        "x-other: 2",
        "content-type: application/json",
        "user-agent: Amazon|StepFunctions|HttpInvoke|eu-west-1",
        "range: bytes=0-262144",
    ] {
        assert!(sent.contains(&format!("\r\n{header}\r\n")), "{header}: {sent}");
    }
    assert!(sent.ends_with("\r\n\r\n{\"a\":1,\"b\":\"theirs\"}"), "{sent}");
}

#[tokio::test]
async fn basic_authentication_and_a_form() {
    let (url, received) = serve(|_| {
        vec![
            described("BASIC", json!({"BasicAuthParameters": {"Username": "u"}})),
            secret(&json!({"username": "u", "password": "p:w"})),
            "200 OK~content-type: text/plain|done".to_owned(),
        ]
    })
    .await;
    let (executor, _folder) = executor_at(&url);
    let more = json!({
        "RequestBody": {"list": ["a", "b"]},
        "Transform": {"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": "REPEAT"}},
    });
    let TaskOutcome::Succeeded(result) = perform(&executor, invoke(&url, more)).await else { panic!("it failed") };
    assert_eq!(result["ResponseBody"], "done");
    let sent = received.lock().unwrap()[2].clone();
    assert!(sent.contains("\r\nauthorization: Basic dTpwOnc=\r\n"), "{sent}");
    assert!(sent.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\nlist=a&list=b"), "{sent}");
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_when_it_is_refused() {
    let connection = || described("OAUTH_CLIENT_CREDENTIALS", json!({}));
    let token = |name: &str| format!("200 OK|{}", json!({"access_token": name, "expires_in": 3600}));
    let (url, received) = serve(|url| {
        let authority = format!("{url}/token");
        let credentials = || {
            secret(&json!({
                "client_id": "id", "client_secret": "s3cr3t", "authorization_endpoint": authority, "http_method": "POST",
                "oauth_http_parameters": {"body_parameters": [{"key": "scope", "value": "all"}]},
            }))
        };
        let (refused, ok) = ("401 Unauthorized|who?".to_owned(), OK.to_owned());
        let first = [connection(), credentials(), token("first"), ok.clone()];
        let kept = [connection(), credentials(), ok.clone()];
        let taken_back = [connection(), credentials(), refused.clone(), token("second"), ok];
        let last = [connection(), credentials(), refused, "400 Bad Request|s3cr3t is wrong".to_owned()];
        [first.as_slice(), &kept, &taken_back, &last].concat()
    })
    .await;
    let (executor, _folder) = executor_at(&url);
    for _ in 0..3 {
        let outcome = perform(&executor, invoke(&url, json!({}))).await;
        assert!(matches!(outcome, TaskOutcome::Succeeded(_)), "{outcome:?}");
    }
    let received_now = received.lock().unwrap().clone();
    let tokens: Vec<&str> =
        received_now.iter().filter_map(|sent| sent.split("authorization: Bearer ").nth(1)?.lines().next()).collect();
    assert_eq!(tokens, ["first", "first", "first", "second"]);
    assert!(received_now[2].contains("authorization: Basic aWQ6czNjcjN0"), "{}", received_now[2]);
    assert!(received_now[2].ends_with("grant_type=client_credentials&scope=all"), "{}", received_now[2]);

    let outcome = perform(&executor, invoke(&url, json!({}))).await;
    let TaskOutcome::Failed { error, cause } = outcome else { panic!("{outcome:?}") };
    assert_eq!(error, "Events.ConnectionResource.InvalidConnectionState");
    assert!(cause.contains("status 400") && !cause.contains("s3cr3t"), "{cause}");
}

#[tokio::test]
async fn what_fails_is_named_as_aws_names_it() {
    let key = || secret(&json!({"api_key_name": "x-api-key", "api_key_value": "k3y"}));
    let connection = || described("API_KEY", json!({}));
    let state = |state: &str| format!("200 OK|{}", json!({"ConnectionState": state}));
    let gone = "400 Bad Request|{\"__type\":\"ResourceNotFoundException\",\"message\":\"no\"}".to_owned();
    let denied = "400 Bad Request|{\"__type\":\"AccessDeniedException\",\"message\":\"no\"}".to_owned();
    for (answers, error, text) in [
        (vec![connection(), key(), "404 Not Found|{\"a\": 1}".to_owned()], "States.Http.StatusCode.404", "{\"a\": 1}"),
        (vec![connection(), key(), "302 Found~location: /x|".to_owned()], "States.Http.StatusCode.302", "Found"),
        (vec![connection(), key(), "200 OK~content-type: image/png|x".to_owned()], "States.Runtime", "image/png"),
        (vec![connection(), key()], "States.Http.Socket", "127.0.0.1"),
        (vec![gone.clone()], "Events.ConnectionResource.ResourceNotFound", "no"),
        (vec![connection(), denied], "Events.ConnectionResource.AccessDenied", "no"),
        (vec![state("DEAUTHORIZED")], "Events.ConnectionResource.InvalidConnectionState", "DEAUTHORIZED"),
        (vec![state("AUTHORIZING")], "Events.ConnectionResource.AuthInProgress", "AUTHORIZING"),
        (vec![connection(), secret(&json!({}))], "Events.ConnectionResource.InternalError", "lacks"),
    ] {
        let (url, _) = serve(|_| answers).await;
        let (executor, _folder) = executor_at(&url);
        let outcome = perform(&executor, invoke(&url, json!({}))).await;
        let TaskOutcome::Failed { error: found, cause } = outcome else { panic!("{error}: {outcome:?}") };
        assert_eq!(found, error, "{cause}");
        assert!(cause.contains(text) && !cause.contains("k3y"), "{cause}");
    }
}

#[tokio::test]
async fn only_what_may_be_called_is_called() {
    for (endpoint, text) in [
        ("http://169.254.169.254/latest/meta-data", "link-local"),
        ("https://10.0.0.1/", "in a private network"),
        ("http://api.example.com/", "by https:// only"),
    ] {
        let (url, _) = serve(|_| {
            vec![described("API_KEY", json!({})), secret(&json!({"api_key_name": "k", "api_key_value": "k3y"}))]
        })
        .await;
        let (executor, _folder) = executor_at(&url);
        let outcome = perform(&executor, invoke(&url, json!({"ApiEndpoint": endpoint}))).await;
        let TaskOutcome::Failed { error, cause } = outcome else { panic!("{outcome:?}") };
        assert_eq!(error, "States.Http.AccessDenied", "{cause}");
        assert!(cause.contains(text), "{cause}");
    }
}

#[tokio::test]
async fn parameters_that_fit_nothing_are_refused_before_anything_is_asked() {
    let (url, received) = serve(|_| Vec::new()).await;
    let (executor, _folder) = executor_at(&url);
    for (more, text) in [
        (json!({"Authentication": null}), "`Authentication.ConnectionArn`"),
        (json!({"Method": "TRACE"}), "`Method` must be one of GET"),
        (json!({"Header": {}}), "[The field \"Header\" is not supported by Step Functions]"),
        (json!({"Transform": {"RequestBodyEncoding": "XML"}}), "NONE or URL_ENCODED, not `XML`"),
        (
            json!({"Transform": {"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": "X"}}}),
            "INDICES, REPEAT, COMMAS, BRACKETS or NONE, not `X`",
        ),
    ] {
        let outcome = perform(&executor, invoke(&url, more)).await;
        let TaskOutcome::Failed { error, cause } = outcome else { panic!("{outcome:?}") };
        assert!(error == "States.Runtime" && cause.contains(text), "{error} {cause}");
    }
    assert!(received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_api_of_api_gateway_is_called_and_signed_for() {
    let missing =
        "403 Forbidden~content-type: application/json|{\"message\":\"Missing Authentication Token\"}".to_owned();
    let (url, received) = serve(|_| {
        let answer = "200 OK~content-type: application/json~x-amzn-requestid: r~x-amz-apigw-id: i|\"HelloWorld\"";
        vec![answer.to_owned(), answer.to_owned(), missing]
    })
    .await;
    let (executor, _folder) = executor_at(&url);
    let call = |resource: &str, auth: &str| {
        let arguments = json!({
            "ApiEndpoint": url, "Method": "POST", "Stage": "live", "Path": "id", "RequestBody": "HelloWorld", "AuthType": auth,
            "Headers": {"TaskToken": ["t"]},
        });
        executor.perform(task(resource, arguments))
    };
    let result = json!({
        "Headers": {
            "Connection": ["close"], "Content-Length": ["12"], "Content-Type": ["application/json"], "x-amz-apigw-id": ["i"],
            "x-amzn-RequestId": ["r"],
        },
        "ResponseBody": "HelloWorld",
        "StatusCode": 200,
        "StatusText": "OK",
    });
    let invoke = "arn:aws:states:::apigateway:invoke";
    assert_eq!(call(invoke, "NO_AUTH").await, TaskOutcome::Succeeded(result.clone()));
    assert_eq!(call(&format!("{invoke}.waitForTaskToken"), "IAM_ROLE").await, TaskOutcome::Submitted(result));
    assert_eq!(
        call(invoke, "RESOURCE_POLICY").await,
        TaskOutcome::Failed {
            error: "ApiGateway.403".to_owned(),
            cause: "{\"message\":\"Missing Authentication Token\"}".to_owned(),
        }
    );
    let received = received.lock().unwrap().clone();
    assert!(!received[0].contains("authorization:") && received[0].contains("\r\ntasktoken: t\r\n"), "{}", received[0]);
    assert!(received[0].starts_with("POST /live/id HTTP/1.1\r\n") && received[0].ends_with("\r\n\r\n\"HelloWorld\""));
    for signed in &received[1..] {
        assert!(signed.contains("authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signed}");
        assert!(signed.contains("/eu-west-1/execute-api/aws4_request"), "{signed}");
    }
}

#[tokio::test]
async fn a_trace_shows_secrets_only_where_it_may() {
    for reveal_secrets in [false, true] {
        let (url, _received) = serve(|_| {
            let parameters = json!({"header_parameters": [{"key": "x-own", "value": "theirs"}], "query_string_parameters": [{"key": "q", "value": "s"}]});
            let key = json!({"api_key_name": "x-api-key", "api_key_value": "k3y", "invocation_http_parameters": parameters});
            vec![described("API_KEY", json!({})), secret(&key), OK.to_owned()]
        })
        .await;
        let (executor, _folder) = executor_at(&url);
        let task = task(
            "arn:aws:states:::http:invoke",
            invoke(&url, json!({"RequestBody": {"a": 1}, "Headers": {"x-mine": "m"}})),
        );
        let (outcome, trace) = executor.perform_traced(task, reveal_secrets).await;
        assert!(matches!(outcome, TaskOutcome::Succeeded(_)), "{outcome:?}");
        let trace = trace.unwrap();
        let shown = |text: &str, secret: &str| assert_eq!(text.contains(secret), reveal_secrets, "{text}");
        shown(&trace.request.headers, "x-api-key: k3y");
        shown(&trace.request.headers, "x-own: theirs");
        shown(&trace.request.url, "q=s");
        assert!(trace.request.headers.starts_with("[x-mine: m, "), "{}", trace.request.headers);
        assert_eq!((trace.request.method.as_str(), trace.request.body.as_deref()), ("POST", Some("{\"a\":1}")));
        let response = trace.response.unwrap();
        assert_eq!((response.status_code.as_str(), response.status_message.as_str()), ("201", "Created"));
        assert_eq!((response.protocol.as_str(), response.body.as_deref()), ("http", Some("{\"id\": 7}")));
    }
}
