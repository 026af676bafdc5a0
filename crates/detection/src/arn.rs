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

/// What an ARN, or an id, says of a resource of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// Its id within its account and Region.
    pub id: &'a str,
    /// The account; empty where it is not said.
    pub account: &'a str,
    /// The Region; empty where it is not said.
    pub region: &'a str,
}

/// The resource of a type that an ARN or an id names, the way back from [`arn`]: an ARN of a type whose format is not known here is the
/// id itself. `None` where the ARN is one of another type.
pub fn named_by<'a>(resource_type: &str, name: &'a str) -> Option<Named<'a>> {
    if !name.starts_with("arn:") {
        return Some(Named { id: name, account: "", region: "" });
    }
    let mut parts = name.splitn(6, ':').skip(2);
    let (service, region, account, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let Some((_, format)) = FORMATS.iter().find(|(known, _)| *known == resource_type) else {
        return Some(Named { id: name, account, region });
    };
    let mut wanted = format.splitn(6, ':').skip(2);
    let (wanted_service, before) = (wanted.next()?, wanted.nth(2)?.strip_suffix("${Id}")?);
    let id = rest.strip_prefix(before).filter(|id| service == wanted_service && !id.is_empty())?;
    // A path is no part of a name in IAM.
    let id = if service == "iam" { id.rsplit('/').next()? } else { id };
    Some(Named { id, account, region })
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
    fn the_way_back() {
        let check = |kind: &str, name: &str, expected: Option<(&str, &str, &str)>| {
            let found = named_by(kind, name).map(|named| (named.id, named.account, named.region));
            assert_eq!(found, expected, "{kind} {name}");
        };
        check("AWS::S3::Bucket", "arn:aws:s3:::b", Some(("b", "", "")));
        check("AWS::S3::Bucket", "b", Some(("b", "", "")));
        check("AWS::S3::Bucket", "arn:aws:sqs:us-east-1:123456789012:b", None);
        let group = "arn:aws-cn:ec2:cn-north-1:123456789012:security-group/sg-1";
        check("AWS::EC2::SecurityGroup", group, Some(("sg-1", "123456789012", "cn-north-1")));
        check("AWS::EC2::Instance", group, None);
        check("AWS::IAM::Role", "arn:aws:iam::123456789012:role/a/path/r", Some(("r", "123456789012", "")));
        check(
            "AWS::SNS::Topic",
            "arn:aws:sns:us-east-1:123456789012:t",
            Some(("arn:aws:sns:us-east-1:123456789012:t", "123456789012", "us-east-1")),
        );
        for (kind, _) in FORMATS {
            let made = arn(kind, "an-id", "123456789012", "us-east-1").unwrap();
            assert_eq!(named_by(kind, &made).map(|named| named.id), Some("an-id"), "{made}");
        }
        check("AWS::S3::Bucket", "arn:aws", None);
    }

    #[test]
    fn formats_are_sorted_and_known_once() {
        assert!(FORMATS.is_sorted_by(|(one, _), (other, _)| one < other));
    }
}
