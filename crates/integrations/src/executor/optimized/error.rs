//! Errors as the AWS SDK for Java 1 names and words them.

use aws::CallError;

use super::super::{Failure, aws_sdk};

/// A service's names: (in the Resource, before an error's name, the SDK's own, the exception for what the service does not model).
type Names = (&'static str, &'static str, &'static str, &'static str);

const NAMES: &[Names] = &[
    ("athena", "Athena", "AmazonAthena", "AmazonAthenaException"),
    ("batch", "Batch", "AWSBatch", "AWSBatchException"),
    ("bedrock", "Bedrock", "AmazonBedrock", "AmazonBedrockException"),
    ("codebuild", "CodeBuild", "AWSCodeBuild", "AWSCodeBuildException"),
    ("databrew", "DataBrew", "AWSGlueDataBrew", "AWSGlueDataBrewException"),
    ("dynamodb", "DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException"),
    ("ecs", "ECS", "AmazonECS", "AmazonECSException"),
    ("eks", "EKS", "AmazonEKS", "AmazonEKSException"),
    ("elasticmapreduce", "ElasticMapReduce", "AmazonElasticMapReduce", "AmazonElasticMapReduceException"),
    ("emr-containers", "EMRContainers", "AmazonEMRContainers", "AmazonEMRContainersException"),
    ("emr-serverless", "EMRServerless", "AWSEMRServerless", "AWSEMRServerlessException"),
    ("events", "EventBridge", "AmazonEventBridge", "AmazonEventBridgeException"),
    ("glue", "Glue", "AWSGlue", "AWSGlueException"),
    ("lambda", "Lambda", "AWSLambda", "AWSLambdaException"),
    ("mediaconvert", "MediaConvert", "AWSMediaConvert", "AWSMediaConvertException"),
    ("sagemaker", "SageMaker", "AmazonSageMaker", "AmazonSageMakerException"),
    ("sns", "SNS", "AmazonSNS", "AmazonSNSException"),
    ("sqs", "SQS", "AmazonSQS", "AmazonSQSException"),
    ("states", "StepFunctions", "AWSStepFunctions", "AWSStepFunctionsException"),
];

/// The failure of a call that the integration of this service made.
pub(in super::super) fn as_failure(service: &str, error: aws_sdk::Error) -> Failure {
    let Some((_, prefix, sdk, base)) = NAMES.iter().find(|names| names.0 == service) else {
        return error.into_failure(service);
    };
    match error {
        aws_sdk::Error::Call(CallError::Service { name, cause, code, status, .. }) => {
            let (message, rest) = cause.rsplit_once(" (Service: ").unwrap_or((cause.as_str(), ""));
            let id = rest.split_once("Request ID: ").and_then(|(_, id)| id.split([',', ')']).next());
            let exception = match is_modelled(&name) {
                true => exception(&code),
                false => (*base).to_owned(),
            };
            Failure {
                error: format!("{prefix}.{exception}"),
                cause: format!(
                    "{message} (Service: {sdk}; Status Code: {status}; Error Code: {code}; Request ID: {}; Proxy: null)",
                    id.unwrap_or("null")
                ),
            }
        }
        aws_sdk::Error::Call(CallError::Client { cause, .. }) => {
            Failure { error: format!("{prefix}.SdkClientException"), cause }
        }
        other => other.into_failure(service),
    }
}

/// What a service does not model is named after the service alone: `Lambda.LambdaException`.
fn is_modelled(name: &str) -> bool {
    name.split_once('.').is_none_or(|(prefix, exception)| exception != format!("{prefix}Exception"))
}

/// `NotFound` → `NotFoundException`, `SomeFault` → `SomeException`.
fn exception(code: &str) -> String {
    let code = code.rsplit('.').next().unwrap_or(code);
    let stem = code.strip_suffix("Fault").or_else(|| code.strip_suffix("Exception")).unwrap_or(code);
    format!("{stem}Exception")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_names_and_texts_of_the_older_sdk() {
        let check = |service: &str, name: &str, code: &str, expected: &str, sdk: &str| {
            let failure = as_failure(
                service,
                aws_sdk::Error::Call(CallError::Service {
                    name: name.to_owned(),
                    cause: "not (so) good (Service: X, Status Code: 400, Request ID: r-1) (SDK Attempt Count: 1)"
                        .to_owned(),
                    code: code.to_owned(),
                    status: 400,
                    throttled: false,
                }),
            );
            let cause = format!(
                "not (so) good (Service: {sdk}; Status Code: 400; Error Code: {code}; Request ID: r-1; Proxy: null)"
            );
            assert_eq!(failure, Failure { error: expected.to_owned(), cause });
        };
        let unmodelled = "DynamoDB.AmazonDynamoDBException";
        check("dynamodb", "DynamoDb.DynamoDbException", "ValidationException", unmodelled, "AmazonDynamoDBv2");
        let modelled = "DynamoDB.ConditionalCheckFailedException";
        let code = "ConditionalCheckFailedException";
        check("dynamodb", "DynamoDb.ConditionalCheckFailedException", code, modelled, "AmazonDynamoDBv2");
        check("sns", "Sns.NotFoundException", "NotFound", "SNS.NotFoundException", "AmazonSNS");
        check("sqs", "Sqs.SqsException", "MissingParameter", "SQS.AmazonSQSException", "AmazonSQS");
        let name = "StepFunctions.StateMachineDoesNotExistException";
        check("states", "Sfn.StateMachineDoesNotExistException", "StateMachineDoesNotExist", name, "AWSStepFunctions");
        check("lambda", "Lambda.LambdaException", "AccessDenied", "Lambda.AWSLambdaException", "AWSLambda");
    }

    #[test]
    fn a_lost_connection_is_named_after_the_service() {
        let client = CallError::Client { name: "Sqs.SdkClientException".to_owned(), cause: "gone".to_owned() };
        let failure = as_failure("sqs", aws_sdk::Error::Call(client));
        assert_eq!(failure, Failure { error: "SQS.SdkClientException".to_owned(), cause: "gone".to_owned() });
    }

    #[test]
    fn every_service_has_its_names() {
        for row in asl::integration::all().filter(|row| super::super::is_known(row.service, row.action)) {
            assert!(NAMES.iter().any(|names| names.0 == row.service), "{}", row.service);
        }
    }
}
