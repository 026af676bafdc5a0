use asl::{Document, document::Format};
use serde_json::{Value, json};

use super::*;
use crate::normalize;

const FILE: &str = r#"id: shop
title: A shop's alarms
pattern: {alarms: {kind: [{exists: true}]}}
split: "{% $document.alarms %}"
event:
  source: shop
  detail-type: "{% 'Alarm ' & $document.kind %}"
  id: "{% $document.number %}"
  account: "{% $document.account %}"
  time: "{% $document.at %}"
  resources: "{% $document.shelves %}"
"#;

fn source(text: &str) -> Source {
    Source::parse(&Document::parse(text, Format::Yaml).unwrap()).unwrap().0
}

fn received() -> Received {
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    Received { at, account: "123456789012".to_owned(), region: "eu-west-1".to_owned() }
}

/// The envelopes, or the reasons.
fn read(text: &str, body: &str) -> Vec<Result<Value, String>> {
    let read = normalize::read_with(body.as_bytes(), &[source(text)], &received());
    read.into_iter().map(|event| event.map(|event| event.envelope()).map_err(|error| error.reason)).collect()
}

#[test]
fn what_is_not_said_has_a_default() {
    let events = read(FILE, &json!({"alarms": [{"kind": "fire"}, {"kind": "frost", "account": null}]}).to_string());
    let first = events[0].as_ref().unwrap();
    let id = first["id"].as_str().unwrap();
    assert!(id.starts_with("sha256-") && id.len() == 39, "{id}");
    let expected = json!({
        "version": "0", "id": id, "detail-type": "Alarm fire", "source": "shop", "account": "123456789012",
        "time": "2026-01-01T00:00:00Z", "region": "eu-west-1", "resources": [], "detail": {"kind": "fire"}
    });
    assert_eq!(*first, expected);
    assert_eq!(events[1].as_ref().unwrap()["account"], "123456789012");
    assert_ne!(events[1].as_ref().unwrap()["id"], id);
}

