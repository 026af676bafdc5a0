//! What is wrong is told clearly, kept on record, and the rest goes on.
#![expect(clippy::unwrap_used, reason = "test support: what can't be set up fails the test")]

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use end_to_end::{Serve, rectify, until};
use serde_json::{Value, json};

/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

fn run(words: &[&str], input: &str) -> (i32, String, String) {
    let mut process = Command::new(rectify())
        .args(words)
        .env("AWS_ENDPOINT_URL", NOBODY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// A file's name in a folder of the test's own.
fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut process = Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output.stdout
}

#[test]
fn bodies_that_are_no_events_are_kept_with_their_reason() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let bomb = gzip(&vec![b' '; 100 << 20]);
    let cases: [(&str, Vec<u8>, u16, &str); 4] = [
        ("no JSON", b"not json {".to_vec(), 400, "JSON"),
        ("a gzip bomb", bomb, 400, "inflates to more than"),
        ("10 MB", vec![b'x'; 10 << 20], 413, "longer than"),
        ("no event", br#"{"hello": "world"}"#.to_vec(), 400, "event"),
    ];
    for (what, body, status, reason) in &cases {
        let answer = serve.ask("POST", "/events", Some(body)).unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status, *status, "{what}: {answer:?}");
        let said = answer.body["unreadable"][0]["reason"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains(reason), "{what}: {said}");
        let (code, listed) = serve.command(&["events", "list", "--format", "jsonl"]);
        assert_eq!(code, 0, "{listed}");
        assert!(listed.contains(reason), "{what}: {listed}");
    }
    let event = json!({"version": "0", "id": "1", "detail-type": "t", "source": "mine", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {}});
    let answer = serve.ask("POST", "/events", Some(&gzip(event.to_string().as_bytes()))).unwrap();
    assert_eq!((answer.status, &answer.body["received"]), (200, &json!(1)), "the rest goes on");
    let answer = serve.ask("POST", "/events", Some(event.to_string().as_bytes())).unwrap();
    assert_eq!((answer.status, &answer.body["duplicates"]), (200, &json!(1)));
}

#[test]
fn an_event_of_another_account_waits_for_its_role() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let event = json!({"version": "0", "id": "1", "detail-type": "t", "source": "mine", "account": "999999999999", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {}});
    let answer = serve.ask("POST", "/events", Some(event.to_string().as_bytes())).unwrap();
    let reason = answer.body["unreadable"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("999999999999") && reason.contains("accounts"), "{reason}");
}

#[test]
fn who_has_no_key_stays_outside() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    for (path, method) in [("/events", "POST"), ("/api/findings", "GET"), ("/api/events", "GET")] {
        for headers in [&[][..], &[("x-api-key", "wrong")], &[("x-api-key", "")]] {
            let answer = serve.ask_with(method, path, Some(b"{}"), headers).unwrap();
            assert!(answer.status == 401 || answer.status == 403, "{method} {path} {headers:?}: {answer:?}");
        }
    }
    let answer =
        serve.ask_with("POST", "/", Some(b"{}"), &[("x-amz-target", "AWSStepFunctions.ListStateMachines")]).unwrap();
    assert_eq!((answer.status, answer.body["__type"].as_str()), (400, Some("MissingAuthenticationTokenException")));
    assert_eq!(serve.ask_with("GET", "/healthz", None, &[]).unwrap().status, 200);
}

