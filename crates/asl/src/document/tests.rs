use serde_json::json;

use super::*;

/// Each problem as `line:column code message`.
fn problems(text: &str, format: Format) -> Vec<String> {
    let told = |problem: &Diagnostic| {
        format!("{}:{} {} {}", problem.span.line, problem.span.column, problem.code, problem.message)
    };
    Document::parse(text, format).expect_err(text).iter().map(told).collect()
}

#[test]
fn json_and_yaml_say_the_same() {
    for (text, format) in [
        (r#"{"a": {"b/c": [1, "\ud83d\ude00", null]}, "on": true}"#, Format::Json),
        (r#"{"a": {"b/c": [1, "\ud83d\ude00", null]}, "on": true}"#, Format::Yaml),
        ("\u{feff}{\"a\": {\"b/c\": [1, \"\\ud83d\\ude00\", null]}, \"on\": true}", Format::Json),
        ("\u{feff}a:\n  b/c:\n  - 1\n  - \u{1f600}\n  - ~\non: true\n", Format::Yaml),
        ("a:\n  b/c:\n  - 1\n  - \u{1f600}\n  - ~\non: true\n", Format::Yaml),
    ] {
        let document = Document::parse(text, format).expect(text);
        assert_eq!(document.value(), &json!({"a": {"b/c": [1, "\u{1f600}", null]}, "on": true}), "{text}");
    }
}

#[test]
fn every_part_knows_its_place() {
    fn check(text: &str, format: Format, pointer: &str, key: (usize, usize), value: (&str, usize, usize)) {
        let document = Document::parse(text, format).expect(text);
        let span = document.span(pointer);
        assert_eq!((&text[span.start..span.end], span.line, span.column), value, "{pointer} of {text}");
        let span = document.key_span(pointer);
        assert_eq!((span.line, span.column), key, "key {pointer} of {text}");
    }
    let json = "{\"é\": 1, \"a\": {\n \"b/c\": [1, \"x\\\"y\"] } }";
    check(json, Format::Json, "/é", (1, 2), ("1", 1, 7));
    check(json, Format::Json, "/a", (1, 10), ("{\n \"b/c\": [1, \"x\\\"y\"] }", 1, 15));
    check(json, Format::Json, "/a/b~1c", (2, 2), ("[1, \"x\\\"y\"]", 2, 9));
    check(json, Format::Json, "/a/b~1c/1", (2, 13), ("\"x\\\"y\"", 2, 13));
    check(json, Format::Json, "/a/b~1c/7/z", (2, 2), ("[1, \"x\\\"y\"]", 2, 9));
    check("\u{feff}{\"a\":\n7}", Format::Json, "/a", (1, 3), ("7", 2, 1));
    check("\u{feff}a: 7", Format::Yaml, "/a", (1, 2), ("7", 1, 5));
    let yaml = "é: 1\na:\n  b/c: # here\n    - 1\n    - 'x'\n\nlast: {m: [2]}\n";
    check(yaml, Format::Yaml, "/é", (1, 1), ("1", 1, 4));
    check(yaml, Format::Yaml, "/a", (2, 1), ("b/c: # here\n    - 1\n    - 'x'", 3, 3));
    check(yaml, Format::Yaml, "/a/b~1c", (3, 3), ("- 1\n    - 'x'", 4, 5));
    check(yaml, Format::Yaml, "/a/b~1c/1", (5, 7), ("'x'", 5, 7));
    check(yaml, Format::Yaml, "/last/m/0", (7, 12), ("2", 7, 12));
}

#[test]
fn aliases_and_merge_keys() {
    let text = "base: &base {a: 1, b: [x]}\nmore: &more {a: 3, c: 4}\ncopy: *base\nmerged:\n  <<: [*base, *more]\n  b: 2\nquoted: {\"<<\": 1}\n";
    let document = Document::parse(text, Format::Yaml).expect(text);
    assert_eq!(document.value()["copy"], json!({"a": 1, "b": ["x"]}));
    assert_eq!(document.value()["merged"], json!({"b": 2, "a": 1, "c": 4}));
    assert_eq!(document.value()["quoted"], json!({"<<": 1}));
    let span = document.span("/merged/c");
    assert_eq!((span.line, &text[span.start..span.end]), (2, "4"));
}

#[test]
fn json_problems() {
    insta::assert_json_snapshot!([
        problems("{\"a\": 1,\n \"a\": 2, \"b\": {\"c\": 1, \"c\": 1}}", Format::Json),
        problems("not a definition", Format::Json),
        problems("{\"a\": 1,\n  \"b\" 2}", Format::Json),
        problems("{\"a\": 1e999}", Format::Json),
        problems("{\"a\": \"\\ud83d\"}", Format::Json),
        problems("{\"a\": 1} x", Format::Json),
        problems(" ", Format::Json),
        problems(&"[".repeat(300), Format::Json),
    ]);
}

#[test]
fn yaml_problems() {
    insta::assert_json_snapshot!([
        problems("a: 1\nb: !Ref x\nc: !Sub {a: 1}\na: 2\n", Format::Yaml),
        problems("a: .inf\nb: .nan\n", Format::Yaml),
        problems("a: 1\n---\nb: 2\n", Format::Yaml),
        problems("? [a]\n: 1\n", Format::Yaml),
        problems("a: &x [*x]\n", Format::Yaml),
        problems("a: *nowhere\n", Format::Yaml),
        problems("<<: 1\n", Format::Yaml),
        problems("a: [1, 2\nb: 3\n", Format::Yaml),
        problems("# nothing\n", Format::Yaml),
        problems(&"- ".repeat(200), Format::Yaml),
    ]);
}

#[test]
fn a_bare_expression_is_explained() {
    for text in ["a: {% $states.input %}\n", "a:\n  - {% 1 + 1 %}\n", "a: {% $x[0] %}\n", "a: {% 'x' %}"] {
        let problems = Document::parse(text, Format::Yaml).expect_err(text);
        let help = problems[0].help.as_deref().unwrap_or_default();
        assert!(help.contains("in quotes"), "{text}: {problems:?}");
    }
}

#[test]
fn bombs_are_refused() {
    let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 9].join(", ")));
    }
    let text = problems(&bomb, Format::Yaml);
    assert!(text[0].contains("TOO_MANY_ALIASES"), "{text:?}");
    let long = "x".repeat(1 << 19);
    let text = problems(&format!("a: &a {long}\nb: [*a, *a, *a, *a, *a]\n"), Format::Yaml);
    assert!(text[0].contains("TOO_MANY_ALIASES"), "{text:?}");
    let mut deep = format!("a0: &a0 {}{}\n", "[".repeat(100), "]".repeat(100));
    for level in 1..50 {
        deep.push_str(&format!("a{level}: &a{level} {}*a{}{}\n", "[".repeat(100), level - 1, "]".repeat(100)));
    }
    let text = problems(&deep, Format::Yaml);
    assert!(text[0].contains("DOCUMENT_TOO_DEEP"), "{text:?}");
    let text = problems(&" ".repeat(MAX_TEXT_BYTES + 1), Format::Yaml);
    assert!(text[0].contains("DOCUMENT_TOO_LONG"), "{text:?}");
}

