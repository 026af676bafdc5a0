//! The public Sigma rules for AWS CloudTrail over real records: which rule hits which event, and why the others hit none.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when what it needs is not as it should be"
)]

use std::collections::{BTreeMap, BTreeSet};

use asl::{Document, document::Format};
use conformance::corpus;
use detection::{Event, Matcher, Rule, normalize, sigma};
use serde_json::Value;

const RULES: usize = 57;
const LOGS: &[(&str, usize)] =
    &[("events/cloudtrail-invictus.jsonl.gz", 2_900), ("events/cloudtrail-stratus.jsonl.gz", 310)];

fn rules() -> Option<Vec<(String, Rule)>> {
    let cases = corpus("rules/sigma-aws.jsonl.gz", RULES)?;
    assert_eq!(cases.len(), RULES);
    let rule = |case: &Value| {
        let name = case["file"].as_str().unwrap().to_owned();
        let document = Document::parse(case["yaml"].as_str().unwrap(), Format::Yaml).unwrap();
        match sigma::read(&document, &name) {
            Ok(sigma::SigmaFile::Rule(rule)) => (name, *rule),
            other => panic!("{name}: {other:?}"),
        }
    };
    Some(cases.iter().map(rule).collect())
}

fn events() -> Option<Vec<Event>> {
    let mut events = Vec::new();
    for (file, rows) in LOGS {
        for case in corpus(file, *rows)? {
            events.extend(normalize::read(case["record"].to_string().as_bytes()).into_iter().map(Result::unwrap));
        }
    }
    Some(events)
}

#[test]
fn the_public_rules_over_real_records() {
    let (Some(rules), Some(events)) = (rules(), events()) else {
        return;
    };
    let matcher = Matcher::new(rules.iter().map(|(name, rule)| (name.as_str(), rule.filter.clone())).collect());
    let mut hits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &events {
        let envelope = event.envelope();
        let naive: Vec<&str> =
            rules.iter().filter(|(_, rule)| rule.filter.matches(&envelope)).map(|(name, _)| name.as_str()).collect();
        let compiled: Vec<&str> = matcher.matches(&envelope).into_iter().copied().collect();
        assert_eq!(naive, compiled, "{envelope}");
        let scanned: Vec<&str> = matcher.matches_json(&envelope.to_string()).into_iter().copied().collect();
        assert_eq!(naive, scanned, "{envelope}");
        for name in naive {
            hits.entry(name).or_default().insert(event.identity());
            *counts.entry(name).or_default() += 1;
        }
    }
    let mut lines = String::new();
    for (name, identities) in &hits {
        lines += &format!("{name}: {}\n", counts[name]);
        // The few by name, the many by their number.
        if identities.len() <= 12 {
            identities.iter().for_each(|identity| lines += &format!("    {identity}\n"));
        }
    }
    println!("{} records, {} of {} rules hit", events.len(), hits.len(), rules.len());
    insta::assert_snapshot!(lines);
}
