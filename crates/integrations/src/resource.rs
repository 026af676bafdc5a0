//! What a Task's `Resource` can be, as data.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html>

use asl::{
    integration::{self, Integration, Pattern},
    parse::{AnyArn, RefusedField, Resources, UnknownResource},
};
use aws::Aws;
use query::Language;
use serde_json::Value;
use thiserror::Error;

mod parameters;

/// What is supported, for messages.
const SUPPORTED: &str = "supported are `arn:aws:states:::aws-sdk:SERVICE:ACTION` (also with `.waitForTaskToken`), the optimized \
                         integrations that docs/resources.md lists, `http:invoke` and `apigateway:invoke` among them, and the ARN of a \
                         Lambda function or of an activity";

/// A Task's `Resource`, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `arn:aws:states:::aws-sdk:SERVICE:ACTION`; it may name a Region and an account, as this and other integrations do in a machine
    /// that was exported.
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
    /// `arn:aws:states:::http:invoke`.
    HttpInvoke,
    /// `arn:aws:states:::apigateway:invoke`.
    ApiGatewayInvoke {
        /// Whether it ends in `.waitForTaskToken`.
        waits: bool,
    },
    /// `arn:aws:states:::SERVICE:ACTION`, one of the table of optimized integrations.
    Optimized {
        /// `sqs`, `states` …
        service: &'static str,
        /// `sendMessage` …
        action: &'static str,
        /// How it goes on.
        pattern: Pattern,
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
            ["arn", _, "states", _, _, "aws-sdk", call] => aws_sdk(text, call),
            ["arn", _, "states", "", "", service, call] => optimized(text, service, call),
            ["arn", _, "states", region, account, "activity", name]
                if !region.is_empty() && !account.is_empty() && !name.is_empty() =>
            {
                Ok(Resource::Activity(text.to_owned()))
            }
            ["arn", _, "states", _, _, service, call] if *service != "activity" => optimized(text, service, call),
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
    let (row, pattern) = integration_at_aws(service, call).map_err(|why| unsupported(text, &why))?;
    let waits = pattern == Pattern::WaitForTaskToken;
    match (row.service, row.action) {
        ("lambda", "invoke") => Ok(Resource::LambdaInvoke { waits }),
        ("http", "invoke") => Ok(Resource::HttpInvoke),
        ("apigateway", "invoke") => Ok(Resource::ApiGatewayInvoke { waits }),
        (service, action) if crate::executor::optimized::is_known(service, action) => {
            Ok(Resource::Optimized { service, action, pattern })
        }
        (service, action) => {
            Err(unsupported(text, &format!("the integration `{service}:{action}` is not supported here")))
        }
    }
}

/// The optimized integration that AWS has by this name, or why it has none.
fn integration_at_aws(service: &str, call: &str) -> Result<(&'static Integration, Pattern), String> {
    let actions = || integration::all().filter(|row| row.service == service).map(|row| row.action);
    if actions().next().is_none() {
        let services = integration::all().map(|row| row.service);
        return Err(format!("there is no integration `{service}`{}", hint(service, services)));
    }
    let name = call.split('.').next().unwrap_or(call);
    let Some(row) = integration::find(service, name) else {
        return Err(format!("the integration of `{service}` has no action `{name}`{}", hint(name, actions())));
    };
    let pattern = Pattern::split(call).map(|(_, pattern)| pattern).filter(|pattern| row.has(*pattern));
    pattern.map(|pattern| (row, pattern)).ok_or_else(|| {
        let suffix = call.strip_prefix(name).unwrap_or(call);
        let has: Vec<&str> =
            row.patterns.iter().map(|pattern| pattern.suffix()).filter(|text| !text.is_empty()).collect();
        let has = if has.is_empty() { "no pattern".to_owned() } else { format!("only `{}`", has.join("`, `")) };
        format!("`{service}:{name}` has no pattern `{suffix}`: it has {has}")
    })
}

