//! What AWS does on bad days, by a server that says exactly what it is told to.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::support::call;
use aws::{Aws, CallError, Options};
use serde_json::{Value, json};

/// Gives each connection the next answer, the last one again and again; "" hangs up, "-" says nothing for ever.
fn serve(answers: &'static [&'static str]) -> (Aws, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 65536]).unwrap();
            let at = counted.fetch_add(1, Ordering::SeqCst);
            match answers[at.min(answers.len() - 1)] {
                "-" => silent.push(stream),
                answer => {
                    let (head, body) = answer.split_once('|').unwrap_or((answer, ""));
                    let head = head.replace('~', "\r\n");
                    if !answer.is_empty() {
                        write!(
                            stream,
                            "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                            body.len()
                        )
                        .unwrap();
                    }
                }
            }
        }
    });
    let mut options = Options::fixed("eu-west-1", "AKIDEXAMPLE", "very-secret");
    options.endpoint_url = Some(url);
    (Aws::new(options), count)
}

const SLOW_DOWN: &str = "503 Slow Down~content-type: application/xml|<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>R1</RequestId><HostId>H1</HostId></Error>";
const NO_BUCKETS: &str = "200 OK|<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>";
const LIMITED: &str = "503 Service Unavailable|<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors><RequestID>R2</RequestID></Response>";
const FAULT: &str = "500 Internal Server Error|<Response><Errors><Error><Code>InternalError</Code><Message>Oh.</Message></Error></Errors></Response>";
const RUN: &str = "200 OK|<RunInstancesResponse><instancesSet/></RunInstancesResponse>";

async fn attempt(aws: &Aws, what: (&str, &str), parameters: Value, attempts: u32) -> Result<Value, CallError> {
    let mut call = call(what.0, what.1, parameters);
    call.attempts = attempts;
    call.timeout_seconds = 1;
    aws.call(call).await
}

const LIST: (&str, &str) = ("s3", "listBuckets");

#[tokio::test]
async fn throttling_is_waited_out_within_the_attempts() {
    let (aws, count) = serve(&[SLOW_DOWN, SLOW_DOWN, NO_BUCKETS]);
    assert_eq!(attempt(&aws, LIST, json!({}), 3).await.unwrap(), json!({"Buckets": []}));
    assert_eq!(count.load(Ordering::SeqCst), 3);

    let (aws, count) = serve(&[SLOW_DOWN]);
    let told = attempt(&aws, LIST, json!({}), 2).await.unwrap_err();
    assert_eq!(
        told,
        CallError::Service {
            name: "S3.S3Exception".to_owned(),
            cause: "Please reduce your request rate. (Service: S3, Status Code: 503, Request ID: R1, Extended Request ID: H1) (SDK Attempt Count: 2)".to_owned(),
            code: "SlowDown".to_owned(),
            status: 503,
            throttled: true,
        }
    );
    assert_eq!(count.load(Ordering::SeqCst), 2);

    let (aws, count) = serve(&[LIMITED, RUN]);
    let start = ("ec2", "startInstances");
    assert!(attempt(&aws, start, json!({"InstanceIds": ["i-1"]}), 2).await.is_ok());
    assert_eq!(count.load(Ordering::SeqCst), 2);

    let (aws, _) = serve(&[
        "429 Too Many Requests~x-amzn-errortype: TooManyRequestsException:|{\"message\":\"Rate exceeded\"}",
        "200 OK|{\"Functions\":[]}",
    ]);
    assert_eq!(attempt(&aws, ("lambda", "listFunctions"), json!({}), 2).await.unwrap(), json!({"Functions": []}));
}

