//! The suite of JSONata 2.0.6, which AWS documents.
#![expect(clippy::unwrap_used, reason = "a test tells what broke by panicking")]

use conformance::corpus_lines;
use query::{Moment, jsonata::Expression};
use serde_json::{Map, Value};

const FILE: &str = "query/jsonata-2.0.6.jsonl.gz";
const CASES: usize = 1625;
/// May only rise.
const PASSES: usize = 1608;

/// Why a case is not run.
fn reason_to_skip(case: &Value) -> Option<&'static str> {
    if case["uses_eval"] == true {
        return Some("$eval is off, as in Step Functions");
    }
    match (case["group"].as_str()?, case["id"].as_str()?) {
        ("range-operator", "case021" | "case024") => Some("ten million items are beyond our limit"),
        ("tail-recursion", "case002") => Some("it wants a depth of 302 to be refused; our limit is deeper"),
        _ => None,
    }
}

/// The answer, or the error's text, which begins with its code.
fn evaluate(case: &Value) -> Result<Option<Value>, String> {
    let expression = Expression::parse(case["expr"].as_str().unwrap()).map_err(|error| error.message)?;
    let moment = Moment { now: "2026-01-02T03:04:05.678Z".parse().unwrap(), seed: [7; 32] };
    // What is to run for ever is stopped sooner than what is only slow.
    let milliseconds = if case["code"] == "U1001" { 300 } else { 30_000 };
    let no_bindings = Map::new();
    let bindings = case["bindings"].as_object().unwrap_or(&no_bindings);
    expression.evaluate_plainly(case.get("data"), bindings, &moment, milliseconds)
}

/// Numbers by value, to 14 digits: the suite has 1 and 1.0 for the same, and 90.57 for 34.45 * 2 + 21.67.
fn same(left: &Value, right: &Value, unordered: bool) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
            left == right || (left - right).abs() <= right.abs() * 1e-14
        }
        (Value::Array(left), Value::Array(right)) if unordered => {
            left.len() == right.len() && left.iter().all(|item| right.iter().any(|other| same(item, other, false)))
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right, false))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| same(left, right, false)))
        }
        _ => left == right,
    }
}

fn passes(case: &Value, answer: &Result<Option<Value>, String>) -> bool {
    let code = case.get("code").or_else(|| case.get("error").map(|error| error.get("code").unwrap_or(&Value::Null)));
    match (answer, code) {
        (Err(message), Some(code)) => match code.as_str() {
            // Later versions of the language tell the two limits, of time and of depth, apart.
            Some("U1001") => message.starts_with("D1011") || message.starts_with("D1012"),
            code => code.is_none_or(|code| message.starts_with(code)),
        },
        (Ok(None), None) => case["undefinedResult"] == true,
        (Ok(Some(answer)), None) => {
            case.get("result").is_some_and(|result| same(answer, result, case["unordered"] == true))
        }
        _ => false,
    }
}

#[test]
fn suite_of_the_language() {
    let Some(lines) = corpus_lines(FILE, CASES) else { return };
    assert_eq!(lines.len(), CASES);
    let (mut passed, mut skipped) = (0, 0);
    for line in &lines {
        let Ok(case) = serde_json::from_str::<Value>(line) else {
            println!("skipped, for no Rust string holds half a surrogate pair: {line:.80}");
            skipped += 1;
            continue;
        };
        let case = &case;
        let name = format!("{}/{}", case["group"].as_str().unwrap(), case["id"].as_str().unwrap());
        if let Some(reason) = reason_to_skip(case) {
            println!("skipped {name}: {reason}");
            skipped += 1;
            continue;
        }
        let answer = evaluate(case);
        if passes(case, &answer) {
            passed += 1;
        } else {
            let mut expected = case.clone();
            expected.as_object_mut().unwrap().remove("data");
            println!("failed {name}: {answer:?} instead of {expected}");
        }
    }
    println!("JSONata: {passed} of {CASES} pass, {skipped} skipped");
    assert!(passed >= PASSES, "{passed} of {PASSES}");
}
