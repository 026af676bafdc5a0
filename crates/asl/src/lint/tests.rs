use super::*;
use crate::{Format, parse::AnyResource};

/// Every warning of a definition, one a line.
fn told(text: &str) -> String {
    let document = Document::parse(text, Format::of_text(text)).expect(text);
    let (machine, _) = crate::parse::parse(&document, &AnyResource).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let lines = lint(&document, &machine).into_iter().map(|found| format!("{found}\n    at {}\n", found.pointer));
    lines.collect()
}

#[test]
fn errors() {
    insta::assert_snapshot!(told(include_str!("tests/errors.asl.yaml")));
}

#[test]
fn transitions() {
    insta::assert_snapshot!(told(include_str!("tests/transitions.asl.yaml")));
}

#[test]
fn variables() {
    insta::assert_snapshot!(told(include_str!("tests/variables.asl.yaml")));
}

#[test]
fn data() {
    insta::assert_snapshot!(told(include_str!("tests/data.asl.yaml")));
}

#[test]
fn expressions() {
    insta::assert_snapshot!(told(include_str!("tests/expressions.asl.yaml")));
}

#[test]
fn a_machine_with_everything_has_nothing_wrong() {
    insta::assert_snapshot!(told(include_str!("../parse/tests/everything.asl.yaml")));
}

#[test]
fn express_children() {
    insta::assert_snapshot!(told(include_str!("tests/express.asl.yaml")));
}

#[test]
fn no_more_than_so_many_expressions_are_tried() {
    let output: Vec<String> = (0..300).map(|index| format!("{{% 'a' + {index} %}}")).collect();
    let output = output.into_iter().collect::<serde_json::Value>();
    let state = serde_json::json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": output, "End": true});
    let told = told(&serde_json::json!({"StartAt": "A", "States": {"A": state}}).to_string());
    assert_eq!(told.matches("EXPRESSION_ALWAYS_FAILS").count(), 100);
}
