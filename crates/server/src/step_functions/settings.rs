//! What a state machine is configured with beside its definition: kept and described. Nothing is logged to CloudWatch, traced by
//! X-Ray or encrypted with a key of AWS here.

use std::collections::{BTreeMap, BTreeSet};

use engine::engine::MachineSettings;
use serde::Serialize;
use serde_json::{Value, json};

use crate::aws_json::ApiError;

/// Refuses a logging configuration that AWS refuses, in its words.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_LoggingConfiguration.html>
pub fn check(settings: &MachineSettings) -> Result<(), ApiError> {
    let Some(logging) = &settings.logging_configuration else { return Ok(()) };
    let destinations = logging.get("destinations").and_then(Value::as_array).map_or(0, Vec::len);
    let is_off = logging.get("level").and_then(Value::as_str).is_none_or(|level| level == "OFF");
    if destinations == 1 || is_off && destinations == 0 {
        return Ok(());
    }
    Err(ApiError::caller(
        "InvalidLoggingConfiguration",
        "Invalid Logging Configuration: Must specify exactly one Log Destination.",
    ))
}

/// A description is one of a version.
pub fn check_publish(publish: bool, version_description: Option<&str>) -> Result<(), ApiError> {
    if publish || version_description.is_none() {
        return Ok(());
    }
    Err(ApiError::validation("Version description can only be set when publish is true"))
}

/// The settings as they are described.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    logging_configuration: Value,
    tracing_configuration: Value,
    encryption_configuration: Value,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variable_references: BTreeMap<String, BTreeSet<String>>,
}

impl Described {
    /// Those of a machine with this definition.
    pub fn new(settings: MachineSettings, definition: &str) -> Described {
        // A guardrail's or a playbook's definition may be YAML.
        let definition: Value = serde_json::from_str(definition).unwrap_or_default();
        let mut logging = json!({"level": "OFF", "includeExecutionData": false});
        if let (Some(logging), Some(Value::Object(given))) = (logging.as_object_mut(), settings.logging_configuration) {
            logging.extend(given);
        }
        Described {
            logging_configuration: logging,
            tracing_configuration: settings.tracing_configuration.unwrap_or_else(|| json!({"enabled": false})),
            encryption_configuration: settings
                .encryption_configuration
                .unwrap_or_else(|| json!({"type": "AWS_OWNED_KEY"})),
            variable_references: asl::variables::references(&definition),
        }
    }
}
