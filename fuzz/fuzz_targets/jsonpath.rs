//! JSONPath and intrinsic functions.
#![no_main]

use std::time::Duration;

use fuzz::{document, parts, with_scope, within};
use libfuzzer_sys::fuzz_target;
use query::{Scope, intrinsic::Call, jsonpath::Path};
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let (expression, rest) = parts(text);
    let root = document(rest);
    within(Duration::from_secs(3), "a JSONPath", || {
        with_scope(&root, |scope| {
            if expression.starts_with("States.") {
                call(expression, scope);
            } else {
                path(expression, scope);
            }
        });
    });
});

fn path(text: &str, scope: &Scope<'_>) {
    let path = match Path::parse(text) {
        Ok(path) => path,
        Err(error) => return assert!(error.offset.is_none_or(|offset| offset <= text.len()), "{error:?}"),
    };
    assert_eq!(path.as_str(), text);
    let found = path.evaluate(scope);
    assert_eq!(found, Path::parse(path.as_str()).expect("what was parsed can be parsed").evaluate(scope));
    let of_field = path.evaluate_for_field(scope);
    if let Ok(found) = &found {
        assert_eq!(of_field.as_ref(), Ok(found));
        // A function makes one value of the list that an indefinite path finds.
        assert!(path.is_definite() || found.is_array() || text.contains('('), "an indefinite path finds a list: {found}");
        assert_eq!(path.exists(scope), path.is_definite() || found != &json!([]));
    } else {
        assert!(!path.exists(scope));
    }
    if path.is_reference_path() {
        assert!(path.is_definite());
        check_insertion(&path, scope);
    }
}

/// What is put somewhere is found there, and nothing else is changed by putting it back.
fn check_insertion(path: &Path, scope: &Scope<'_>) {
    if path.is_of_context() || path.variable().is_some() {
        return;
    }
    let Ok(changed) = path.insert(scope.root.clone(), json!("put")) else { return };
    let again = Scope { root: &changed, ..*scope };
    assert_eq!(path.evaluate(&again), Ok(json!("put")));
    if let Ok(was) = path.evaluate(scope) {
        assert_eq!(path.insert(changed.clone(), was).as_ref(), Ok(scope.root));
    }
}

fn call(text: &str, scope: &Scope<'_>) {
    let call = match Call::parse(text) {
        Ok(call) => call,
        Err(error) => return assert!(error.offset.is_none_or(|offset| offset <= text.len()), "{error:?}"),
    };
    assert_eq!(call.as_str(), text);
    let answer = call.evaluate(scope);
    assert_eq!(answer, call.evaluate(scope), "the same moment gives the same answer");
    if let Ok(answer) = answer {
        let read: Value = serde_json::from_str(&answer.to_string()).expect("an answer is JSON");
        assert_eq!(read, answer);
    }
}
