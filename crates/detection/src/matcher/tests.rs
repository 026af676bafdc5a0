use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::EventPattern;

fn compile(patterns: &[Value]) -> Matcher<usize> {
    Matcher::new(patterns.iter().map(|pattern| EventPattern::from_value(pattern).unwrap()).enumerate().collect())
}

#[test]
fn each_rule_once_in_the_given_order() {
    let matcher = compile(&[
        json!({"b": [{"exists": false}]}),
        json!({"$or": [{"a": [1]}, {"a": ["x", "y"]}, {"a": [{"prefix": "x"}]}]}),
        json!({"a": ["y"]}),
        json!({"a": ["x"]}),
        json!({"c": {"d": ["x"]}}),
    ]);
    assert_eq!(matcher.matches(&json!({"a": ["x", "y", 1]})), [&0, &1, &2, &3]);
    assert_eq!(matcher.matches(&json!({"a": "x", "b": null, "c.d": "x"})), [&1, &3, &4]);
    assert_eq!(matcher.matches(&json!({})), [&0]);
    assert!(matcher.matches(&json!("x")).is_empty());
    assert!(compile(&[]).matches(&json!({})).is_empty());
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "a", "a", "b", "b", "a.b", ""]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    let scalars =
        vec![json!("x"), json!("x"), json!("xy"), json!("1.2.3.4"), json!(1), json!(1.0), json!(2), json!(null)];
    prop::sample::select(scalars)
}

fn event() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 1..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    });
    prop::collection::vec((key(), value), 1..4).prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

fn alternative() -> impl Strategy<Value = Value> {
    let operators = vec![
        json!({"exists": true}),
        json!({"exists": false}),
        json!({"exists": false}),
        json!({"prefix": "x"}),
        json!({"suffix": "y"}),
        json!({"equals-ignore-case": "x"}),
        json!({"wildcard": "*y"}),
        json!({"numeric": [">", 1]}),
        json!({"cidr": "1.2.3.0/24"}),
        json!({"anything-but": "x"}),
        json!({"anything-but": [1, 2]}),
        json!({"anything-but": {"prefix": "x"}}),
    ];
    prop_oneof![scalar(), scalar(), prop::sample::select(operators)]
}

fn pattern() -> impl Strategy<Value = Value> {
    let leaf = prop::collection::vec(alternative(), 1..3).prop_map(Value::from);
    let node = leaf.prop_recursive(3, 20, 3, |inner| {
        let object = prop::collection::vec((key(), inner), 1..3)
            .prop_map(|entries| Value::Object(entries.into_iter().collect()))
            .boxed();
        prop_oneof![
            3 => object.clone(),
            1 => prop::collection::vec(object, 2..3).prop_map(|alternatives| json!({"$or": alternatives})),
        ]
    });
    prop::collection::vec((key(), node), 1..4).prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_matcher_says_what_the_naive_one_says(
        patterns in prop::collection::vec(pattern(), 1..12),
        event in event(),
    ) {
        let patterns: Vec<EventPattern> =
            patterns.iter().map(|pattern| EventPattern::from_value(pattern).unwrap()).collect();
        let naive: Vec<usize> =
            patterns.iter().enumerate().filter(|(_, pattern)| pattern.matches(&event)).map(|(rule, _)| rule).collect();
        let matcher = Matcher::new(patterns.into_iter().enumerate().collect());
        let compiled: Vec<usize> = matcher.matches(&event).into_iter().copied().collect();
        prop_assert_eq!(&naive, &compiled);
        let scanned: Vec<usize> = matcher.matches_json(&event.to_string()).into_iter().copied().collect();
        prop_assert_eq!(naive, scanned);
    }
}
