use asl::document::Format;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Filter, Matcher};

fn parse(text: &str) -> Result<SigmaFile, Vec<Diagnostic>> {
    read(&Document::parse(text, Format::Yaml).unwrap(), "file.yml")
}

fn rule_text(detection: &str) -> String {
    let indented: String = detection.lines().map(|line| format!("  {line}\n")).collect();
    format!("title: T\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{indented}")
}

fn filter(detection: &str) -> Filter {
    match parse(&rule_text(detection)) {
        Ok(SigmaFile::Rule(rule)) => rule.filter,
        other => panic!("{other:?}"),
    }
}

fn envelope(record: &Value) -> Value {
    json!({"id": "1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "detail": record})
}

/// Naively, compiled and scanned, which must say the same.
fn matches(filter: &Filter, envelope: &Value) -> bool {
    let naive = filter.matches(envelope);
    let matcher = Matcher::new(vec![((), filter.clone())]);
    assert_eq!(naive, !matcher.matches(envelope).is_empty(), "compiled: {filter:?} {envelope}");
    assert_eq!(naive, !matcher.matches_json(&envelope.to_string()).is_empty(), "scanned: {filter:?} {envelope}");
    naive
}

/// What a detection says of a record.
fn check(detection: &str, record: Value, expected: bool) {
    assert_eq!(matches(&filter(detection), &envelope(&record)), expected, "{detection} {record}");
}

/// What one field says of a record.
fn field(field: &str, record: Value, expected: bool) {
    check(&format!("s:\n  {field}\ncondition: s"), record, expected);
}

/// The first problem of a rule, with its line and column.
fn refused(text: &str, expected: &str) {
    let problems = parse(text).unwrap_err();
    assert_eq!(problems.first().unwrap().to_string(), expected);
}

#[test]
fn texts_are_compared_without_case() {
    field("a: aBc", json!({"a": "AbC"}), true);
    field("a: abc", json!({"a": "abcd"}), false);
    field("a|cased: aBc", json!({"a": "abc"}), false);
    field("a|contains|cased: Bc", json!({"a": "aBcd"}), true);
    field("a|startswith: AB", json!({"a": "abc"}), true);
    field("a|endswith: BC", json!({"a": "abc"}), true);
    field("a|contains: '?b'", json!({"a": "xxAB"}), true);
    field("a: 'x*z'", json!({"a": "xyz"}), true);
    field("a: \u{c4}", json!({"a": "\u{e4}"}), true);
    field("a|contains: '*'", json!({"a": ""}), true);
    field("a|contains: '*'", json!({"a": null}), false);
    field("a|contains: '*'", json!({"b": 1}), false);
    field("A: x", json!({"a": "x"}), false);
}

#[test]
fn null_and_nothing() {
    field("a: null", json!({}), true);
    field("a: null", json!({"a": null}), true);
    field("a: null", json!({"a": ""}), false);
    field("a: null", json!({"a": {}}), false);
    field("a: null", json!({"a": []}), false);
    field("a: ''", json!({"a": ""}), true);
    field("a: ''", json!({}), false);
    field("a: [x, null]", json!({}), true);
    field("a|exists: true", json!({"a": null}), true);
    field("a|exists: true", json!({"a": {"b": 1}}), true);
    field("a|exists: true", json!({"a": []}), true);
    field("a|exists: true", json!({}), false);
    field("a|exists: false", json!({}), true);
}

#[test]
fn numbers_and_booleans() {
    field("a: 22", json!({"a": 22}), true);
    field("a: 22", json!({"a": "22"}), true);
    field("a: '22'", json!({"a": 22}), true);
    field("a: 22", json!({"a": 22.0}), true);
    field("a: 22", json!({"a": 220}), false);
    field("a: 'true'", json!({"a": true}), true);
    field("a: true", json!({"a": "True"}), true);
    field("a: false", json!({"a": true}), false);
    field("a|startswith: '2'", json!({"a": 22}), true);
    field("a|gt: 21", json!({"a": 22}), true);
    field("a|gte: 22", json!({"a": "22"}), true);
    field("a|lt: 22", json!({"a": 22}), false);
    field("a|lte: 22", json!({"a": "x"}), false);
}

#[test]
fn lists_and_arrays() {
    field("a: [x, y]", json!({"a": "Y"}), true);
    field("a: y", json!({"a": ["x", "y"]}), true);
    field("a.b: y", json!({"a": [{"b": "x"}, {"b": ["y"]}]}), true);
    field("a|contains|all: [x, y]", json!({"a": "yx"}), true);
    field("a|contains|all: [x, y]", json!({"a": "xx"}), false);
    field("a|contains|all: [x, y]", json!({"a": ["x", "y"]}), true);
    field("a|neq: x", json!({"a": "y"}), true);
    field("a|neq: [x, y]", json!({"a": "y"}), false);
    check("s: [{a: x}, {b: y, c: z}]\ncondition: s", json!({"b": "y", "c": "z"}), true);
    check("s: [{a: x}, {b: y, c: z}]\ncondition: s", json!({"b": "y"}), false);
}

#[test]
fn dots_are_steps_or_part_of_a_key() {
    for record in
        [json!({"a": {"b": {"c": 1}}}), json!({"a.b": {"c": 1}}), json!({"a": {"b.c": 1}}), json!({"a.b.c": 1})]
    {
        field("a.b.c: 1", record, true);
    }
    field("a.b: 1", json!({"a": {"b": {"c": 1}}}), false);
}

#[test]
fn objects_are_looked_into_but_never_equal() {
    let record = json!({"a": {"b": {"c": "Suspended"}, "d": "{\"Effect\":\"Allow\"}", "n": 7}});
    field("a|contains: suspended", record.clone(), true);
    field("a|contains: '\"c\":\"suspended\"'", record.clone(), true);
    field("a|contains: '\"Allow\"'", record.clone(), true);
    field("a|endswith: pended", record.clone(), true);
    field("a|re: '^Sus'", record.clone(), true);
    field("a|contains: absent", record.clone(), false);
    field("a: Suspended", record.clone(), false);
    field("a: 7", record.clone(), false);
    field("a: '*'", record, true);
}

#[test]
fn keywords_are_looked_for_everywhere() {
    let record = json!({"eventName": "PutObject", "a": [{"b": "needle in hay"}]});
    check("k: [nothing, NEEDLE]\ncondition: k", record.clone(), true);
    check("k: needle\ncondition: k", record.clone(), true);
    check("k: [nothing]\ncondition: k", record.clone(), false);
    check("k: ['need*hay']\ncondition: k", record.clone(), true);
    check("k:\n  '|all': [needle, putobject]\ncondition: k", record.clone(), true);
    check("k:\n  '|all': [needle, getobject]\ncondition: k", record.clone(), false);
    check("k:\n  '|re': 'n[e]+dle'\ncondition: k", record, true);
}

#[test]
fn other_modifiers() {
    field("a|re: 'b.d$'", json!({"a": "abcd"}), true);
    field("a|re: 'B.d'", json!({"a": "abcd"}), false);
    field("a|re|i: 'B.d'", json!({"a": "abcd"}), true);
    field("a|re|m: '^b$'", json!({"a": "a\nb"}), true);
    field("a|re: '^b$'", json!({"a": "a\nb"}), false);
    field("a|re|s: 'a.b'", json!({"a": "a\nb"}), true);
    field("a|re: 'a.b'", json!({"a": "a\nb"}), false);
    field("a|cidr: 10.0.0.0/8", json!({"a": "10.1.2.3"}), true);
    field("a|cidr: [192.168.0.0/16, 10.0.0.1/32]", json!({"a": "10.0.0.1"}), true);
    field("a|cidr: 2001:db8::/32", json!({"a": "2001:db8::1"}), true);
    field("a|cidr: 10.0.0.0/8", json!({"a": "AWS Internal"}), false);
    field("a|fieldref: b.c", json!({"a": "X", "b": {"c": "x"}}), true);
    field("a|fieldref|cased: b.c", json!({"a": "X", "b": {"c": "x"}}), false);
    field("a|fieldref|endswith: b", json!({"a": "user/X", "b": ["y", "x"]}), true);
    field("a|fieldref: b", json!({"a": "x"}), false);
    field("a|fieldref: b", json!({"a": null, "b": null}), false);
    field("a|base64: foo", json!({"a": "Zm9v"}), true);
    field("a|base64offset|contains: foobar", json!({"a": "eGZvb2Jhcg=="}), true);
    field("a|wide|base64offset|contains: ab", json!({"a": "YQBiAA=="}), true);
    field("a|utf16|base64: a", json!({"a": "//5hAA=="}), true);
    field("a|windash|contains: ' -enc'", json!({"a": "x /enc y"}), true);
}

#[test]
fn conditions() {
    let check = |condition: &str, record: Value, expected: bool| {
        let searches = "sel_a: {a: 1}\nsel_b: {b: 1}\n_hidden: {c: 1}\nfilter: {d: 1}";
        check(&format!("{searches}\ncondition: {condition}"), record, expected);
    };
    check("sel_a or sel_b and filter", json!({"a": 1}), true);
    check("(sel_a or sel_b) and filter", json!({"a": 1}), false);
    check("not sel_a and sel_b", json!({"b": 1}), true);
    check("not (sel_a and sel_b)", json!({"a": 1, "b": 1}), false);
    check("NOT not sel_a AND sel_b", json!({"a": 1, "b": 1}), true);
    check("1 of sel_*", json!({"b": 1}), true);
    check("any of sel_*", json!({"d": 1}), false);
    check("all of sel_*", json!({"a": 1, "b": 1}), true);
    check("all of sel_*", json!({"a": 1}), false);
    check("1 of them", json!({"c": 1}), false);
    check("all of them", json!({"a": 1, "b": 1, "d": 1}), true);
    check("1 of *_b", json!({"b": 1}), true);
    check("sel_a and not 1 of filter*", json!({"a": 1, "d": 1}), false);
    check("[sel_a, sel_b]", json!({"b": 1}), true);
}

#[test]
fn only_what_cloudtrail_wrote_is_looked_at() {
    let filter = filter("s: {a: null}\ncondition: s");
    assert!(matches(&filter, &envelope(&json!({}))));
    let other = json!({"id": "1", "detail-type": "GuardDuty Finding", "source": "aws.guardduty", "detail": {}});
    assert!(!matches(&filter, &other));
    let forwarded = json!({"detail-type": "forwarded", "detail": {"eventVersion": "1.11", "eventSource": "s", "eventName": "n", "eventTime": "t"}});
    assert!(matches(&filter, &forwarded));
}

#[test]
fn what_a_rule_says_of_itself_is_kept() {
    let text = "title: T\nid: i-1\nlevel: high\ntags: [attack.t1]\nfalsepositives:\n  - admins\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {a: b}, condition: s}";
    let Ok(SigmaFile::Rule(rule)) = parse(text) else { panic!() };
    assert_eq!((rule.id.as_str(), rule.title.as_str(), rule.severity), ("i-1", "T", Some(Severity::High)));
    assert_eq!((rule.tags, rule.false_positives), (vec!["attack.t1".to_owned()], vec!["admins".to_owned()]));
    let Ok(SigmaFile::Rule(rule)) = parse(&rule_text("s: {a: b}\ncondition: s")) else { panic!() };
    assert_eq!((rule.id.as_str(), rule.severity), ("file.yml", None));
}

#[test]
fn other_logs_rules_are_told_apart() {
    let other = "title: T\nlogsource: {product: windows, category: process_creation}\ndetection: {s: {a|unknown: b}, condition: s | count() > 1}";
    let Ok(SigmaFile::OtherSource(source)) = parse(other) else { panic!() };
    assert_eq!(source, "product windows, category process_creation");
}

#[test]
fn what_is_refused() {
    let modifier = "supported are contains, startswith, endswith, all, re, i, m, s, cidr, exists, cased, gt, gte, lt, lte, neq, fieldref, base64, base64offset, wide, utf16le, utf16be, utf16, windash";
    refused(
        &rule_text("s:\n  a|contain: b\ncondition: s"),
        &format!("5:5: error UNSUPPORTED_MODIFIER: the modifier `contain` is not supported ({modifier})"),
    );
    refused(
        &rule_text("s:\n  a|expand: '%x%'\ncondition: s"),
        "5:5: error UNSUPPORTED_MODIFIER: the modifier `expand` is not supported (write the values in place of the placeholder)",
    );
    refused(
        &rule_text("s:\n  a: [b, {c: d}]\ncondition: s"),
        "5:12: error INVALID_VALUE: `a`: a value has to be a text, a number, true, false or null (steps into nested fields are joined by dots: `requestParameters.bucketName`)",
    );
    refused(
        &rule_text("s:\n  a|re: '('\ncondition: s"),
        "5:11: error INVALID_VALUE: `a|re`: the regular expression can't be used: unclosed group",
    );
    refused(
        &rule_text("s:\n  a|cidr: 10.0.0/8\ncondition: s"),
        "5:13: error INVALID_VALUE: `a|cidr`: `10.0.0/8` is no block of addresses",
    );
    refused(
        &rule_text("s:\n  a|wide: b\ncondition: s"),
        "5:13: error UNSUPPORTED_MODIFIER: `a|wide`: `wide` and `utf16…` mean something before `base64` and `base64offset` only (write `wide|base64offset|contains`)",
    );
    refused(
        &rule_text("sel: {a: b}\ncondition: sell"),
        "5:14: error INVALID_CONDITION: the condition can't be read: there is no search identifier `sell` (did you mean `sel`?)",
    );
    refused(
        &rule_text("s: {a: b}\ncondition: (s"),
        "5:14: error INVALID_CONDITION: the condition can't be read: a `)` is missing",
    );
    refused(
        &rule_text("s: {a: b}\ncondition: s | count() by c > 5"),
        "5:14: error UNSUPPORTED_CONDITION: the condition can't be read: an aggregation (`| count()` and its like) is not supported: a rule here looks at one event (leave away what follows the `|`: every single event will match then)",
    );
    refused(
        &rule_text("s: {a: b}\ntimeframe: 5m\ncondition: s"),
        "5:14: error UNSUPPORTED_CONDITION: a `timeframe` is not supported: a rule here looks at one event (leave it away: every single event will match then)",
    );
    refused(
        "title: T\ncorrelation:\n  type: event_count\n",
        "3:3: error UNSUPPORTED_RULE: Sigma's correlation rules are not supported (the rules that it correlates can be used each for itself)",
    );
    refused(
        "title: T\nlevel: hihg\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {a: b}, condition: s}",
        "2:8: error INVALID_VALUE: there is no level \"hihg\" (known are informational, low, medium, high, critical)",
    );
    refused(
        "title: T\ndetection: {}",
        "1:1: error MISSING_KEY: a rule needs a `logsource` that is an object (write `logsource: {product: aws, service: cloudtrail}`)",
    );
    let deep = format!("s: {{a: b}}\ncondition: {}s{}", "(".repeat(100), ")".repeat(100));
    assert!(parse(&rule_text(&deep)).is_err());
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "a", "a", "b", "b", "a.b"]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("x"),
        json!("Xy"),
        json!("\u{c4}x"),
        json!("10.0.0.1"),
        json!(1),
        json!("1"),
        json!(true),
        json!(null),
        json!(""),
    ])
}

