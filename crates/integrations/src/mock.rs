//! Whether the mocked result of a Task is one that its Resource can give.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html>, "Mock validation modes"

use aws::{Aws, Nonconformity, Wanted};
use serde_json::Value;

/// The optimized integrations whose results are those of an API, each with the API's name among the `aws-sdk` services. What is not
/// among these is not checked: AWS does not check HTTP, API Gateway and EKS, and a function called directly gives what it likes.
const SERVICES: &[(&str, &str)] = &[
    ("athena", "athena"),
    ("batch", "batch"),
    ("bedrock", "bedrock"),
    ("codebuild", "codebuild"),
    ("databrew", "databrew"),
    ("dynamodb", "dynamodb"),
    ("ecs", "ecs"),
    ("elasticmapreduce", "emr"),
    ("emr-containers", "emrcontainers"),
    ("emr-serverless", "emrserverless"),
    ("events", "eventbridge"),
    ("glue", "glue"),
    ("lambda", "lambda"),
    ("mediaconvert", "mediaconvert"),
    ("sagemaker", "sagemaker"),
    ("sns", "sns"),
    ("sqs", "sqs"),
    ("states", "sfn"),
];

/// What `.sync` asks for until the job is done: its answer is the result.
const POLLED: &[(&str, &str, &str)] = &[
    ("athena", "startQueryExecution", "getQueryExecution"),
    ("batch", "submitJob", "describeJobs"),
    ("bedrock", "createModelCustomizationJob", "getModelCustomizationJob"),
    ("codebuild", "startBuild", "batchGetBuilds"),
    ("codebuild", "startBuildBatch", "batchGetBuildBatches"),
    ("databrew", "startJobRun", "describeJobRun"),
    ("ecs", "runTask", "describeTasks"),
    ("emr-containers", "createVirtualCluster", "describeVirtualCluster"),
    ("emr-containers", "deleteVirtualCluster", "describeVirtualCluster"),
    ("emr-containers", "startJobRun", "describeJobRun"),
    ("emr-serverless", "createApplication", "getApplication"),
    ("emr-serverless", "deleteApplication", "getApplication"),
    ("emr-serverless", "startApplication", "getApplication"),
    ("emr-serverless", "startJobRun", "getJobRun"),
    ("emr-serverless", "stopApplication", "getApplication"),
    ("glue", "startJobRun", "getJobRun"),
    ("mediaconvert", "createJob", "getJob"),
    ("sagemaker", "createHyperParameterTuningJob", "describeHyperParameterTuningJob"),
    ("sagemaker", "createLabelingJob", "describeLabelingJob"),
    ("sagemaker", "createProcessingJob", "describeProcessingJob"),
    ("sagemaker", "createTrainingJob", "describeTrainingJob"),
    ("sagemaker", "createTransformJob", "describeTransformJob"),
    ("states", "startExecution", "describeExecution"),
];

/// Holds a mocked result of a Task against what its `Resource` answers; `all_required`: nothing that the API requires may be missing.
/// The result of a Task that waits for its token is whatever is sent with it.
pub fn check(resource: &str, result: &Value, all_required: bool) -> Result<(), Nonconformity> {
    let Some(call) = resource.splitn(6, ':').nth(5).filter(|_| resource.contains(":states:::")) else { return Ok(()) };
    if let Some((service, action)) = call.strip_prefix("aws-sdk:").and_then(|call| call.split_once(':')) {
        let (action, pattern) = action.split_once('.').unwrap_or((action, ""));
        return match pattern {
            "" => Aws::conforms(service, action, result, Wanted { all_required, ..Wanted::default() }),
            _ => Ok(()),
        };
    }
    let Some((integration, action)) = call.split_once(':') else { return Ok(()) };
    let Some((_, service)) = SERVICES.iter().find(|(known, _)| *known == integration) else { return Ok(()) };
    let (action, pattern) = action.split_once('.').unwrap_or((action, ""));
    let (asked, anything): (_, &[&str]) = match pattern {
        "" if integration == "lambda" => (action, &["Payload"]),
        "" => (action, &[]),
        "sync" | "sync:2" => {
            let found = POLLED.iter().find(|(of, starts, _)| *of == integration && *starts == action);
            let Some((.., polls)) = found else { return Ok(()) };
            // Of a nested execution, `.sync:2` gives both as JSON, and the API as text.
            (*polls, if pattern == "sync:2" { &["Input", "Output"] } else { &[] })
        }
        _ => return Ok(()),
    };
    Aws::conforms(service, asked, result, Wanted { all_required, capitalized: true, anything })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_are_those_of_the_resource() {
        let check = |resource: &str, result: Value, expected: &str| {
            let found = check(&format!("arn:aws:states:::{resource}"), &result, true);
            let found = found.map_or_else(|problem| problem.to_string(), |()| String::new());
            assert_eq!(found, expected, "{resource} {result}");
        };
        check("events:putEvents", json!({"Entries": 1}), "Field 'Entries' must be an array");
        check("lambda:invoke", json!({"Payload": {"a": 1}, "StatusCode": 200}), "");
        check("lambda:invoke", json!({"StatusCode": "200"}), "Field 'StatusCode' must be a number");
        check("states:startExecution", json!({}), "Required field 'ExecutionArn' is missing");
        check(
            "states:startExecution.sync",
            json!({"ExecutionArn": "a"}),
            "Required field 'StateMachineArn' is missing",
        );
        let nested = |output: Value| json!({"ExecutionArn": "a", "StateMachineArn": "m", "StartDate": "d", "Status": "SUCCEEDED", "Output": output});
        check("states:startExecution.sync:2", nested(json!({"a": 1})), "");
        check("states:startExecution.sync", nested(json!({"a": 1})), "Field 'Output' must be a string");
        check("sqs:sendMessage.waitForTaskToken", json!([1]), "");
        check("sqs:sendMessage", json!({"MessageId": 1}), "Field 'MessageId' must be a string");
        check("aws-sdk:lambda:getFunction", json!({"Code": 1}), "Field 'Code' must be an object");
        check("aws-sdk:sqs:sendMessage.waitForTaskToken", json!(1), "");
        check("apigateway:invoke", json!(1), "");
        check("http:invoke", json!(1), "");
        let direct = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        assert_eq!(super::check(direct, &json!(1), true), Ok(()));
    }

    #[test]
    fn every_service_and_every_action_is_known() {
        let aws = Aws::new(aws::Options::fixed("eu-west-1", "AKIDEXAMPLE", "secret"));
        let service = |integration: &str| SERVICES.iter().find(|(known, _)| *known == integration).unwrap().1;
        for (integration, starts, polls) in POLLED {
            for action in [starts, polls] {
                assert!(aws.check(service(integration), action).is_ok(), "{integration}:{action}");
            }
        }
        for (_, service) in SERVICES {
            assert!(Aws::services().any(|known| known == *service), "{service}");
        }
    }
}
