use asl::{Diagnostic, parse::AnyResource};
use serde_json::{Map, json};

use super::*;
use crate::Event;

const MACHINE: &str = "StartAt: A\nStates:\n  A: {Type: Succeed}\n";

fn read(header: &str) -> Playbook {
    Playbook::parse(&format!("{header}---\n{MACHINE}"), &AnyResource).unwrap().0
}

fn event(source: &str, id: &str) -> Event {
    Event::from_envelope(json!({
        "id": id, "source": source, "detail-type": "T", "account": "123456789012", "region": "us-east-1",
        "time": "2026-01-01T00:00:00Z", "resources": [], "detail": {"a": 1},
    }))
    .unwrap()
}

#[test]
fn a_header_and_a_machine_are_read() {
    let header = "id: a-b\ntitle: A\nseverity: HIGH\nevent: {source: [s]}\n";
    let playbook = read(header);
    assert_eq!((playbook.id.as_str(), playbook.concurrency), ("a-b", DEFAULT_CONCURRENCY));
    assert!(matches!(playbook.trigger, Trigger::Event(_)));
    assert_eq!(playbook.definition, json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}));
    // A first `---` only begins the header.
    let begun = read(&format!("# a comment\n---\n{header}"));
    assert_eq!(begun.definition, playbook.definition);
}

#[test]
fn what_has_no_header_is_not_split() {
    for text in ["", MACHINE, "---\nStartAt: A\n", "# comment\n---\nStartAt: A\n", "a: '---'\nb: 1\n"] {
        assert_eq!(split(text), None, "{text:?}");
    }
    let (header, machine) = split("ä: 1\n--- \r\nStartAt: A\n").unwrap();
    assert_eq!((header, machine.as_str()), ("ä: 1\n", "     \n     \nStartAt: A\n"));
}

#[test]
fn every_problem_is_told_at_its_line_and_column() {
    let check = |text: &str, expected: &[&str]| {
        let problems: Vec<String> = match Playbook::parse(text, &AnyResource) {
            Ok((_, warnings)) => warnings.iter().map(Diagnostic::to_string).collect(),
            Err(problems) => problems.iter().map(Diagnostic::to_string).collect(),
        };
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem} instead of {expected}");
        }
    };
    let whole = |header: &str| format!("{header}---\n{MACHINE}");
    let head = "id: a\ntitle: A\nseverity: HIGH\n";
    check(MACHINE, &["1:1: "]);
    check(&whole(head), &["1:1: "]);
    check(&whole(&format!("{head}event: {{source: [s]}}\nrules: [a]\n")), &["5:8: "]);
    check(&whole(&format!("{head}rules: []\n")), &["4:8: "]);
    check(&whole(&format!("{head}event: {{source: s}}\nconcurrency: 0\n")), &["4:", "5:14: "]);
    check(&whole(&format!("{head}rules: [a]\ninput: {{x: '{{% ( %}}'}}\nconcurency: 1\n")), &["5:12: ", "6:1: "]);
    check(&whole(&format!("{head}rules: [a]\ntests:\n  - {{name: t, event: {{}}, parameters: {{x: 1}}}}\n")), &["6:"]);
    // Of both parts at once, and in the lines of the file.
    let text = "id: A\ntitle: A\nseverity: HIGH\nrules: [a]\n---\nStartAt: A\nStates:\n  B: {Type: Succeed}\n";
    check(text, &["1:5: ", "6:10: ", "8:3: "]);
    check(&format!("{head}rules: [a]\n---\n{MACHINE}---\nx: 1\n"), &["10:"]);
}

#[test]
fn an_event_starts_what_matches_it() {
    let by_event = read("id: a\ntitle: A\nseverity: LOW\nevent: {source: [s]}\n");
    let none = Map::new();
    assert_eq!(by_event.starts(&event("t", "1"), &[], &none).unwrap(), None);
    assert_eq!(by_event.starts(&event("s", "1"), &[], &none).unwrap(), Some(event("s", "1").envelope()));

    let by_rule = read(
        "id: b\ntitle: B\nseverity: LOW\nrules: [r, q]\nparameters: {p: {default: 7, description: d}}\n\
         input: {a: '{% $event.detail.a %}', f: '{% $finding.id %}', p: '{% $parameters.p %}'}\n",
    );
    let (parameters, finding) = (by_rule.parameters_with(&none), json!({"id": "f"}));
    let found = |matched: &[Match<'_>]| by_rule.starts(&event("t", "1"), matched, &parameters);
    let of = |rule| Match { rule, finding: None };
    assert_eq!(found(&[]).unwrap(), None);
    assert_eq!(found(&[of("other")]).unwrap(), None);
    let finding = Some(&finding);
    let started = found(&[Match { rule: "other", finding: None }, of("q"), Match { rule: "r", finding }]).unwrap();
    assert_eq!(started, Some(json!({"a": 1, "f": "f", "p": 7})));
    // What is not there can't be taken from.
    assert!(found(&[of("r")]).is_err());
}

#[test]
fn an_execution_is_named_by_playbook_and_event() {
    let (one, other) =
        (read("id: a\ntitle: A\nseverity: LOW\nrules: [r]\n"), read("id: b\ntitle: A\nseverity: LOW\nrules: [r]\n"));
    let name = one.execution_name(&event("s", "1"));
    assert_eq!(name.len(), 32);
    assert_eq!(one.execution_name(&event("t", "1")), name);
    assert_ne!(one.execution_name(&event("s", "2")), name);
    assert_ne!(other.execution_name(&event("s", "1")), name);
}

#[test]
fn tests_of_a_file_say_what_differs() {
    let text = |test: &str| {
        format!(
            "id: a\ntitle: A\nseverity: LOW\nevent: {{source: [s]}}\ninput: {{a: '{{% $event.detail.a %}}'}}\ntests:\n  - {{name: t, {test}}}\n---\n{MACHINE}"
        )
    };
    let check = |test: &str, expected: Option<&str>| {
        let text = text(test);
        let (playbook, _) = Playbook::parse(&text, &AnyResource).unwrap();
        let failed: Vec<String> = failures(&playbook, &text).iter().map(Diagnostic::to_string).collect();
        assert_eq!(failed.len(), usize::from(expected.is_some()), "{failed:?}");
        if let (Some(failed), Some(expected)) = (failed.first(), expected) {
            assert!(failed.starts_with("7:5: ") && failed.contains(expected), "{failed}");
        }
    };
    let event = |source: &str| format!("event: {{source: {source}, detail-type: T, detail: {{a: 1}}}}");
    check(&format!("{}, input: {{a: 1}}", event("s")), None);
    check(&format!("{}, input: {{a: 2}}", event("s")), Some(r#"the input is {"a":1} instead of {"a":2}"#));
    check(&format!("{}, starts: false", event("t")), None);
    check(&event("t"), Some("does not start"));
    check(&format!("{}, starts: false", event("s")), Some("the event starts the playbook"));
    check("event: {source: s}", Some("can't be read"));
}