/// `; did you mean X?`, or nothing.
fn hint<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    asl::nearest::nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Splits `action.waitForTaskToken`.
fn pattern<'a>(text: &str, call: &'a str) -> Result<(&'a str, bool), UnsupportedResource> {
    match Pattern::split(call) {
        Some((action, Pattern::RequestResponse)) => Ok((action, false)),
        Some((action, Pattern::WaitForTaskToken)) => Ok((action, true)),
        _ => Err(unsupported(text, "an `aws-sdk` Resource has no pattern but `.waitForTaskToken`")),
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
    /// Whether what AWS has is taken, though it can't be called here.
    as_aws: bool,
}

impl KnownResources {
    /// By these models.
    pub fn new(aws: Aws) -> KnownResources {
        KnownResources { aws, as_aws: false }
    }

    /// The same as AWS sees it: what AWS has is taken, though it can't be called here, as a task that never runs does no harm.
    pub fn as_aws(&self) -> KnownResources {
        KnownResources { aws: self.aws.clone(), as_aws: true }
    }

    /// What AWS refuses, in its words.
    fn refused_by_aws(&self, resource: &str) -> Result<(), UnknownResource> {
        AnyArn.check(resource)?;
        let parts: Vec<&str> = resource.splitn(7, ':').collect();
        let ["arn", _, "states", _, _, service, call] = parts.as_slice() else { return Ok(()) };
        let help = match *service {
            "activity" if !parts.iter().any(|part| part.is_empty()) => return Ok(()),
            "aws-sdk" => self.aws_sdk_at_aws(call),
            service => integration_at_aws(service, call).err(),
        };
        let Some(help) = help else { return Ok(()) };
        let message = format!(
            "The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."
        );
        Err(UnknownResource { message, help: Some(help) })
    }

    /// Why AWS has no such call of `aws-sdk`, if it has none.
    fn aws_sdk_at_aws(&self, call: &str) -> Option<String> {
        let Some((service, action)) = call.split_once(':') else {
            return Some("an `aws-sdk` Resource names a service and an action".to_owned());
        };
        match action.split_once('.') {
            Some((_, pattern)) if pattern != "waitForTaskToken" => {
                Some(format!("`aws-sdk` calls have no pattern `.{pattern}`, only `.waitForTaskToken`"))
            }
            found => {
                let action = found.map_or(action, |(action, _)| action);
                self.aws.check(service, action).err().map(|error| error.to_string())
            }
        }
    }
}

impl Resources for KnownResources {
    fn is_as_aws(&self) -> bool {
        self.as_aws
    }

    fn check(&self, resource: &str) -> Result<(), UnknownResource> {
        self.refused_by_aws(resource)?;
        match Resource::parse(resource) {
            _ if self.as_aws => Ok(()),
            Ok(Resource::AwsSdk { service, action, .. }) => self
                .aws
                .check(&service, &action)
                .map_err(|error| UnknownResource { message: error.to_string(), help: None }),
            Ok(_) => Ok(()),
            Err(UnsupportedResource { message, help }) => Err(UnknownResource { message, help: Some(help) }),
        }
    }

    fn refused_fields(&self, resource: &str, parameters: &Value, language: Language) -> Vec<RefusedField> {
        parameters::refused(resource, parameters, language)
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
        check("arn:aws:states:us-east-1:123456789012:aws-sdk:s3:getObject", Ok(sdk("s3", "getObject", false)));
        check("arn:aws:states:us-east-1:123456789012:lambda:invoke", Ok(Resource::LambdaInvoke { waits: false }));
        check("arn:aws:states:us-east-1:123456789012:lambda:invok", Err("`lambda` has no action `invok`"));
        check("arn:aws-cn:states:::aws-sdk:ec2:runInstances", Ok(sdk("ec2", "runInstances", false)));
        check("arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken", Ok(sdk("sqs", "sendMessage", true)));
        check("arn:aws:states:::lambda:invoke", Ok(Resource::LambdaInvoke { waits: false }));
        check("arn:aws:states:::lambda:invoke.waitForTaskToken", Ok(Resource::LambdaInvoke { waits: true }));
        check("arn:aws:states:::http:invoke", Ok(Resource::HttpInvoke));
        check("arn:aws:states:::apigateway:invoke", Ok(Resource::ApiGatewayInvoke { waits: false }));
        check("arn:aws:states:::apigateway:invoke.waitForTaskToken", Ok(Resource::ApiGatewayInvoke { waits: true }));
        let optimized = |service, action, pattern| Resource::Optimized { service, action, pattern };
        check("arn:aws:states:::sqs:sendMessage", Ok(optimized("sqs", "sendMessage", Pattern::RequestResponse)));
        let started = optimized("states", "startExecution", Pattern::Sync2);
        check("arn:aws:states:::states:startExecution.sync:2", Ok(started));
        let function = "arn:aws:lambda:us-east-1:123456789012:function:f:live";
        check(function, Ok(Resource::LambdaFunction(function.to_owned())));
        let activity = "arn:aws:states:us-east-1:123456789012:activity:a";
        check(activity, Ok(Resource::Activity(activity.to_owned())));
    }

    #[test]
    fn what_is_unsupported_is_named_with_what_is_supported() {
        check("arn:aws:states:::http:invoke.waitForTaskToken", Err("no pattern"));
        check("arn:aws:states:::apigateway:call", Err("`apigateway` has no action `call`"));
        check("arn:aws:states:::eks:runJob.sync", Err("integration `eks:runJob` is not supported here"));
        check("arn:aws:states:::dynamodb:query", Err("integration of `dynamodb` has no action `query`"));
        check("arn:aws:states:::sqs:sendMesage", Err("did you mean `sendMessage`?"));
        check("arn:aws:states:::sqs:sendMessage.sync", Err("no pattern `.sync`: it has only `.waitForTaskToken`"));
        check("arn:aws:states:::ecs:runTask.sync:2", Err("no pattern `.sync:2`: it has only `.sync`, `.waitForTask"));
        check("arn:aws:states:::dynamodb:getItem.sync", Err("no pattern `.sync`: it has no pattern"));
        check("arn:aws:states:::aws-sdk:glue:startJobRun.sync", Err("no pattern but `.waitForTaskToken`"));
        check("arn:aws:states:::lamda:invoke", Err("there is no integration `lamda`"));
        check("arn:aws:states:::lambda:invok", Err("`lambda` has no action `invok`"));
        check("arn:aws:states:::lambda:invoke.sync", Err("no pattern `.sync`: it has only `.waitForTaskToken`"));
        check("arn:aws:states:::aws-sdk:s3", Err("names a service and an action"));
        check("arn:aws:states:::aws-sdk:s3:", Err("names a service and an action"));
        check("arn:aws:states:us-east-1:123456789012:activity:", Err("not the ARN of anything"));
        check("", Err("supported are `arn:aws:states:::aws-sdk:SERVICE:ACTION`"));
        check("arn:aws:lambda:us-east-1:123456789012:function:", Err("can't be called"));
    }

    #[test]
    fn what_is_not_read_here_is_refused_and_taken_by_the_api() {
        let known = KnownResources::new(Aws::new(aws::Options::fixed("eu-west-1", "AKIDEXAMPLE", "secret")));
        let processor = r#"{"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "B",
            "States": {"B": {"Type": "Pass", "End": true}}}"#;
        let text = format!(
            r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Map", "ItemProcessor": {processor}, "End": true,
            "ItemReader": {{"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {{"InputType": "PARQUET"}},
            "Parameters": {{"Bucket": "b", "Key": "k"}}}}}}}}}}"#
        );
        let document = asl::Document::parse(&text, asl::Format::Json).unwrap();
        let refused = asl::parse::parse(&document, &known).unwrap_err();
        assert!(refused.iter().any(|problem| problem.message.contains("PARQUET")), "{refused:?}");
        assert!(asl::parse::parse(&document, &known.as_aws()).is_ok());
    }

    #[test]
    fn validate_is_told_what_is_wrong_and_the_nearest_names() {
        let known = KnownResources::new(Aws::new(aws::Options::fixed("eu-west-1", "AKIDEXAMPLE", "secret")));
        let told = |known: &KnownResources, resource: &str| match known.check(resource) {
            Ok(()) => String::new(),
            Err(UnknownResource { message, help }) => format!("{message} | {}", help.unwrap_or_default()),
        };
        for (resource, here, at_aws) in [
            ("arn:aws:states:::aws-sdk:s3:putPublicAccessBlock", "", ""),
            ("arn:aws:states:::lambda:invoke.waitForTaskToken", "", ""),
            ("arn:aws:states:us-east-1:123456789012:aws-sdk:s3:getObject", "", ""),
            ("arn:aws:states:us-east-1:123456789012:aws-sdk:s3:getObjct", "getObject", "is not recognized"),
            ("arn:aws:states:us-east-1:123456789012:activity:a", "", ""),
            ("arn:aws:states:::aws-sdk:s3:putPublicAccesBlock", "putPublicAccessBlock", "is not recognized"),
            ("arn:aws:states:::aws-sdk:cloudwatchlog:putLogEvents", "cloudwatchlogs", "is not recognized"),
            ("arn:aws:states:::aws-sdk:s3:getObject.sync", "no pattern `.sync`", "is not recognized"),
            ("arn:aws:states:::eks:runJob.sync", "`eks:runJob` is not supported here", ""),
            (
                "arn:aws:states:::dynamodb:query",
                "has no action `query`",
                "arn:aws:states:::dynamodb:query is not recognized.",
            ),
            ("arn:aws:states:::sqs:sendMessage.sync", "has no pattern `.sync`", "is not recognized"),
            ("arn:aws:states:::ecs:runTask.sync:2", "has no pattern `.sync:2`", "is not recognized"),
            ("arn:aws:states:::lamda:invoke", "did you mean `lambda`?", "is not recognized"),
            ("createToken", "Value is not a valid resource ARN", "Value is not a valid resource ARN"),
            ("${Function}", "filled in by a template", "Value is not a valid resource ARN"),
            ("arn:aws:lambda:us-east-1:123456789012:function:f:", "Value is not a valid", "Value is not a valid"),
            ("arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST", "", ""),
        ] {
            for (known, expected) in [(&known, here), (&known.as_aws(), at_aws)] {
                let told = told(known, resource);
                assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{resource}: {told}");
            }
        }
    }
}