#[test]
fn formats_are_told_apart() {
    assert_eq!(Format::of_text(" \n{"), Format::Json);
    assert_eq!(Format::of_text("StartAt: A"), Format::Yaml);
    assert_eq!(Format::of_file_name("a/b.asl.YAML"), Some(Format::Yaml));
    assert_eq!(Format::of_file_name("b.asl.json"), Some(Format::Json));
    assert_eq!(Format::of_file_name("readme"), None);
}

#[test]
fn a_place_inside_of_a_string() {
    fn check(text: &str, offset: usize, expected: (&str, usize, usize)) {
        let document = Document::parse(text, Format::Yaml).expect(text);
        let span = document.span_inside("/a", offset);
        assert_eq!((&text[span.start..span.end], span.line, span.column), expected, "{text}");
    }
    check("a: 'abcd'", 2, ("cd", 1, 7));
    check("a: abcd", 2, ("cd", 1, 6));
    check("{\"a\": \"abcd\"}", 4, ("", 1, 12));
    check("a: \"a\\nb\"", 2, ("\"a\\nb\"", 1, 4));
    check("a: [1]", 2, ("[1]", 1, 4));
    check("a: abcd", 9, ("abcd", 1, 4));
}

/// What is long or much at once is read in a moment, and does not fill the memory.
#[test]
fn long_keys_and_many_values() {
    let key = "k".repeat(1 << 20);
    let many = vec!["0"; 1 << 18].join(",");
    for format in [Format::Json, Format::Yaml] {
        let text = format!("{{\"StartAt\": \"A\", \"States\": {{\"{key}\": {{\"Retry\": [{many}]}}}}}}");
        assert!(
            Document::parse(&text, format)
                .map_or(true, |document| { crate::parse::parse(&document, &crate::parse::AnyResource).is_err() })
        );
        let text = format!(
            "{{\"States\": {{\"A\": {{\"Type\": \"Task\", \"Retry\": [{many}], \"Parameters\": {{\"{key}\": [{many}]}}}}}}}}"
        );
        if let Ok(document) = Document::parse(&text, format) {
            let problems = crate::parse::parse(&document, &crate::parse::AnyResource).expect_err("no machine");
            assert_eq!(problems.len(), crate::diagnostic::MAX_PROBLEMS + 1);
            assert_eq!(problems.last().expect("a problem").code, "TOO_MANY_PROBLEMS");
        }
    }
}

#[test]
fn what_jackson_would_take_is_refused_in_words_that_people_know() {
    for (text, part) in [
        ("{} {}", "Trailing token found after value"),
        (r#"{"a": 1e999}"#, "larger than the largest that is kept here"),
        (r#"{"a": "\ud800"}"#, "an escape is half a pair"),
        (r#"{"a": "\ud800\u0041"}"#, "an escape is half a pair"),
        (r#"{"a": "\udc00"}"#, "an escape is half a pair"),
    ] {
        let problems = Document::parse(text, Format::Json).expect_err(text);
        let [problem] = problems.as_slice() else { panic!("{text}: {problems:?}") };
        assert!(problem.message.contains(part) && problem.location.is_some(), "{text}: {problem:?}");
    }
}
