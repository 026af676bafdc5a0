//! What comes by the three ways of AWS's own (a queue, an API destination, an SNS subscription), when the store is full, and when
//! playbooks can't keep up.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test tells what broke by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use aws::{Aws, Call, CallError};
use end_to_end::{Serve, Sqs, Webhook, python, until};
use serde_json::{Value, json};

/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";
const TOKEN: &str = "a-token-of-32-characters-or-so-00";

/// That somebody changed a bucket, as EventBridge has it.
fn event(id: &str) -> Value {
    json!({"version": "0", "id": format!("envelope-{id}"), "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "account": "123456789012",
        "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": record(id)})
}

/// The same as CloudTrail has it.
fn record(id: &str) -> Value {
    json!({"eventVersion": "1.11", "eventSource": "s3.amazonaws.com", "eventName": "PutBucketAcl", "eventID": id, "eventTime": "2026-01-01T00:00:00Z", "awsRegion": "us-east-1",
        "recipientAccountId": "123456789012", "userIdentity": {"type": "IAMUser", "accountId": "123456789012"}, "requestParameters": {"bucketName": "reports"}})
}

/// An event of our own, of some 100 kB, that concerns no guardrail.
fn bulky(id: &str) -> Value {
    json!({"version": "0", "id": id, "detail-type": "t", "source": "mine", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {"text": "x".repeat(100_000)}})
}

fn key(serve: &Serve) -> String {
    fs::read_to_string(serve.data().join("api-key")).unwrap().trim().to_owned()
}

/// Status, what was new, what was known.
fn post(serve: &Serve, path: &str, body: &str, headers: &[(&str, &str)]) -> (u16, u64, u64) {
    let answer = serve.ask_with("POST", path, Some(body.as_bytes()), headers).unwrap();
    let count = |name: &str| answer.body[name].as_u64().unwrap_or_default();
    (answer.status, count("received"), count("duplicates"))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = three.iter().chain([&0, &0]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let digit = |at: usize| if at <= three.len() { char::from(DIGITS[bits >> (18 - 6 * at) & 63]) } else { '=' };
        (0..4).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// What EventBridge sends to an API destination, besides what its connection says.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html#eb-api-destination-headers>
const API_DESTINATION: [(&str, &str); 4] = [
    ("User-Agent", "Amazon/EventBridge/ApiDestinations"),
    ("Content-Type", "application/json; charset=utf-8"),
    ("Range", "bytes=0-1048575"),
    ("Accept-Encoding", "gzip,deflate"),
];

#[test]
fn what_an_api_destination_sends_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), TOKEN).unwrap();
    let configuration = format!(
        "account: \"123456789012\"\nsources:\n  - webhook: {{source: json, secret: {{file: {}/secret}}}}\n",
        folder.path().display()
    );
    let serve = Serve::start(&configuration, NOBODY);
    let send = |path: &str, body: &Value, connection: (&str, &str)| {
        let mut headers = API_DESTINATION.to_vec();
        headers.push(connection);
        post(&serve, path, &body.to_string(), &headers)
    };
    let key = key(&serve);
    let basic = |password: &str| format!("Basic {}", base64(format!("eventbridge:{password}").as_bytes()));
    // A connection with an API key, one with basic authorization, and both with the wrong one.
    assert_eq!(send("/events", &event("a"), ("x-api-key", &key)), (200, 1, 0));
    assert_eq!(send("/events", &event("b"), ("Authorization", &basic(&key))), (200, 1, 0));
    assert_eq!(send("/events", &event("c"), ("x-api-key", "wrong")), (401, 0, 0));
    assert_eq!(send("/events", &event("c"), ("Authorization", &basic("wrong"))), (403, 0, 0));
    // EventBridge sends again what it has no answer of.
    assert_eq!(send("/events", &event("a"), ("x-api-key", &key)), (200, 0, 1));
    // What an input transformer makes is no event any more: a source maps it.
    let transformed = json!({"instance": "i-1", "state": "terminated"});
    assert_eq!(send("/events", &transformed, ("x-api-key", &key)), (400, 0, 0));
    assert_eq!(send("/webhooks/json", &transformed, ("Authorization", &format!("Bearer {TOKEN}"))), (200, 1, 0));
    let listed = serve.ask("GET", "/api/events", None).unwrap().body;
    assert_eq!(listed["events"].as_array().map(Vec::len), Some(1), "what is refused is kept");
}

