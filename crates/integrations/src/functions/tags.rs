//! The tags of a resource, whatever it is: one row of a table a resource type.

use aws::{Aws, Call, CallError};
use serde_json::{Value, json};

/// Attempts of one call.
const ATTEMPTS: u32 = 3;
/// For one attempt.
const TIMEOUT_SECONDS: u64 = 20;

/// A resource, and how to get at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resource {
    /// CloudFormation's type.
    pub(super) kind: String,
    /// Its id within its account and Region.
    pub(super) id: String,
    /// Its ARN, where it is known.
    pub(super) arn: Option<String>,
    /// Its Region.
    pub(super) region: String,
    /// The role to assume first.
    pub(super) role_arn: Option<String>,
}

/// How the tags of a kind of resource are read.
struct Source {
    /// The CloudFormation type, or its beginning up to `::`.
    kind: &'static str,
    service: &'static str,
    action: &'static str,
    parameters: fn(&Resource) -> Option<Value>,
    /// Where in the answer the tags are: a list of `{Key, Value}` or a map.
    pointer: &'static str,
}

const SOURCES: &[Source] = &[
    Source {
        kind: "AWS::S3::Bucket",
        service: "s3",
        action: "getBucketTagging",
        parameters: |resource| Some(json!({"Bucket": resource.id})),
        pointer: "/TagSet",
    },
    Source {
        kind: "AWS::EC2::",
        service: "ec2",
        action: "describeTags",
        parameters: |resource| Some(json!({"Filters": [{"Name": "resource-id", "Values": [resource.id]}]})),
        pointer: "/Tags",
    },
    Source {
        kind: "AWS::IAM::User",
        service: "iam",
        action: "listUserTags",
        parameters: |resource| Some(json!({"UserName": resource.id})),
        pointer: "/Tags",
    },
    Source {
        kind: "AWS::IAM::Role",
        service: "iam",
        action: "listRoleTags",
        parameters: |resource| Some(json!({"RoleName": resource.id})),
        pointer: "/Tags",
    },
    Source {
        kind: "AWS::KMS::Key",
        service: "kms",
        action: "listResourceTags",
        parameters: |resource| Some(json!({"KeyId": resource.id})),
        pointer: "/Tags",
    },
    Source {
        kind: "AWS::SQS::Queue",
        service: "sqs",
        action: "listQueueTags",
        parameters: |resource| Some(json!({"QueueUrl": resource.id})),
        pointer: "/Tags",
    },
    Source {
        kind: "AWS::Lambda::Function",
        service: "lambda",
        action: "listTags",
        parameters: |resource| resource.arn.as_ref().map(|arn| json!({"Resource": arn})),
        pointer: "/Tags",
    },
    Source {
        kind: "AWS::RDS::",
        service: "rds",
        action: "listTagsForResource",
        parameters: |resource| resource.arn.as_ref().map(|arn| json!({"ResourceName": arn})),
        pointer: "/TagList",
    },
    // Every other kind that has an ARN.
    Source {
        kind: "",
        service: "resourcegroupstaggingapi",
        action: "getResources",
        parameters: |resource| resource.arn.as_ref().map(|arn| json!({"ResourceARNList": [arn]})),
        pointer: "/ResourceTagMappingList/0/Tags",
    },
];

/// Reads the tags of a resource; `None` where there is no way to read those of its kind, else why they could not be read, in a
/// sentence.
pub(super) async fn read(aws: &Aws, resource: &Resource) -> Result<Option<Vec<(String, String)>>, String> {
    let Some(source) = source_of(&resource.kind) else { return Ok(None) };
    let Some(parameters) = (source.parameters)(resource) else { return Ok(None) };
    let answer = aws
        .call(Call {
            service: source.service.to_owned(),
            action: source.action.to_owned(),
            parameters,
            region: Some(resource.region.clone()),
            role_arn: resource.role_arn.clone(),
            idempotency_token: None,
            attempts: ATTEMPTS,
            timeout_seconds: TIMEOUT_SECONDS,
            answer_bytes: None,
        })
        .await;
    match answer {
        Ok(answer) => Ok(Some(tags_in(answer.pointer(source.pointer)))),
        // S3's way to say that there are none (NoSuchTagSet), or a resource that has gone meanwhile.
        Err(CallError::Service { status: 404, .. }) => Ok(Some(Vec::new())),
        Err(error) => {
            Err(format!("the tags of `{}` can't be read by {}:{}: {error}", resource.id, source.service, source.action))
        }
    }
}

fn source_of(kind: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| {
        source.kind == kind || source.kind.is_empty() || source.kind.ends_with("::") && kind.starts_with(source.kind)
    })
}

fn tags_in(value: Option<&Value>) -> Vec<(String, String)> {
    let pair = |key: &str, value: &Value| Some((key.to_owned(), value.as_str()?.to_owned()));
    match value {
        Some(Value::Array(tags)) => {
            tags.iter().filter_map(|tag| pair(tag.get("Key")?.as_str()?, tag.get("Value")?)).collect()
        }
        Some(Value::Object(tags)) => tags.iter().filter_map(|(key, value)| pair(key, value)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &str, arn: Option<&str>, expected: Option<(&str, Value)>) {
        let resource =
            Resource { kind: kind.to_owned(), id: "i".to_owned(), arn: arn.map(str::to_owned), ..Resource::default() };
        let source = source_of(kind).unwrap();
        let asked = (source.parameters)(&resource).map(|parameters| (source.action, parameters));
        assert_eq!(asked, expected, "{kind}");
    }

    #[test]
    fn each_kind_is_asked_in_its_way() {
        check("AWS::S3::Bucket", None, Some(("getBucketTagging", json!({"Bucket": "i"}))));
        let filter = json!({"Filters": [{"Name": "resource-id", "Values": ["i"]}]});
        check("AWS::EC2::SecurityGroup", None, Some(("describeTags", filter)));
        check("AWS::IAM::User", None, Some(("listUserTags", json!({"UserName": "i"}))));
        check("AWS::RDS::DBInstance", Some("arn:x"), Some(("listTagsForResource", json!({"ResourceName": "arn:x"}))));
        check("AWS::RDS::DBInstance", None, None);
        check("AWS::EKS::Cluster", Some("arn:x"), Some(("getResources", json!({"ResourceARNList": ["arn:x"]}))));
        check("AWS::EKS::Cluster", None, None);
    }

    #[test]
    fn lists_and_maps_are_read_alike() {
        let expected = vec![("Owner".to_owned(), "alice".to_owned())];
        assert_eq!(tags_in(Some(&json!([{"Key": "Owner", "Value": "alice"}, {"Key": "broken"}]))), expected);
        assert_eq!(tags_in(Some(&json!({"Owner": "alice"}))), expected);
        assert_eq!(tags_in(None), Vec::new());
    }
}
