//! How `aws-sdk` tasks of Step Functions name services, members and errors: as the AWS SDK for Java 2 does.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html>

/// `Cost and Usage Report Service` → `costandusagereport`: the service in `arn:aws:states:::aws-sdk:SERVICE:action`.
pub(crate) fn service_name(service_id: &str) -> String {
    let id = service_id.strip_suffix(" Service").unwrap_or(service_id);
    id.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// `DynamoDB` → `DynamoDb`, `SFN` → `Sfn`: what comes before an error's name.
pub(crate) fn error_prefix(service_id: &str) -> String {
    pascal_case(service_id.strip_suffix(" Service").unwrap_or(service_id))
}

/// `NoSuchBucket` → `NoSuchBucketException`, `DBInstanceNotFoundFault` → `DbInstanceNotFoundException`.
pub(crate) fn exception_name(shape: &str) -> String {
    let name = shape.strip_suffix("Fault").or_else(|| shape.strip_suffix("Exception")).unwrap_or(shape);
    pascal_case(name) + "Exception"
}

/// The name of a structure's member in parameters and results: the setter's of the AWS SDK for Java 2, with a capital first. Leading
/// capitals become small but for the one that begins a word: `DBInstances` → `DbInstances`, `ACL` → `Acl`, `ETag` → `ETag`.
///
/// <https://github.com/aws/aws-sdk-java-v2>: `Utils.unCapitalize` of its code generator.
pub(crate) fn member_name(name: &str) -> String {
    if name == "equals" {
        return "EqualsValue".to_owned(); // every Java object has `equals` already
    }
    let characters: Vec<char> = name.chars().collect();
    let capital = |at: usize| characters.get(at).is_some_and(char::is_ascii_uppercase);
    let small = |at: usize| characters.get(at).is_some_and(char::is_ascii_lowercase);
    let mut end = 1;
    while capital(end) && !small(end + 1) {
        end += 1;
    }
    let letters = characters.iter().enumerate();
    letters
        .map(|(at, letter)| match at {
            0 => letter.to_ascii_uppercase(),
            at if at < end => letter.to_ascii_lowercase(),
            _ => *letter,
        })
        .collect()
}

/// The name with a capital first.
pub(crate) fn capitalized(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + characters.as_str())
}

/// Java's: words end before a capital that follows a small letter, before the last capital of several when a small letter
/// follows, and after a digit; of each word the first letter is a capital and no other.
fn pascal_case(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    let mut start = true;
    for (position, &character) in characters.iter().enumerate() {
        if !character.is_ascii_alphanumeric() {
            start = true;
            continue;
        }
        let previous = position.checked_sub(1).and_then(|before| characters.get(before)).copied().unwrap_or(' ');
        let next = characters.get(position + 1).copied().unwrap_or(' ');
        let begins = character.is_ascii_uppercase()
            && ((previous.is_ascii_lowercase() && next.is_ascii_alphanumeric())
                || (previous.is_ascii_uppercase() && next.is_ascii_lowercase()));
        let after_digit = previous.is_ascii_digit() && character.is_ascii_alphabetic();
        let letter = if start || begins || after_digit {
            character.to_ascii_uppercase()
        } else {
            character.to_ascii_lowercase()
        };
        out.push(letter);
        start = false;
    }
    out
}

/// Of the known names the one that was probably meant, if any is near.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted = name.to_ascii_lowercase();
    let limit = (name.len() / 3).max(2);
    let near = known.map(|other| (distance(&wanted, &other.to_ascii_lowercase()), other));
    near.filter(|(distance, _)| *distance <= limit).min().map(|(_, other)| other)
}

/// `; did you mean X?`, or nothing.
pub(crate) fn hint<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Levenshtein's.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&right) {
            let above = *cell;
            *cell = (diagonal + usize::from(from != *to)).min(above + 1).min(before + 1);
            diagonal = above;
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services() {
        for (id, name, prefix) in [
            ("S3", "s3", "S3"),
            ("S3 Control", "s3control", "S3Control"),
            ("EC2", "ec2", "Ec2"),
            ("SFN", "sfn", "Sfn"),
            ("DynamoDB", "dynamodb", "DynamoDb"),
            ("Secrets Manager", "secretsmanager", "SecretsManager"),
            ("CloudWatch Logs", "cloudwatchlogs", "CloudWatchLogs"),
            ("Config Service", "config", "Config"),
            ("Cost and Usage Report Service", "costandusagereport", "CostAndUsageReport"),
            ("ACM PCA", "acmpca", "AcmPca"),
            ("SecurityHub", "securityhub", "SecurityHub"),
            ("IoT", "iot", "Iot"),
            ("Elastic Load Balancing v2", "elasticloadbalancingv2", "ElasticLoadBalancingV2"),
            ("Route 53", "route53", "Route53"),
            ("CloudHSM V2", "cloudhsmv2", "CloudHsmV2"),
            ("Lex Runtime Service", "lexruntime", "LexRuntime"),
        ] {
            assert_eq!((service_name(id).as_str(), error_prefix(id).as_str()), (name, prefix), "{id}");
        }
    }

    #[test]
    fn exceptions_and_members() {
        for (shape, name) in [
            ("NoSuchBucket", "NoSuchBucketException"),
            ("ResourceNotFoundException", "ResourceNotFoundException"),
            ("DBInstanceNotFoundFault", "DbInstanceNotFoundException"),
            ("KMSInvalidStateException", "KmsInvalidStateException"),
            ("InvalidIPRangeException", "InvalidIpRangeException"),
        ] {
            assert_eq!(exception_name(shape), name);
        }
        for (member, name) in [
            ("taskToken", "TaskToken"),
            ("equals", "EqualsValue"),
            ("GroupId", "GroupId"),
            ("ACL", "Acl"),
            ("DBInstanceIdentifier", "DbInstanceIdentifier"),
            ("ETag", "ETag"),
            ("MultiAZ", "MultiAZ"),
            ("SSEKMSKeyId", "SsekmsKeyId"),
        ] {
            assert_eq!(member_name(member), name);
        }
    }

    #[test]
    fn near_names() {
        for (name, near) in [("putPublicAccesBlock", Some("putPublicAccessBlock")), ("quite something else", None)] {
            assert_eq!(nearest(name, ["getBucketAcl", "putPublicAccessBlock"].into_iter()), near);
        }
    }
}
