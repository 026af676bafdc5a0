//! CloudTrail's log objects, found by S3's notifications on the queue.
#![expect(clippy::unwrap_used, reason = "test support: what can't be set up fails the test")]

use end_to_end::{Account, Serve, until};
use serde_json::{Value, json};

const BUCKET: &str = "s3-bucket-public-access";
/// `put_log(key, *records)` puts a gzipped log.
const LOG: &str = r#"
import gzip
def record(name, event_id): return {"eventVersion": "1.11", "eventID": event_id, "eventTime": "2026-01-01T00:00:00Z", "eventSource": "s3.amazonaws.com", "eventName": name,
    "awsRegion": "us-east-1", "recipientAccountId": "123456789012", "userIdentity": {"type": "IAMUser", "userName": "alice", "arn": "arn:aws:iam::123456789012:user/alice", "accountId": "123456789012"},
    "requestParameters": {"bucketName": "named-in-the-log"}}
def put(key, content): client('s3').put_object(Bucket='logs', Key=key, Body=content)
def put_log(key, *records): put(key, gzip.compress(json.dumps({"Records": list(records)}).encode()))
"#;

fn serve(account: &Account) -> Serve {
    account.python("client('s3').create_bucket(Bucket='logs')");
    Serve::start(
        &format!("account: \"123456789012\"\nsources:\n  - sqs: {{queue_url: \"{}\"}}\n", account.queue_url),
        &account.url,
    )
}

fn send(account: &Account, body: &Value) {
    let script = "client('sqs').send_message(QueueUrl=QUEUE, MessageBody=BODY)"
        .replace("QUEUE", &Value::from(account.queue_url.as_str()).to_string())
        .replace("BODY", &Value::from(body.to_string()).to_string());
    account.python(&script);
}

fn notification(key: &str) -> Value {
    json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "logs"}, "object": {"key": key}}}]})
}

fn kept(serve: &Serve) -> Vec<Value> {
    let body = serve.ask("GET", "/api/events", None).unwrap().body;
    body.get("events").and_then(Value::as_array).unwrap().clone()
}

/// The finding that only the log can have led to: the bucket it names is not there, and no call named it.
fn of_the_log(serve: &Serve) -> Option<Value> {
    let list = serve.ask("GET", &format!("/api/findings?guardrail={BUCKET}"), None)?.body;
    let mut findings = list.get("findings")?.as_array()?.iter();
    findings.find(|finding| finding.get("resource").is_some_and(|resource| resource == "named-in-the-log")).cloned()
}

#[test]
fn a_log_object_becomes_findings() {
    let Some(account) = Account::start() else { return };
    let serve = serve(&account);
    account.python(&format!(
        "{LOG}put_log('AWSLogs/a b.json.gz', record('GetBucketAcl', 'e1'), record('PutBucketAcl', 'e2'), dict(record('PutBucketAcl', 'e3'), awsRegion='us east:1'))"
    ));
    send(&account, &json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "logs"}));
    let wrapped = json!({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Message": notification("AWSLogs/a+b.json.gz").to_string()});
    send(&account, &wrapped);
    until("the finding", || of_the_log(&serve));
    // The one record that can't be read is kept by itself; the test of S3 is not.
    let kept = until("the record that can't be read", || Some(kept(&serve)).filter(|kept| !kept.is_empty()));
    assert_eq!(kept.len(), 1, "{kept:#?}");
    assert_eq!(kept[0]["origin"], "s3://logs/AWSLogs/a b.json.gz");
    assert!(kept[0]["reason"].as_str().unwrap().contains("`region` is no AWS Region"), "{kept:#?}");
}

#[test]
fn an_object_created_event_leads_to_the_log_too() {
    let Some(account) = Account::start() else { return };
    let serve = serve(&account);
    account.python(&format!("{LOG}put_log('x.json.gz', record('PutBucketAcl', 'e1'))"));
    let created = json!({"version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:s3:::logs"], "detail": {"bucket": {"name": "logs"}, "object": {"key": "x.json.gz"}}});
    let answer = serve.ask("POST", "/events", Some(created.to_string().as_bytes())).unwrap();
    assert_eq!((answer.status, &answer.body["received"]), (200, &json!(2)), "itself and its record: {answer:?}");
    until("the finding", || of_the_log(&serve));
}

#[test]
fn an_object_that_is_no_log_is_kept_until_it_can_be_read() {
    let Some(account) = Account::start() else { return };
    let serve = serve(&account);
    account
        .python(&format!("{LOG}put('digest.json', json.dumps({{'digestS3Bucket': 'logs', 'logFiles': []}}).encode())"));
    send(&account, &notification("digest.json"));
    send(&account, &notification("late.json.gz"));
    let find = |part: &str| {
        until(part, || kept(&serve).into_iter().find(|kept| kept["reason"].as_str().unwrap().contains(part)))
    };
    find("`s3://logs/digest.json` is no log that can be read");
    let gone = find("`s3://logs/late.json.gz` can't be fetched: S3.NoSuchKeyException");
    let id = gone["id"].as_str().unwrap();
    let (status, output) = serve.command(&["events", "retry", id]);
    assert_eq!(status, 1, "{output}");
    assert!(output.contains(id), "it stays under its id: {output}");
    account.python(&format!("{LOG}put_log('late.json.gz', record('PutBucketAcl', 'e1'))"));
    let (status, output) = serve.command(&["events", "retry", id]);
    assert_eq!(status, 0, "{output}");
    until("the finding", || of_the_log(&serve));
    assert_eq!(kept(&serve).len(), 1);
}

#[test]
fn an_s3_that_can_t_be_reached_is_asked_again() {
    let serve = Serve::start("account: \"123456789012\"\n", "http://127.0.0.1:9");
    let body = notification("x.json.gz").to_string();
    let answer = serve.ask("POST", "/events", Some(body.as_bytes())).unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(kept(&serve).is_empty());
}