fn record() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(3, 20, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    });
    prop::collection::vec((key(), value), 1..4).prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

/// A field with modifiers, and its value.
fn item() -> impl Strategy<Value = (String, Value)> {
    let modified = prop::sample::select(vec![
        ("", json!("x")),
        ("", json!("X*")),
        ("", json!("?y")),
        ("", json!(null)),
        ("", json!(1)),
        ("", json!("true")),
        ("", json!("")),
        ("", json!(["x", null])),
        ("|cased", json!("x")),
        ("|contains", json!("y")),
        ("|contains", json!("*")),
        ("|startswith", json!("x")),
        ("|endswith", json!(["Y", "\u{e4}X"])),
        ("|contains|all", json!(["x", "y"])),
        ("|re", json!("x.?$")),
        ("|re|i", json!("X")),
        ("|exists", json!(true)),
        ("|exists", json!(false)),
        ("|gt", json!(0)),
        ("|lte", json!(1)),
        ("|cidr", json!("10.0.0.0/8")),
        ("|neq", json!("x")),
        ("|fieldref", json!("b")),
        ("|fieldref|startswith", json!("a.b")),
        ("|contains", json!("\"a\"")),
    ]);
    let name = prop::sample::select(vec!["a", "a", "b", "a.b", "a.a", "b.a", ""]);
    (name, modified).prop_map(|(name, (modifiers, value))| (format!("{name}{modifiers}"), value))
}

