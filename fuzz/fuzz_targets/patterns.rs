//! Event patterns: read, printed and read again; the compiled matcher says what the naive one does.
#![no_main]

use std::time::Duration;

use detection::{EventPattern, Matcher};
use fuzz::{document, parts, within};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let (pattern, rest) = parts(text);
    let parsed = within(Duration::from_secs(3), "parsing", || EventPattern::parse(pattern));
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(invalid) => return assert!(!invalid.to_string().is_empty()),
    };
    let event = document(rest);
    let naive = within(Duration::from_secs(3), "matching naively", || parsed.matches(&event));
    let printed = parsed.source().to_string();
    // Printed, a number may be longer than it was written, and so the pattern longer than it may be.
    match EventPattern::parse(&printed) {
        Ok(again) => assert_eq!(again.matches(&event), naive, "{printed}"),
        Err(invalid) => assert!(printed.len() > pattern.len(), "{invalid}"),
    }
    let other = EventPattern::parse(r#"{"n": [12], "s": [{"prefix": "t"}]}"#).expect("it is a pattern");
    let matches_other = other.matches(&event);
    let matcher = within(Duration::from_secs(3), "compiling", || Matcher::new(vec![(0, parsed), (1, other)]));
    for event in [&event, &json!({})] {
        within(Duration::from_secs(3), "matching", || matcher.matches(event));
    }
    let found = matcher.matches(&event);
    let expected: Vec<&i32> = [(naive, &0), (matches_other, &1)].into_iter().filter(|it| it.0).map(|it| it.1).collect();
    assert_eq!(found, expected, "the compiled matcher and the naive one");
});
