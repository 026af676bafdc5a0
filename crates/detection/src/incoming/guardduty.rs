//! GuardDuty's own events. Source: <https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html>

use serde_json::Value;

use super::{Concerned, Reported, text};
use crate::Event;

/// What a finding names, by CloudFormation's type: where the id is, below `resource`.
const SINGLE: &[(&str, &str)] = &[
    ("AWS::EC2::Instance", "/instanceDetails/instanceId"),
    ("AWS::EKS::Cluster", "/eksClusterDetails/arn"),
    ("AWS::ECS::Cluster", "/ecsClusterDetails/arn"),
    ("AWS::Lambda::Function", "/lambdaDetails/functionArn"),
    ("AWS::RDS::DBInstance", "/rdsDbInstanceDetails/dbInstanceArn"),
    ("AWS::IAM::AccessKey", "/accessKeyDetails/accessKeyId"),
];

pub(super) fn read(event: &Event) -> Option<Reported> {
    let detail = &event.detail;
    let resource = detail.get("resource")?;
    let is_archived = detail.pointer("/service/archived") == Some(&Value::Bool(true));
    Some(Reported {
        controls: vec![text(detail, "/type")?.to_owned()],
        is_failing: !is_archived,
        resources: named(resource)
            .into_iter()
            .map(|(resource_type, id)| Concerned {
                resource_type: resource_type.to_owned(),
                id: id.to_owned(),
                account: text(detail, "/accountId").unwrap_or(&event.account).to_owned(),
                region: text(detail, "/region").unwrap_or(&event.region).to_owned(),
            })
            .collect(),
    })
}

/// All that a finding names, whatever it is mainly about: an instance's security groups are what lets the world in.
fn named(resource: &Value) -> Vec<(&'static str, &str)> {
    let each = |pointer: &str| resource.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let mut named: Vec<(&str, &str)> =
        SINGLE.iter().filter_map(|(kind, pointer)| Some((*kind, text(resource, pointer)?))).collect();
    // The name alone: the ARN of a bucket says no more.
    named.extend(each("/s3BucketDetails").filter_map(|bucket| Some(("AWS::S3::Bucket", text(bucket, "/name")?))));
    let groups = each("/instanceDetails/networkInterfaces")
        .filter_map(|interface| interface.get("securityGroups")?.as_array())
        .flatten();
    named.extend(groups.filter_map(|group| Some(("AWS::EC2::SecurityGroup", text(group, "/groupId")?))));
    if text(resource, "/accessKeyDetails/userType") == Some("IAMUser") {
        named.extend(text(resource, "/accessKeyDetails/userName").map(|name| ("AWS::IAM::User", name)));
    }
    named
}
