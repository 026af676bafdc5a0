use query::Language;

use super::*;
use crate::{Format, Kind, actions::actions, diagnostic::invalid_definition, graph::Graph};

/// Knows one Resource.
struct OneResource;

impl Resources for OneResource {
    fn check(&self, resource: &str) -> Result<(), UnknownResource> {
        if resource == "arn:aws:states:::aws-sdk:s3:getBucketPolicy" {
            return Ok(());
        }
        let message = format!("there is no resource `{resource}`");
        Err(UnknownResource { message, help: Some("did you mean `getBucketPolicy`?".to_owned()) })
    }
}

fn parsed(text: &str) -> Result<(StateMachine, Vec<Diagnostic>), Vec<Diagnostic>> {
    Document::parse(text, Format::of_text(text)).and_then(|document| parse(&document, &AnyResource))
}

/// Every problem of a definition, one a line.
fn problems(text: &str) -> String {
    let diagnostics = match parsed(text) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    lines(&diagnostics)
}

fn lines(diagnostics: &[Diagnostic]) -> String {
    let lines = diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n    at {}\n", diagnostic.pointer));
    lines.collect()
}

#[test]
fn a_machine_with_everything() {
    let (machine, warnings) = parsed(include_str!("tests/everything.asl.yaml")).expect("a valid machine");
    assert_eq!(warnings, []);
    let names: Vec<(&str, &str, usize)> =
        machine.states().map(|(flow, state)| (state.name.as_str(), state.type_name(), flow.states.len())).collect();
    insta::assert_debug_snapshot!("everything_states", names);
    insta::assert_debug_snapshot!("everything_graph", Graph::of(&machine.flow));
    let calls: Vec<_> = actions(&machine).map(|action| (action.state, action.resource, action.aws_sdk())).collect();
    insta::assert_debug_snapshot!("everything_actions", calls);
    let (flow, state) = machine.find("Look").expect("a nested state");
    assert_eq!((flow.start_at.as_str(), state.query_language), ("Look", Language::Jsonata));
    let Kind::Task(task) = &state.kind else { panic!("{state:?}") };
    assert_eq!(task.resource, "arn:aws:states:::aws-sdk:s3:getBucketPolicy");
    assert_eq!((state.retry[0].max_attempts, state.retry[0].backoff_rate, state.retry[0].jitter), (6, 1.5, true));
}

#[test]
fn structure() {
    insta::assert_snapshot!(problems(include_str!("tests/structure.asl.yaml")));
}

#[test]
fn fields() {
    insta::assert_snapshot!(problems(include_str!("tests/fields.asl.yaml")));
}

#[test]
fn languages() {
    insta::assert_snapshot!(problems(include_str!("tests/languages.asl.yaml")));
}

#[test]
fn numbers() {
    insta::assert_snapshot!(problems(include_str!("tests/numbers.asl.yaml")));
}

#[test]
fn choices() {
    insta::assert_snapshot!(problems(include_str!("tests/choices.asl.yaml")));
}

#[test]
fn expressions() {
    insta::assert_snapshot!(problems(include_str!("tests/expressions.asl.yaml")));
}

#[test]
fn warnings() {
    insta::assert_snapshot!(problems(include_str!("tests/warnings.asl.yaml")));
}

#[test]
fn what_is_no_machine() {
    let texts = [
        "{}",
        " ",
        "[]",
        "7",
        "not a definition",
        "{\"StartAt\": \"A\", \"States\": {}}",
        "{\"StartAt\": 1, \"States\": []}",
    ];
    let told: String = texts.map(|text| format!("{text}\n{}", problems(text))).concat();
    insta::assert_snapshot!(told);
}

#[test]
fn no_state_ends() {
    let text = "StartAt: A\nStates:\n  A: {Type: Pass, Next: B}\n  B: {Type: Pass, Next: A}\n";
    insta::assert_snapshot!(problems(text));
}

#[test]
fn aws_texts() {
    fn check(definition: &str, resources: &dyn Resources, expected: &str) {
        let document = Document::parse(definition, Format::Json);
        let problems = document.and_then(|document| parse(&document, resources)).expect_err(definition);
        assert_eq!(
            invalid_definition(&problems),
            format!("Invalid State Machine Definition: '{expected}'"),
            "{definition}"
        );
    }
    let express = ExpressResources(&AnyResource);
    check(
        r#"{"Comment": "BASE_INVALID_DER", "StartAt": "State_1"}"#,
        &AnyResource,
        "SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /",
    );
    check("{}", &AnyResource, "SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /");
    check(" ", &AnyResource, "SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null");
    check(
        r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Timestamp": "2016-12-05 21:29:29Z", "End": true}}}"#,
        &AnyResource,
        "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/W/Timestamp",
    );
    check(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Pas", "End": true}}}"#,
        &AnyResource,
        "SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/A/Type",
    );
    check(
        r#"{"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": true, "QueryLanguage": "JSONPath"}}, "QueryLanguage": "JSONata"}"#,
        &AnyResource,
        "SCHEMA_VALIDATION_FAILED: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at /States/Pass",
    );
    check(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true}}}"#,
        &express,
        "SCHEMA_VALIDATION_FAILED: Express state machine does not support '.waitForTaskToken' service integration  at /States/A/Resource",
    );
    check(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:us-east-1:000000000000:activity:a", "End": true}}}"#,
        &express,
        "SCHEMA_VALIDATION_FAILED: Express state machine does not support Activity ARN at /States/A/Resource",
    );
}

