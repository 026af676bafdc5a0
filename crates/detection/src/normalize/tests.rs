use serde_json::json;

use super::*;

fn record() -> Value {
    json!({
        "eventVersion": "1.08", "eventID": "e-1", "eventTime": "2023-07-10T11:42:36Z", "eventSource": "s3.amazonaws.com",
        "eventName": "PutBucketAcl", "awsRegion": "us-east-1", "eventType": "AwsApiCall", "recipientAccountId": "123456789012",
        "userIdentity": {"accountId": "210987654321"}
    })
}

fn envelope() -> Value {
    json!({
        "id": "1", "detail-type": "T", "source": "s", "account": "123456789012", "time": "2015-11-11T21:29:54Z",
        "region": "us-east-1", "detail": {}
    })
}

/// Every result of a body: an event's identity, or the beginning of the reason.
#[track_caller]
fn check(body: &str, expected: &[Result<&str, &str>]) {
    let results = read(body.as_bytes());
    assert_eq!(results.len(), expected.len(), "{results:?}");
    for (result, expected) in results.iter().zip(expected) {
        match (result, expected) {
            (Ok(event), Ok(id)) => assert_eq!(event.identity(), *id),
            (Err(unreadable), Err(reason)) => assert!(unreadable.reason.starts_with(reason), "{}", unreadable.reason),
            _ => panic!("{result:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn a_record_becomes_the_event_that_eventbridge_makes_of_it() {
    let results = read(record().to_string().as_bytes());
    let event = results[0].as_ref().unwrap();
    let expected = json!({
        "version": "0", "id": "e-1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "account": "123456789012",
        "time": "2023-07-10T11:42:36Z", "region": "us-east-1", "resources": [], "detail": record()
    });
    assert_eq!(event.envelope(), expected);
}

#[test]
fn kinds_and_sources_of_records() {
    let check = |field: &str, value: &str, expected: (&str, &str)| {
        let mut record = record();
        record[field] = json!(value);
        let results = read(record.to_string().as_bytes());
        let event = results[0].as_ref().unwrap();
        assert_eq!((event.source.as_str(), event.detail_type.as_str()), expected);
    };
    check("eventType", "AwsConsoleSignIn", ("aws.s3", "AWS Console Sign In via CloudTrail"));
    check("eventType", "AwsServiceEvent", ("aws.s3", "AWS Service Event via CloudTrail"));
    check("eventType", "AwsConsoleAction", ("aws.s3", "AWS Console Action via CloudTrail"));
    check("eventSource", "monitoring.amazonaws.com", ("aws.monitoring", "AWS API Call via CloudTrail"));
    check("eventSource", "ec2.amazonaws.com.cn", ("aws.ec2", "AWS API Call via CloudTrail"));
}

#[test]
fn accounts_and_ids_of_old_records() {
    let mut old = record();
    for field in ["recipientAccountId", "eventID"] {
        old.as_object_mut().unwrap().remove(field);
    }
    let twice = read(format!("[{old}, {old}]").as_bytes());
    let (first, second) = (twice[0].as_ref().unwrap(), twice[1].as_ref().unwrap());
    assert_eq!(first.account, "210987654321");
    assert!(first.id.starts_with("sha256-") && first.id.len() == 39, "{}", first.id);
    assert_eq!(first.id, second.id);
    old["userIdentity"] = json!({});
    check(
        &old.to_string(),
        &[Err(
            "this CloudTrail record of `PutBucketAcl` can't be read: `recipientAccountId` is missing, and `userIdentity.accountId` too",
        )],
    );
}

#[test]
fn what_is_around_events_is_taken_off() {
    let (record, envelope) = (record(), envelope());
    check(&envelope.to_string(), &[Ok("1")]);
    check(&format!("\u{feff}{envelope}"), &[Ok("1")]);
    check(&json!({"Records": [record, record]}).to_string(), &[Ok("e-1"), Ok("e-1")]);
    check(&format!("[{record}, 7, {envelope}]"), &[Ok("e-1"), Err("`7` is no event"), Ok("1")]);
    check(&format!("{record}\n{envelope}\n"), &[Ok("e-1"), Ok("1")]);
    let notification = json!({"Type": "Notification", "TopicArn": "arn", "Message": envelope.to_string()});
    check(&notification.to_string(), &[Ok("1")]);
    let batch = json!({"Records": [
        {"eventSource": "aws:sqs", "body": notification.to_string()},
        {"EventSource": "aws:sns", "Sns": {"Message": record.to_string()}},
        {"eventSource": "aws:sqs", "body": "{"},
    ]});
    check(&batch.to_string(), &[Ok("1"), Ok("e-1"), Err("the JSON breaks off at line 1, column 1")]);
}

#[test]
fn what_cannot_be_read_says_why() {
    for (body, reason) in [
        ("", "the body is empty"),
        (" \n", "the body is empty"),
        ("[]", "the array is empty"),
        (r#"{"Records": []}"#, "the array is empty"),
        ("hello", "this is no JSON: expected value at line 1 column 1"),
        (r#"{"a": "#, "the JSON breaks off at line 1, column 6: it was cut short, send it whole"),
        ("17", "`17` is no event: expected a JSON object"),
        ("{}", "this is no event that can be read: it has no field; expected an EventBridge event"),
        (r#"{"x": 1}"#, "this is no event that can be read: it has the fields `x`; expected"),
        (r#"{"detail-type": "T", "source": "s"}"#, "this EventBridge event can't be read: `id` is missing"),
        (r#"{"detail": {}}"#, "this looks like an EventBridge event, but `source` and `detail-type` are missing"),
        (r#"{"Source": "s", "DetailType": "T", "Detail": "{}"}"#, "this is an entry of PutEvents"),
        (r#"{"SchemaVersion": "2018-10-08", "ProductArn": "arn"}"#, "this is a bare Security Hub finding"),
        (
            r#"{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}"#,
            "this is only S3's test of the notifications of `b`",
        ),
        (
            r#"{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}"#,
            "this S3 notification names `s3://b/k`, which is no event itself",
        ),
        (r#"{"Type": "SubscriptionConfirmation", "TopicArn": "a"}"#, "this is SNS's SubscriptionConfirmation"),
        (r#"{"Type": "Notification", "TopicArn": "a"}"#, "this SNS notification can't be read: `Message` is missing"),
        (
            r#"{"eventName": "X", "eventVersion": "1.08"}"#,
            "this CloudTrail record of `X` can't be read: `eventSource` is missing",
        ),
    ] {
        check(body, &[Err(reason)]);
    }
    assert!(read(&[0x1f, 0x8b, 8])[0].as_ref().unwrap_err().reason.contains("gzip"));
    assert!(read(&[0xff, 0xfe, 0x7b, 0])[0].as_ref().unwrap_err().reason.contains("UTF-16"));
    assert!(read(b"{\"a\": \"\xff\"}")[0].is_err());
}

#[test]
fn depth_is_limited() {
    check(&"[".repeat(1_000_000), &[Err("this is no JSON: recursion limit exceeded")]);
    check(&format!("{}1{}", "[".repeat(100), "]".repeat(100)), &[Err("more than 8 arrays or wrappers")]);
    let wrapped =
        (0..10).fold(envelope().to_string(), |body, _| json!({"Type": "Notification", "Message": body}).to_string());
    check(&wrapped, &[Err("more than 8 arrays or wrappers")]);
}

#[test]
fn a_flood_of_what_cannot_be_read_is_counted() {
    let results = read(format!("{}{}", "1 ".repeat(1_234), envelope()).as_bytes());
    assert_eq!(results.len(), 102);
    assert!(results[100].is_ok());
    let rest = results[101].as_ref().unwrap_err();
    assert_eq!(rest.reason, "1134 more records of this body can't be read: send it in parts to see why");
    assert_eq!(rest.part.as_deref(), Some(""));
}

#[test]
fn what_cannot_be_read_of_many_is_told_by_its_own_text() {
    let broken = json!({"id": "2", "detail-type": "T", "source": "s", "detail": {"a": [1]}});
    let mut record = record();
    record["awsRegion"] = json!(7);
    let body = format!("[{}, 7, {broken}, {record}]\n{{\"cut", envelope());
    let results = read(body.as_bytes());
    let parts: Vec<String> = results.into_iter().filter_map(|read| read.err()?.part).collect();
    assert_eq!(parts, ["7".to_owned(), broken.to_string(), record.to_string(), "\n{\"cut".to_owned()]);
    for whole in ["7", "[7]", "{\"cut"] {
        assert_eq!(read(whole.as_bytes())[0].as_ref().unwrap_err().part, None, "{whole}");
    }
}

#[test]
fn objects_that_notifications_name() {
    let notification = json!({"Records": [{
        "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "eu-west-1",
        "s3": {"bucket": {"name": "logs"}, "object": {"key": "a+b%2Bc/%C3%A4.json.gz", "size": 12}}
    }]});
    let expected = Object {
        bucket: "logs".to_owned(),
        key: "a b+c/ä.json.gz".to_owned(),
        region: "eu-west-1".to_owned(),
        size: Some(12),
    };
    let notice = |body: &Value| read(body.to_string().as_bytes()).remove(0).unwrap_err().notice;
    assert_eq!(notice(&notification), Some(Notice::Object(expected.clone())));
    let wrapped = json!({"Type": "Notification", "TopicArn": "arn", "Message": notification.to_string()});
    assert_eq!(notice(&wrapped), Some(Notice::Object(expected.clone())));
    assert_eq!(notice(&json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})), Some(Notice::Test));
    let mut removed = notification;
    removed["Records"][0]["eventName"] = json!("ObjectRemoved:Delete");
    assert_eq!(notice(&removed), None);

    let mut created = envelope();
    created["source"] = json!("aws.s3");
    created["detail-type"] = json!("Object Created");
    created["region"] = json!("eu-west-1");
    created["detail"] = json!({"bucket": {"name": "logs"}, "object": {"key": "a b+c/ä.json.gz", "size": 12}});
    let of_event = |body: &Value| object(read(body.to_string().as_bytes())[0].as_ref().unwrap());
    assert_eq!(of_event(&created), Some(expected));
    created["detail"]["object"]["key"] = json!("film.mp4");
    assert_eq!(of_event(&created), None);
}