/// Makes a key and a certificate, and signs what SNS would. `cryptography` comes with moto.
const SIGN: &str = r#"
import base64, datetime, json, sys
from cryptography import x509
from cryptography.x509.oid import NameOID
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
now = datetime.datetime.now(datetime.timezone.utc)
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
day = datetime.timedelta(days=1)
certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7).not_valid_before(now - day).not_valid_after(now + day).sign(key, hashes.SHA256())
def signed(version, message):
    message = dict(message, Timestamp=now.strftime("%Y-%m-%dT%H:%M:%S.000Z"), TopicArn="arn:aws:sns:us-east-1:123456789012:findings")
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA1() if version == "1" else hashes.SHA256())
    return dict(message, SignatureVersion=version, Signature=base64.b64encode(signature).decode(), SigningCertURL="https://sns.us-east-1.amazonaws.com/SimpleNotificationService-7.pem")
confirmation = {"Type": "SubscriptionConfirmation", "MessageId": "m-0", "Token": "t", "Message": "You have chosen to subscribe to the topic.\nTo confirm, visit the URL.", "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:123456789012:findings&Token=t"}
messages = [signed("1", confirmation)] + [signed(version, {"Type": "Notification", "MessageId": "m-1", "Message": message}) for version, message in json.load(sys.stdin)]
json.dump({"certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(), "messages": messages}, sys.stdout)
"#;

fn sign(messages: &Value) -> Option<(String, Vec<Value>)> {
    let mut process = Command::new(python()?)
        .args(["-c", SIGN])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(messages.to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    Some((answer["certificate"].as_str().unwrap().to_owned(), answer["messages"].as_array().unwrap().clone()))
}

#[test]
fn sns_subscribes_and_notifies() {
    let envelope = event("s").to_string();
    let asked = json!([["1", envelope], ["2", envelope], ["2", "no event"]]);
    let Some((certificate, messages)) = sign(&asked) else { return };
    // SNS: whatever it is asked for, it answers with the certificate.
    let sns = Webhook::answering(Box::leak(certificate.into_boxed_str()));
    let mut serve = Serve::prepare(
        "account: \"123456789012\"\nsources:\n  - sns: {topic_arn: \"arn:aws:sns:us-east-1:123456789012:findings\"}\n",
        NOBODY,
    );
    serve.restart(&[("AWS_ENDPOINT_URL_SNS", &sns.url)]);
    serve.wait_until_ready();
    let text = ("content-type", "text/plain; charset=UTF-8");
    let send = |message: &Value| post(&serve, "/sns", &message.to_string(), &[text]);
    let forged = |at: usize, field: &str, value: &str| {
        let mut message = messages[at].clone();
        message[field] = json!(value);
        message
    };
    assert_eq!(send(&forged(0, "Token", "other")), (403, 0, 0));
    assert_eq!(sns.messages().len(), 1, "only the certificate was asked for");
    assert_eq!(send(&messages[0]), (200, 0, 0));
    assert_eq!(sns.messages().len(), 3, "the certificate and the confirmation");
    assert_eq!(send(&messages[1]), (200, 1, 0));
    assert_eq!(send(&messages[2]), (200, 0, 1), "the other version of the signature, the same event");
    assert_eq!(send(&forged(1, "Message", "{}")), (403, 0, 0));
    assert_eq!(send(&forged(1, "TopicArn", "arn:aws:sns:us-east-1:123456789012:other")), (403, 0, 0));
    let raw = [text, ("x-amz-sns-rawdelivery", "true")];
    assert_eq!(post(&serve, "/sns", &envelope, &raw), (403, 0, 0));
    assert_eq!(sns.messages().len(), 3, "a certificate that signed something is kept");
    // What is genuine and no event is kept.
    assert_eq!(send(&messages[3]), (200, 0, 0));
    assert_eq!(serve.ask("GET", "/api/events", None).unwrap().body["events"].as_array().map(Vec::len), Some(1));
    // CloudTrail's own record of the same call, as a log object has it: the same event.
    let records = json!({"Records": [record("s")]}).to_string();
    assert_eq!(post(&serve, "/events", &records, &[("x-api-key", &key(&serve))]), (200, 0, 1));

    let silent = Serve::start("account: \"123456789012\"\n", NOBODY);
    assert_eq!(post(&silent, "/sns", &messages[1].to_string(), &[text]), (404, 0, 0));
}

#[test]
fn a_message_that_is_not_stored_is_held_and_then_given_back() {
    let sqs = Sqs::start();
    let configuration = format!(
        "account: \"123456789012\"\nsources:\n  - sqs: {{queue_url: \"{}\", visibility_timeout_seconds: 2}}\n",
        sqs.url
    );
    let environment = [("AWS_ENDPOINT_URL_SQS", sqs.url.as_str())];
    let mut serve = Serve::prepare(&configuration, NOBODY);
    serve.limit_files(Some(1024));
    serve.restart(&environment);
    serve.wait_until_ready();
    let key = key(&serve);
    let full = (0..100).find(|n| {
        let answer = serve.ask("POST", "/events", Some(bulky(&format!("b-{n}")).to_string().as_bytes())).unwrap();
        let message = answer.body["message"].as_str().unwrap_or_default();
        assert!(answer.status == 200 || answer.status == 503 && message.contains("the store can't"), "{answer:?}");
        answer.status == 503
    });
    assert!(full.is_some(), "the store is not full");
    sqs.send(&bulky("held"));
    let extended = until("an extension", || sqs.calls("ChangeMessageVisibilityBatch").into_iter().nth(2));
    assert_eq!(extended["Entries"][0]["VisibilityTimeout"], 2, "{extended}");
    assert!(serve.log().contains("a message is not taken; it is held"), "{}", serve.log());
    assert_eq!((sqs.receives(), sqs.deleted().len(), sqs.visible()), (1, 0, 0), "nobody else got it meanwhile");

    serve.terminate();
    until("the end", || serve.has_ended().then_some(()));
    let last = sqs.calls("ChangeMessageVisibilityBatch").pop().unwrap();
    assert_eq!((&last["Entries"][0]["VisibilityTimeout"], sqs.visible()), (&json!(0), 1), "it is given back at once");

    serve.limit_files(None);
    serve.restart(&environment);
    serve.wait_until_ready();
    until("the delete", || (sqs.deleted() == [bulky("held").to_string()]).then_some(()));
    assert_eq!(post(&serve, "/events", &bulky("held").to_string(), &[("x-api-key", &key)]), (200, 0, 1));
}

/// An AWS that answers nothing until it is released, and then everything alike.
struct Slow {
    url: String,
    released: Arc<AtomicBool>,
}

impl Slow {
    fn start() -> Slow {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let released = Arc::new(AtomicBool::new(false));
        let slow = Slow { url, released: released.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let released = released.clone();
                thread::spawn(move || answer(stream, &released));
            }
        });
        slow
    }
}

fn answer(mut stream: TcpStream, released: &AtomicBool) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    while !released.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(10));
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}").ok()
}

