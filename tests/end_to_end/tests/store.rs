//! A store that can't write: it is told clearly, the rest goes on, and nothing that was acknowledged is lost.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test tells what broke by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use end_to_end::{Account, Serve, Webhook, python, rectify, until};
use serde_json::{Value, json};

const BUCKET: &str = "s3-bucket-public-access";
/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

/// An event that concerns no guardrail, of some 100 kB.
fn bulky(id: &str) -> Value {
    json!({"version": "0", "id": id, "detail-type": "t", "source": "mine", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {"text": "x".repeat(100_000)}})
}

/// That somebody made a bucket public.
fn opened(bucket: &str) -> Value {
    json!({"version": "0", "id": bucket, "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"eventSource": "s3.amazonaws.com", "eventName": "PutBucketAcl", "eventID": bucket, "requestParameters": {"bucketName": bucket}}})
}

/// Status, how many of the events were new, and the message.
fn post(serve: &Serve, event: &Value) -> (u16, u64, String) {
    let answer = serve.ask("POST", "/events", Some(event.to_string().as_bytes())).expect("an answer");
    let message = answer.body["message"].as_str().unwrap_or_default().to_owned();
    (answer.status, answer.body["received"].as_u64().unwrap_or_default(), message)
}

fn stage(serve: &Serve, resource: &str, wanted: &str) -> Value {
    until(&format!("`{resource}` at stage `{wanted}`"), || {
        let list = serve.ask("GET", "/api/findings", None)?.body;
        let finding = list["findings"].as_array()?.iter().find(|finding| finding["resource"] == resource)?.clone();
        (finding["stage"] == wanted).then_some(finding)
    })
}

fn is_shut(account: &Account, bucket: &str) -> bool {
    account.python(&format!(
        "try: answer(client('s3').get_public_access_block(Bucket='{bucket}')['PublicAccessBlockConfiguration']['IgnorePublicAcls'])\n\
         except botocore.exceptions.ClientError: answer(False)",
    )) == true
}

#[test]
fn a_full_store_refuses_and_goes_on_when_there_is_room() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    for bucket in ["first", "second"] {
        account.python(&format!("client('s3').create_bucket(Bucket='{bucket}'); client('s3').put_bucket_acl(Bucket='{bucket}', ACL='public-read')"));
    }
    let configuration = format!(
        "account: \"123456789012\"\nmode: approve\nchannels: {{team: {{webhook: {{url: \"{}\"}}}}}}\n",
        webhook.url
    );
    let mut serve = Serve::prepare(&configuration, &account.url);
    serve.limit_files(Some(2048));
    serve.restart(&[]);
    serve.wait_until_ready();
    assert_eq!(post(&serve, &opened("first")).0, 200);
    let first = stage(&serve, "first", "waiting_for_a_person");

    let ids: Vec<String> = (0..100).map(|number| format!("bulky-{number}")).collect();
    let answers = ids.iter().map(|id| (id, post(&serve, &bulky(id))));
    let answers: Vec<_> = answers.take_while(|(_, (status, ..))| *status == 200).collect();
    assert!((5..50).contains(&answers.len()), "{} events of 100 kB fit into 2 MB", answers.len());
    let kept: Vec<&String> = answers.into_iter().map(|(id, _)| id).collect();
    for event in [bulky("refused"), opened("second")] {
        // A small write may still fit.
        let event_fits = event["source"] != "mine";
        let (status, _, message) = post(&serve, &event);
        assert!(status == 503 || event_fits, "{status} {message}");
        let told = message.contains("the store can't") && message.contains("disk") && message.contains("room");
        assert!(status == 200 || told, "{message}");
    }
    assert_eq!(serve.ask_with("GET", "/healthz", None, &[]).unwrap().status, 200);
    assert!(!serve.has_ended());
    assert_eq!(stage(&serve, "first", "waiting_for_a_person"), first, "what is there can be read");
    assert!(serve.log().contains("the store did not take a group of writes"), "{}", serve.log());
    assert!(!is_shut(&account, "first") && !is_shut(&account, "second"));

    serve.limit_files(None);
    serve.restart(&[]);
    serve.wait_until_ready();
    for id in kept {
        assert_eq!(post(&serve, &bulky(id)), (200, 0, String::new()), "{id} was acknowledged, so it is there");
    }
    assert_eq!(post(&serve, &bulky("refused")), (200, 1, String::new()), "what was refused is not there in part");
    assert_eq!(post(&serve, &opened("second")).0, 200);
    for bucket in ["first", "second"] {
        let id = stage(&serve, bucket, "waiting_for_a_person")["id"].as_str().unwrap().to_owned();
        let (status, output) = serve.command(&["findings", "approve", &id, "--as", "bob"]);
        assert_eq!(status, 0, "{output}");
        stage(&serve, bucket, "fixed");
        assert!(is_shut(&account, bucket));
    }
    let questions = webhook.messages().into_iter().filter(|message| message["kind"] == "question").count();
    assert_eq!(questions, 2, "each question was sent once");
}

/// A response that is under way when the disk becomes full stays where it is, and nothing outside happens that is not on record.
#[test]
fn a_response_waits_until_the_store_takes_its_steps() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    account.python("client('s3').create_bucket(Bucket='reports'); client('s3').put_bucket_acl(Bucket='reports', ACL='public-read')");
    let configuration = format!(
        "account: \"123456789012\"\nmode: fix\nchannels: {{team: {{webhook: {{url: \"{}\"}}}}}}\n",
        webhook.url
    );
    let mut serve = Serve::prepare(&configuration, &account.url);
    serve.restart(&[]);
    serve.wait_until_ready();
    let log = fs::metadata(serve.data().join("rectify.sqlite-wal")).unwrap().len();
    // The guardrail's machine, the event and some of its response fit behind what the empty store has.
    serve.limit_files(Some(u32::try_from(log / 1024).unwrap() + 130));
    serve.restart(&[]);
    serve.wait_until_ready();
    assert_eq!(post(&serve, &opened("reports")).0, 200);
    until("a step that is not taken", || {
        serve.log().contains("the store did not take a group of writes").then_some(())
    });
    assert_eq!(serve.ask_with("GET", "/healthz", None, &[]).unwrap().status, 200);
    let finding = serve.finding(BUCKET).unwrap();
    assert!(finding["stage"] != "fixed" && finding["stage"] != "failed", "{finding:#}");
    assert!(!is_shut(&account, "reports") || finding["stage"] == "fixing", "{finding:#}");

    serve.limit_files(None);
    serve.restart(&[]);
    serve.wait_until_ready();
    stage(&serve, "reports", "fixed");
    assert!(is_shut(&account, "reports"));
}