#[test]
fn fragments_are_told_by_their_place_in_the_whole() {
    let text = include_str!("tests/fragment.yaml");
    let document = Document::parse(text, Format::Yaml).expect(text);
    let told = |pointer| match parse_fragment(&document, pointer, &OneResource) {
        Ok(warnings) => lines(&warnings),
        Err(problems) => lines(&problems),
    };
    assert_eq!(told("/inspect"), "");
    insta::assert_snapshot!(told("/fix"));
    assert!(told("/undo").contains("there is nothing at `/undo`"));
}

mod never_panics {
    use proptest::{collection::vec, prelude::*};
    use serde_json::{Map, Value};

    use super::*;

    /// JSON whose keys and strings are those of the States Language, so that it comes far into the parser.
    fn json() -> impl Strategy<Value = Value> {
        const WORDS: &[&str] = &[
            "StartAt",
            "States",
            "Type",
            "Task",
            "Pass",
            "Choice",
            "Wait",
            "Map",
            "Parallel",
            "Fail",
            "Succeed",
            "Next",
            "End",
            "Resource",
            "Parameters",
            "Arguments",
            "Retry",
            "Catch",
            "ErrorEquals",
            "States.ALL",
            "Choices",
            "Default",
            "And",
            "Not",
            "Variable",
            "StringEquals",
            "Condition",
            "Branches",
            "ItemProcessor",
            "ProcessorConfig",
            "Mode",
            "Seconds",
            "TimestampPath",
            "ResultPath",
            "$.a",
            "$$.b",
            "$",
            "x.$",
            "{% $a %}",
            "{%",
            "QueryLanguage",
            "JSONata",
            "JSONPath",
            "Assign",
            "Output",
            "Items",
            "A",
            "~/",
            "",
        ];
        let word = || prop::sample::select(WORDS).prop_map(str::to_owned);
        let leaf = prop_oneof![
            word().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i16>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
            Just(Value::Null),
        ];
        leaf.prop_recursive(6, 60, 8, move |inner| {
            let fields = vec((word(), inner.clone()), 0..8);
            prop_oneof![
                vec(inner, 0..4).prop_map(Value::from),
                fields.prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into())
            ]
        })
    }

    fn run(text: &str) {
        for format in [Format::Json, Format::Yaml] {
            if let Ok(document) = Document::parse(text, format) {
                let _ = parse(&document, &AnyResource);
                let _ = parse_fragment(&document, "/States", &OneResource);
            }
        }
    }

    proptest! {
        #[test]
        fn of_any_text(text in any::<String>()) {
            run(&text);
        }

        #[test]
        fn of_yaml_like_text(text in "([ \\-:{}\\[\\],&*a!?|>'\"%#<\n]|<<: |\\*a|&a ){0,60}") {
            run(&text);
        }

        #[test]
        fn of_any_json(value in json()) {
            run(&value.to_string());
        }

        #[test]
        fn of_any_states(states in json()) {
            for kind in ["Task", "Pass", "Choice", "Wait", "Map", "Parallel", "Fail", "Succeed"] {
                for language in ["JSONPath", "JSONata"] {
                    let mut state = states.as_object().cloned().unwrap_or_default();
                    state.insert("Type".into(), kind.into());
                    state.insert("QueryLanguage".into(), language.into());
                    run(&serde_json::json!({"StartAt": "A", "States": {"A": state}}).to_string());
                }
            }
        }

        /// A value and the place that is told for it are the same text.
        #[test]
        fn places_hold_what_is_there(value in json()) {
            for format in [Format::Json, Format::Yaml] {
                let text = serde_json::to_string_pretty(&value).expect("JSON");
                let Ok(document) = Document::parse(&text, format) else { continue };
                prop_assert_eq!(document.value(), &value);
                let mut open = vec![(String::new(), document.value())];
                while let Some((pointer, part)) = open.pop() {
                    let span = document.span(&pointer);
                    let there: Value = serde_json::from_str(&text[span.start..span.end]).expect("JSON at the place");
                    prop_assert_eq!(&there, part, "{} of {}", pointer, text);
                    match part {
                        Value::Object(fields) => {
                            for (key, value) in fields {
                                open.push((format!("{pointer}/{}", crate::document::escape(key)), value));
                            }
                        }
                        Value::Array(items) => {
                            for (index, item) in items.iter().enumerate() {
                                open.push((format!("{pointer}/{index}"), item));
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

#[test]
fn a_single_state_leads_anywhere_and_what_is_inside_of_it_does_not() {
    let check = |text: &str, expected: &[&str]| {
        let document = Document::parse(text, Format::Json).expect("JSON");
        let messages: Vec<String> = match parse_open(&document, &AnyResource) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.message).collect(),
        };
        assert_eq!(messages, expected, "{text}");
    };
    check(r#"{"StartAt": "S", "States": {"S": {"Type": "Pass", "Next": "Elsewhere"}}}"#, &[]);
    check(
        r#"{"StartAt": "T", "States": {"S": {"Type": "Pass", "Next": "S"}}}"#,
        &["Missing 'Next' target: T", "State \"S\" is not reachable."],
    );
    let inner = r#"{"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "J"}, "K": {"Type": "Succeed"}}}"#;
    let outer =
        format!(r#"{{"StartAt": "S", "States": {{"S": {{"Type": "Parallel", "Branches": [{inner}], "Next": "X"}}}}}}"#);
    check(&outer, &["Missing 'Next' target: J", "State \"K\" is not reachable."]);
}

#[test]
fn readers_and_writers_say_what_there_is() {
    let check = |fields: Value, wrong: &[&str]| {
        let state = serde_json::json!({"Type": "Pass", "End": true});
        let config = serde_json::json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
        let processor = serde_json::json!({"ProcessorConfig": config, "StartAt": "B", "States": {"B": state}});
        let mut map = serde_json::json!({"Type": "Map", "ItemProcessor": processor, "End": true});
        map.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let text = serde_json::json!({"StartAt": "A", "States": {"A": map}}).to_string();
        let document = Document::parse(&text, Format::Json).unwrap();
        let problems = parse(&document, &AnyResource).err().unwrap_or_default();
        let found: Vec<&str> =
            problems.iter().map(|problem| problem.pointer.trim_start_matches("/States/A/")).collect();
        assert_eq!(found, wrong, "{text}: {problems:#?}");
    };
    let reader = |config: Value| {
        let resource = "arn:aws:states:::s3:getObject";
        serde_json::json!({"ItemReader": {"Resource": resource, "ReaderConfig": config, "Parameters": {"Bucket": "b", "Key": "k"}}})
    };
    let writer = |writer: Value| serde_json::json!({"ResultWriter": writer});
    use serde_json::json;
    check(
        reader(json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "CSVDelimiter": "TAB"})),
        &[],
    );
    check(reader(json!({"InputType": "PARQUET", "Transformation": "NONE"})), &[]);
    check(reader(json!({"InputType": "MANIFEST", "ManifestType": "S3_INVENTORY"})), &[]);
    check(reader(json!({"InputType": "XML"})), &["ItemReader/ReaderConfig/InputType"]);
    check(reader(json!({"InputType": 5})), &["ItemReader/ReaderConfig/InputType"]);
    check(
        reader(json!({"InputType": "CSV", "CSVHeaderLocation": "X"})),
        &["ItemReader/ReaderConfig/CSVHeaderLocation"],
    );
    let config = json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVDelimiter": "::", "CSVHeaders": 5});
    check(reader(config), &["ItemReader/ReaderConfig/CSVDelimiter", "ItemReader/ReaderConfig/CSVHeaders"]);
    check(reader(json!({"CSVHeaders": ["a", 5]})), &["ItemReader/ReaderConfig/CSVHeaders/1"]);
    check(
        reader(json!({"ManifestType": "X", "Transformation": "Y"})),
        &["ItemReader/ReaderConfig/ManifestType", "ItemReader/ReaderConfig/Transformation"],
    );
    check(
        writer(
            json!({"Resource": "arn:aws:states:::s3:putObject", "WriterConfig": {"OutputType": "JSONL", "Transformation": "FLATTEN"}}),
        ),
        &[],
    );
    check(writer(json!({"Resource": "foo"})), &["ResultWriter/Resource"]);
    check(writer(json!({"WriterConfig": 5})), &["ResultWriter/WriterConfig"]);
    check(
        writer(json!({"WriterConfig": {"OutputType": "X", "Transformation": "Y", "Z": 1}})),
        &[
            "ResultWriter/WriterConfig/OutputType",
            "ResultWriter/WriterConfig/Transformation",
            "ResultWriter/WriterConfig/Z",
        ],
    );
}