#[test]
fn aws_that_can_t_be_reached_fails_the_finding_and_the_server_goes_on() {
    let webhook = end_to_end::Webhook::start();
    let configuration = format!(
        "account: \"123456789012\"\nmode: fix\nsources:\n  - sqs: {{queue_url: \"{NOBODY}/123456789012/q\"}}\nchannels:\n  team: {{webhook: {{url: \"{}\"}}}}\n",
        webhook.url
    );
    let serve = Serve::start(&configuration, NOBODY);
    let event = json!({"version": "0", "id": "1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"eventSource": "s3.amazonaws.com", "eventName": "PutBucketAcl", "eventID": "e1", "requestParameters": {"bucketName": "reports"}}});
    assert_eq!(serve.ask("POST", "/events", Some(event.to_string().as_bytes())).unwrap().status, 200);
    let finding = until("the failure", || {
        serve.finding("s3-bucket-public-access").filter(|finding| finding["stage"] == "failed")
    });
    assert_ne!(finding["status"], "SUPPRESSED", "a failure is never a suppression");
    let told = until("the alert", || webhook.messages().into_iter().next());
    assert!(told["text"].as_str().unwrap().contains("reports"), "{told}");
    assert_eq!(serve.ask("GET", "/healthz", None).unwrap().status, 200);
    assert!(until("a word about the queue", || serve.log().contains("polling failed").then_some(true)));
}

#[test]
fn a_playbook_with_an_unknown_service_or_action_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let playbook = |resource: &str| {
        json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": resource, "End": true}}}).to_string()
    };
    for (resource, near) in [
        ("arn:aws:states:::aws-sdk:s4:getBucketAcl", "s3"),
        ("arn:aws:states:::aws-sdk:s3:getBucketAclx", "getBucketAcl"),
    ] {
        let name = file(&folder, "p.asl.json", &playbook(resource));
        let (status, output, _) = run(&["validate", &name], "");
        assert_eq!(status, 1, "{output}");
        assert!(output.contains(near), "{output}");
        let (status, _, errors) = run(&["run", &name], "");
        assert_eq!(status, 2, "{errors}");
    }
}

#[test]
fn a_guardrail_with_two_mistakes_shows_both_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let carried = fs::read_to_string(end_to_end::root().join("guardrails/s3/s3-bucket-public-access.yaml")).unwrap();
    let broken = carried.replacen("severity: HIGH", "severity: HUGE", 1).replacen("risk: safe", "risc: safe", 1);
    assert_ne!(carried, broken);
    let name = file(&folder, "g.yaml", &broken);
    let (status, output, _) = run(&["validate", "--format", "jsonl", &name], "");
    assert_eq!(status, 1, "{output}");
    let problems: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for word in ["HUGE", "risc"] {
        let problem = problems.iter().find(|problem| problem["message"].as_str().unwrap().contains(word));
        let span = &problem.unwrap_or_else(|| panic!("{word}: {output}"))["span"];
        let line = broken.lines().nth(usize::try_from(span["line"].as_u64().unwrap()).unwrap() - 1).unwrap();
        assert!(line.contains(word), "{word}: {line}");
    }
    let (status, output, _) = run(&["validate", &file(&folder, "ok.yaml", &carried)], "");
    assert_eq!(status, 0, "{output}");
}

#[test]
fn a_duplicate_key_hides_no_other_problem() {
    let folder = tempfile::tempdir().unwrap();
    let text = "StartAt: A\nStates:\n  A:\n    Type: Pass\n    Type: Pass\n    Next: Nowhere\n";
    let (status, output, _) = run(&["validate", "--format", "jsonl", &file(&folder, "p.asl.yaml", text)], "");
    assert_eq!(status, 1, "{output}");
    let problems: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<Option<u64>> = problems.iter().map(|problem| problem.pointer("/span/line")?.as_u64()).collect();
    assert!(lines.contains(&Some(5)) && lines.contains(&Some(6)), "{output}");
    let configuration = "guardrails: {s3-bucket-public-acess: {mode: fix}, security-group-open-to-world: {parameters: {allowed_ports: x}}}";
    let (status, output, _) =
        run(&["validate", "--format", "jsonl", &file(&folder, "rectify.yaml", configuration)], "");
    assert_eq!(status, 1, "{output}");
    assert!(output.contains("s3-bucket-public-access") && output.contains("allowed_ports"), "{output}");
}

