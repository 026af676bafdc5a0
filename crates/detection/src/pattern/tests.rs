use serde_json::json;

use super::*;

fn check(pattern: &str, event: Value, expected: bool) {
    let pattern = EventPattern::parse(pattern).unwrap_or_else(|invalid| panic!("{pattern}: {invalid}"));
    assert_eq!(pattern.matches(&event), expected, "{} on {event}", pattern.source());
}

#[track_caller]
fn refused(pattern: &str, reason: &str, pointer: &str, column: Option<usize>) {
    let invalid = EventPattern::parse(pattern).expect_err(pattern);
    let found = (invalid.reason.as_str(), invalid.pointer.as_str(), invalid.location.map(|location| location.column));
    assert_eq!(found, (reason, pointer, column));
}

#[test]
fn numbers_are_equal_by_value_within_five_billion() {
    for (pattern, event, expected) in [
        ("300", json!(300.0), true),
        ("3.0e2", json!(300), true),
        ("300", json!("300"), false),
        ("123456789012", json!(123_456_789_012_u64), true),
        ("123456789012", json!(123_456_789_012.0), false),
        ("9007199254740993", json!(9_007_199_254_740_992_u64), false),
        (r#"{"numeric": [">", 0]}"#, json!(5_000_000_000_u64), true),
        (r#"{"numeric": [">", 0]}"#, json!(5_000_000_001_u64), false),
        (r#"{"numeric": [">=", 1, "<", 2]}"#, json!(1), true),
        (r#"{"numeric": [">=", 1, "<", 2]}"#, json!(2), false),
        (r#"{"numeric": ["=", -1.5]}"#, json!(-1.5), true),
    ] {
        check(&format!(r#"{{"a": [{pattern}]}}"#), json!({"a": event}), expected);
    }
}

#[test]
fn one_element_of_an_array_satisfies_a_whole_object() {
    let pattern = r#"{"rules": {"port": [22], "cidr": ["0.0.0.0/0"]}}"#;
    let apart = json!({"rules": [{"port": 22, "cidr": "10.0.0.0/8"}, {"port": 80, "cidr": "0.0.0.0/0"}]});
    check(pattern, apart, false);
    check(pattern, json!({"rules": [{"port": 1}, {"port": 22, "cidr": "0.0.0.0/0"}]}), true);
    check(pattern, json!({"rules": [[{"port": 22}, {"cidr": "0.0.0.0/0"}]]}), false);
    check(r#"{"a": [1], "b": {"c": [2]}}"#, json!({"a": [0, 1], "b": [{"c": [1, 2]}]}), true);
    let two_arrays = r#"{"a": {"x": [1], "y": [1]}, "b": {"x": [1], "y": [1]}}"#;
    check(two_arrays, json!({"a": [{"x": 1}, {"x": 1, "y": 1}], "b": [{"y": 1}, {"x": 1, "y": 1}]}), true);
    check(two_arrays, json!({"a": [{"x": 1}, {"x": 1, "y": 1}], "b": [{"y": 1}, {"x": 1}]}), false);
}

#[test]
fn absence_is_of_leaves_and_within_the_element_that_is_settled() {
    let pattern = r#"{"detail": {"errorCode": [{"exists": false}]}}"#;
    check(pattern, json!({"detail": {}}), true);
    check(pattern, json!({"detail": {"errorCode": {"a": 1}}}), true);
    check(pattern, json!({"detail": {"errorCode": []}}), true);
    check(pattern, json!({"detail": {"errorCode": null}}), false);
    let within = r#"{"rules": {"a": [1], "b": [{"exists": false}]}}"#;
    check(within, json!({"rules": [{"a": 1}, {"a": 2, "b": 1}]}), true);
    check(within, json!({"rules": [{"a": 1, "b": 1}, {"a": 2}]}), false);
    check(r#"{"a": [{"exists": true}]}"#, json!({"a": {"b": 1}}), false);
    check(r#"{"a": [{"exists": true}]}"#, json!({"a": [null]}), true);
    check(r#"{"a": ["x", {"exists": false}]}"#, json!({"a": "y"}), false);
}

#[test]
fn dots_join() {
    check(r#"{"a.b": [1]}"#, json!({"a": {"b": 1}}), true);
    check(r#"{"a": {"b": [1]}}"#, json!({"a.b": 1}), true);
    check(r#"{"": {"b": [1]}}"#, json!({"": {"b": 1}}), true);
    check(r#"{"": {"b": [1]}}"#, json!({"b": 1}), false);
}

#[test]
fn texts() {
    for (operator, text, expected) in [
        (r#"{"wildcard": "a*b*c"}"#, "a--b--c", true),
        (r#"{"wildcard": "a*bc"}"#, "abc", true),
        (r#"{"wildcard": "ab*bc"}"#, "abc", false),
        (r#"{"wildcard": "a\\*\\\\"}"#, "a*\\", true),
        (r#"{"wildcard": "*"}"#, "", true),
        (r#"{"equals-ignore-case": "ÄB"}"#, "äb", true),
        (r#"{"equals-ignore-case": "ab"}"#, "abc", false),
        (r#"{"prefix": {"equals-ignore-case": "AB"}}"#, "abc", true),
        (r#"{"suffix": {"equals-ignore-case": "BC"}}"#, "abc", true),
        (r#"{"suffix": {"equals-ignore-case": "BC"}}"#, "c", false),
        (r#"{"exactly": "abc"}"#, "abc", true),
        (r#"{"anything-but": ["a", "b"]}"#, "b", false),
        (r#"{"anything-but": {"prefix": ["a", "b"]}}"#, "c", true),
        (r#"{"anything-but": {"wildcard": "*b*"}}"#, "abc", false),
        (r#"{"anything-but": []}"#, "", false),
    ] {
        let pattern = format!(r#"{{"a": [{operator}]}}"#);
        if operator.ends_with("[]}") {
            refused(
                &pattern,
                "Inside anything but list, either all values are number or string, mixed type is not supported",
                "/a/0/anything-but",
                Some(27),
            );
        } else {
            check(&pattern, json!({"a": text}), expected);
        }
    }
}

#[test]
fn addresses() {
    for (operator, address, expected) in [
        (r#"{"cidr": "10.0.0.77/24"}"#, "10.0.0.1", true),
        (r#"{"cidr": "10.0.0.0/24"}"#, "10.0.1.0", false),
        (r#"{"cidr": "0.0.0.0/0"}"#, "255.255.255.255", true),
        (r#"{"cidr": "0.0.0.0/0"}"#, "::1", false),
        (r#"{"cidr": "::/0"}"#, "2001:db8::1", true),
        (r#"{"cidr": "2001:db8::/32"}"#, "2001:db9::", false),
        (r#""::1""#, "0:0:0:0:0:0:0:1", true),
        (r#""10.0.0.1""#, "10.0.0.10", false),
        (r#""10.0.0.0/8""#, "10.0.0.0/8", true),
    ] {
        check(&format!(r#"{{"a": [{operator}]}}"#), json!({"a": address}), expected);
    }
}

#[test]
fn or() {
    let pattern = r#"{"a": [1], "$or": [{"b": [1]}, {"c": [1], "d": {"$or": [{"e": [1]}, {"f": [1]}]}}]}"#;
    check(pattern, json!({"a": 1, "b": 1}), true);
    check(pattern, json!({"a": 1, "c": 1}), false);
    check(pattern, json!({"a": 1, "c": 1, "d": {"f": 1}}), true);
    check(pattern, json!({"b": 1}), false);
    // a field may be called so
    check(r#"{"$or": ["x", {"prefix": "y"}]}"#, json!({"$or": "yes"}), true);
    check(r#"{"$or": {"a": [1]}}"#, json!({"$or": {"a": 1}}), true);
    refused(
        r#"{"$or": [{"a": [1]}, {"b": {"prefix": [1]}}]}"#,
        "prefix is Ruler reserved fieldName which cannot be used inside $or.",
        "/$or/1/b/prefix",
        Some(40),
    );
    let seven = r#"{"a": [1]}, {"a": [2]}, {"a": [3]}"#;
    let nested = (0..7).fold(String::new(), |text, level| format!(r#"{text}"l{level}": {{"$or": [{seven}]}}, "#));
    let invalid = EventPattern::parse(&format!(r#"{{{nested} "z": [1]}}"#)).unwrap_err();
    assert_eq!(invalid.reason, "The $or relationships make more than 1000 combinations");
}

#[test]
fn the_last_of_duplicate_keys_wins() {
    check(r#"{"a": [1], "a": [2]}"#, json!({"a": 2}), true);
    check(r#"{"a": [1], "a": [2]}"#, json!({"a": 1}), false);
}

#[test]
fn only_objects_match() {
    check(r#"{"a": [{"exists": false}]}"#, json!([]), false);
}

#[test]
fn what_aws_refuses() {
    refused(r#"{"a": "b"}"#, r#""a" must be an object or an array"#, "/a", Some(8));
    refused(r#"{"a": {}}"#, "Empty objects are not allowed", "/a", Some(9));
    refused("{}", "Empty objects are not allowed", "", Some(3));
    refused(r#"{"a": []}"#, "Empty arrays are not allowed", "/a", Some(9));
    refused(r#"{"a": [[1]]}"#, "Match value must be String, number, true, false, or null", "/a/0", Some(9));
    refused(r#"{"a": [{"regex": "x"}]}"#, "Unrecognized match type regex", "/a/0/regex", Some(19));
    refused(r#"{"a": [{"cidr": "10.0.0.0"}]}"#, "Malformed CIDR, one '/' required", "/a/0/cidr", None);
    refused(r#"{"a": [{"cidr": "x/8"}]}"#, "Nonstandard IP address: x", "/a/0/cidr", None);
    refused(r#"{"a": [{"cidr": "10.0.0.0/32"}]}"#, "IPv4 mask bits must be < 32", "/a/0/cidr", None);
    refused(r#"{"a": [{"numeric": 1}]}"#, "Value of numeric must be an array.", "/a/0/numeric", Some(21));
    refused(r#"{"a": [{"numeric": [">", "1"]}]}"#, "Value of > must be numeric", "/a/0/numeric", Some(27));
    refused(
        r#"{"a": [{"numeric": ["=", 6e9]}]}"#,
        "Value must be between -5.0E9 and 5.0E9, inclusive",
        "/a/0/numeric",
        Some(30),
    );
    refused(r#"{"a": [{"numeric": [">", 2, "<", 1]}]}"#, "Bottom must be less than top", "/a/0/numeric", Some(36));
    refused(
        r#"{"a": [{"anything-but": {"cidr": "x"}}]}"#,
        "Unsupported anything-but pattern: cidr",
        "/a/0/anything-but/cidr",
        Some(35),
    );
    refused(
        r#"{"a": [{"anything-but": {"prefix": ""}}]}"#,
        "Null prefix/suffix not allowed",
        "/a/0/anything-but/prefix",
        Some(38),
    );
    refused(r#"{"a/b~": [{"prefix": 1}]}"#, "prefix match pattern must be a string", "/a~1b~0/0/prefix", Some(23));
    refused("[1]", "Filter is not an object", "", Some(2));
    refused("", "Filter is not an object", "", Some(0));
    refused(
        "{\"a\": [1]",
        r#"Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)"{"a": [1]"; line: 1, column: 1])"#,
        "",
        Some(10),
    );
    refused(
        "{'a': 1}",
        "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
        "",
        Some(3),
    );
    refused(
        r#"{"a": [yes]}"#,
        "Unrecognized token 'yes': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
        "",
        Some(11),
    );
    refused(r#"{"a": [1]} x"#, "Unexpected character ('x' (code 120)): expected the end of the pattern", "", Some(13));
    let deep = format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500));
    refused(&deep, "Nested deeper than 128 levels", "", Some(646));
    let long = format!(r#"{{"a": ["{}"]}}"#, "x".repeat(4_096));
    refused(&long, "The pattern has 4107 characters, and at most 4096 are allowed", "", None);
}

/// The message as EventBridge has been seen to write it.
#[test]
fn the_message_is_as_aws_writes_it() {
    let text = r#"{"source":["test.event-pattern"],"detail":{"lenderId":"LenderA"}}"#;
    let expected = "Event pattern is not valid. Reason: \"lenderId\" must be an object or an array\n at [Source: (String)\"{\"source\":[\"test.event-pattern\"],\"detail\":{\"lenderId\":\"LenderA\"}}\"; line: 1, column: 56]";
    assert_eq!(EventPattern::parse(text).unwrap_err().to_string(), expected);
    let long = format!(r#"{{"a": {{}}, "b": ["{}"]}}"#, "x".repeat(500));
    let location = EventPattern::parse(&long).unwrap_err().location.unwrap();
    assert!(location.excerpt.ends_with("\"[truncated 20 chars]"), "{}", location.excerpt);
}

/// Arrays that would be tried in every combination take no time.
#[test]
fn long_arrays_are_no_trap() {
    let elements: Vec<Value> = (0..300).map(|number| json!({"x": 1, "y": number})).collect();
    let event = json!({"a": elements, "b": elements, "c": elements, "d": elements});
    let each = r#"{"x": [1], "y": [{"numeric": ["<", 300]}], "z": [{"exists": false}]}"#;
    let pattern = format!(
        r#"{{"a": {each}, "b": {each}, "c": {each}, "d": {{"x": [1], "y": [299], "z": [1, {{"exists": false}}]}}}}"#
    );
    check(&pattern, event.clone(), true);
    check(&pattern.replace("299", "300"), event.clone(), false);
    let conflicting = format!(
        r#"{{"a": {each}, "b": {each}, "c": {each}, "d": {{"x": [{{"anything-but": 2}}], "y": [1]}}, "e": [{{"exists": false}}]}}"#
    );
    check(&conflicting, event, true);
}
