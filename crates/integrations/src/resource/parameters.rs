//! Parameters of `aws-sdk` tasks that the operation does not have: AWS refuses them when the task runs.

use asl::{Diagnostic, Document, Kind, Severity, State, StateMachine, document::escape, nearest::nearest};
use aws::Aws;
use query::Language;
use serde_json::Value;

use super::{KnownResources, Resource};

const CODE: &str = "UNKNOWN_PARAMETER";

impl KnownResources {
    /// What looks wrong in the parameters of a machine's `aws-sdk` tasks. `document` is what the machine was parsed from.
    pub fn lint(&self, document: &Document, machine: &StateMachine) -> Vec<Diagnostic> {
        machine.states().flat_map(|(_, state)| of_state(document, state)).collect()
    }
}

fn of_state(document: &Document, state: &State) -> Vec<Diagnostic> {
    let Kind::Task(task) = &state.kind else { return Vec::new() };
    let Ok(Resource::AwsSdk { service, action, .. }) = Resource::parse(&task.resource) else { return Vec::new() };
    let Some(members) = Aws::members(&service, &action) else { return Vec::new() };
    let (field, payload) = match state.query_language {
        Language::JsonPath => ("Parameters", &state.parameters),
        Language::Jsonata => ("Arguments", &state.arguments),
    };
    let Some(given) = payload.as_ref().and_then(|payload| payload.source().as_object()) else { return Vec::new() };
    let mut found = Vec::new();
    for key in given.keys() {
        let name = match state.query_language {
            Language::JsonPath => key.strip_suffix(".$").unwrap_or(key),
            Language::Jsonata => key,
        };
        if members.iter().any(|member| member.name == name || member.api_name == name) {
            continue;
        }
        let known = members.iter().map(|member| member.name.as_str());
        let help = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "see the operation in the API reference of the service".to_owned(),
        };
        let message = format!("`{service}:{action}` has no parameter `{name}`");
        found.extend(warning(document, state, &format!("{field}/{}", escape(key)), message, help));
    }
    found
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

    use super::*;

    #[test]
    fn unknown_parameters() {
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
            Parameters: {Buckt.$: $.bucket, Bucket.$: $.bucket, ACL: private, Acl: private}
            End: true
    End: true
";
        let document = Document::parse(text, Format::Yaml).expect(text);
        let (machine, _) = asl::parse::parse(&document, &AnyResource).expect(text);
        let known = KnownResources::new(Aws::new(aws::Options::fixed("eu-west-1", "", "")));
        let told: Vec<String> = known.lint(&document, &machine).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["12:26: warning UNKNOWN_PARAMETER: `s3:putBucketAcl` has no parameter `Buckt` (did you mean `Bucket`?)"]
        );
    }
}
