//! Real events, records and findings: each is read, or refused with a reason; none is lost. The snapshot lists what is odd.

#![expect(clippy::unwrap_used, reason = "a test ends when what it needs is not as it should be")]

use std::{collections::BTreeMap, fs, path::Path};

use asl::{Document, document::Format};
use conformance::corpus;
use detection::{
    Source,
    normalize::{self, Piece, Read},
    source::Received,
};
use serde_json::Value;

/// File, rows, the key that holds the document.
const FILES: &[(&str, usize, &str)] = &[
    ("events/awsdocs-asff.jsonl.gz", 8, "json"),
    ("events/awsdocs-cloudtrail-records.jsonl.gz", 8, "json"),
    ("events/awsdocs-eventbridge-event.jsonl.gz", 25, "json"),
    ("events/cloud-custodian-cwe.jsonl.gz", 37, "document"),
    ("events/cloudtrail-invictus.jsonl.gz", 2900, "record"),
    ("events/cloudtrail-stratus.jsonl.gz", 310, "record"),
    ("events/labelled-cloudtrail.jsonl.gz", 232, "event"),
    ("events/securityhub-asr.jsonl.gz", 109, "document"),
];

/// How many events at least are matched as texts.
const PLAIN: usize = 3_000;

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

/// What is matched as a text is what would have been read as a value.
#[test]
fn plain_texts_are_what_is_read_of_them() {
    let (mut plain, mut all) = (0, 0);
    for (file, rows, key) in FILES {
        let Some(cases) = corpus(file, *rows) else { return };
        for case in &cases {
            let body = body(&case[*key]);
            all += 1;
            let Some(pieces) = normalize::plain(&body) else { continue };
            let read = normalize::read(&body);
            assert_eq!(pieces.len(), read.len(), "{file}");
            for (piece, read) in pieces.iter().zip(read) {
                match piece {
                    Piece::Event(event) => {
                        let mut buffer = String::new();
                        let envelope: Value = serde_json::from_str(event.envelope(&mut buffer)).unwrap();
                        assert_eq!(envelope, read.unwrap().envelope(), "{file}");
                        plain += 1;
                    }
                    Piece::Text(text) => {
                        let reason =
                            |read: Read| read.into_iter().next().unwrap().map_err(|unreadable| unreadable.reason);
                        assert_eq!(reason(normalize::read(text.as_bytes())), reason(vec![read]), "{file}");
                    }
                }
            }
        }
    }
    println!("{plain} events of {all} documents are matched as texts");
    assert!(plain >= PLAIN, "{plain}");
}

#[test]
fn every_document_is_read_or_refused() {
    let (mut lines, mut whole) = (Vec::new(), true);
    let sources = sources();
    let received = Received {
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
    };
    for (file, rows, key) in FILES {
        let Some(cases) = corpus(file, *rows) else {
            whole = false;
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
        lines.push(format!("{file}: {read} events, {unreadable} refused"));
        lines.extend(reasons.iter().map(|(reason, count)| format!("    {count} × {reason}")));
    }
    let told = lines.join("\n");
    println!("{told}");
    if whole {
        insta::assert_snapshot!("events", told);
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
