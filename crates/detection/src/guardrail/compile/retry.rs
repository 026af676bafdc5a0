//! The retries that the compiler adds.

use serde_json::{Value, json};

/// Of a call of a built-in function: Lambda's own faults and its throttling, and a store that can't now.
pub(super) fn function() -> Value {
    json!([lambda_faults()])
}

/// Of a call that sends something to people: channels fail for other reasons too, and a fix does not wait for them for long.
pub(super) fn channel() -> Value {
    json!([
        lambda_faults(),
        {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 2, "MaxAttempts": 2, "BackoffRate": 2},
    ])
}

/// Of a whole fragment, all of which are idempotent. Errors that a service does not model arrive under one name, throttling among
/// them; twice is enough to tell AccessDenied in seconds. It is not a task's, whose Catch may be waiting for that very error.
pub(super) fn fragment() -> Value {
    json!([{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2}])
}

/// Of a fragment's task that names none.
pub(super) fn task(resource: &str) -> Value {
    let mut parts = resource.split(":::").nth(1).unwrap_or_default().split(':');
    match (parts.next(), parts.next()) {
        (Some("aws-sdk"), Some(service)) => {
            let prefix = error_prefix(service);
            let names: Vec<String> = THROTTLING.iter().map(|name| format!("{prefix}.{name}")).collect();
            json!([
                {"ErrorEquals": names, "IntervalSeconds": 2, "MaxAttempts": 5, "BackoffRate": 2, "JitterStrategy": "FULL"},
                {
                    "ErrorEquals": [format!("{prefix}.{NO_CONNECTION}")],
                    "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2, "JitterStrategy": "FULL",
                },
            ])
        }
        _ => json!([lambda_faults()]),
    }
}

fn lambda_faults() -> Value {
    json!({
        "ErrorEquals": [
            "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException", "StoreUnavailable",
        ],
        "IntervalSeconds": 2,
        "MaxAttempts": 6,
        "BackoffRate": 2,
    })
}

/// What Step Functions calls a connection that failed. No credentials is one of its causes, and nothing that waiting mends: with
/// the fragment's own retries it is told within a minute.
const NO_CONNECTION: &str = "SdkClientException";

/// What services that model their throttling call it.
const THROTTLING: &[&str] =
    &["ThrottlingException", "ThrottledException", "TooManyRequestsException", "LimitExceededException"];

/// The service as its errors name it: the SDK for Java's client, `S3Control.…`.
fn error_prefix(service: &str) -> String {
    let known = MULTIWORD.iter().find(|name| name.eq_ignore_ascii_case(service));
    known.map_or_else(|| capitalized(service), |name| (*name).to_owned())
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// Services whose names are of several words.
const MULTIWORD: &[&str] = &[
    "AccessAnalyzer",
    "ApiGateway",
    "ApiGatewayV2",
    "AutoScaling",
    "CloudFormation",
    "CloudFront",
    "CloudTrail",
    "CloudWatch",
    "CloudWatchLogs",
    "CodeBuild",
    "CognitoIdentityProvider",
    "ConfigService",
    "DynamoDb",
    "ElastiCache",
    "ElasticLoadBalancing",
    "ElasticLoadBalancingV2",
    "EventBridge",
    "GuardDuty",
    "NetworkFirewall",
    "OpenSearch",
    "RdsData",
    "ResourceGroupsTaggingApi",
    "Route53",
    "S3Control",
    "SageMaker",
    "SecretsManager",
    "SecurityHub",
];