fn detection() -> impl Strategy<Value = Value> {
    let map = || prop::collection::vec(item(), 1..3).prop_map(|items| Value::Object(items.into_iter().collect()));
    let search = prop_oneof![
        4 => map(),
        1 => prop::collection::vec(map(), 1..3).prop_map(Value::from),
        1 => prop::sample::select(vec![json!(["x"]), json!("1"), json!(["q", "y*"])]),
    ];
    let condition = prop::sample::select(vec![
        "s1",
        "s1 and s2",
        "s1 or s2",
        "s1 and not s2",
        "not s1",
        "s1 and (s2 or not s3)",
        "1 of s*",
        "all of them",
        "not 1 of s* or s3",
    ]);
    (search.clone(), search.clone(), search, condition)
        .prop_map(|(s1, s2, s3, condition)| json!({"s1": s1, "s2": s2, "s3": s3, "condition": condition}))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn compiled_with_others_a_condition_says_what_it_says_naively(
        detections in prop::collection::vec(detection(), 1..8),
        record in record(),
    ) {
        let filters: Vec<Filter> = detections
            .iter()
            .map(|detection| {
                let rule = json!({"title": "T", "logsource": {"product": "aws", "service": "cloudtrail"}, "detection": detection});
                match read(&Document::of_value(rule), "f") {
                    Ok(SigmaFile::Rule(rule)) => rule.filter,
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        let event = envelope(&record);
        let naive: Vec<usize> =
            filters.iter().enumerate().filter(|(_, filter)| filter.matches(&event)).map(|(rule, _)| rule).collect();
        let matcher = Matcher::new(filters.into_iter().enumerate().collect());
        let compiled: Vec<usize> = matcher.matches(&event).into_iter().copied().collect();
        prop_assert_eq!(&naive, &compiled);
        let scanned: Vec<usize> = matcher.matches_json(&event.to_string()).into_iter().copied().collect();
        prop_assert_eq!(naive, scanned);
    }
}
