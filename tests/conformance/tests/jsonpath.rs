//! JSONPath selectors as Jayway answers them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test tells what broke by panicking")]

use conformance::corpus;
use query::{Moment, Scope, jsonpath::Path};
use serde_json::{Map, Value, json};

const FILE: &str = "query/jsonpath-jayway.jsonl.gz";
const CASES: usize = 703;
/// May only rise.
const PASSES: usize = 701;
/// Error texts that are Jayway's to the letter, of the cases that are errors there and here. May only rise.
const SAME_WORDS: usize = 564;

/// Where we do not follow, and why.
fn reason_to_differ(case: &Value) -> Option<&'static str> {
    match case["path"].as_str() {
        Some("$[2]" | "$[-3]") if case["jayway"]["result"].is_null() => {
            Some("Jayway gives Java's null for an index beyond the end, which no JSON value is; here it is not found")
        }
        _ => None,
    }
}

fn evaluate(case: &Value) -> Result<Value, String> {
    let path = Path::parse(case["path"].as_str().unwrap()).map_err(|error| error.message)?;
    let empty = json!({});
    // The suite evaluates selectors that are invalid by RFC 9535 against an empty object.
    let document = if case["document"].is_null() { &empty } else { &case["document"] };
    let moment = Moment { now: jiff::Timestamp::UNIX_EPOCH, seed: [0; 32] };
    let variables = Map::new();
    let scope = Scope {
        root: document,
        input: document,
        result: None,
        error_output: None,
        context: &Value::Null,
        variables: &variables,
        moment: &moment,
    };
    path.evaluate(&scope).map_err(|error| error.message)
}

#[test]
fn selectors_as_jayway() {
    let Some(cases) = corpus(FILE, CASES) else { return };
    assert_eq!(cases.len(), CASES);
    let (mut passes, mut same_words, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in &cases {
        if let Some(reason) = reason_to_differ(case) {
            println!("skipped {}: {reason}", case["path"]);
            skipped += 1;
            continue;
        }
        let expected = &case["jayway"];
        let answer = evaluate(case);
        let passed = match (&answer, expected.get("result")) {
            (Ok(answer), Some(result)) => answer == result,
            (Err(message), None) => {
                errors += 1;
                let same = expected["message"] == message.as_str();
                same_words += usize::from(same);
                if !same {
                    println!("other words for {}: {message} | {}", case["path"], expected["message"]);
                }
                true
            }
            _ => false,
        };
        passes += usize::from(passed);
        if !passed {
            println!("failed {} on {}: {answer:?} instead of {expected}", case["path"], case["document"]);
        }
    }
    println!(
        "JSONPath: {passes} of {CASES} pass, {skipped} skipped; {same_words} of {errors} error texts are Jayway's"
    );
    assert!(passes >= PASSES, "{passes} of {PASSES}");
    assert!(same_words >= SAME_WORDS, "{same_words} of {SAME_WORDS}");
}
