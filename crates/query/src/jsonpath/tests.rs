use serde_json::{Map, Value, json};

use super::Path;
use crate::{ErrorKind, Moment, Scope};

fn document() -> Value {
    json!({
        "name": "store",
        "numbers": [3, 1, 2],
        "nothing": null,
        "books": [
            {"title": "A", "price": 8, "tags": ["x", "y"]},
            {"title": "B", "price": 12.5, "isbn": "1-2"},
            {"title": "C", "price": 23, "tags": []},
        ],
        "two words": {"a.b": 1},
    })
}

fn with_scope<T>(root: &Value, test: impl FnOnce(&Scope<'_>) -> T) -> T {
    let moment = Moment { now: jiff::Timestamp::UNIX_EPOCH, seed: [0; 32] };
    let context = json!({"Execution": {"Name": "run"}});
    let variables: Map<String, Value> = [("list".to_owned(), json!([{"id": 7}]))].into_iter().collect();
    test(&Scope {
        root,
        input: root,
        result: None,
        error_output: None,
        context: &context,
        variables: &variables,
        moment: &moment,
    })
}

fn evaluate(path: &str) -> Result<Value, String> {
    let path = Path::parse(path).map_err(|error| error.message)?;
    with_scope(&document(), |scope| path.evaluate(scope).map_err(|error| error.message))
}

#[track_caller]
fn check(path: &str, expected: Value) {
    assert_eq!(evaluate(path), Ok(expected), "{path}");
}

#[track_caller]
fn check_error(path: &str, expected: &str) {
    assert_eq!(evaluate(path), Err(expected.to_owned()), "{path}");
}

#[test]
fn steps() {
    check("$.name", json!("store"));
    check("$['name']", json!("store"));
    check("$.nothing", Value::Null);
    check("$['two words']['a.b']", json!(1));
    check("$.numbers[0]", json!(3));
    check("$.numbers[-1]", json!(2));
    check("$.numbers[0,2]", json!([3, 2]));
    check("$.numbers[1:]", json!([1, 2]));
    check("$.numbers[:2]", json!([3, 1]));
    check("$.numbers[0:2]", json!([3, 1]));
    check("$.numbers[*]", json!([3, 1, 2]));
    check("$.books[*].title", json!(["A", "B", "C"]));
    check("$..price", json!([8, 12.5, 23]));
    check("$.books[0]['title','price']", json!({"title": "A", "price": 8}));
    check("$.books[*].isbn", json!(["1-2"]));
}

#[test]
fn filters() {
    for (condition, titles) in [
        ("@.price > 10", json!(["B", "C"])),
        ("@.price >= 8 && @.price < 20", json!(["A", "B"])),
        ("@.title == 'A' || @.title == \"C\"", json!(["A", "C"])),
        ("@.isbn", json!(["B"])),
        ("!@.isbn", json!(["A", "C"])),
        ("!(@.isbn)", json!(["A", "C"])),
        ("@.title != 'B'", json!(["A", "C"])),
        ("@.title in ['A', 'C']", json!(["A", "C"])),
        ("@.title nin ['A', 'C']", json!(["B"])),
        ("@.tags contains 'x'", json!(["A"])),
        ("@.title contains 'B'", json!(["B"])),
        ("@.tags size 2", json!(["A"])),
        ("@.tags empty true", json!(["C"])),
        ("@.tags empty false", json!(["A"])),
        ("@.tags subsetof ['x','y','z']", json!(["A", "C"])),
        ("@.tags anyof ['y']", json!(["A"])),
        ("@.tags noneof ['y']", json!(["C"])),
        ("@.tags all ['x','y']", json!(["A"])),
        ("@.title =~ /[ab]/i", json!(["A", "B"])),
        ("@.title =~ /[ab]/", json!([])),
        ("@.price == '8'", json!(["A"])),
        ("@.price === '8'", json!([])),
        ("@.price > $.numbers.max()", json!(["A", "B", "C"])),
        ("@.price > $.books[0].price", json!(["B", "C"])),
        ("@.tags.length() == 2", json!(["A"])),
        ("@['title'] == 'C'", json!(["C"])),
        ("(@.price < 10 || @.price > 20) && @.tags", json!(["A", "C"])),
    ] {
        check(&format!("$.books[?({condition})].title"), titles);
    }
}

#[test]
fn functions() {
    check("$.numbers.length()", json!(3));
    check("$.name.length()", Value::Null);
    check("$.numbers.sum()", json!(6.0));
    check("$.numbers.min()", json!(1.0));
    check("$.numbers.max()", json!(3.0));
    check("$.numbers.avg()", json!(2.0));
    check("$.numbers.stddev()", json!((14.0_f64 / 3.0 - 4.0).sqrt()));
    check("$.numbers.first()", json!(3));
    check("$.numbers.last()", json!(2));
    check("$.numbers.index(1)", json!(1));
    check("$.numbers.append(4)", json!([3, 1, 2, 4]));
    check("$['two words'].keys()", json!(["a.b"]));
    check("$.books[0].tags.concat(\"-\", $.name)", json!("xy-store"));
    check("$..price.sum()", json!(43.5));
    check("$.numbers.sum($.books[0].price)", json!(14.0));
    check_error("$.name.sum()", "Aggregation function attempted to calculate value using empty array");
}

#[test]
fn origins() {
    check("$$.Execution.Name", json!("run"));
    check("$list[0].id", json!(7));
    check("$list", json!([{"id": 7}]));
    check_error("$nowhere", "The variable 'nowhere' is not defined");
    assert_eq!(Path::parse("$list[0]").unwrap().variable(), Some("list"));
    assert!(Path::parse("$$.a").unwrap().is_of_context());
}

#[test]
fn what_is_not_found_is_told_in_jayways_words() {
    check_error("$.no", "No results for path: $['no']");
    check_error("$.no.way", "Missing property in path $['no']");
    check_error("$.numbers[7]", "No results for path: $['numbers'][7]");
    check_error("$['two words'][0]", r#"Filter: [0] can only be applied to arrays. Current context is: {"a.b":1}"#);
    check("$.books[?(@.price > 99)]", json!([]));
    check("$..no", json!([]));
}

#[test]
fn what_is_no_path_is_refused_with_its_place() {
    for (path, message, offset) in [
        ("", "Path must start with '$'", 0),
        ("name", "Path must start with '$'", 0),
        ("$.", "Path must not end with a '.' or '..'", 1),
        ("$.a..", "Path must not end with a '.' or '..'", 4),
        ("$.a...b", "Character '.' on position 5 is not valid.", 5),
        ("$$.a b", "Use bracket notion ['my prop'] if your property contains blank characters. position: 2", 4),
        ("$var[", "Could not parse token starting at position 1. Expected ?, ', 0-9, * ", 4),
        ("$.a[?(@.b ==)]", "Expected a value instead of: ", 5),
        ("$.a.nosuch()", "Function with name: nosuch does not exist.", 4),
        ("$.a.sum(", "Arguments to function: 'sum' are not closed properly.", 7),
    ] {
        let error = Path::parse(path).unwrap_err();
        assert_eq!((error.message.as_str(), error.offset), (message, Some(offset)), "{path}");
    }
}

#[test]
fn nesting_is_limited() {
    for path in [
        format!("$[?({}@.a{})]", "(".repeat(100), ")".repeat(100)),
        format!("$[?({}@.a)]", "!".repeat(10_000)),
        format!("$[?({})]", nested(50)),
        format!("$.{}", "a".repeat(20_000)),
    ] {
        assert!(Path::parse(&path).is_err(), "{path:.60}");
    }
    let deep = (0..2_000).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    let path = Path::parse("$..a").unwrap();
    let error = with_scope(&deep, |scope| path.evaluate(scope)).unwrap_err();
    assert_eq!(error.message, "The document is deeper than 256");
}

fn nested(depth: usize) -> String {
    (0..depth).fold("@.a".to_owned(), |inner, _| format!("@[?({inner})]"))
}

#[test]
fn kinds_of_paths() {
    for (path, definite, reference) in [
        ("$", true, true),
        ("$.a['b'][0]", true, true),
        ("$.a[-1]", true, false),
        ("$['a','b']", true, false),
        ("$['a','b'].c", false, false),
        ("$.a[0,1]", false, false),
        ("$.a[1:]", false, false),
        ("$..a", false, false),
        ("$.*", false, false),
        ("$.a[?(@.b)]", false, false),
        ("$.a.length()", true, false),
    ] {
        let parsed = Path::parse(path).unwrap();
        assert_eq!((parsed.is_definite(), parsed.is_reference_path()), (definite, reference), "{path}");
    }
}

#[test]
fn presence() {
    for (path, present) in [
        ("$.name", true),
        ("$.nothing", true),
        ("$.no", false),
        ("$.numbers[5]", false),
        ("$.books[?(@.no)]", false),
        ("$..isbn", true),
    ] {
        let parsed = Path::parse(path).unwrap();
        assert_eq!(with_scope(&document(), |scope| parsed.exists(scope)), present, "{path}");
    }
}

#[test]
fn fields_take_indefinite_paths_leniently() {
    let of = |path: &str| {
        let path = Path::parse(path).unwrap();
        with_scope(&json!({"a": 1}), |scope| path.evaluate_for_field(scope).map_err(|error| error.sentence("x.$")))
    };
    assert_eq!(of("$.no.items[*].id"), Ok(json!([])));
    assert_eq!(
        of("$.no"),
        Err(r#"The JSONPath '$.no' specified for the field 'x.$' could not be found in the input '{"a":1}'"#.to_owned())
    );
}

#[test]
fn insertion() {
    for (path, into, expected) in [
        ("$", json!({"a": 1}), json!("new")),
        ("$.b", json!({"a": 1}), json!({"a": 1, "b": "new"})),
        ("$.a", json!({"a": 1, "b": 2}), json!({"a": "new", "b": 2})),
        ("$.x.y.z", json!({}), json!({"x": {"y": {"z": "new"}}})),
        ("$.a[1]", json!({"a": [1, 2]}), json!({"a": [1, "new"]})),
        ("$.a[0].b", json!({"a": [{}]}), json!({"a": [{"b": "new"}]})),
    ] {
        let inserted = Path::parse(path).unwrap().insert(into, json!("new"));
        assert_eq!(inserted, Ok(expected), "{path}");
    }
    for (path, into, message) in [
        ("$.a.b", json!({"a": 1}), r#"Unable to apply step "b" to input 1"#),
        ("$.b", json!([1]), r#"Unable to apply step "b" to input [1]"#),
        ("$.a[2]", json!({"a": [1]}), r#"Unable to apply step "2" to input [1]"#),
        ("$.a[0]", json!({}), r#"Unable to apply step "0" to input {}"#),
    ] {
        let error = Path::parse(path).unwrap().insert(into, json!("new")).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::ResultPath, message), "{path}");
    }
}

proptest::proptest! {
    #[test]
    fn the_parser_never_panics(text in "\\PC{0,40}") {
        let _ = Path::parse(&text);
    }

    #[test]
    fn neither_does_what_looks_like_a_path(text in r#"\$[$.\[\]()?@'"*,:=<>!&|~/ a-c0-2\\-]{0,30}"#) {
        if let Ok(path) = Path::parse(&text) {
            with_scope(&document(), |scope| {
                let found = path.evaluate(scope);
                proptest::prop_assert!(found.is_err() || !path.is_definite() || path.exists(scope));
                Ok(())
            })?;
        }
    }
}