#[test]
fn what_is_said_is_taken() {
    let alarm = json!({
        "kind": "fire", "number": "7", "account": "210987654321", "at": "2026-02-01 10:00:00", "shelves": ["a", "b"]
    });
    let events = read(FILE, &json!({"alarms": alarm}).to_string());
    let event = events[0].as_ref().unwrap();
    assert_eq!(
        (&event["id"], &event["account"], &event["time"], &event["resources"]),
        (&json!("7"), &json!("210987654321"), &json!("2026-02-01T10:00:00Z"), &json!(["a", "b"]))
    );
    let one = read(FILE, r#"{"alarms": {"kind": "fire", "shelves": "a"}}"#);
    assert_eq!(one[0].as_ref().unwrap()["resources"], json!(["a"]));
}

#[test]
fn the_same_document_is_the_same_event_however_it_is_written() {
    let id = |body: &str| read(FILE, body)[0].as_ref().unwrap()["id"].clone();
    let one = id(r#"{"alarms": [{"kind": "fire", "more": {"a": 1, "b": 2}}]}"#);
    assert_eq!(one, id(r#"{ "alarms": [{"more": {"b": 2, "a": 1}, "kind": "fire"}]}"#));
    assert_ne!(one, id(r#"{"alarms": [{"kind": "fire", "more": {"a": 1, "b": 3}}]}"#));
}

#[test]
fn what_can_not_be_mapped_says_which_field_on_which_line() {
    let check = |alarm: Value, expected: &str| {
        let read = read(FILE, &json!({"alarms": [alarm]}).to_string());
        assert_eq!(read, [Err(format!("the source `shop` can't make an event of this: {expected}"))]);
    };
    check(json!({"kind": "fire", "number": 7}), "`event.id`, line 8 of its file: `id` must be a text");
    check(
        json!({"kind": "fire", "at": "soon"}),
        "`event.time`, line 10 of its file: `time` is no time: `soon`; expected one like `2026-01-31T12:00:00Z`",
    );
    check(
        json!({"kind": "fire", "account": ["a", "b"]}),
        "`event.account`, line 9 of its file: `account` must be a text",
    );
    check(
        json!({"kind": "fire", "shelves": [1]}),
        "`event.resources`, line 11 of its file: `resources` must be an array of texts",
    );
    let thrown = FILE.replace("$document.number", "$number($document.kind)");
    let reason = read(&thrown, r#"{"alarms": [{"kind": "fire"}]}"#).remove(0).unwrap_err();
    assert!(reason.contains("`event.id`, line 8 of its file: the expression threw an error"), "{reason}");
    let empty = FILE.replace("$document.alarms %}", "$document.none %}");
    let reason = read(&empty, r#"{"alarms": [{"kind": "fire"}]}"#).remove(0).unwrap_err();
    assert!(reason.ends_with("`split`, line 4 of its file: it gives no part"), "{reason}");
}

#[test]
fn a_document_of_which_a_part_fails_is_kept_whole() {
    let document =
        json!({"alarms": [{"kind": "fire"}, {"kind": "frost", "number": 1}, {"kind": "flood", "number": 2}]});
    let read = normalize::read_with(document.to_string().as_bytes(), &[source(FILE)], &received());
    assert_eq!(read.len(), 2);
    let unreadable = read[1].as_ref().unwrap_err();
    assert_eq!(unreadable.part.as_deref(), Some(document.to_string().as_str()));
    assert!(unreadable.reason.ends_with("`id` must be a text (and 1 more of its parts)"), "{}", unreadable.reason);
}

#[test]
fn what_is_too_large_is_refused() {
    let body = json!({"alarms": [{"kind": "x".repeat(DOCUMENT_LIMIT_BYTES)}]}).to_string();
    let reason = read(FILE, &body).remove(0).unwrap_err();
    assert!(reason.contains("more than the 2097152 that are mapped at once"), "{reason}");
    let reason =
        read(FILE, &json!({"alarms": vec![json!({"kind": 1}); PARTS_LIMIT + 1]}).to_string()).remove(0).unwrap_err();
    assert!(reason.contains("it gives 10001 parts, more than the 10000 that are taken"), "{reason}");
}

#[test]
fn events_records_and_wrappers_are_what_they_were() {
    let record = json!({
        "eventVersion": "1.08", "eventID": "e-1", "eventTime": "2023-07-10T11:42:36Z", "eventSource": "s3.amazonaws.com",
        "eventName": "PutBucketAcl", "awsRegion": "us-east-1", "recipientAccountId": "123456789012", "alarms": {"kind": 1}
    });
    let records = json!({"Records": [record, {"alarms": {"kind": "fire"}}]});
    let wrapped = json!({"Type": "Notification", "TopicArn": "arn", "Message": records.to_string()});
    let sources = read(FILE, &wrapped.to_string());
    let sources: Vec<&Value> = sources.iter().map(|event| &event.as_ref().unwrap()["source"]).collect();
    assert_eq!(sources, ["aws.s3", "shop"]);
    assert_eq!(
        read(FILE, r#"{"alarms": 1}"#)[0].as_ref().unwrap_err().split(':').next(),
        Some("this is no event that can be read")
    );
}

#[test]
fn what_comes_by_a_webhook_is_its_sources_own() {
    let source = source(FILE);
    let read = |body: &str| {
        let read = normalize::read_from(&source, body.as_bytes(), &received());
        read.into_iter().map(|event| event.map(|event| event.source).map_err(|error| error.reason)).collect::<Vec<_>>()
    };
    let own = r#"{"alarms": [{"kind": "fire"}]}"#;
    assert_eq!(read(&format!("[{own}, {own}]\n{own}")), vec![Ok("shop".to_owned()); 3]);
    // Nobody passes an event of AWS's off by it.
    let forged = r#"{"id": "1", "detail-type": "T", "source": "aws.s3", "detail": {}}"#;
    let reason = "this is no document of the source `shop`: its `pattern` does not match it".to_owned();
    assert_eq!(read(forged), [Err(reason)]);
}

#[test]
fn every_problem_of_a_file_is_told_at_its_place() {
    let check = |text: &str, expected: &[&str]| {
        let document = Document::parse(text, Format::Yaml).unwrap();
        let problems = match Source::parse(&document) {
            Ok((_, warnings)) => warnings,
            Err(problems) => problems,
        };
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let alike = problems.len() == expected.len()
            && problems.iter().zip(expected).all(|(problem, expected)| problem.contains(expected));
        assert!(alike, "{problems:#?}");
    };
    check(FILE, &["the source has no tests"]);
    check(
        "id: A\ntitle: ''\npattern: {a: 1}\nsplit: x\nevent: {source: s, detial-type: x, id: '{% ( %}'}\ntests: []\n",
        &[
            "1:5: ",
            "`title` is empty",
            "the event pattern is not valid",
            "`split` has to be a JSONata expression",
            "the key `detail-type` is missing in `event`",
            "there is no key `detial-type` here",
            "the JSONata expression can't be read",
        ],
    );
    let with = |webhook: &str| format!("id: a\ntitle: A\nevent: {{source: s, detail-type: t}}\ntests: []\n{webhook}");
    check(&with(""), &["neither `pattern` nor `webhook`"]);
    check(&with("webhook: {token: {header: x}}\n"), &[]);
    check(&with("webhook: {}\n"), &["needs either `hmac` or `token`"]);
    check(&with("webhook: {token: {header: x}, hmac: {header: y}}\n"), &["needs either `hmac` or `token`"]);
    check(&with("webhook: {hmac: {header: x, algorithm: md5}}\n"), &["unknown variant `md5`"]);
    check(&with("webhook: {hmac: {header: x, signed: '{timestamp}'}}\n"), &["has to hold `{body}`"]);
    check(&with("webhook: {hmac: {header: x, signed: '{timestamp}{body}'}}\n"), &["does not say in which header"]);
    check(&with("webhook: {hmac: {header: x, timestamp: {header: y}}}\n"), &["anybody could renew it"]);
}
