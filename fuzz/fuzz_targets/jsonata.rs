//! JSONata: every expression ends in time, and the same moment gives the same answer.
#![no_main]

use std::time::Duration;

use fuzz::{caught, document, let_panics_be_caught, parts, with_scope, within};
use libfuzzer_sys::fuzz_target;
use query::jsonata::Expression;

fuzz_target!(init: let_panics_be_caught(), |text: &str| caught(|| check(text)));

fn check(text: &str) {
    let (expression, rest) = parts(text);
    let parsed = within(Duration::from_secs(2), "parsing", || Expression::parse(expression));
    let Ok(parsed) = parsed else { return };
    assert_eq!(parsed.as_str(), expression.trim());
    let root = document(rest);
    with_scope(&root, |scope| {
        let answer = within(Duration::from_secs(5), "an evaluation", || parsed.evaluate(scope));
        match &answer {
            Ok(answer) => {
                let text = answer.to_string();
                assert!(text.len() < 32 << 20, "{} bytes", text.len());
                let read: serde_json::Value = serde_json::from_str(&text).expect("an answer is JSON");
                assert_eq!(&read, answer);
            }
            Err(error) if error.message.contains("evaluation timeout") => return,
            Err(_) => {}
        }
        // A slow one may be stopped the second time.
        let again = parsed.evaluate(scope);
        let was_stopped = again.as_ref().is_err_and(|error| error.message.contains("evaluation timeout"));
        assert!(was_stopped || again == answer, "{answer:?}, then {again:?}");
    });
}
