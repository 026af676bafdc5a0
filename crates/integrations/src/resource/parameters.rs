//! Fields in the parameters of tasks that what they call does not have.

use asl::{
    Diagnostic, Document, Kind, Severity, State, StateMachine, document::escape, integration, nearest::nearest,
    parse::RefusedField,
};
use aws::{Aws, UnknownField};
use query::Language;
use serde_json::Value;

use super::{KnownResources, Resource};
use crate::executor::optimized;

const CODE: &str = "UNKNOWN_PARAMETER";

/// The most fields of an optimized integration that are told of.
const MOST: usize = 1_001;

impl KnownResources {
    /// What looks wrong in the parameters of a machine's tasks: fields whose values are only known at run time, which AWS refuses no
    /// earlier. `document` is what the machine was parsed from.
    pub fn lint(&self, document: &Document, machine: &StateMachine) -> Vec<Diagnostic> {
        machine.states().flat_map(|(_, state)| of_state(document, state)).collect()
    }
}

/// The fields that AWS refuses when the state machine is created: their names say that their values are there already.
///
/// Source: <https://github.com/aws/aws-cdk/issues/29968>, <https://github.com/aws/aws-cdk/issues/17452>.
pub(super) fn refused(resource: &str, parameters: &Value, language: Language) -> Vec<RefusedField> {
    let fields = unknown(resource, parameters, language).into_iter();
    let fields = fields.filter(|field| name_in(language)(&field.key) == field.key);
    fields.map(|field| RefusedField { help: Some(help(&field)), pointer: field.pointer, name: field.key }).collect()
}

/// All fields that a Resource does not have.
fn unknown(resource: &str, parameters: &Value, language: Language) -> Vec<UnknownField> {
    let name_of = name_in(language);
    if let Ok(Resource::AwsSdk { service, action, .. }) = Resource::parse(resource) {
        return Aws::unknown_fields(&service, &action, parameters, name_of);
    }
    // AWS looks at the parameters of `lambda:invoke` no earlier than it runs.
    let row = integration::of_resource(resource).map(|(row, _)| row).filter(|row| row.service != "lambda");
    let (Some(row), Some(given)) = (row, parameters.as_object()) else { return Vec::new() };
    let known = |key: &str| row.parameters.contains(&name_of(key));
    let mut found: Vec<UnknownField> = given
        .keys()
        .filter(|key| !known(key))
        .take(MOST)
        .map(|key| UnknownField {
            pointer: format!("/{}", escape(key)),
            key: key.clone(),
            nearest: nearest(name_of(key), row.parameters.iter().copied()).map(str::to_owned),
        })
        .collect();
    if let Some((service, action)) = optimized::called(row.service, row.action) {
        // Of its own parameters the integration has the last word.
        let fields = Aws::unknown_fields(service, action, parameters, name_of).into_iter();
        found.extend(fields.filter(|field| field.pointer.rfind('/') != Some(0)));
    }
    found
}

/// From a key to the name that it stands for.
fn name_in(language: Language) -> fn(&str) -> &str {
    match language {
        Language::JsonPath => |key| key.strip_suffix(".$").unwrap_or(key),
        Language::Jsonata => |key| key,
    }
}

fn help(field: &UnknownField) -> String {
    match &field.nearest {
        Some(near) => format!("did you mean `{near}`?"),
        None => "see the operation in the API reference of the service".to_owned(),
    }
}

fn of_state(document: &Document, state: &State) -> Vec<Diagnostic> {
    let (Kind::Task(task), Language::JsonPath) = (&state.kind, state.query_language) else { return Vec::new() };
    let Some(parameters) = &state.parameters else { return Vec::new() };
    let name_of = name_in(state.query_language);
    let fields = unknown(&task.resource, parameters.source(), state.query_language).into_iter();
    let fields = fields.filter(|field| name_of(&field.key) != field.key);
    let called = task.resource.split(":::").nth(1).unwrap_or_default().trim_start_matches("aws-sdk:");
    let warnings = fields.filter_map(|field| {
        let message = format!("`{called}` has no parameter `{}`", name_of(&field.key));
        warning(document, state, &format!("Parameters{}", field.pointer), message, help(&field))
    });
    warnings.collect()
}

/// The warning at its place: the pointer of a state is found by its name, which no other state has.
fn warning(document: &Document, state: &State, field: &str, message: String, help: String) -> Option<Diagnostic> {
    let pointer = format!("{}/{field}", pointer_of(document.value(), "", &state.name)?);
    let warning = Diagnostic::error(CODE, message)
        .with_help(help)
        .with_location(document.location(&pointer))
        .at(pointer.clone(), document.key_span(&pointer));
    Some(Diagnostic { severity: Severity::Warning, ..warning })
}

fn pointer_of(flow: &Value, pointer: &str, name: &str) -> Option<String> {
    let states = flow.get("States")?.as_object()?;
    let at = |name: &str| format!("{pointer}/States/{}", escape(name));
    if states.contains_key(name) {
        return Some(at(name));
    }
    states.iter().find_map(|(around, state)| {
        let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten().enumerate();
        let branch = |(index, branch)| pointer_of(branch, &format!("{}/Branches/{index}", at(around)), name);
        let inner = |field: &&str| pointer_of(state.get(*field)?, &format!("{}/{field}", at(around)), name);
        let mut branches = branches.map(branch);
        branches.find_map(|found| found).or_else(|| ["ItemProcessor", "Iterator"].iter().find_map(inner))
    })
}

