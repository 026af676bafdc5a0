//! Figures to watch: `/metrics`, and the same pushed to a collector.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test support: what is not there fails the test"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
};

use end_to_end::{Account, Collector, Serve, Webhook, exposition::Exposition, serve::Answer, until};
use serde_json::{Value, json};

/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";
const BUCKET: &str = "s3-bucket-public-access";
const CONFIGURATION: &str = "account: \"123456789012\"\n";

fn event(id: &str, name: &str) -> Value {
    json!({"version": "0", "id": id, "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"eventSource": "s3.amazonaws.com", "eventName": name, "eventID": id, "requestParameters": {"bucketName": "reports"}}})
}

/// Where all of AWS denies access; it listens until the test's process ends.
fn denying() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
            let length = body.len();
            // Who asked may be gone.
            drop(
                stream.write_all(
                    format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                        .as_bytes(),
                ),
            );
        }
    });
    url
}

fn scrape(serve: &Serve, accept: &str) -> Answer {
    let token = fs::read_to_string(serve.data().join("metrics-token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    serve.ask_with("GET", "/metrics", None, &[("authorization", &bearer), ("accept", accept)]).unwrap()
}

fn metrics(serve: &Serve) -> Exposition {
    Exposition::read(&dechunked(&scrape(serve, "text/plain")), false)
}

/// The body of an answer that came with its length.
fn dechunked(answer: &Answer) -> String {
    assert!(answer.head.to_lowercase().contains("content-length"), "{}", answer.head);
    answer.text.clone()
}

/// Waits until a row has this value.
fn reaches(serve: &Serve, row: &str, value: f64) -> Exposition {
    until(&format!("{row} = {value}"), || {
        let metrics = metrics(serve);
        (metrics.value(row).total_cmp(&value).is_eq()).then_some(metrics)
    })
}

#[test]
fn metrics_need_their_token_and_come_in_both_formats() {
    let serve = Serve::start(CONFIGURATION, NOBODY);
    let key = fs::read_to_string(serve.data().join("api-key")).unwrap();
    let bearer_key = format!("Bearer {}", key.trim());
    for headers in [vec![], vec![("x-api-key", key.trim())], vec![("authorization", bearer_key.as_str())]] {
        let answer = serve.ask_with("GET", "/metrics", None, &headers).unwrap();
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(!answer.text.contains("# TYPE"));
    }
    let plain = scrape(&serve, "text/plain;version=0.0.4");
    assert_eq!(plain.status, 200);
    assert!(plain.head.contains("text/plain; version=0.0.4; charset=utf-8"), "{}", plain.head);
    let plain = Exposition::read(&dechunked(&plain), false);
    assert_eq!(plain.types["rectify_events_total"], "counter");
    assert!(plain.value("process_resident_memory_bytes") > 1e6);
    let open = scrape(&serve, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    assert!(open.head.contains("application/openmetrics-text; version=1.0.0"), "{}", open.head);
    let open = Exposition::read(&dechunked(&open), true);
    assert_eq!(open.types["rectify_events"], "counter");
    assert_eq!(open.types.len(), plain.types.len());
    assert!(open.rows.keys().eq(plain.rows.keys()), "the same rows in both");
}

#[test]
fn each_event_moves_the_figures_by_one() {
    let serve = Serve::start(CONFIGURATION, &denying());
    let before = metrics(&serve);
    let events = |result: &str| format!("rectify_events_total{{source=\"events\",result=\"{result}\"}}");
    assert_eq!(before.value(&events("new")), 0.0);
    let bad = json!({"id": "bad", "detail-type": "t", "source": "mine", "detail": {}});
    let body = json!([event("1", "GetBucketAcl"), event("2", "GetBucketAcl"), event("1", "GetBucketAcl"), bad]);
    assert_eq!(serve.ask("POST", "/events", Some(body.to_string().as_bytes())).unwrap().status, 200);
    let metrics = metrics(&serve);
    for (result, expected) in [("new", 2.0), ("duplicate", 1.0), ("unreadable", 1.0)] {
        assert_eq!(metrics.value(&events(result)), expected, "{result}");
    }
    assert_eq!(metrics.value("rectify_events_matched_total{source=\"events\"}"), 0.0);
    assert_eq!(metrics.value("rectify_executions_started_total{type=\"STANDARD\"}"), 0.0);
    assert!(metrics.value("rectify_store_commit_duration_seconds_count") > 0.0);
    reaches(&serve, "rectify_unreadable_events", 1.0);

    // One that a guardrail acts on, while AWS denies access.
    let body = event("3", "PutBucketAcl").to_string();
    assert_eq!(serve.ask("POST", "/events", Some(body.as_bytes())).unwrap().status, 200);
    let failed = format!("rectify_findings_failed_total{{guardrail=\"{BUCKET}\"}}");
    let metrics = reaches(&serve, &failed, 1.0);
    for row in [
        "rectify_events_matched_total{source=\"events\"}".to_owned(),
        "rectify_executions_started_total{type=\"STANDARD\"}".to_owned(),
        format!("rectify_findings_opened_total{{guardrail=\"{BUCKET}\"}}"),
        "rectify_event_to_first_call_seconds_count".to_owned(),
    ] {
        assert_eq!(metrics.value(&row), 1.0, "{row}");
    }
    let denied = metrics.value("rectify_aws_requests_total{service=\"s3control\",result=\"access_denied\"}");
    assert!(denied > 0.0, "{:?}", metrics.rows.keys().filter(|row| row.contains("aws")).collect::<Vec<_>>());
    assert_eq!(metrics.value("rectify_detection_to_fix_seconds_count"), 0.0);
    reaches(&serve, &format!("rectify_findings{{guardrail=\"{BUCKET}\",stage=\"failed\"}}"), 1.0);
    reaches(&serve, "rectify_executions_ended_total{type=\"STANDARD\",status=\"SUCCEEDED\"}", 1.0);
}

#[test]
fn a_fix_is_timed_from_its_event() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let configuration = format!(
        "guardrails: {{{BUCKET}: {{mode: fix}}}}\nsources:\n  - sqs: {{queue_url: \"{}\"}}\nchannels:\n  team: {{webhook: {{url: \"{}\"}}}}\n",
        account.queue_url, webhook.url
    );
    let collector = Collector::start();
    let mut serve = Serve::prepare(&configuration, &account.url);
    serve.restart(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/v1/traces", collector.url))]);
    serve.wait_until_ready();
    account.python("client('s3').create_bucket(Bucket='reports'); client('s3').put_bucket_acl(Bucket='reports', ACL='public-read')");
    reaches(&serve, "rectify_detection_to_fix_seconds_count", 1.0);
    let metrics = reaches(&serve, &format!("rectify_findings{{guardrail=\"{BUCKET}\",stage=\"fixed\"}}"), 1.0);
    assert_eq!(metrics.value(&format!("rectify_findings_fixed_total{{guardrail=\"{BUCKET}\"}}")), 1.0);
    assert_eq!(metrics.value(&format!("rectify_findings_opened_total{{guardrail=\"{BUCKET}\"}}")), 1.0);
    assert_eq!(metrics.value(&format!("rectify_findings_failed_total{{guardrail=\"{BUCKET}\"}}")), 0.0);
    for row in [
        "rectify_events_total{source=\"sqs\",result=\"new\"}",
        "rectify_event_to_first_call_seconds_count",
        "rectify_aws_requests_total{service=\"s3\",result=\"ok\"}",
        "rectify_aws_requests_total{service=\"sqs\",result=\"ok\"}",
        "rectify_tasks_total{result=\"succeeded\"}",
        "rectify_task_duration_seconds_sum",
        "rectify_channel_deliveries_total{channel=\"team\",result=\"delivered\"}",
    ] {
        assert!(metrics.value(row) > 0.0, "{row}: {metrics:?}");
    }
    let queue = account.queue_url.rsplit('/').next().unwrap();
    assert!(metrics.value(&format!("rectify_queue_messages_total{{queue=\"{queue}\"}}")) > 0.0);
    assert!(metrics.rows.contains_key(&format!("rectify_queue_oldest_message_age_seconds{{queue=\"{queue}\"}}")));
    check_trace(&collector, &serve);
}

/// The fix in one trace: the event, the execution below it, its tasks below that.
fn check_trace(collector: &Collector, serve: &Serve) {
    let spans: Vec<Value> = until("the trace of the fix", || {
        let spans: Vec<Value> = collector
            .posted("/v1/traces")
            .iter()
            .flat_map(|request| request.body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone())
            .collect();
        spans.iter().any(|span| span["name"].as_str().unwrap().starts_with("Fix: ")).then_some(spans)
    });
    let fix = spans.iter().find(|span| span["name"].as_str().unwrap().starts_with("Fix: ")).unwrap();
    let id_of = |id: &Value| spans.iter().find(|span| span["spanId"] == *id).unwrap_or_else(|| panic!("no span {id}"));
    let execution = id_of(&fix["parentSpanId"]);
    assert_eq!(execution["name"], format!("rectify-guardrail-{BUCKET}"));
    let noticed = id_of(&execution["parentSpanId"]);
    assert_eq!((noticed["name"].as_str(), noticed["parentSpanId"].as_str()), (Some("noticed"), Some("")));
    let of_trace = |span: &&Value| span["traceId"] == fix["traceId"];
    let names: Vec<&str> = spans.iter().filter(of_trace).map(|span| span["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"Decide") && names.iter().any(|name| name.starts_with("Inspect again: ")), "{names:?}");
    for span in &spans {
        let nanoseconds = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(nanoseconds("startTimeUnixNano") <= nanoseconds("endTimeUnixNano"), "{span}");
        assert_eq!((span["traceId"].as_str().unwrap().len(), span["spanId"].as_str().unwrap().len()), (32, 16));
    }
    assert_eq!(attributes(&noticed["attributes"])["rectify.finding.id"], serve.finding(BUCKET).unwrap()["id"]);
    until("the spans' own figure", || {
        (metrics(serve).value("rectify_spans_total{result=\"sent\"}") > 0.0).then_some(())
    });
}

/// The attributes of OTLP, as an object.
fn attributes(value: &Value) -> Value {
    let pairs = value.as_array().unwrap().iter();
    pairs.map(|pair| (pair["key"].as_str().unwrap().to_owned(), pair["value"]["stringValue"].clone())).collect()
}

#[test]
fn a_collector_gets_the_same_figures() {
    let collector = Collector::start();
    let mut serve = Serve::prepare(CONFIGURATION, NOBODY);
    serve.restart(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20secret"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test"),
    ]);
    serve.wait_until_ready();
    let body = event("1", "GetBucketAcl").to_string();
    assert_eq!(serve.ask("POST", "/events", Some(body.as_bytes())).unwrap().status, 200);
    let is_counted = |metric: &Value| {
        metric["name"] == "rectify_events"
            && metric["sum"]["dataPoints"].as_array().unwrap().iter().any(|point| {
                attributes(&point["attributes"]) == json!({"source": "events", "result": "new"})
                    && point["asInt"] == "1"
            })
    };
    let request = until("the event at the collector", || {
        let mut posted = collector.posted("/v1/metrics").into_iter();
        posted.find(|request| {
            let metrics = &request.body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
            metrics.as_array().unwrap().iter().any(is_counted)
        })
    });
    let header = |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((header("content-type"), header("api-key")), (Some("application/json"), Some("a secret")));
    let resource = attributes(&request.body["resourceMetrics"][0]["resource"]["attributes"]);
    assert_eq!((&resource["service.name"], &resource["deployment.environment"]), (&json!("rectify"), &json!("test")));
    until("the exports' own figure", || {
        (metrics(&serve).value("rectify_otlp_exports_total{result=\"ok\"}") > 0.0).then_some(())
    });
    assert!(!serve.log().contains("a secret"), "headers are secrets");
}
