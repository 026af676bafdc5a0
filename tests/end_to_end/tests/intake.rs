//! What comes in, however it looks: kept in parts, bounded, answered.
#![expect(clippy::unwrap_used, reason = "test support: what can't be set up fails the test")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use end_to_end::{Account, Serve};
use serde_json::{Value, json};

/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";
const BUCKET: &str = "s3-bucket-public-access";

fn event(id: &str, account: &str, region: &str) -> Value {
    json!({"version": "0", "id": id, "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "account": account, "time": "2026-01-01T00:00:00Z", "region": region, "resources": [],
        "detail": {"eventSource": "s3.amazonaws.com", "eventName": "PutBucketAcl", "eventID": id, "requestParameters": {"bucketName": "reports"}}})
}

fn post(serve: &Serve, body: &str) -> (u16, Value) {
    let answer = serve.ask("POST", "/events", Some(body.as_bytes())).unwrap();
    (answer.status, answer.body)
}

fn kept(serve: &Serve, id: &Value) -> Value {
    serve.ask("GET", &format!("/api/events/{}", id.as_str().unwrap()), None).unwrap().body
}

fn gzip(bytes: Vec<u8>) -> Vec<u8> {
    let mut process = Command::new("gzip").arg("-1c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output.stdout
}

#[test]
fn the_part_that_can_t_be_read_is_kept_and_not_its_body() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let bad = json!({"id": "bad", "detail-type": "t", "source": "mine", "detail": {"note": "x".repeat(70_000)}});
    let mut body: Vec<Value> = (0..100).map(|n| event(&format!("e{n}"), "123456789012", "us-east-1")).collect();
    body.push(bad.clone());
    let (status, answer) = post(&serve, &Value::from(body).to_string());
    assert_eq!((status, &answer["received"]), (200, &json!(100)));
    let parts = answer["unreadable"].as_array().unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!(kept(&serve, &parts[0]["id"])["body"], bad.to_string());
    let listed = serve.ask("GET", "/api/events", None).unwrap().body;
    assert_eq!(listed["events"][0]["body"].as_str().unwrap().chars().count(), 501, "a list shows the beginning");
    let (status, output) = serve.command(&["events", "retry", parts[0]["id"].as_str().unwrap()]);
    assert_eq!(status, 1);
    assert!(output.contains(parts[0]["id"].as_str().unwrap()), "{output}");
    let again = kept(&serve, &parts[0]["id"]);
    assert_eq!((&again["reason"], &again["body"]), (&parts[0]["reason"], &json!(bad.to_string())));
}

#[test]
fn an_event_of_another_account_is_taken_once_its_role_is_named() {
    let mut serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let mut foreign = event("f", "999999999999", "us-east-1");
    foreign["detail"]["note"] = json!("x".repeat(300_000));
    let (status, answer) = post(&serve, &foreign.to_string());
    assert_eq!(status, 400);
    let id = answer["unreadable"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(serve.command(&["events", "retry", &id]).0, 1, "nothing has changed yet");
    fs::write(serve.folder.path().join("rectify.yaml"), "account: \"123456789012\"\naccounts: {role: fixer}\n")
        .unwrap();
    serve.restart(&[]);
    serve.wait_until_ready();
    let (status, output) = serve.command(&["events", "retry", &id]);
    assert_eq!(status, 0, "{output}");
    assert_eq!(serve.finding(BUCKET).unwrap()["account"], "999999999999");
    assert_eq!(serve.ask("GET", &format!("/api/events/{id}"), None).unwrap().status, 404);
}

#[test]
fn a_thousand_bad_records_are_kept_in_bounds() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let bad = |n: usize| json!({"id": n, "detail-type": "t", "source": "mine", "detail": {"note": "x".repeat(7_000)}});
    let body = Value::from((0..1_000).map(bad).collect::<Vec<_>>()).to_string();
    for _ in 0..2 {
        let (status, answer) = post(&serve, &body);
        assert_eq!(status, 400);
        let parts = answer["unreadable"].as_array().unwrap();
        assert_eq!(parts.len(), 101);
        assert!(parts[100]["reason"].as_str().unwrap().starts_with("900 more records"), "{}", parts[100]);
    }
    let listed = serve.ask("GET", "/api/events", None).unwrap().body;
    assert_eq!(listed["events"].as_array().unwrap().len(), 101, "sent twice, kept once");
    assert!(listed.to_string().len() < 200_000);
    let few = serve.ask("GET", "/api/events?limit=3", None).unwrap().body;
    assert_eq!(few["events"].as_array().unwrap().len(), 3);
}

#[test]
fn a_flood_of_ones_is_refused_within_seconds() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let flood = gzip(format!("[{}1]", "1,".repeat(30 << 20)).into_bytes());
    let begun = Instant::now();
    let answer = serve.ask("POST", "/events", Some(&flood)).unwrap();
    assert_eq!(answer.status, 400, "{answer:?}");
    let reason = answer.body["unreadable"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("JSON values that are taken at once"), "{reason}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn events_of_nowhere_and_nobody_are_kept_and_the_rest_goes_on() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let body = json!([
        event("1", "123456789012", "us east:1"),
        event("2", "123456789012", "us:east"),
        event("3", "12345", "us-east-1"),
        event("4", "123456789012", "us-east-1"),
    ]);
    let (status, answer) = post(&serve, &body.to_string());
    assert_eq!((status, &answer["received"], &answer["started"]), (200, &json!(1), &json!(1)), "{answer}");
    for (number, reason) in
        ["`region` is no AWS Region", "`region` is no AWS Region", "`account` is no AWS account"].iter().enumerate()
    {
        assert!(answer["unreadable"][number]["reason"].as_str().unwrap().contains(reason), "{answer}");
    }
}

#[test]
fn a_guardrail_whose_machine_was_deleted_makes_it_again() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start("account: \"123456789012\"\n", &account.url);
    assert_eq!(post(&serve, &event("1", "123456789012", "us-east-1").to_string()).1["started"], 1);
    let delete = format!(
        "client('stepfunctions').delete_state_machine(stateMachineArn='arn:aws:states:us-east-1:123456789012:stateMachine:rectify-guardrail-{BUCKET}')"
    );
    account.python_with(&serve.url(), &serve.data().join("credentials"), &delete);
    let mut other = event("2", "123456789012", "us-east-1");
    other["detail"]["requestParameters"]["bucketName"] = json!("others");
    let (status, answer) = post(&serve, &other.to_string());
    assert_eq!((status, &answer["started"]), (200, &json!(1)), "{answer}");
}

#[test]
fn a_body_that_is_too_long_is_read_to_its_end_before_it_is_refused() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let key = fs::read_to_string(serve.data().join("api-key")).unwrap();
    for length in ["content-length: 41943040", "transfer-encoding: chunked"] {
        let mut stream = TcpStream::connect(serve.url().trim_start_matches("http://")).unwrap();
        let head = format!(
            "POST /events HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {}\r\n{length}\r\n\r\n",
            key.trim()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mebibyte = vec![b'x'; 1 << 20];
        for _ in 0..40 {
            // As simple clients do: everything is sent before the answer is looked for.
            if length.starts_with('t') {
                stream.write_all(b"100000\r\n").unwrap();
                stream.write_all(&mebibyte).unwrap();
                stream.write_all(b"\r\n").unwrap();
            } else {
                stream.write_all(&mebibyte).unwrap();
            }
        }
        if length.starts_with('t') {
            stream.write_all(b"0\r\n\r\n").unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("send it in parts"), "{length}: {answer}");
    }
}
