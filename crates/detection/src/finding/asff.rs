//! A finding in AWS Security Hub's format, the AWS Security Finding Format (ASFF), as `BatchImportFindings` takes it.
//!
//! What is longer than AWS takes is cut. Sources: <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html>,
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html>,
//! <https://docs.aws.amazon.com/securityhub/latest/partnerguide/guidelines-batchimportfindings.html>

use serde_json::{Map, Value, json};

use super::{Compliance, Finding, Stage, WorkflowStatus};
use crate::{
    Decision,
    arn::{arn, partition},
};

/// What `GeneratorId` and `Id` of our findings begin with: by it they are known again when they come back in an event.
pub const OURS: &str = "rectify/";

/// The most characters of each, as AWS has them.
const ID_LIMIT: usize = 512;
const TITLE_LIMIT: usize = 256;
const DESCRIPTION_LIMIT: usize = 1024;
const RECOMMENDATION_LIMIT: usize = 512;
const REQUIREMENTS_LIMIT: usize = 32;
const REQUIREMENT_LIMIT: usize = 64;
const FIELD_LIMIT: usize = 1024;

/// Types of resources by CloudFormation's name and ASFF's, sorted. Every other one is `Other`.
/// Source: the members of `ResourceDetails`, <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_ResourceDetails.html>
const RESOURCE_TYPES: &[(&str, &str)] = &[
    ("AWS::ApiGateway::RestApi", "AwsApiGatewayRestApi"),
    ("AWS::ApiGateway::Stage", "AwsApiGatewayStage"),
    ("AWS::ApiGatewayV2::Api", "AwsApiGatewayV2Api"),
    ("AWS::ApiGatewayV2::Stage", "AwsApiGatewayV2Stage"),
    ("AWS::AutoScaling::AutoScalingGroup", "AwsAutoScalingAutoScalingGroup"),
    ("AWS::CertificateManager::Certificate", "AwsCertificateManagerCertificate"),
    ("AWS::CloudFormation::Stack", "AwsCloudFormationStack"),
    ("AWS::CloudFront::Distribution", "AwsCloudFrontDistribution"),
    ("AWS::CloudTrail::Trail", "AwsCloudTrailTrail"),
    ("AWS::CodeBuild::Project", "AwsCodeBuildProject"),
    ("AWS::DynamoDB::Table", "AwsDynamoDbTable"),
    ("AWS::EC2::EIP", "AwsEc2Eip"),
    ("AWS::EC2::Instance", "AwsEc2Instance"),
    ("AWS::EC2::LaunchTemplate", "AwsEc2LaunchTemplate"),
    ("AWS::EC2::NetworkAcl", "AwsEc2NetworkAcl"),
    ("AWS::EC2::NetworkInterface", "AwsEc2NetworkInterface"),
    ("AWS::EC2::RouteTable", "AwsEc2RouteTable"),
    ("AWS::EC2::SecurityGroup", "AwsEc2SecurityGroup"),
    ("AWS::EC2::Subnet", "AwsEc2Subnet"),
    ("AWS::EC2::TransitGateway", "AwsEc2TransitGateway"),
    ("AWS::EC2::VPC", "AwsEc2Vpc"),
    ("AWS::EC2::Volume", "AwsEc2Volume"),
    ("AWS::ECR::Repository", "AwsEcrRepository"),
    ("AWS::ECS::Cluster", "AwsEcsCluster"),
    ("AWS::ECS::Service", "AwsEcsService"),
    ("AWS::ECS::TaskDefinition", "AwsEcsTaskDefinition"),
    ("AWS::EFS::AccessPoint", "AwsEfsAccessPoint"),
    ("AWS::EKS::Cluster", "AwsEksCluster"),
    ("AWS::ElasticLoadBalancing::LoadBalancer", "AwsElbLoadBalancer"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "AwsElbv2LoadBalancer"),
    ("AWS::Elasticsearch::Domain", "AwsElasticsearchDomain"),
    ("AWS::IAM::AccessKey", "AwsIamAccessKey"),
    ("AWS::IAM::Group", "AwsIamGroup"),
    ("AWS::IAM::ManagedPolicy", "AwsIamPolicy"),
    ("AWS::IAM::Policy", "AwsIamPolicy"),
    ("AWS::IAM::Role", "AwsIamRole"),
    ("AWS::IAM::User", "AwsIamUser"),
    ("AWS::KMS::Key", "AwsKmsKey"),
    ("AWS::Kinesis::Stream", "AwsKinesisStream"),
    ("AWS::Lambda::Function", "AwsLambdaFunction"),
    ("AWS::OpenSearchService::Domain", "AwsOpenSearchServiceDomain"),
    ("AWS::RDS::DBCluster", "AwsRdsDbCluster"),
    ("AWS::RDS::DBClusterSnapshot", "AwsRdsDbClusterSnapshot"),
    ("AWS::RDS::DBInstance", "AwsRdsDbInstance"),
    ("AWS::RDS::DBSnapshot", "AwsRdsDbSnapshot"),
    ("AWS::Redshift::Cluster", "AwsRedshiftCluster"),
    ("AWS::S3::AccessPoint", "AwsS3AccessPoint"),
    ("AWS::S3::Bucket", "AwsS3Bucket"),
    ("AWS::SNS::Topic", "AwsSnsTopic"),
    ("AWS::SQS::Queue", "AwsSqsQueue"),
    ("AWS::SageMaker::NotebookInstance", "AwsSageMakerNotebookInstance"),
    ("AWS::SecretsManager::Secret", "AwsSecretsManagerSecret"),
    ("AWS::StepFunctions::StateMachine", "AwsStepFunctionStateMachine"),
];

