//! Payload templates and intrinsic functions as recorded on AWS: the machines that are one Pass state.
#![expect(clippy::indexing_slicing, reason = "a test tells what broke by panicking")]

use conformance::corpus;
use query::{Language, Moment, Scope, Template};
use serde_json::{Map, Value, json};

const FILE: &str = "asl/recorded-public.jsonl.gz";
const CASES: usize = 759;
/// May only rise.
const PASSES: usize = 123;

/// The one Pass state of a machine, with its template and language, if nothing else decides its output.
fn template(case: &Value) -> Option<(&Value, Language)> {
    let states = case["definition"]["States"].as_object()?;
    let state = states.values().next().filter(|state| states.len() == 1 && state["Type"] == "Pass")?;
    let others = ["InputPath", "OutputPath", "ResultPath", "Assign", "Result"];
    if case["kind"] != "exec" || others.iter().any(|field| state.get(field).is_some()) {
        return None;
    }
    match (state.get("Parameters"), state.get("Output")) {
        (Some(parameters), None) => Some((parameters, Language::JsonPath)),
        (None, Some(output)) => Some((output, Language::Jsonata)),
        _ => None,
    }
}

/// The values that a recording holds in place of what differs from run to run.
fn is_made_up(output: &str) -> bool {
    ["generated-uuid", "RandomNumberGenerated", "<ArnPart", "timestamp", "<uuid", "datetime", "_arn", "snf_"]
        .iter()
        .any(|placeholder| output.contains(placeholder))
}

#[test]
fn pass_states_as_recorded() {
    let Some(cases) = corpus(FILE, CASES) else { return };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in &cases {
        let Some((source, language)) = template(case) else { continue };
        let name = case["id"].as_str().unwrap().rsplit("::").next().unwrap();
        let Some(events) = case["expected"]["history"]["events"].as_array() else { continue };
        let last = events.last().unwrap();
        let input = match &case["input"] {
            Value::String(text) => serde_json::from_str(text).unwrap(),
            Value::Null => json!({}),
            other => other.clone(),
        };
        let moment = Moment { now: jiff::Timestamp::UNIX_EPOCH, seed: [1; 32] };
        let (context, variables) = (json!({"Execution": {"Input": input}}), Map::new());
        let scope = Scope {
            root: &input,
            input: &input,
            result: None,
            error_output: None,
            context: &context,
            variables: &variables,
            moment: &moment,
        };
        let answer = Template::parse(source, language)
            .map_err(|errors| errors[0].message.clone())
            .and_then(|template| template.evaluate(&scope).map_err(|error| error.sentence("Output")));
        let expected = match last["executionSucceededEventDetails"].get("output") {
            // The recording's JSON text is parsed where it is an object.
            Some(Value::String(text)) => text.clone(),
            Some(output) => output.to_string(),
            None => last["executionFailedEventDetails"]["cause"].as_str().unwrap_or_default().to_owned(),
        };
        let expected = expected.replace("<json-input:1>", &input.to_string());
        if is_made_up(&expected) {
            println!("skipped {name}: the recording holds placeholders");
            skipped += 1;
            continue;
        }
        let same = match answer.as_ref().map(Value::to_string) {
            // As text, for the order of the fields.
            Ok(answer) => answer == expected,
            Err(sentence) => expected.ends_with(sentence.as_str()),
        };
        if same {
            passed += 1;
        } else {
            failed += 1;
            println!("failed {name}: {source} on {input}: {answer:?} instead of {expected}");
        }
    }
    println!("Pass states: {passed} pass, {failed} fail, {skipped} skipped");
    assert!(passed >= PASSES, "{passed} of {PASSES}");
}