#[test]
fn a_read_only_store_says_so() {
    let Some(python) = python() else { return };
    let mut serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    serve.kill();
    let file = serve.data().join("rectify.sqlite");
    // Root may write anywhere, so the file itself says that it may only be read: byte 18 of its header, beyond what SQLite knows to
    // write. Source: <https://www.sqlite.org/fileformat2.html#file_format_version_numbers>
    let checkpoint = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('pragma wal_checkpoint(truncate)')";
    assert!(Command::new(python).args(["-c", checkpoint]).arg(&file).status().unwrap().success());
    let mut bytes = fs::read(&file).unwrap();
    bytes[18] = 3;
    fs::write(&file, bytes).unwrap();
    serve.restart(&[]);
    serve.wait_until_ready();
    let (status, _, message) = post(&serve, &bulky("one"));
    assert_eq!(status, 503);
    assert!(message.contains("can't write") && message.contains("writable"), "{message}");
    assert_eq!(serve.ask_with("GET", "/healthz", None, &[]).unwrap().status, 200);
}

#[test]
fn a_store_that_can_t_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "").unwrap();
    fs::create_dir_all(at("folder/rectify.sqlite")).unwrap();
    fs::create_dir(at("damaged")).unwrap();
    fs::write(at("damaged/rectify.sqlite"), "not a database, ".repeat(1000)).unwrap();
    let check = |data: &Path, way_out: &str| {
        let output = Command::new(rectify())
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("AWS_ENDPOINT_URL", NOBODY)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(&data.display().to_string()) && errors.contains(way_out), "{errors}");
    };
    check(&at("file"), "--data");
    check(&at("file/within"), "--data");
    check(&at("folder"), "name another one");
    check(&at("damaged"), "restore a backup");
}
