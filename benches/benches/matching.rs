//! Events matched against many rules, on one thread, beside what reading four fields of the same event and one hash look-up take.
//!
//! Patterns that differ in an exact value, and patterns of all operators mixed; the public Sigma rules copied (found by
//! `RECTIFY_CORPUS`; unset, that part says that it is skipped).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, and ends when it fails"
)]

use std::{
    collections::HashMap,
    fs::File,
    hint::black_box,
    io::Read as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use asl::{Document, document::Format};
use detection::{EventPattern, Filter, Matcher, normalize, sigma};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};

const FOR: Duration = Duration::from_millis(1_500);
const EVENTS: usize = 1_000;
const SIGMA_RULES: usize = 790;

fn main() {
    let events: Vec<String> = (0..EVENTS).map(|number| event(number).to_string()).collect();
    let bytes = events.iter().map(String::len).sum::<usize>() / events.len();
    let floor = floor(&events);
    println!("floor: {floor:>10.0} events/s of {bytes} bytes (four fields by serde_json, one hash look-up)");
    for (name, pattern) in [("exact", exact as fn(usize) -> Value), ("mixed", mixed)] {
        for count in [100, 1_000, 10_000] {
            let patterns =
                (0..count).map(|number| (number, EventPattern::from_value(&pattern(number)).unwrap())).collect();
            measure(&format!("{count} {name} patterns"), patterns, &events, floor);
        }
    }
    let Some(corpus) = std::env::var_os("RECTIFY_CORPUS").map(PathBuf::from) else {
        println!("Sigma rules: skipped, RECTIFY_CORPUS is not set");
        return;
    };
    let rules: Vec<Filter> = lines(&corpus.join("rules/sigma-aws.jsonl.gz"), |case| filter(&case));
    let records: Vec<String> = lines(&corpus.join("events/cloudtrail-invictus.jsonl.gz"), |case| {
        normalize::read(case.get("record").unwrap().to_string().as_bytes()).remove(0).unwrap().envelope().to_string()
    });
    let floor_of_records = self::floor(&records);
    let bytes = records.iter().map(String::len).sum::<usize>() / records.len();
    println!("floor: {floor_of_records:>10.0} events/s of {bytes} bytes (CloudTrail's)");
    for count in [rules.len(), SIGMA_RULES] {
        let copies = rules.iter().cycle().take(count).cloned().enumerate().collect();
        measure(&format!("{count} Sigma rules"), copies, &records, floor_of_records);
    }
}

/// Prints how fast the rules are compiled, and how fast events are matched: their texts, and their values once read.
fn measure<Rules: Into<Filter>>(name: &str, rules: Vec<(usize, Rules)>, events: &[String], floor: f64) {
    let began = Instant::now();
    let matcher = Matcher::new(rules);
    let built = began.elapsed();
    let hits: usize = events.iter().map(|event| matcher.matches_json(event).len()).sum();
    let per_second = rate(events, |event| matcher.matches_json(event).len());
    let values: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert_eq!(hits, values.iter().map(|event| matcher.matches(event).len()).sum::<usize>());
    let of_values = rate(&values, |event| matcher.matches(event).len());
    println!(
        "{name:>22}: {per_second:>10.0} events/s, {:.2} of the floor; values {of_values:>10.0}/s; {:.2} hits an event; compiled in {built:.1?}",
        per_second / floor,
        hits as f64 / events.len() as f64,
    );
}

fn rate<T>(events: &[T], each: impl Fn(&T) -> usize) -> f64 {
    let (began, mut count) = (Instant::now(), 0_usize);
    while began.elapsed() < FOR {
        for event in events {
            black_box(each(black_box(event)));
        }
        count += events.len();
    }
    count as f64 / began.elapsed().as_secs_f64()
}

#[derive(Deserialize)]
struct FourFields<'event> {
    source: &'event str,
    account: &'event str,
    region: &'event str,
    #[serde(rename = "detail-type")]
    detail_type: &'event str,
}

fn floor(events: &[String]) -> f64 {
    let sources: HashMap<String, usize> = (0..1_000).map(|number| (format!("aws.service{number}"), number)).collect();
    rate(events, |event| {
        let fields: FourFields<'_> = serde_json::from_str(event).unwrap();
        black_box((fields.account, fields.region, fields.detail_type));
        sources.get(fields.source).copied().unwrap_or_default()
    })
}

/// An event as EventBridge sends it for a call that CloudTrail saw.
fn event(number: usize) -> Value {
    json!({
        "version": "0", "id": format!("6a7e8feb-b491-4cf7-a9f1-{number:012}"), "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.service{}", number % 100), "account": "123456789012", "time": "2026-01-31T12:00:00Z", "region": "eu-west-1",
        "resources": [format!("arn:aws:s3:::bucket-{number}")],
        "detail": {
            "eventVersion": "1.11", "eventSource": format!("service{}.amazonaws.com", number % 100), "eventName": format!("Put{number}"),
            "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/deploy/session", "accountId": "123456789012"},
            "sourceIPAddress": format!("10.0.{}.7", number % 256), "userAgent": "aws-cli/2.15.0 Python/3.11.6 Linux/6.1",
            "requestParameters": {"bucketName": format!("bucket-{number}"), "key": format!("folder{}/file{number}.json", number % 10), "size": number},
        },
    })
}

fn exact(number: usize) -> Value {
    json!({
        "source": [format!("aws.service{}", number % 100)], "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventName": [format!("Put{number}")], "requestParameters": {"bucketName": [format!("bucket-{number}")]}},
    })
}

fn mixed(number: usize) -> Value {
    let detail = match number % 8 {
        0 => json!({"requestParameters": {"bucketName": [{"prefix": format!("bucket-{number}")}]}}),
        1 => json!({"requestParameters": {"key": [{"suffix": format!("file{number}.json")}]}}),
        2 => json!({"requestParameters": {"key": [{"wildcard": format!("folder*/file{number}.*")}]}}),
        3 => json!({"eventName": [{"equals-ignore-case": format!("PUT{number}")}]}),
        4 => {
            json!({"eventName": [format!("Put{number}")], "errorCode": [{"exists": false}], "userIdentity": {"type": [{"anything-but": "Root"}]}})
        }
        5 => {
            json!({"eventName": [format!("Put{number}")], "requestParameters": {"size": [{"numeric": [">=", number, "<", number + 10]}]}})
        }
        6 => {
            json!({"requestParameters": {"bucketName": [format!("bucket-{number}")]}, "sourceIPAddress": [{"cidr": "10.0.0.0/16"}]})
        }
        _ => json!({"$or": [{"eventName": [format!("Put{number}")]}, {"requestParameters": {"size": [number]}}]}),
    };
    json!({"source": [{"prefix": "aws."}], "detail": detail})
}

fn filter(case: &Value) -> Filter {
    let document = Document::parse(case["yaml"].as_str().unwrap(), Format::Yaml).unwrap();
    match sigma::read(&document, "rule") {
        Ok(sigma::SigmaFile::Rule(rule)) => Some(rule.filter),
        _ => None,
    }
    .unwrap()
}

fn lines<T>(path: &std::path::Path, each: impl Fn(Value) -> T) -> Vec<T> {
    let mut text = String::new();
    MultiGzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| each(serde_json::from_str(line).unwrap())).collect()
}
