//! What the targets have in common.

use std::time::{Duration, Instant};

use query::{Moment, Scope};
use serde_json::{Map, Value, json};

/// The two parts of an input: what is before the first line `---`, and what is after it.
pub fn parts(text: &str) -> (&str, &str) {
    text.split_once("\n---\n").unwrap_or((text, ""))
}

/// JSON, or else a document with something of everything.
pub fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| {
        json!({
            "a": {"b": [1, 2.5, -3, null, true, "x"], "c d": {"e": "é\u{1f600}"}},
            "n": 12, "s": "text", "t": "2026-01-02T03:04:05Z", "z": null, "l": [{"a": 1, "k": "x"}, {"a": 2}, [3]],
        })
    })
}

/// Calls `test` with a scope in which everything that can be there is there.
pub fn with_scope<T>(root: &Value, test: impl FnOnce(&Scope<'_>) -> T) -> T {
    let moment = Moment { now: jiff::Timestamp::from_second(1_767_323_045).unwrap(), seed: [7; 32] };
    let context = json!({"Execution": {"Name": "run", "Input": {}}, "State": {"Name": "S", "RetryCount": 0}});
    let result = json!({"Payload": {"ok": true}, "StatusCode": 200});
    let error_output = json!({"Error": "E", "Cause": "C"});
    let variables: Map<String, Value> =
        [("v".to_owned(), json!({"a": [1, 2]})), ("count".to_owned(), json!(3))].into_iter().collect();
    test(&Scope {
        root,
        input: root,
        result: Some(&result),
        error_output: Some(&error_output),
        context: &context,
        variables: &variables,
        moment: &moment,
    })
}

/// Calls `work`, and breaks down if it takes longer.
pub fn within<T>(limit: Duration, what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    let taken = begun.elapsed();
    assert!(taken < limit, "{what} took {taken:?}");
    done
}

/// Before the first input: `query` catches the panics of the JSONata library, which is to be tested, so no panic ends the process
/// by itself.
pub fn let_panics_be_caught() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// Calls `test`; a panic that comes out of it ends the process, as libFuzzer wants it.
pub fn caught(test: impl FnOnce()) {
    let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test)) else { return };
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    eprintln!("panicked: {}", text.unwrap_or_default());
    std::process::abort();
}