#[test]
fn match_is_grep_with_patterns() {
    let folder = tempfile::tempdir().unwrap();
    let pattern = file(&folder, "p.json", r#"{"a": [{"prefix": "x"}]}"#);
    let refused = file(&folder, "bad.json", r#"{"a": "x"}"#);
    let check = |pattern: &str, input: &str, status: i32, output: &str| {
        let (code, said, errors) = run(&["match", pattern], input);
        assert_eq!((code, said.as_str()), (status, output), "{input}: {errors}");
    };
    check(&pattern, "{\"a\": \"xy\"}\n{\"a\":  \"y\"}\n", 0, "{\"a\": \"xy\"}\n");
    check(&pattern, "{\"a\": \"y\"}\n\n", 1, "");
    check(&pattern, "", 1, "");
    check(&refused, "{\"a\": \"x\"}\n", 2, "");
    check(&pattern, "nonsense\n{\"a\": \"x\"}\n", 2, "{\"a\": \"x\"}\n");
    check(&pattern, "\u{feff}{\"a\": \"x\"}\n", 0, "{\"a\": \"x\"}\n");
    check(r#"{"a": ["x"]}"#, "{\"a\": \"x\"}", 0, "{\"a\": \"x\"}\n");
    check("no-such-file", "", 2, "");
}

#[test]
fn serve_refuses_what_would_be_unsafe() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let (status, _, errors) = run(&["serve", "--listen", "0.0.0.0:0", "--data", &data], "");
    assert_eq!(status, 2);
    assert!(errors.contains("--tls-certificate") && errors.contains("--behind-tls-proxy"), "{errors}");
    for (text, wanted) in [
        ("guardrails: {s3-bucket-public-acess: {mode: fix}}", "s3-bucket-public-access"),
        ("mode: fxi", "alert, approve or fix"),
        ("guardrails: {security-group-open-to-world: {parameters: {allowed_port: [1]}}}", "allowed_ports"),
    ] {
        let name = file(&folder, "rectify.yaml", text);
        let (status, _, errors) = run(&["serve", "--listen", "127.0.0.1:0", "--data", &data, "--config", &name], "");
        assert_eq!(status, 2, "{text}: {errors}");
        assert!(errors.contains(wanted), "{text}: {errors}");
    }
    let (status, _, errors) = run(&["serve", "--config", "no-such-file.yaml"], "");
    assert_eq!(status, 2);
    assert!(errors.contains("no-such-file.yaml"), "{errors}");
}

#[test]
fn a_second_process_on_one_store_is_refused() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let data = serve.data().display().to_string();
    let (status, _, errors) = run(&["serve", "--listen", "127.0.0.1:0", "--data", &data], "");
    assert_eq!(status, 2, "{errors}");
    assert!(errors.contains(&data), "{errors}");
}

#[test]
fn backtest_tells_what_fires_and_what_can_t_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let record = |id: &str, name: &str| {
        json!({"eventVersion": "1.09", "eventID": id, "eventTime": "2026-01-01T00:00:00Z", "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
        "recipientAccountId": "123456789012", "userIdentity": {"type": "Root", "accountId": "123456789012"}, "requestParameters": {"bucketName": "reports"}})
    };
    let log = json!({"Records": [record("e1", "PutBucketAcl"), record("e2", "GetBucketAcl")]});
    fs::write(folder.path().join("log.json.gz"), gzip(log.to_string().as_bytes())).unwrap();
    let logs = folder.path().display().to_string();
    let (status, output, errors) = run(&["backtest", "--format", "jsonl", &logs], "");
    assert_eq!(status, 0, "{errors}");
    let hits: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        hits,
        [
            json!({"event_id": "e1", "rule": "s3-bucket-public-access", "title": hits[0]["title"], "severity": "HIGH", "resource": "reports", "time": "2026-01-01T00:00:00Z"})
        ]
    );

    let rules = tempfile::tempdir().unwrap();
    fs::write(rules.path().join("reads.json"), r#"{"detail": {"eventName": [{"prefix": "Get"}]}}"#).unwrap();
    fs::write(folder.path().join("more.jsonl"), format!("{}\nbroken\n", record("e3", "GetObject"))).unwrap();
    let (status, output, errors) =
        run(&["backtest", "--format", "jsonl", "--rules", &rules.path().display().to_string(), &logs], "");
    assert_eq!(status, 1, "a line could not be read: {errors}");
    assert!(errors.contains("more.jsonl:2"), "{errors}");
    let fired: Vec<(String, String)> = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|hit| (hit["event_id"].as_str().unwrap().to_owned(), hit["rule"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [("e1", "s3-bucket-public-access"), ("e2", "reads.json"), ("e3", "reads.json")];
    assert_eq!(fired, expected.map(|(event, rule)| (event.to_owned(), rule.to_owned())));
}