const SLOW_GUARDRAIL: &str = r#"
id: slow
title: An inspection that takes long
severity: LOW
risk: safe
resource: {type: "Test::Load::Thing", id: "{% $event.detail.thing %}"}
event: {source: [slow]}
list: {StartAt: L, States: {L: {Type: Pass, Output: {ResourceIds: []}, End: true}}}
inspect:
  StartAt: Ask
  States:
    Ask: {Type: Task, Resource: "arn:aws:states:::aws-sdk:dynamodb:listTables", Arguments: {}, Next: I}
    I: {Type: Pass, Output: {Compliance: COMPLIANT, Reason: it is, Before: {}}, End: true}
fix: {StartAt: F, States: {F: {Type: Pass, End: true}}}
undo: {StartAt: U, States: {U: {Type: Pass, End: true}}}
tests: []
"#;

fn slow_event(n: u64) -> Value {
    json!({"version": "0", "id": format!("slow-{n}"), "detail-type": "t", "source": "slow", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {"thing": format!("thing-{n}")}})
}

async fn put_events(serve: &Serve) -> Result<Value, CallError> {
    let credentials = fs::read_to_string(serve.data().join("credentials")).unwrap();
    let value = |name: &str| {
        let line = credentials.lines().find(|line| line.trim().starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    let mut options = aws::Options::fixed("us-east-1", &value("aws_access_key_id"), &value("aws_secret_access_key"));
    options.endpoint_url = Some(serve.url());
    let call = Call {
        service: "eventbridge".to_owned(),
        action: "putEvents".to_owned(),
        parameters: json!({"Entries": [{"Source": "mine", "DetailType": "t", "Detail": "{}"}]}),
        region: None,
        role_arn: None,
        idempotency_token: None,
        attempts: 1,
        timeout_seconds: 30,
        answer_bytes: None,
    };
    Aws::new(options).call(call).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_are_held_up_while_playbooks_can_t_keep_up() {
    let (sqs, slow, folder) = (Sqs::start(), Slow::start(), tempfile::tempdir().unwrap());
    fs::create_dir(folder.path().join("guardrails")).unwrap();
    fs::write(folder.path().join("guardrails/slow.yaml"), SLOW_GUARDRAIL).unwrap();
    fs::write(folder.path().join("secret"), TOKEN).unwrap();
    let configuration = format!(
        "account: \"123456789012\"\nmemory: {{executions: 2, backlog: 3}}\nguardrails_folder: {folder}/guardrails\nsources:\n  - sqs: {{queue_url: \"{sqs}\", visibility_timeout_seconds: 2}}\n  - webhook: {{source: json, secret: {{file: {folder}/secret}}}}\n",
        folder = folder.path().display(),
        sqs = sqs.url,
    );
    let mut serve = Serve::prepare(&configuration, NOBODY);
    serve.restart(&[("AWS_ENDPOINT_URL_SQS", &sqs.url), ("AWS_ENDPOINT_URL_DYNAMODB", &slow.url)]);
    serve.wait_until_ready();
    let key = key(&serve);
    let send = |n: u64| post(&serve, "/events", &slow_event(n).to_string(), &[("x-api-key", &key)]);
    // Two in memory, three that wait for room.
    for n in 0..5 {
        assert_eq!(send(n), (200, 1, 0), "{n}");
    }
    assert_eq!(send(5), (503, 0, 0));
    assert_eq!(serve.ask("GET", "/api/engine", None).unwrap().body["executions_put_off"], 3);
    let answer = serve.ask("POST", "/events", Some(slow_event(5).to_string().as_bytes())).unwrap();
    assert!(answer.body["message"].as_str().unwrap().contains("send it again later"), "{answer:?}");
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(post(&serve, "/webhooks/json", "{}", &[("authorization", &bearer)]).0, 503);
    match put_events(&serve).await {
        Err(CallError::Service { code, throttled: true, status: 400, .. }) if code == "ThrottlingException" => {}
        answer => panic!("PutEvents: {answer:?}"),
    }
    sqs.send(&slow_event(6));
    assert!(serve.log().contains("no events are taken in until a quarter"), "{}", serve.log());
    assert_eq!(serve.ask_with("GET", "/healthz", None, &[]).unwrap().status, 200);
    assert!(sqs.deleted().is_empty());

    slow.released.store(true, Ordering::Relaxed);
    until("the executions catch up", || (send(5).0 == 200).then_some(()));
    until("the message is taken", || (sqs.deleted().len() == 1).then_some(()));
    until("all ended", || {
        let list = serve.ask("GET", "/api/findings?guardrail=slow", None)?.body;
        let ended = list["findings"].as_array()?.iter().filter(|finding| finding["status"] == "RESOLVED").count();
        (ended == 7).then_some(())
    });
    assert!(put_events(&serve).await.is_ok());
    assert!(serve.log().contains("executions have caught up"), "{}", serve.log());
}
