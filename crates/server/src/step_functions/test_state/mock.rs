//! What a state is taken to have done.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_MockInput.html>

use asl::{Kind, State, state::Map};
use execution::Json;
use serde::Deserialize;
use serde_json::Value;

use crate::aws_json::ApiError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mock {
    result: Option<String>,
    error_output: Option<ErrorOutput>,
    #[serde(default)]
    field_validation_mode: FieldValidationMode,
}

#[derive(Deserialize)]
struct ErrorOutput {
    error: Option<String>,
    cause: Option<String>,
}

/// How strictly a result is held against the API's model.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum FieldValidationMode {
    #[default]
    Strict,
    Present,
    None,
}

impl Mock {
    /// Whether the state can have done that.
    pub(super) fn check(&self, state: &State, reveal_secrets: bool) -> Result<(), ApiError> {
        let invalid = |text: &str| Err(ApiError::validation(text));
        if !matches!(state.kind, Kind::Task(_) | Kind::Map(_) | Kind::Parallel(_)) {
            let kind = state.type_name();
            return invalid(&format!("State type '{kind}' is not supported when a mock is specified"));
        }
        if reveal_secrets {
            return invalid("TestState does not support RevealSecrets when a mock is specified.");
        }
        match (&self.result, &self.error_output) {
            (Some(_), Some(_)) => {
                invalid("A test mock should have only one of the following fields: [result, errorOutput].")
            }
            (None, None) => invalid("A test mock should have one of the following fields: [result, errorOutput]."),
            (None, Some(output)) if output.error.is_none() => {
                invalid("An error was not specified in the mocked error output.")
            }
            (None, Some(_)) => Ok(()),
            (Some(result), None) => self.check_result(result, state),
        }
    }

    fn check_result(&self, result: &str, state: &State) -> Result<(), ApiError> {
        let invalid = |text: &str| Err(ApiError::validation(text));
        let Ok(result) = serde_json::from_str::<Value>(result) else {
            return invalid("Mocked result must be valid JSON");
        };
        match (&state.kind, result.as_array()) {
            (Kind::Map(map), _) if has_result_writer(map) => {
                if result.is_object() {
                    Ok(())
                } else {
                    invalid("Mocked result must be a JSON object.")
                }
            }
            (Kind::Map(_) | Kind::Parallel(_), None) => invalid("Mocked result must be an array."),
            (Kind::Parallel(parallel), Some(results)) if results.len() != parallel.branches.len() => {
                invalid("Mocked result must contain the same number of items as number of Parallel branches.")
            }
            (Kind::Task(task), _) if self.field_validation_mode != FieldValidationMode::None => {
                let all_required = self.field_validation_mode == FieldValidationMode::Strict;
                integrations::mock::check(&task.resource, &result, all_required)
                    .map_err(|problem| ApiError::validation(format!("Mock result schema validation error: {problem}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn into_trial(self) -> Result<execution::Mock, ApiError> {
        match (self.result, self.error_output) {
            (Some(result), _) => Json::parse(&result)
                .map(execution::Mock::Result)
                .map_err(|_| ApiError::validation("Mocked result must be valid JSON")),
            (None, Some(ErrorOutput { error, cause })) => {
                Ok(execution::Mock::Error { error: error.unwrap_or_default(), cause })
            }
            (None, None) => {
                Err(ApiError::validation("A test mock should have one of the following fields: [result, errorOutput]."))
            }
        }
    }
}

fn has_result_writer(map: &Map) -> bool {
    map.distributed.as_ref().is_some_and(|fields| fields.get("ResultWriter").is_some())
}