/// ASFF's name of a CloudFormation type: `AwsS3Bucket`, or `Other`.
pub fn resource_type(cloudformation: &str) -> &'static str {
    RESOURCE_TYPES.iter().find(|(known, _)| *known == cloudformation).map_or("Other", |(_, name)| *name)
}

impl Finding {
    /// Whether there ever was something to tell of it: a rule matched, it was found wrong, or could not be inspected. An event that turned out
    /// harmless leaves a finding too, which nobody else has to hear of.
    pub fn is_of_interest(&self) -> bool {
        self.rule.is_some()
            || self.compliance == Some(Compliance::NonCompliant)
            || matches!(self.stage, Stage::Failed)
            || self.occurrences_forgotten > 0
            || self.occurrences.iter().any(|occurrence| occurrence.found_at.is_some())
    }

    /// The `Id` that the finding has in Security Hub.
    pub fn asff_id(&self) -> String {
        format!("{OURS}{}", self.id)
    }

    /// The finding in ASFF, as its account's own product. `controls` are those of its guardrail.
    ///
    /// `Workflow` and `UserDefinedFields` are taken by Security Hub from the first import alone, and are its users' from then on; that the
    /// problem is gone it sees by `Compliance.Status`, which resolves the workflow.
    pub fn asff(&self, controls: &[String]) -> Value {
        let severity = json!({"Label": self.severity, "Original": self.severity});
        let types = match self.rule {
            Some(_) => json!(["TTPs"]),
            None => json!(["Software and Configuration Checks/AWS Security Best Practices"]),
        };
        let requirements: Vec<String> =
            controls.iter().take(REQUIREMENTS_LIMIT).map(|control| cut(control, REQUIREMENT_LIMIT)).collect();
        let mut compliance = json!({"Status": self.asff_compliance()});
        if let (false, Some(compliance)) = (requirements.is_empty(), compliance.as_object_mut()) {
            compliance.insert("RelatedRequirements".to_owned(), json!(requirements));
        }
        let last_seen = self.current().map_or(self.created_at, |occurrence| occurrence.event_at.max(self.created_at));
        json!({
            "SchemaVersion": "2018-10-08",
            "Id": cut(&self.asff_id(), ID_LIMIT),
            "ProductArn": format!(
                "arn:{}:securityhub:{}:{account}:product/{account}/default",
                partition(&self.region), self.region, account = self.account,
            ),
            "ProductName": "Rectify",
            "GeneratorId": cut(&format!("{OURS}{}", self.guardrail), ID_LIMIT),
            "AwsAccountId": self.account,
            "Region": self.region,
            "Types": types,
            "FirstObservedAt": self.created_at,
            "LastObservedAt": last_seen,
            "CreatedAt": self.created_at,
            "UpdatedAt": self.updated_at,
            "Severity": severity,
            "Title": text(&self.title, &self.guardrail, TITLE_LIMIT),
            "Description": text(&self.reason, &text(&self.title, &self.guardrail, TITLE_LIMIT), DESCRIPTION_LIMIT),
            "Remediation": {"Recommendation": {"Text": cut(&self.recommendation(), RECOMMENDATION_LIMIT)}},
            "ProductFields": self.product_fields(),
            "UserDefinedFields": {"RectifyFindingId": self.id, "RectifyGuardrail": cut(&self.guardrail, FIELD_LIMIT)},
            "Resources": [self.asff_resource()],
            "Compliance": compliance,
            "Workflow": {"Status": self.status},
            "RecordState": if self.is_archived() { "ARCHIVED" } else { "ACTIVE" },
            "FindingProviderFields": {"Severity": severity, "Types": types},
        })
    }

