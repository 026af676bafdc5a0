//! Past events from files, folders and S3, through today's guardrails and rules.
#![expect(clippy::unwrap_used, reason = "test support: what can't be set up fails the test")]

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use end_to_end::{Account, rectify};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

fn backtest(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(rectify());
    // No configuration of anybody's.
    command.current_dir(folder).arg("backtest").args(words).env_remove("AWS_PROFILE");
    command
}

/// Runs it; tells its exit status and what it said.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A bucket's ACL is changed: by whom, when, of which bucket.
fn record(id: &str, minute: u32, actor: &str, bucket: &str) -> Value {
    json!({"eventVersion": "1.11", "eventID": id, "eventTime": format!("2026-01-{:02}T{:02}:{:02}:00Z", 1 + minute / 1440, minute / 60 % 24, minute % 60), "eventSource": "s3.amazonaws.com",
        "eventName": "PutBucketAcl", "awsRegion": "us-east-1", "recipientAccountId": "123456789012", "eventType": "AwsApiCall",
        "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::123456789012:user/{actor}"), "accountId": "123456789012"}, "requestParameters": {"bucketName": bucket}})
}

fn log(records: &[Value]) -> String {
    json!({"Records": records}).to_string()
}

/// Logs of all kinds, some of them broken. Tells their folder.
fn logs(folder: &Path) -> String {
    let logs = folder.join("logs");
    fs::create_dir_all(logs.join("AWSLogs/CloudTrail-Digest")).unwrap();
    fs::create_dir_all(logs.join("empty")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(logs.join(name), bytes).unwrap();
    let records: Vec<Value> =
        (0..40).map(|number| record(&format!("e{number}"), number * 100, "ann", &format!("b{}", number % 7))).collect();
    for (number, records) in records.chunks(4).enumerate() {
        write(&format!("log {number:02} ü.json.gz"), &gzip(&log(records)));
    }
    let lines: String =
        (0..300).map(|number| format!("{}\n", record(&format!("l{number}"), 5, "bob", "lines"))).collect();
    write("lines.jsonl", format!("{lines}broken\n\n{}", record("last", 6, "bob", "lines")).as_bytes());
    let whole = gzip(&log(&records));
    write("cut.json.gz", whole.get(..whole.len() / 2).unwrap());
    write("no name", log(&[record("n", 7, "carl", "b1")]).as_bytes());
    write("nothing.json", b"");
    write("pretty.json", format!("{:#}", record("p", 8, "carl", "b1")).as_bytes());
    write("AWSLogs/CloudTrail-Digest/digest.json", b"{}");
    // Longer than one part, and larger than what is given to one worker.
    let long: String = (0..1_000)
        .map(|number| format!("{}\n", record(&format!("x{number}"), 9, "dora", &"x".repeat(5_000))))
        .collect();
    write("zlong.ndjson", long.as_bytes());
    logs.display().to_string()
}

#[test]
fn many_threads_tell_what_one_tells() {
    let folder = tempfile::tempdir().unwrap();
    let logs = logs(folder.path());
    for format in ["jsonl", "json", "table"] {
        let told =
            |threads: &str| run(&mut backtest(folder.path(), &["--format", format, "--threads", threads, &logs]));
        let (status, one, errors) = told("1");
        assert_eq!(status, 1, "{errors}");
        for threads in ["2", "7"] {
            let (again, output, more) = told(threads);
            assert_eq!((again, &more), (status, &errors), "{format} {threads}");
            assert!(output == one, "{format}: {threads} threads tell something else than one");
        }
        let broken =
            ["cut.json.gz: can't be read: ", "lines.jsonl:301: this is no JSON", "nothing.json: the body is empty"];
        for (line, expected) in errors.lines().zip(broken) {
            assert!(line.contains(expected), "{line}");
        }
        let summary = "1343 events of 16 files, from 2026-01-01T00:00:00Z to 2026-01-03T17:00:00Z; 3 could not be read; 1 passed over";
        let said = if format == "table" { &one } else { &errors };
        assert!(said.contains(summary), "{said}");
    }
    let (status, output, errors) = run(&mut backtest(folder.path(), &["--format", "jsonl", "--quiet", &logs]));
    assert_eq!((status, errors.lines().count()), (1, 3), "{errors}");
    let ids: Vec<String> = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1_343);
    let first: Vec<&str> = ids.iter().take(2).map(String::as_str).collect();
    assert_eq!((first, ids.last().unwrap().as_str()), (vec!["l0", "l1"], "x999"));
}

