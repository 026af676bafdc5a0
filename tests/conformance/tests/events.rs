//! Real events and records: each is read, or refused with a reason; none is lost.

use std::{collections::BTreeMap, fs, path::Path};

use asl::{Document, document::Format};
use conformance::corpus;
use detection::{
    Source,
    normalize::{self, Read},
    source::Received,
};
use serde_json::Value;

/// File, rows, the key that holds the document, how many events are read, and how many documents refused: bare Security Hub
/// findings, calls of Config rules, and samples that lack what makes an event (its time, Region, account or id).
const FILES: &[(&str, usize, &str, usize, usize)] = &[
    ("events/awsdocs-asff.jsonl.gz", 8, "json", 0, 8),
    ("events/awsdocs-cloudtrail-records.jsonl.gz", 8, "json", 10, 0),
    ("events/awsdocs-eventbridge-event.jsonl.gz", 25, "json", 23, 2),
    ("events/cloud-custodian-cwe.jsonl.gz", 37, "document", 34, 3),
    ("events/cloudtrail-invictus.jsonl.gz", 2900, "record", 2900, 0),
    ("events/cloudtrail-stratus.jsonl.gz", 310, "record", 310, 0),
    ("events/labelled-cloudtrail.jsonl.gz", 232, "event", 203, 29),
    ("events/securityhub-asr.jsonl.gz", 109, "document", 5, 104),
];

/// How many records a document holds.
fn records(document: &Value) -> usize {
    match document.get("Records").or(Some(document)) {
        Some(Value::Array(records)) if !records.is_empty() => records.len(),
        _ => 1,
    }
}

fn body(document: &Value) -> Vec<u8> {
    match document {
        // a document that was no JSON is kept as its text
        Value::String(text) => text.clone().into_bytes(),
        document => document.to_string().into_bytes(),
    }
}

#[test]
fn every_document_is_read_or_refused() {
    let sources = sources();
    let received = Received {
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
    };
    for (file, rows, key, events, refused) in FILES {
        let Some(cases) = corpus(file, *rows) else {
            continue;
        };
        assert_eq!(cases.len(), *rows, "{file}");
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        let mut read = 0;
        for case in &cases {
            let document = &case[*key];
            let results = normalize::read_with(&body(document), &sources, &received);
            assert_eq!(results.len(), records(document), "{file}: {document}");
            for result in results {
                match result {
                    Ok(event) => {
                        assert!(!event.identity().is_empty());
                        read += 1;
                    }
                    Err(unreadable) => *reasons.entry(unreadable.reason).or_default() += 1,
                }
            }
        }
        let unreadable: usize = reasons.values().sum();
        println!("{file}: {read} events, {unreadable} refused");
        for (reason, count) in &reasons {
            println!("    {count} × {reason}");
        }
        assert_eq!((read, unreadable), (*events, *refused), "{file}");
    }
}

#[test]
fn one_broken_record_spoils_no_other() {
    let Some(cases) = corpus("events/cloudtrail-stratus.jsonl.gz", 310) else {
        return;
    };
    let mut records: Vec<Value> = cases.iter().map(|case| case["record"].clone()).collect();
    records.insert(100, Value::from("no record"));
    let read: Read = normalize::read(serde_json::json!({ "Records": records }).to_string().as_bytes());
    assert_eq!((read.len(), read.iter().filter(|result| result.is_ok()).count()), (311, 310));
    assert!(read[100].is_err());
}

/// The sources that are shipped.
fn sources() -> Vec<Source> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sources");
    let text = |entry: fs::DirEntry| fs::read_to_string(entry.path()).unwrap();
    let parse = |text: String| Source::parse(&Document::parse(&text, Format::Yaml).unwrap()).unwrap().0;
    fs::read_dir(folder).unwrap().map(|entry| parse(text(entry.unwrap()))).collect()
}
