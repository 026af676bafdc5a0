//! What a Task's `Resource` can be, as data.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html>

use asl::parse::{Resources, UnknownResource};
use aws::Aws;
use thiserror::Error;

/// The optimized integrations that exist at AWS and not here, by service: told apart from what is a typing error.
const OPTIMIZED_ELSEWHERE: &[&str] = &[
    "apigateway",
    "athena",
    "batch",
    "bedrock",
    "codebuild",
    "databrew",
    "dynamodb",
    "ecs",
    "eks",
    "elasticmapreduce",
    "emr-containers",
    "emr-serverless",
    "events",
    "glue",
    "http",
    "mediaconvert",
    "sagemaker",
    "sns",
    "sqs",
    "states",
];

/// What is supported, for messages.
const SUPPORTED: &str = "supported are `arn:aws:states:::aws-sdk:SERVICE:ACTION` and `arn:aws:states:::lambda:invoke`, both also with \
                         `.waitForTaskToken`, and the ARN of a Lambda function or of an activity";

/// A Task's `Resource`, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `arn:aws:states:::aws-sdk:SERVICE:ACTION`.
    AwsSdk {
        /// As Step Functions names it: `s3`, `cloudwatchlogs` …
        service: String,
        /// `putPublicAccessBlock` …
        action: String,
        /// Whether it ends in `.waitForTaskToken`.
        waits: bool,
    },
    /// `arn:aws:states:::lambda:invoke`.
    LambdaInvoke {
        /// Whether it ends in `.waitForTaskToken`.
        waits: bool,
    },
    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`.
    LambdaFunction(String),
    /// `arn:aws:states:REGION:ACCOUNT:activity:NAME`: workers ask the engine for it.
    Activity(String),
}

/// A `Resource` that can't be called here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}; {help}")]
pub struct UnsupportedResource {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Resource {
    /// Parses a Task's `Resource`.
    pub fn parse(text: &str) -> Result<Resource, UnsupportedResource> {
        let parts: Vec<&str> = text.splitn(7, ':').collect();
        match parts.as_slice() {
            ["arn", _, "states", "", "", "aws-sdk", call] => aws_sdk(text, call),
            ["arn", _, "states", "", "", service, call] => optimized(text, service, call),
            ["arn", _, "states", region, account, "activity", name]
                if !region.is_empty() && !account.is_empty() && !name.is_empty() =>
            {
                Ok(Resource::Activity(text.to_owned()))
            }
            ["arn", _, "lambda", region, account, "function", name]
                if !region.is_empty() && !account.is_empty() && !name.is_empty() =>
            {
                Ok(Resource::LambdaFunction(text.to_owned()))
            }
            _ => Err(unsupported(text, "it is not the ARN of anything that a Task can call")),
        }
    }
}

fn aws_sdk(text: &str, call: &str) -> Result<Resource, UnsupportedResource> {
    let (service, action) = call
        .split_once(':')
        .filter(|(service, action)| !service.is_empty() && !action.is_empty())
        .ok_or_else(|| unsupported(text, "an `aws-sdk` Resource names a service and an action"))?;
    let (action, waits) = pattern(text, action)?;
    Ok(Resource::AwsSdk { service: service.to_owned(), action: action.to_owned(), waits })
}

fn optimized(text: &str, service: &str, call: &str) -> Result<Resource, UnsupportedResource> {
    if service != "lambda" {
        let known = OPTIMIZED_ELSEWHERE.contains(&service);
        return Err(unsupported(
            text,
            &if known {
                format!("the optimized integration of `{service}` is not supported yet")
            } else {
                format!("there is no integration `{service}`")
            },
        ));
    }
    match pattern(text, call)? {
        ("invoke", waits) => Ok(Resource::LambdaInvoke { waits }),
        (other, _) => Err(unsupported(text, &format!("the integration of `lambda` has no action `{other}`"))),
    }
}

/// Splits `action.waitForTaskToken`.
fn pattern<'a>(text: &str, action: &'a str) -> Result<(&'a str, bool), UnsupportedResource> {
    match action.split_once('.') {
        None => Ok((action, false)),
        Some((action, "waitForTaskToken")) => Ok((action, true)),
        Some((_, other)) => {
            Err(unsupported(text, &format!("the integration pattern `.{other}` is not supported here")))
        }
    }
}

fn unsupported(resource: &str, why: &str) -> UnsupportedResource {
    UnsupportedResource {
        message: format!("the resource `{resource}` can't be called: {why}"),
        help: SUPPORTED.to_owned(),
    }
}

/// Answers `validate`'s question whether a Task's `Resource` can be called, by the models of `aws`.
#[derive(Clone, Debug)]
pub struct KnownResources {
    aws: Aws,
}

impl KnownResources {
    /// By these models.
    pub fn new(aws: Aws) -> KnownResources {
        KnownResources { aws }
    }
}

impl Resources for KnownResources {
    fn check(&self, resource: &str) -> Result<(), UnknownResource> {
        match Resource::parse(resource) {
            Ok(Resource::AwsSdk { service, action, .. }) => self
                .aws
                .check(&service, &action)
                .map_err(|error| UnknownResource { message: error.to_string(), help: None }),
            Ok(Resource::LambdaInvoke { .. } | Resource::LambdaFunction(_) | Resource::Activity(_)) => Ok(()),
            Err(UnsupportedResource { message, help }) => Err(UnknownResource { message, help: Some(help) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Resource, &str>) {
        match (Resource::parse(text), expected) {
            (Ok(resource), Ok(expected)) => assert_eq!(resource, expected, "{text}"),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{text}: {error}"),
            (resource, expected) => panic!("{text}: {resource:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn resources_are_told_apart() {
        let sdk = |service: &str, action: &str, waits| Resource::AwsSdk {
            service: service.to_owned(),
            action: action.to_owned(),
            waits,
        };
        check("arn:aws:states:::aws-sdk:s3:putBucketAcl", Ok(sdk("s3", "putBucketAcl", false)));
        check("arn:aws-cn:states:::aws-sdk:ec2:runInstances", Ok(sdk("ec2", "runInstances", false)));
        check("arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken", Ok(sdk("sqs", "sendMessage", true)));
        check("arn:aws:states:::lambda:invoke", Ok(Resource::LambdaInvoke { waits: false }));
        check("arn:aws:states:::lambda:invoke.waitForTaskToken", Ok(Resource::LambdaInvoke { waits: true }));
        let function = "arn:aws:lambda:us-east-1:123456789012:function:f:live";
        check(function, Ok(Resource::LambdaFunction(function.to_owned())));
        let activity = "arn:aws:states:us-east-1:123456789012:activity:a";
        check(activity, Ok(Resource::Activity(activity.to_owned())));
    }

    #[test]
    fn what_is_unsupported_is_named_with_what_is_supported() {
        check(
            "arn:aws:states:::states:startExecution.sync:2",
            Err("optimized integration of `states` is not supported"),
        );
        check("arn:aws:states:::http:invoke", Err("optimized integration of `http`"));
        check("arn:aws:states:::lamda:invoke", Err("there is no integration `lamda`"));
        check("arn:aws:states:::lambda:invok", Err("`lambda` has no action `invok`"));
        check("arn:aws:states:::lambda:invoke.sync", Err("pattern `.sync`"));
        check("arn:aws:states:::aws-sdk:s3", Err("names a service and an action"));
        check("arn:aws:states:::aws-sdk:s3:", Err("names a service and an action"));
        check("arn:aws:states:us-east-1:123456789012:activity:", Err("not the ARN of anything"));
        check("", Err("supported are `arn:aws:states:::aws-sdk:SERVICE:ACTION`"));
        check("arn:aws:lambda:us-east-1:123456789012:function:", Err("can't be called"));
    }

    #[test]
    fn validate_is_told_the_nearest_names() {
        let known = KnownResources::new(Aws::new(aws::Options::fixed("eu-west-1", "AKIDEXAMPLE", "secret")));
        for (resource, expected) in [
            ("arn:aws:states:::aws-sdk:s3:putPublicAccessBlock", None),
            ("arn:aws:states:::lambda:invoke.waitForTaskToken", None),
            ("arn:aws:states:::aws-sdk:s3:putPublicAccesBlock", Some("putPublicAccessBlock")),
            ("arn:aws:states:::aws-sdk:cloudwatchlog:putLogEvents", Some("cloudwatchlogs")),
            ("arn:aws:states:::sns:publish", Some("`sns` is not supported yet")),
        ] {
            match (known.check(resource), expected) {
                (Ok(()), None) => {}
                (Err(unknown), Some(text)) => assert!(unknown.message.contains(text), "{unknown:?}"),
                (result, _) => panic!("{resource}: {result:?}"),
            }
        }
    }
}