#[test]
fn the_report_tells_days_actors_resources_and_decisions() {
    let folder = tempfile::tempdir().unwrap();
    let logs = logs(folder.path());
    let configuration = "mode: approve\nguardrails:\n  s3-bucket-public-access: {mode: fix, fixes_per_hour: 10}\n";
    fs::write(folder.path().join("mine.yaml"), configuration).unwrap();
    let words = ["--format", "json", "--config", "mine.yaml", &logs];
    let (status, output, errors) = run(&mut backtest(folder.path(), &words));
    assert_eq!(status, 1, "{errors}");
    let report: Value = serde_json::from_str(&output).unwrap();
    let rule = "s3-bucket-public-access";
    assert_eq!((&report["events"], &report["files"], &report["unreadable"]), (&json!(1343), &json!(16), &json!(3)));
    let first = &report["rules"][0];
    assert_eq!((&first["rule"], &first["events"], &first["resources"]), (&json!(rule), &json!(1343), &json!(9)));
    let days = [("2026-01-01", 15 + 300 + 1 + 2 + 1000), ("2026-01-02", 14), ("2026-01-03", 11)];
    assert_eq!(report["days"], json!(days.map(|(day, events)| json!({"day": day, "rule": rule, "events": events}))));
    let actors = [("dora", 1000), ("bob", 301), ("ann", 40), ("carl", 2)];
    let actor = |(name, hits): (&str, u64)| json!({"actor": format!("arn:aws:iam::123456789012:user/{name}"), "hits": hits, "rules": {rule: hits}});
    assert_eq!(report["actors"], json!(actors.map(actor)));
    assert_eq!(report["resources"][1], json!({"resource": "lines", "hits": 301, "rules": {rule: 301}}));
    // Ten in each hour that has so many; the minutes 0 to 59 have 1,304 events, the others are alone.
    let decided: Vec<(&str, u64)> = report["guardrails"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["decision"].as_str().unwrap(), row["times"].as_u64().unwrap()))
        .collect();
    assert_eq!(decided, [("tell", 1_304 - 10), ("fix", 10 + 39)], "{}", report["guardrails"]);
    assert!(report["guardrails"][0]["why"].as_str().unwrap().contains("which is the limit of 10"));

    fs::write(folder.path().join("mine.yaml"), "guardrails: {s3-bucket-public-acess: {mode: fix}}").unwrap();
    let (status, _, errors) = run(&mut backtest(folder.path(), &words));
    assert!(status == 2 && errors.contains("did you mean `s3-bucket-public-access`?"), "{errors}");
}

#[test]
fn what_can_t_be_done_at_all_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (words, expected) in [
        (vec!["nowhere"], "nowhere can't be read"),
        (vec!["s3://"], "names no bucket"),
        (vec!["--data", ".", "."], "there is no store in `.`"),
        (vec!["--config", "none.yaml", "."], "none.yaml can't be read"),
        (vec!["--threads", "0", "."], "0 is not in 1..=256"),
    ] {
        let (status, output, errors) = run(&mut backtest(folder.path(), &words));
        assert_eq!((status, output.as_str()), (2, ""), "{words:?}: {errors}");
        assert!(errors.contains(expected), "{words:?}: {errors}");
    }
    let (status, _, errors) = run(&mut backtest(folder.path(), &["--format", "jsonl", "."]));
    assert_eq!((status, errors.trim()), (0, "0 events of 0 files; 0 could not be read"));
}

#[test]
fn a_reader_that_goes_ends_it_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let logs = logs(folder.path());
    let mut process = backtest(folder.path(), &["--format", "jsonl", "--quiet", &logs])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    process.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = process.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
}

/// `put(bucket, key, *records)` puts a gzipped log.
const PUT: &str = "
import gzip
def put(bucket, key, *records): client('s3').put_object(Bucket=bucket, Key=key, Body=gzip.compress(json.dumps({'Records': list(records)}).encode()))
";

#[test]
fn a_prefix_of_s3_is_read_in_the_order_of_its_keys() {
    let Some(account) = Account::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let record = record("ID", 0, "ann", "b").to_string().replace("null", "None");
    // More than one page of a listing, in a bucket of another Region.
    account.python(&format!(
        "{PUT}client('s3').create_bucket(Bucket='trail', CreateBucketConfiguration={{'LocationConstraint': 'eu-west-3'}})
for number in range(1010): put('trail', f'AWSLogs/a b+c/{{number:04}}.json.gz', dict({record}, eventID=f'e{{number}}'))
put('trail', 'AWSLogs/CloudTrail-Digest/x.json.gz')
put('trail', 'other/x.json.gz', dict({record}, eventID='other'))
client('s3').put_object(Bucket='trail', Key='AWSLogs/z.json.gz', Body=gzip.compress(b'[]')[:-9])"
    ));
    let run = |words: &[&str]| {
        let environment = [
            ("AWS_ENDPOINT_URL", account.url.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_REGION", "us-east-1"),
        ];
        run(backtest(folder.path(), words).envs(environment))
    };
    let (status, output, errors) = run(&["--format", "jsonl", "s3://trail/AWSLogs/"]);
    assert_eq!(status, 1, "{errors}");
    let ids: Vec<String> = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, (0..1010).map(|number| format!("e{number}")).collect::<Vec<_>>());
    assert!(errors.contains("s3://trail/AWSLogs/z.json.gz: can't be read"), "{errors}");
    assert!(errors.contains("1010 events of 1011 files") && errors.contains("1 passed over"), "{errors}");
    for (name, expected) in [
        ("s3://trail/none", "no object whose key begins with `none`"),
        ("s3://nowhere", "can't be listed: S3.NoSuchBucket"),
    ] {
        let (status, _, errors) = run(&[name]);
        assert!(status == 2 && errors.contains(expected), "{errors}");
    }
}