    fn asff_compliance(&self) -> &'static str {
        match self.compliance {
            _ if self.stage == Stage::Failed && self.compliance != Some(Compliance::NonCompliant) => "WARNING",
            Some(Compliance::NonCompliant) => "FAILED",
            Some(Compliance::Compliant) => "PASSED",
            Some(Compliance::NotApplicable) | None => "NOT_AVAILABLE",
        }
    }

    /// Whether the resource is not there any more.
    fn is_gone(&self) -> bool {
        self.status == WorkflowStatus::Resolved && self.compliance == Some(Compliance::NotApplicable)
    }

    /// What is gone is of no interest any more, nor what a person dealt with, since no inspection says so; what was fixed stays, and has
    /// passed.
    fn is_archived(&self) -> bool {
        self.is_gone() || (self.rule.is_some() && self.status == WorkflowStatus::Resolved)
    }

    fn asff_resource(&self) -> Value {
        let kind = resource_type(&self.resource_type);
        let id = self.resource_arn().unwrap_or_else(|| self.resource.clone());
        let mut resource = json!({"Type": kind, "Id": cut(&id, ID_LIMIT), "Region": self.region});
        let Some(members) = resource.as_object_mut() else { return resource };
        if let Some(partition) = asff_partition(&self.region) {
            members.insert("Partition".to_owned(), Value::from(partition));
        }
        if kind == "Other" {
            let type_of = text(&self.resource_type, "unknown", FIELD_LIMIT);
            members.insert("Details".to_owned(), json!({"Other": {"CloudFormationType": type_of}}));
        }
        resource
    }

    /// The resource's ARN, where its type's format is known.
    pub(super) fn resource_arn(&self) -> Option<String> {
        arn(&self.resource_type, &self.resource, &self.account, &self.region)
    }

    /// What was decided and done, for people and automations: texts that are empty are none.
    fn product_fields(&self) -> Map<String, Value> {
        let occurrence = self.current();
        let decision = occurrence.and_then(|occurrence| occurrence.decision).map(|decision| json!(decision));
        let fields = [
            ("Stage", json!(self.stage).as_str().map(str::to_owned)),
            ("Version", Some(self.version.to_string())),
            ("Occurrence", Some(self.occurrence.to_string())),
            ("Decision", decision.and_then(|decision| decision.as_str().map(str::to_owned))),
            ("Why", occurrence.and_then(|occurrence| occurrence.why.clone())),
            ("Owner", occurrence.and_then(|occurrence| owner_of(&occurrence.owner))),
            ("Person", occurrence.and_then(|occurrence| occurrence.answer.as_ref()?.person.clone())),
            ("SuppressedUntil", self.suppressed_until.map(|until| until.to_string())),
        ];
        let fields =
            fields.into_iter().filter_map(|(name, value)| Some((name, value.filter(|v| !v.trim().is_empty())?)));
        fields.map(|(name, value)| (format!("{OURS}{name}"), Value::from(cut(&value, FIELD_LIMIT)))).collect()
    }

    /// What is to be done about it, in a sentence or two.
    pub(super) fn recommendation(&self) -> String {
        let id = &self.id;
        match self.stage {
            Stage::Inspecting | Stage::Fixing | Stage::Undoing => "Rectify is at work on it: wait.".to_owned(),
            Stage::WaitingForAPerson => format!(
                "Answer the question that it waits with: `rectify findings approve {id}` fixes it, `--deny` leaves it."
            ),
            Stage::Fixed => format!("Nothing: it was fixed. `rectify findings undo {id}` takes the fix back."),
            Stage::Undone if self.is_gone() => "Nothing: the resource is gone.".to_owned(),
            Stage::Undone => "Its fix was taken back: fix it by hand, or leave it as it is.".to_owned(),
            Stage::Compliant => "Nothing: it is as it should be.".to_owned(),
            _ if self.rule.is_some() && self.status == WorkflowStatus::Resolved => {
                "Nothing: a person dealt with it.".to_owned()
            }
            _ if self.rule.is_some() && self.status != WorkflowStatus::Suppressed => format!(
                "Look at what was done and by whom: `rectify findings show {id}`. `rectify findings resolve {id}` says that it is dealt with."
            ),
            Stage::Failed => format!("See why the response failed: `rectify findings show {id}`. Fix it by hand."),
            _ if self.current().and_then(|occurrence| occurrence.decision) == Some(Decision::Leave) => {
                format!("Nothing: it is left alone. `rectify findings show {id}` tells why.")
            }
            _ => format!(
                "Fix it by hand, or let the guardrail `{}` do so (mode `fix`); `rectify findings except {id}` leaves it alone.",
                self.guardrail
            ),
        }
    }
}

