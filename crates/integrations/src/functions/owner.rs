//! `rectify-owner`: who may own a resource, by its tags and by who made the call.

use async_trait::async_trait;
use aws::Aws;
use detection::owner::candidates;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Function, FunctionError, parse,
    tags::{self, Resource},
};

/// The function. Payload: `{Resource: {Id, Arn?, Type, Account, Region}, Actor, RoleArn?}`, the role being one to read the tags
/// with. Answer: `{Owners: […], Note?}`, candidates with the likeliest first. Tags that can't be read are an error,
/// `TagsNotReadable`; a kind of resource whose tags nobody knows how to read has none, and the note says so.
pub struct Owner {
    aws: Aws,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Payload {
    resource: Named,
    #[serde(default)]
    actor: Option<Value>,
    #[serde(default)]
    role_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    id: String,
    #[serde(default)]
    arn: Option<String>,
    r#type: String,
    region: String,
}

impl Owner {
    pub(crate) fn new(aws: Aws) -> Owner {
        Owner { aws }
    }
}

#[async_trait]
impl Function for Owner {
    fn name(&self) -> &'static str {
        "owner"
    }

    async fn invoke(&self, payload: Value) -> Result<Value, FunctionError> {
        let Payload { resource: Named { id, arn, r#type, region }, actor, role_arn } = parse(&payload)?;
        let resource = Resource { kind: r#type, id, arn, region, role_arn };
        let failed = |reason| FunctionError::new("TagsNotReadable", reason);
        let tags = tags::read(&self.aws, &resource).await.map_err(failed)?;
        let owners = candidates(tags.as_deref().unwrap_or_default(), actor.as_ref());
        let note = || format!("a `{}` has no tags that could be read here", resource.kind);
        Ok(match tags {
            Some(_) => json!({"Owners": owners}),
            None => json!({"Owners": owners, "Note": note()}),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws::{Call, Options};

    use super::*;
    use crate::tests::moto::Moto;

    fn payload(kind: &str, id: &str) -> Value {
        let actor = json!({"type": "IAMUser", "userName": "alice"});
        json!({"Resource": {"Id": id, "Type": kind, "Account": "123456789012", "Region": "us-east-1"}, "Actor": actor})
    }

    async fn call(aws: &Aws, service: &str, action: &str, parameters: Value) -> Value {
        let call = Call {
            service: service.to_owned(),
            action: action.to_owned(),
            parameters,
            region: None,
            role_arn: None,
            idempotency_token: None,
            attempts: 1,
            timeout_seconds: 10,
            answer_bytes: None,
        };
        aws.call(call).await.unwrap()
    }

    async fn check(owner: &Owner, kind: &str, id: &str, expected: &[&str]) {
        let answer = owner.invoke(payload(kind, id)).await.unwrap();
        let owners = answer["Owners"].as_array().unwrap();
        let named = |owner: &Value| owner.get("Name").or(owner.get("Email")).unwrap().as_str().unwrap().to_owned();
        assert_eq!(owners.iter().map(named).collect::<Vec<_>>(), expected, "{kind} {id}");
    }

    #[tokio::test]
    async fn owners_are_named_by_tags_and_by_who_made_the_call() {
        let Some(moto) = Moto::start() else { return };
        let aws = Aws::new(moto.options());
        for bucket in ["tagged", "plain"] {
            call(&aws, "s3", "createBucket", json!({"Bucket": bucket})).await;
        }
        let tags = json!([{"Key": "owner-email", "Value": "data@example.com"}]);
        call(&aws, "s3", "putBucketTagging", json!({"Bucket": "tagged", "Tagging": {"TagSet": tags}})).await;
        let tags = json!([{"Key": "Team", "Value": "network"}]);
        let group = json!({
            "GroupName": "g", "Description": "d", "TagSpecifications": [{"ResourceType": "security-group", "Tags": tags}],
        });
        let group = call(&aws, "ec2", "createSecurityGroup", group).await;
        let owner = Owner::new(aws);
        check(&owner, "AWS::S3::Bucket", "tagged", &["data@example.com", "alice"]).await;
        check(&owner, "AWS::S3::Bucket", "plain", &["alice"]).await;
        check(&owner, "AWS::S3::Bucket", "gone", &["alice"]).await;
        check(&owner, "AWS::EC2::SecurityGroup", group["GroupId"].as_str().unwrap(), &["network", "alice"]).await;
        check(&owner, "AWS::EC2::SecurityGroup", "sg-0123456789abcdef0", &["alice"]).await;
    }

    #[tokio::test]
    async fn a_kind_without_readable_tags_is_owned_by_who_made_the_call() {
        let owner = Owner::new(Aws::new(Options::fixed("us-east-1", "AKIDEXAMPLE", "secret")));
        let answer = owner.invoke(payload("AWS::New::Thing", "c")).await.unwrap();
        assert_eq!((&answer["Owners"][0]["Name"], answer["Note"].is_string()), (&json!("alice"), true));
    }

    #[tokio::test]
    async fn tags_that_can_not_be_read_are_an_error() {
        let mut options = Options::fixed("us-east-1", "AKIDEXAMPLE", "secret");
        options.endpoint_url = Some("http://127.0.0.1:1".to_owned());
        let owner = Owner::new(Aws::new(options));
        for (payload, error, text) in [
            (
                payload("AWS::S3::Bucket", "b"),
                "TagsNotReadable",
                "the tags of `b` can't be read by s3:getBucketTagging",
            ),
            (json!({"Actor": null}), "InvalidPayload", "Resource"),
        ] {
            let failure = owner.invoke(payload).await.unwrap_err();
            assert_eq!(failure.error_type, error);
            assert!(failure.message.contains(text), "{failure}");
        }
    }
}
