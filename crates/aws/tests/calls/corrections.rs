//! What is put right before or after a service's answer: the clock, a bucket's Region, copies between Regions, damaged bodies.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::support::{call, ok};
use aws::{Aws, CallError, Options};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::json;

type Received = Arc<Mutex<Vec<String>>>;

/// Gives one answer (head with `~` between its lines, body) after the other, and keeps the requests.
fn serve(answers: Vec<(String, Vec<u8>)>) -> (Aws, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let seen = received.clone();
    std::thread::spawn(move || {
        for (head, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 65536];
            let count = stream.read(&mut buffer).unwrap();
            seen.lock().unwrap().push(String::from_utf8_lossy(&buffer[..count]).into_owned());
            let head = head.replace('~', "\r\n");
            write!(stream, "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    let mut options = Options::fixed("eu-west-1", "AKIDEXAMPLE", "very-secret");
    options.endpoint_url = Some(url);
    (Aws::new(options), received)
}

fn text(head: &str, body: &str) -> (String, Vec<u8>) {
    (head.to_owned(), body.as_bytes().to_vec())
}

fn header<'r>(request: &'r str, name: &str) -> &'r str {
    let line = request.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {request}"))
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once_and_remembered() {
    let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&ahead).unwrap();
    let skewed = || {
        let body = "<Error><Code>RequestTimeTooSkewed</Code><Message>no</Message></Error>";
        text(&format!("403 Forbidden~date: {date}"), body)
    };
    let buckets = || text("200 OK", "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>");
    let (aws, received) = serve(vec![skewed(), buckets(), buckets(), skewed()]);
    for _ in 0..2 {
        ok(&aws, "s3", "listBuckets", json!({})).await;
    }
    let told = aws.call(call("s3", "listBuckets", json!({}))).await.unwrap_err();
    assert!(matches!(&told, CallError::Service { code, .. } if code == "RequestTimeTooSkewed"), "{told}");
    let signed: Vec<Timestamp> =
        received.lock().unwrap().iter().map(|request| header(request, "x-amz-date").parse().unwrap()).collect();
    for (at, expected) in signed.iter().zip([0, 3600, 3600, 3600]) {
        let off = (at.as_second() - Timestamp::now().as_second() - expected).abs();
        assert!(off < 30, "{signed:?}");
    }
}

#[tokio::test]
async fn a_bucket_of_another_region_is_called_there_once() {
    let moved = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
    let malformed =
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>x</Message><Region>ap-south-1</Region></Error>";
    let list = json!({"Bucket": "b"});
    for (head, body, action, region) in [
        ("301 Moved~x-amz-bucket-region: us-west-2", moved, "listObjectsV2", "us-west-2"),
        ("400 Bad Request", malformed, "listObjectsV2", "ap-south-1"),
        ("400 Bad Request~x-amz-bucket-region: us-west-2", "", "headBucket", "us-west-2"),
    ] {
        let (aws, received) = serve(vec![text(head, body), text("200 OK", "")]);
        ok(&aws, "s3", action, list.clone()).await;
        let scope = format!("/{region}/s3/aws4_request");
        assert!(header(&received.lock().unwrap()[1], "authorization").contains(&scope), "{head}");
    }
    let again = || text("301 Moved~x-amz-bucket-region: us-west-2", moved);
    let (aws, received) = serve(vec![again(), again(), again()]);
    let told = aws.call(call("s3", "listObjectsV2", list)).await.unwrap_err();
    assert!(told.to_string().starts_with("S3.S3Exception: elsewhere (Service: S3, Status Code: 301"), "{told}");
    assert_eq!(received.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn copies_between_regions_carry_a_signed_request_for_the_source() {
    let copied = || text("200 OK", "<R><CopyDBSnapshotResult/></R>");
    let snapshot = json!({"SourceRegion": "us-west-2", "SourceSnapshotId": "snap-1"});
    let database = json!({
        "SourceRegion": "us-west-2", "SourceDBSnapshotIdentifier": "arn:aws:rds:us-west-2:1:snapshot:s",
        "TargetDBSnapshotIdentifier": "t",
    });
    for (service, action, parameters, member, own) in [
        ("ec2", "copySnapshot", snapshot, "PresignedUrl", "&DestinationRegion=eu-west-1&PresignedUrl="),
        ("rds", "copyDBSnapshot", database.clone(), "PreSignedUrl", "&PreSignedUrl="),
    ] {
        let (aws, received) = serve(vec![copied()]);
        ok(&aws, service, action, parameters).await;
        let sent = received.lock().unwrap()[0].clone();
        assert!(sent.contains(own), "{sent}");
        let url = sent.split(&format!("&{member}=")).nth(1).unwrap();
        for part in ["us-west-2%252F", "X-Amz-Signature%3D", "X-Amz-Expires%3D3600", "DestinationRegion%3Deu-west-1"] {
            assert!(url.contains(part), "{part}: {url}");
        }
        assert_eq!(sent.split("\r\n\r\n").nth(1).unwrap().contains("&SourceRegion="), service == "ec2", "{sent}");
    }
    let mut local = database;
    local.as_object_mut().unwrap().remove("SourceRegion");
    let (aws, received) = serve(vec![copied()]);
    ok(&aws, "rds", "copyDBSnapshot", local).await;
    assert!(!received.lock().unwrap()[0].contains("PreSignedUrl"));
}

#[tokio::test]
async fn a_damaged_body_is_not_taken_for_the_object() {
    let head = |checksum: &str| format!("200 OK~x-amz-checksum-crc32: {checksum}");
    let (aws, received) =
        serve(vec![text(&head("NhCmhg=="), "hello"), text(&head("NhCmhg=="), "jello"), text("200 OK", "")]);
    let object = json!({"Bucket": "b", "Key": "k"});
    assert_eq!(ok(&aws, "s3", "getObject", object.clone()).await["Body"], "hello");
    let told = aws.call(call("s3", "getObject", object)).await.unwrap_err();
    assert!(told.to_string().starts_with("S3.SdkClientException: the answer's body was damaged"), "{told}");
    ok(&aws, "s3", "putObject", json!({"Bucket": "b", "Key": "k", "Body": "hello"})).await;
    assert_eq!(header(&received.lock().unwrap()[2], "x-amz-checksum-crc32"), "NhCmhg==");
}

#[tokio::test]
async fn cbor_is_spoken_where_a_service_speaks_nothing_else() {
    let error = b"\xa2\x66__type\x78\x24aws.events#ResourceNotFoundException\x67message\x62no".to_vec();
    let (aws, received) =
        serve(vec![("200 OK".to_owned(), b"\xa0".to_vec()), ("400 Bad Request~x-amzn-requestid: R".to_owned(), error)]);
    let service = "eventbridgev2";
    let action = Aws::actions(service).into_iter().find(|action| action.starts_with("list")).unwrap();
    assert_eq!(ok(&aws, service, &action, json!({})).await, json!({}));
    let told = aws.call(call(service, &action, json!({}))).await.unwrap_err();
    let CallError::Service { cause, code, .. } = &told else { panic!("{told}") };
    assert_eq!(code, "ResourceNotFoundException");
    assert!(cause.starts_with("no (Service: ") && cause.contains("Request ID: R"), "{cause}");
    let sent = received.lock().unwrap()[0].clone();
    assert!(sent.starts_with("POST /service/AWSEventsV2/operation/List"), "{sent}");
    assert_eq!(header(&sent, "smithy-protocol"), "rpc-v2-cbor");
}