/// The likeliest owner that the function `owner` named.
fn owner_of(owner: &Value) -> Option<String> {
    let first = owner.as_array()?.first()?;
    ["Email", "Name"].iter().find_map(|name| first.get(name)?.as_str()).map(str::to_owned)
}

/// ASFF's names of partitions differ from ARNs' where AWS keeps secrets; some it does not know.
fn asff_partition(region: &str) -> Option<&'static str> {
    match partition(region) {
        known @ ("aws" | "aws-cn" | "aws-us-gov") => Some(known),
        "aws-iso" => Some("aws-us-iso"),
        "aws-iso-b" => Some("aws-us-iso-b"),
        _ => None,
    }
}

/// A text that has to say something, else another.
fn text(text: &str, otherwise: &str, limit: usize) -> String {
    cut(if text.trim().is_empty() { otherwise } else { text }, limit)
}

/// The first characters of a text, `…` last where it was longer.
fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_sorted_and_known_once() {
        assert!(RESOURCE_TYPES.is_sorted_by(|(one, _), (other, _)| one < other));
        let check = |kind: &str, expected: &str| assert_eq!(resource_type(kind), expected);
        check("AWS::S3::Bucket", "AwsS3Bucket");
        check("AWS::EC2::VPC", "AwsEc2Vpc");
        check("AWS::EFS::FileSystem", "Other");
        check("", "Other");
    }

    #[test]
    fn texts_are_cut_at_characters() {
        let check = |given: &str, limit: usize, expected: &str| assert_eq!(cut(given, limit), expected);
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        check("äöüß", 3, "äö…");
        assert_eq!(text(" \n", "title", 9), "title");
    }
}
