//! ARNs of resources, from what their events name.
//!
//! Source: the "Resource types" tables of <https://docs.aws.amazon.com/service-authorization/latest/reference/>

/// Formats by CloudFormation type, in the placeholders of the Service Authorization Reference; `${Id}` is the resource's.
const FORMATS: &[(&str, &str)] = &[
    ("AWS::CloudTrail::Trail", "arn:${Partition}:cloudtrail:${Region}:${Account}:trail/${Id}"),
    ("AWS::DynamoDB::Table", "arn:${Partition}:dynamodb:${Region}:${Account}:table/${Id}"),
    ("AWS::EC2::Instance", "arn:${Partition}:ec2:${Region}:${Account}:instance/${Id}"),
    ("AWS::EC2::NetworkAcl", "arn:${Partition}:ec2:${Region}:${Account}:network-acl/${Id}"),
    ("AWS::EC2::SecurityGroup", "arn:${Partition}:ec2:${Region}:${Account}:security-group/${Id}"),
    ("AWS::EC2::Subnet", "arn:${Partition}:ec2:${Region}:${Account}:subnet/${Id}"),
    ("AWS::EC2::VPC", "arn:${Partition}:ec2:${Region}:${Account}:vpc/${Id}"),
    ("AWS::EC2::Volume", "arn:${Partition}:ec2:${Region}:${Account}:volume/${Id}"),
    ("AWS::ECR::Repository", "arn:${Partition}:ecr:${Region}:${Account}:repository/${Id}"),
    ("AWS::EFS::FileSystem", "arn:${Partition}:elasticfilesystem:${Region}:${Account}:file-system/${Id}"),
    ("AWS::EKS::Cluster", "arn:${Partition}:eks:${Region}:${Account}:cluster/${Id}"),
    ("AWS::IAM::Group", "arn:${Partition}:iam::${Account}:group/${Id}"),
    ("AWS::IAM::Role", "arn:${Partition}:iam::${Account}:role/${Id}"),
    ("AWS::IAM::User", "arn:${Partition}:iam::${Account}:user/${Id}"),
    ("AWS::KMS::Key", "arn:${Partition}:kms:${Region}:${Account}:key/${Id}"),
    ("AWS::Lambda::Function", "arn:${Partition}:lambda:${Region}:${Account}:function:${Id}"),
    ("AWS::Logs::LogGroup", "arn:${Partition}:logs:${Region}:${Account}:log-group:${Id}"),
    ("AWS::OpenSearchService::Domain", "arn:${Partition}:es:${Region}:${Account}:domain/${Id}"),
    ("AWS::RDS::DBCluster", "arn:${Partition}:rds:${Region}:${Account}:cluster:${Id}"),
    ("AWS::RDS::DBInstance", "arn:${Partition}:rds:${Region}:${Account}:db:${Id}"),
    ("AWS::Redshift::Cluster", "arn:${Partition}:redshift:${Region}:${Account}:cluster:${Id}"),
    ("AWS::S3::Bucket", "arn:${Partition}:s3:::${Id}"),
];

/// The ARN of a resource; `None` where its type's format is not known here. An id that is an ARN is the ARN.
pub fn arn(resource_type: &str, id: &str, account: &str, region: &str) -> Option<String> {
    if id.starts_with("arn:") {
        return Some(id.to_owned());
    }
    let (_, format) = FORMATS.iter().find(|(known, _)| *known == resource_type)?;
    let filled =
        format.replace("${Partition}", partition(region)).replace("${Region}", region).replace("${Account}", account);
    Some(filled.replace("${Id}", id))
}

/// The partition that a Region is in.
pub fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
        Some("us") if region.starts_with("us-iso-") => "aws-iso",
        Some("us") if region.starts_with("us-isob-") => "aws-iso-b",
        Some("eusc") => "aws-eusc",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns() {
        let check = |kind: &str, id: &str, region: &str, expected: Option<&str>| {
            assert_eq!(arn(kind, id, "123456789012", region).as_deref(), expected, "{kind} {id}");
        };
        check("AWS::S3::Bucket", "b", "us-east-1", Some("arn:aws:s3:::b"));
        check(
            "AWS::EC2::SecurityGroup",
            "sg-1",
            "cn-north-1",
            Some("arn:aws-cn:ec2:cn-north-1:123456789012:security-group/sg-1"),
        );
        check("AWS::IAM::User", "alice", "us-gov-west-1", Some("arn:aws-us-gov:iam::123456789012:user/alice"));
        check(
            "AWS::SNS::Topic",
            "arn:aws:sns:us-east-1:123456789012:t",
            "us-east-1",
            Some("arn:aws:sns:us-east-1:123456789012:t"),
        );
        check("AWS::SNS::Topic", "t", "us-east-1", None);
    }

    #[test]
    fn formats_are_sorted_and_known_once() {
        assert!(FORMATS.is_sorted_by(|(one, _), (other, _)| one < other));
    }
}
