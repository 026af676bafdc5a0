//! Definitions: real ones parse, recorded ones are accepted and refused as AWS did, and in its words.

use std::collections::BTreeMap;

use asl::{
    Diagnostic, Document, Format, Severity, StateMachine,
    diagnostic::{in_aws_order, invalid_definition},
    parse::{AnyArn, AnyResource, ExpressResources, Resources},
};
use conformance::corpus;
use serde_json::Value;

type Exceptions = BTreeMap<&'static str, &'static str>;

fn parse(text: &str, format: Format, resources: &dyn Resources) -> Result<StateMachine, Vec<Diagnostic>> {
    let document = Document::parse(text, format)?;
    asl::parse::parse(&document, resources).map(|(machine, _)| machine)
}

/// Checks that each case ends as it should, or is excepted with a reason (an exception that is none any more is told too),
/// and gives how many did.
#[expect(clippy::print_stdout, reason = "each exception is told with its reason")]
fn check(cases: impl IntoIterator<Item = (String, Result<(), String>)>, exceptions: &Exceptions) -> usize {
    let (mut passed, mut wrong, mut unused) = (0, Vec::new(), exceptions.clone());
    for (name, outcome) in cases {
        match (outcome, unused.remove(name.as_str())) {
            (Ok(()), None) => passed += 1,
            (Ok(()), Some(_)) => wrong.push(format!("{name}: passes, and is in the list of exceptions")),
            (Err(_), Some(reason)) => println!("excepted: {name}: {reason}"),
            (Err(problem), None) => wrong.push(format!("{name}: {problem}")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(unused.is_empty(), "exceptions of no case: {unused:?}");
    passed
}

fn told(problems: &[Diagnostic]) -> String {
    problems.iter().map(|problem| format!("\n    {problem} at {}", problem.pointer)).collect()
}

fn text(case: &Value, field: &str) -> String {
    match &case[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn real_definitions_parse() {
    let Some(cases) = corpus("asl/definitions.jsonl.gz", 206) else { return };
    let exceptions = Exceptions::from([
        (
            "step-functions-workflows-collection/shared-fallback-state-jsonata/statemachine/statemachine.asl.json",
            "`QueryLanguage` is written among the states",
        ),
        (
            "step-functions-workflows-collection/human-task-reminder/statemachine/statemachine.asl.yaml",
            "`Seconds: ${ReminderTimeout}`: a text until CloudFormation puts a number there",
        ),
        (
            "step-functions-workflows-collection/sfn-iot-data-analytics-dataset/statemachine/statemachine.asl.json",
            "no JSON: a `${…}` stands without quotes",
        ),
    ]);
    let outcomes = cases.iter().map(|case| {
        let format = if case["format"] == "yaml" { Format::Yaml } else { Format::Json };
        let outcome = parse(&text(case, "text"), format, &AnyResource).map(drop).map_err(|problems| told(&problems));
        (text(case, "path"), outcome)
    });
    let passed = check(outcomes, &exceptions);
    println!("{passed} of {} real definitions parse", cases.len());
    assert_eq!(passed, 203);
}

#[test]
fn validators_agree() {
    let Some(cases) = corpus("asl/validator-cases.jsonl.gz", 96) else { return };
    let exceptions = Exceptions::from([
        ("invalid-json-surround-syntax-extra-spaces.json", "blanks inside of `{% … %}` are JSONata's, and do no harm"),
        ("invalid-math-add.json", "the arguments of an intrinsic function show their types when it is evaluated"),
        ("states-array-invocation-leftpad.json", "a blank before an intrinsic function does no harm"),
        ("task-with-credentials.json", "AWS wants a `RoleArn` in `Credentials`"),
        (
            "valid-task-intrisic-function.json",
            "a template of CloudFormation: its Resources are objects until it has filled them in",
        ),
    ]);
    let outcomes = cases.iter().map(|case| {
        let valid = case.get("valid").and_then(Value::as_bool).unwrap_or_else(|| case["problems"] == 0);
        // statelint's cases name things that are no ARNs.
        let resources: &dyn Resources = if case["source"] == "statelint" { &AnyResource } else { &AnyArn };
        let outcome = match (parse(&text(case, "text"), Format::Json, resources), valid) {
            (Ok(_), true) | (Err(_), false) => Ok(()),
            (Ok(_), false) => Err("is accepted".to_owned()),
            (Err(problems), true) => Err(told(&problems)),
        };
        (text(case, "file"), outcome)
    });
    let passed = check(outcomes, &exceptions);
    println!("{passed} of {} validators' cases agree", cases.len());
    assert_eq!(passed, 91);
}

#[test]
fn what_aws_has_run_is_accepted() {
    let Some(cases) = corpus("asl/recorded-public.jsonl.gz", 552) else { return };
    let outcomes = cases.iter().filter(|case| case["kind"] == "exec" && !case["definition"].is_null()).map(|case| {
        let outcome = parse(&text(case, "definition"), Format::Json, &AnyResource);
        (text(case, "id"), outcome.map(drop).map_err(|problems| told(&problems)))
    });
    let passed = check(outcomes, &Exceptions::new());
    println!("{passed} definitions that AWS has run are accepted");
    assert_eq!(passed, 552);
}

#[test]
fn aws_texts_of_refusals() {
    let Some(cases) = corpus("asl/recorded-public.jsonl.gz", 11) else { return };
    let exceptions = Exceptions::from([(
        "tests/aws/services/stepfunctions/v2/services/test_dynamodb_task_service.py::TestTaskServiceDynamoDB::test_invalid_integration#create_error0",
        "which resources there are is known to the caller, and any will do here",
    )]);
    let outcomes = cases.iter().filter(|case| case["kind"] == "create_error").filter_map(|case| {
        let expected = find(&case["expected"], "Invalid State Machine Definition: ")?;
        let definition = text(case, "definition");
        let outcome = match parse(&definition, Format::Json, resources(&case["request"])) {
            Ok(_) => Err("is accepted".to_owned()),
            Err(problems) if expected.ends_with(&invalid_definition(&problems)) => Ok(()),
            Err(problems) => Err(format!("{}\n    AWS: {expected}", invalid_definition(&problems))),
        };
        Some((text(case, "id"), outcome))
    });
    let passed = check(outcomes, &exceptions);
    println!("{passed} refusals in AWS's words");
    assert_eq!(passed, 10);
}

#[test]
fn aws_diagnostics() {
    let Some(cases) = corpus("asl/recorded-public.jsonl.gz", 8) else { return };
    let outcomes = cases.iter().filter(|case| case["kind"] == "validate").map(|case| {
        let problems = parse(&text(&case["request"], "definition"), Format::Json, resources(&case["request"]));
        let ours: Vec<String> = in_aws_order(&problems.err().unwrap_or_default(), Severity::Error)
            .into_iter()
            .map(|problem| shown(&problem.code, &problem.aws_message(), problem.location.as_deref()))
            .collect();
        let expected = case["expected"]["validation_response"]["diagnostics"].as_array().expect("diagnostics");
        let aws: Vec<String> = expected
            .iter()
            .map(|one| shown(&text(one, "code"), &text(one, "message"), one["location"].as_str()))
            .collect();
        (text(case, "id"), if ours == aws { Ok(()) } else { Err(format!("{ours:?}\n    AWS: {aws:?}")) })
    });
    let passed = check(outcomes, &Exceptions::new());
    println!("{passed} lists of diagnostics as AWS gives them");
    assert_eq!(passed, 8);
}

fn resources(request: &Value) -> &'static dyn Resources {
    if request["type"] == "EXPRESS" { &ExpressResources(&AnyResource) } else { &AnyResource }
}

fn shown(code: &str, message: &str, location: Option<&str>) -> String {
    format!("{code} {message} at {}", location.unwrap_or("no place"))
}

/// The first string in a value that holds `part`.
fn find(value: &Value, part: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains(part).then(|| text.clone()),
        Value::Array(items) => items.iter().find_map(|item| find(item, part)),
        Value::Object(fields) => fields.values().find_map(|field| find(field, part)),
        _ => None,
    }
}