#[tokio::test]
async fn what_may_have_happened_is_repeated_only_where_that_is_safe() {
    for (first, what, parameters, sent) in [
        (FAULT, ("ec2", "describeInstances"), json!({}), 2),
        (FAULT, ("ec2", "runInstances"), json!({"MinCount": 1, "MaxCount": 1}), 2),
        (FAULT, ("ec2", "startInstances"), json!({"InstanceIds": ["i-1"]}), 1),
        ("", ("ec2", "describeInstances"), json!({}), 2),
        ("", ("ec2", "startInstances"), json!({"InstanceIds": ["i-1"]}), 1),
        ("-", ("ec2", "describeInstances"), json!({}), 2),
        ("-", ("ec2", "startInstances"), json!({"InstanceIds": ["i-1"]}), 1),
    ] {
        let answers: &'static [&'static str] = Box::leak(Box::new([first, RUN]));
        let (aws, count) = serve(answers);
        let outcome = attempt(&aws, what, parameters, 2).await;
        assert_eq!(
            (outcome.is_ok(), count.load(Ordering::SeqCst)),
            (sent == 2, sent),
            "{first:?} {what:?} {outcome:?}"
        );
        if let Err(CallError::Client { name, cause }) = outcome {
            assert_eq!(name, "Ec2.SdkClientException");
            assert!(cause.starts_with("Unable to execute HTTP request: "), "{cause}");
        }
    }
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut options = Options::fixed("eu-west-1", "AKIDEXAMPLE", "very-secret");
    options.endpoint_url = Some(format!("http://{free}"));
    let begun = Instant::now();
    let told = attempt(&Aws::new(options.clone()), ("ec2", "startInstances"), json!({"InstanceIds": ["i-1"]}), 2)
        .await
        .unwrap_err();
    assert!(begun.elapsed() > Duration::from_millis(90), "no wait between the attempts");
    let text = told.to_string();
    assert!(
        text.starts_with(&format!("Ec2.SdkClientException: Unable to execute HTTP request: no connection to {free}")),
        "{text}"
    );
    assert!(!text.contains("very-secret"));

    options.endpoint_url = Some("moto:5000".to_owned());
    let told = attempt(&Aws::new(options), LIST, json!({}), 1).await.unwrap_err();
    assert_eq!(
        told.to_string(),
        "S3.SdkClientException: the endpoint `moto:5000` is no URL that begins with http:// or https://"
    );
}

#[tokio::test]
async fn errors_that_begin_with_200_or_have_no_body() {
    let (aws, _) = serve(&[
        "200 OK~content-type: application/xml|<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>No.</Message></Error>",
    ]);
    let copy = json!({"Bucket": "b", "Key": "k", "CopySource": "b/l"});
    let told = attempt(&aws, ("s3", "copyObject"), copy, 1).await.unwrap_err();
    assert!(matches!(&told, CallError::Service { code, .. } if code == "AccessDenied"), "{told}");

    let (aws, _) = serve(&["403 Forbidden~x-amz-request-id: R3|"]);
    let told = attempt(&aws, LIST, json!({}), 3).await.unwrap_err();
    assert_eq!(
        told.to_string(),
        "S3.S3Exception: null (Service: S3, Status Code: 403, Request ID: R3) (SDK Attempt Count: 1)"
    );

    let (aws, _) = serve(&["200 OK|<Not"]);
    let told = attempt(&aws, LIST, json!({}), 1).await.unwrap_err();
    assert!(matches!(&told, CallError::Client { .. }), "{told}");
    let (aws, _) = serve(&["200 OK|{\"Functions\":"]);
    let told = attempt(&aws, ("lambda", "listFunctions"), json!({}), 1).await.unwrap_err();
    assert!(
        matches!(&told, CallError::Client { cause, .. } if cause.starts_with("the answer's body is no JSON")),
        "{told}"
    );
}

#[tokio::test]
async fn a_blob_that_is_no_text_can_be_had_as_it_came() {
    let (aws, _) = serve(&["200 OK|plain"]);
    let object = call("s3", "getObject", json!({"Bucket": "b", "Key": "k"}));
    let (result, body) = aws.call_for_body(object).await.unwrap();
    assert_eq!((&result["Body"], body.as_ref()), (&json!("plain"), b"plain".as_slice()));
}
