//! What a state machine is configured with beside its definition: kept and described. Nothing is logged to CloudWatch, traced by
//! X-Ray or encrypted with a key of AWS here.

use std::collections::{BTreeMap, BTreeSet};

use engine::engine::MachineSettings;
use serde::Serialize;
use serde_json::Value;

use crate::aws_json::ApiError;

/// Refuses a logging configuration that AWS refuses, in its words.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_LoggingConfiguration.html>
pub fn check(settings: &MachineSettings) -> Result<(), ApiError> {
    check_encryption(settings.encryption_configuration.as_ref())?;
    let Some(logging) = &settings.logging_configuration else { return Ok(()) };
    let destinations = logging.get("destinations").and_then(Value::as_array).map_or(0, Vec::len);
    let is_off = logging.get("level").and_then(Value::as_str).is_none_or(|level| level == "OFF");
    let refused = |why: &str| {
        Err(ApiError::caller("InvalidLoggingConfiguration", format!("Invalid Logging Configuration: {why}")))
    };
    if destinations != 1 && !(is_off && destinations == 0) {
        return refused("Must specify exactly one Log Destination.");
    }
    match logging.pointer("/destinations/0/cloudWatchLogsLogGroup/logGroupArn").and_then(Value::as_str) {
        Some(arn) if !arn.ends_with(":*") => refused("Log Group ARN must be provided with '*' qualifier."),
        Some(arn) if !is_log_group(arn) => refused(&format!("'{arn}' is not the ARN of a log group.")),
        _ => Ok(()),
    }
}

/// Whether it is `arn:PARTITION:logs:REGION:ACCOUNT:log-group:NAME:*`.
fn is_log_group(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    matches!(parts[..], ["arn", _, "logs", _, _, "log-group", _, "*"]) && parts.iter().all(|part| !part.is_empty())
}

/// Refuses an encryption configuration that contradicts itself.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_EncryptionConfiguration.html>
pub fn check_encryption(configuration: Option<&Value>) -> Result<(), ApiError> {
    let given =
        |field: &str| configuration.and_then(|configuration| configuration.get(field)).filter(|it| !it.is_null());
    let is_customer_managed = given("type").and_then(Value::as_str) == Some("CUSTOMER_MANAGED_KMS_KEY");
    let problem = match (is_customer_managed, given("kmsKeyId"), given("kmsDataKeyReusePeriodSeconds")) {
        (true, None, _) => "kmsKeyId must be specified where the type is CUSTOMER_MANAGED_KMS_KEY",
        (false, Some(_), _) => "kmsKeyId can only be specified where the type is CUSTOMER_MANAGED_KMS_KEY",
        (false, _, Some(_)) => {
            "kmsDataKeyReusePeriodSeconds can only be specified where the type is CUSTOMER_MANAGED_KMS_KEY"
        }
        _ => return Ok(()),
    };
    Err(ApiError::caller("InvalidEncryptionConfiguration", format!("Invalid Encryption Configuration: {problem}")))
}

/// A description is one of a version.
pub fn check_publish(publish: bool, version_description: Option<&str>) -> Result<(), ApiError> {
    if publish || version_description.is_none() {
        return Ok(());
    }
    Err(ApiError::validation("Version description can only be set when publish is true"))
}

/// A definition as `includedData` asks for it: with METADATA_ONLY it is an empty object.
pub fn shown(definition: String, included_data: Option<&str>) -> String {
    if included_data == Some("METADATA_ONLY") { "{}".to_owned() } else { definition }
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
    /// Those of a machine with this definition; of one that is not shown with `{}`.
    pub fn new(settings: &MachineSettings, definition: &str) -> Described {
        // A guardrail's or a playbook's definition may be YAML.
        let definition: Value = serde_json::from_str(definition).unwrap_or_default();
        let settings = settings.effective();
        Described {
            logging_configuration: settings.logging_configuration.unwrap_or_default(),
            tracing_configuration: settings.tracing_configuration.unwrap_or_default(),
            encryption_configuration: settings.encryption_configuration.unwrap_or_default(),
            variable_references: asl::variables::references(&definition),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn checked(log_group: &str, expected: Result<(), &str>) {
        let destinations = json!([{"cloudWatchLogsLogGroup": {"logGroupArn": log_group}}]);
        let logging_configuration = Some(json!({"level": "ALL", "destinations": destinations}));
        let told = check(&MachineSettings { logging_configuration, ..MachineSettings::default() });
        let told = told.map_err(|error| format!("{}: {}", error.code, error.message));
        let expected =
            expected.map_err(|why| format!("InvalidLoggingConfiguration: Invalid Logging Configuration: {why}"));
        assert_eq!(told, expected, "{log_group}");
    }

    #[test]
    fn a_log_destination_is_a_log_group() {
        let qualifier = Err("Log Group ARN must be provided with '*' qualifier.");
        checked("arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/states/a:*", Ok(()));
        checked("arn:aws-us-gov:logs:us-gov-west-1:123456789012:log-group:a:*", Ok(()));
        checked("bad", qualifier);
        checked("arn:aws:logs:us-east-1:123456789012:log-group:a", qualifier);
        checked("bad:*", Err("'bad:*' is not the ARN of a log group."));
        let bucket = "arn:aws:s3:us-east-1:123456789012:log-group:a:*";
        checked(bucket, Err("'arn:aws:s3:us-east-1:123456789012:log-group:a:*' is not the ARN of a log group."));
        let unnamed = "arn:aws:logs:us-east-1:123456789012:log-group::*";
        checked(unnamed, Err("'arn:aws:logs:us-east-1:123456789012:log-group::*' is not the ARN of a log group."));
    }
}
