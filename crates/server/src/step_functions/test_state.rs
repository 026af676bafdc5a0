//! TestState.
//!
//! What the caller gets wrong is told in AWS's words where they are known.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html>

mod context;
mod mock;

use asl::{Kind, State};
use engine::engine::{TestRefusal, Testee};
use execution::{Inspection, Trial};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::definition;
use crate::{
    App,
    access::Caller,
    aws_json::{ApiError, not_json},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    definition: String,
    role_arn: Option<String>,
    input: Option<String>,
    inspection_level: Option<Level>,
    #[serde(default)]
    reveal_secrets: bool,
    variables: Option<String>,
    state_name: Option<String>,
    mock: Option<mock::Mock>,
    context: Option<String>,
    #[serde(default)]
    state_configuration: Configuration,
}

/// `inspectionLevel`. TRACE shows more than DEBUG of HTTP Tasks only.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum Level {
    Info,
    Debug,
    Trace,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    retrier_retry_count: Option<u64>,
    error_caused_by_state: Option<String>,
    map_iteration_failure_count: Option<u64>,
    map_item_reader_data: Option<String>,
}

pub async fn call(app: &App, caller: &Caller, request: Request) -> Result<Inspection, ApiError> {
    let level = request.inspection_level.unwrap_or(Level::Info);
    let (definition, name) = (request.definition.clone(), request.state_name.clone());
    let testee = definition::aside(move || Testee::find(&definition, name.as_deref())).await??;
    request.check(&testee.state)?;
    let input = request.input.as_deref().unwrap_or("{}").to_owned();
    let reveal_secrets = request.reveal_secrets && level == Level::Trace;
    let trial = request.trial(testee)?;
    let mut inspection = app.engine.test_state(&app.account, &caller.region, &input, trial, reveal_secrets).await?;
    match (level, &mut inspection.inspection_data) {
        (Level::Info, data) => *data = None,
        (Level::Debug, Some(data)) => (data.request, data.response) = (None, None),
        _ => {}
    }
    Ok(inspection)
}

impl Request {
    /// What a state can be tested with.
    fn check(&self, state: &State) -> Result<(), ApiError> {
        let configuration = &self.state_configuration;
        match &self.mock {
            Some(mock) => mock.check(state, self.reveal_secrets)?,
            None => {
                for (field, is_given) in [
                    ("RetrierRetryCount", configuration.retrier_retry_count.is_some()),
                    ("ErrorCausedByState", configuration.error_caused_by_state.is_some()),
                    ("MapIterationFailureCount", configuration.map_iteration_failure_count.is_some()),
                    ("MapItemReaderData", configuration.map_item_reader_data.is_some()),
                    ("Context", self.context.is_some()),
                ] {
                    if is_given {
                        let text = format!("TestState does not support {field} when a mock is not specified.");
                        return Err(ApiError::validation(text));
                    }
                }
                self.check_without_mock(state)?;
            }
        }
        if let Some(role_arn) = self.role_arn.as_deref().filter(|role_arn| !role_arn.starts_with("arn:")) {
            return Err(ApiError::caller("InvalidArn", format!("Invalid Role Arn: '{role_arn}'")));
        }
        let is_within =
            |name: &str| state.flows().iter().any(|flow| flow.all_states().any(|(_, state)| state.name == name));
        if let Some(name) = &configuration.error_caused_by_state
            && !is_within(name)
        {
            return Err(ApiError::validation("State not found in definition"));
        }
        if let Some(context) = &self.context {
            context::check(context, state)?;
        }
        Ok(())
    }

    /// What runs as a whole here, and not in parts or for days.
    fn check_without_mock(&self, state: &State) -> Result<(), ApiError> {
        let unsupported =
            |what: &str| Err(ApiError::caller("InvalidDefinition", format!("TestState API does not support {what}")));
        match &state.kind {
            Kind::Map(_) | Kind::Parallel(_) => unsupported(
                "Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]",
            ),
            Kind::Task(task) if task.resource.contains(":activity:") => unsupported("Activity tasks."),
            Kind::Task(task) if waits(&task.resource) => {
                unsupported("'.sync' or '.waitForTaskToken' integration patterns.")
            }
            Kind::Task(_) if self.role_arn.is_none() => {
                Err(ApiError::validation("RoleArn must be specified when testing a Task state"))
            }
            _ => Ok(()),
        }
    }

    fn trial(self, testee: Testee) -> Result<Trial, ApiError> {
        let configuration = self.state_configuration;
        let item_reader_data = match (configuration.map_item_reader_data, &testee.state.kind) {
            (Some(data), Kind::Map(map)) => {
                let reader = map.distributed.as_ref().and_then(|fields| fields.get("ItemReader"));
                let config = reader.and_then(|reader| reader.get("ReaderConfig")).unwrap_or(&Value::Null);
                Some(integrations::executor::item_reader_data(config, data).map_err(ApiError::validation)?)
            }
            (data, _) => data,
        };
        Ok(Trial {
            state: testee.state,
            within_map: testee.within_map,
            role_arn: self.role_arn,
            variables: object("Variables", self.variables.as_deref())?.unwrap_or_default(),
            context: object("Context object", self.context.as_deref())?.map(Value::Object),
            mock: self.mock.map(mock::Mock::into_trial).transpose()?,
            retry_count: configuration.retrier_retry_count,
            failed_iterations: configuration.map_iteration_failure_count,
            item_reader_data,
        })
    }
}

/// Whether a Resource is `.sync` or `.waitForTaskToken`: it ends when something else does.
fn waits(resource: &str) -> bool {
    resource.contains(":states:::")
        && [".sync", ".sync:2", ".waitForTaskToken"].iter().any(|pattern| resource.ends_with(pattern))
}

fn object(what: &str, text: Option<&str>) -> Result<Option<Map<String, Value>>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    parsed_object(text)
        .map(Some)
        .map_err(|why| ApiError::validation(format!("{what} must be a valid JSON object{why}")))
}

/// A JSON object; else what to add to that it has to be one: nothing where it is another value.
fn parsed_object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(String::new()),
        Err(_) => Err(format!(": {}", not_json(text))),
    }
}

impl From<TestRefusal> for ApiError {
    fn from(refusal: TestRefusal) -> ApiError {
        match refusal {
            TestRefusal::Validation(text) => ApiError::validation(text),
            TestRefusal::Refusal(refusal) => refusal.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_told_in_no_words_of_a_library() {
        let told = |text: &str| object("Variables", Some(text)).map_err(|error| error.message);
        assert_eq!(told("[]"), Err("Variables must be a valid JSON object".to_owned()));
        assert_eq!(
            told(""),
            Err("Variables must be a valid JSON object: com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to end-of-input\n at [Source: (String)\"\"; line: 1, column: 0]".to_owned())
        );
        assert_eq!(told("{\"a\": 1}").map(|object| object.map(|object| object.len())), Ok(Some(1)));
    }
}