#[cfg(test)]
mod tests {
    use asl::{Format, parse::AnyResource};
    use serde_json::json;

    use super::*;

    fn told(document: &Document) -> Vec<String> {
        let known = KnownResources::new(Aws::new(aws::Options::fixed("eu-west-1", "", "")));
        let mut told = asl::parse::parse(document, &known).err().unwrap_or_default();
        let (machine, _) = asl::parse::parse(document, &AnyResource).unwrap();
        told.extend(known.lint(document, &machine));
        told.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unknown_fields_have_their_places() {
        let text = "
StartAt: All
States:
  All:
    Type: Parallel
    Branches:
      - StartAt: Put
        States:
          Put:
            Type: Task
            Resource: arn:aws:states:::aws-sdk:s3:putBucketAcl
            Parameters: {Buckt.$: $.bucket, Bucket.$: $.bucket, ACL: private, Acl: private, GrantReed: x}
            End: true
    End: true
";
        let document = Document::parse(text, Format::Yaml).expect(text);
        let known = KnownResources::new(Aws::new(aws::Options::fixed("eu-west-1", "", "")));
        let problems = asl::parse::parse(&document, &known.as_aws()).expect_err(text);
        assert_eq!(problems[0].pointer, "/States/All/Branches/0/States/Put/Parameters/GrantReed");
        let refused = "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: The field \"GrantReed\" is not supported by Step \
                       Functions at /States/All/Branches[0]/States/Put/Parameters'";
        assert_eq!(asl::diagnostic::invalid_definition(&problems), refused);
        assert_eq!(
            told(&document),
            [
                "12:93: error SCHEMA_VALIDATION_FAILED: The field \"GrantReed\" is not supported by Step Functions (did you \
                 mean `GrantRead`?)",
                "12:26: warning UNKNOWN_PARAMETER: `s3:putBucketAcl` has no parameter `Buckt` (did you mean `Bucket`?)"
            ]
        );
    }

    /// What is said of these parameters, each as `error|warning NAME`.
    fn check(resource: &str, field: &str, parameters: Value, expected: &[&str]) {
        let language = if field == "Arguments" { "JSONata" } else { "JSONPath" };
        let resource = format!("arn:aws:states:::{resource}");
        let task = json!({"Type": "Task", "Resource": resource, field: parameters, "End": true});
        let machine = json!({"QueryLanguage": language, "StartAt": "T", "States": {"T": task}}).to_string();
        let document = Document::parse(&machine, Format::Json).unwrap();
        let told = told(&document);
        assert_eq!(told.len(), expected.len(), "{machine}: {told:?}");
        for (told, expected) in told.iter().zip(expected) {
            let (severity, name) = expected.split_once(' ').unwrap();
            let quoted = if severity == "error" { format!("\"{name}\"") } else { format!("`{name}`") };
            assert!(told.contains(&format!("{severity} ")) && told.contains(&quoted), "{machine}: {told}");
        }
    }

    #[test]
    fn only_what_is_there_already_is_refused_before_it_runs() {
        let policy = json!({"PolicyStoreId": "p", "Definition": {"static": {"Statement": "s"}}});
        check("aws-sdk:verifiedpermissions:createPolicy", "Parameters", policy, &["error static"]);
        let filters = json!({"Filters": [{"Name.$": "$.a", "Value.$": "$.b"}]});
        check("aws-sdk:ec2:describeInstances", "Parameters", filters, &["warning Value"]);
        let filters = json!({"Filters": "{% [{'Value': 1}] %}", "Filter": "{% 1 %}"});
        check("aws-sdk:ec2:describeInstances", "Arguments", filters, &["error Filter"]);
        check("aws-sdk:ec2:describeInstances.waitForTaskToken", "Parameters", json!({"A": 1}), &["error A"]);
        let cluster = json!({"Name": "c", "Instances": {}, "TerminationPolicy": {"IdleTimeout": 60}});
        check("elasticmapreduce:createCluster.sync", "Parameters", cluster, &["error TerminationPolicy"]);
        let job = json!({"InputDataConfig": [{"DataSource": {"S3DataSource": {"AtttributeNames": []}}}]});
        check("sagemaker:createTrainingJob", "Parameters", job, &["error AtttributeNames"]);
        check("sqs:sendMessage", "Parameters", json!({"Body.$": "$"}), &["warning Body"]);
        let entry = json!({"Source": "s", "DetailType": "d", "Detail": {"a": {"b": 1}}, "Resources": ["r"]});
        check("events:putEvents", "Parameters", json!({"Entries": [entry]}), &[]);
        check("http:invoke", "Parameters", json!({"Verb": "GET", "Headers": {"a": "b"}}), &["error Verb"]);
        check("lambda:invoke.waitForTaskToken", "Parameters", json!({"FunctionName": "f", "TaskToken": 1}), &[]);
    }
}
