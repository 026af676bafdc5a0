//! The functions of endpoint rules.
//!
//! <https://smithy.io/2.0/additional-specs/rules-engine/standard-library.html>, <https://smithy.io/2.0/aws/rules-engine/library-functions.html>

use serde_json::{Value, json};

/// Null is "not set".
pub(super) fn call(name: &str, arguments: &[Value], partitions: &Value) -> Result<Value, String> {
    let argument = |at: usize| arguments.get(at).unwrap_or(&Value::Null);
    let text = |at: usize| argument(at).as_str();
    Ok(match name {
        "isSet" => json!(!argument(0).is_null()),
        "not" => json!(matches!(argument(0), Value::Null | Value::Bool(false))),
        "stringEquals" | "booleanEquals" => json!(!argument(0).is_null() && argument(0) == argument(1)),
        "getAttr" => get_attr(argument(0), text(1).unwrap_or_default()),
        "substring" => text(0).and_then(|text| substring(text, arguments)).map_or(Value::Null, Value::from),
        "isValidHostLabel" => json!(text(0).is_some_and(|text| is_host_label(text, argument(1) == &Value::Bool(true)))),
        "uriEncode" => text(0).map_or(Value::Null, |text| Value::from(crate::protocol::escape(text))),
        "parseURL" => text(0).and_then(parse_url).unwrap_or_default(),
        "aws.partition" => text(0).and_then(|region| partition(region, partitions)).unwrap_or_default(),
        "aws.parseArn" => text(0).and_then(parse_arn).unwrap_or_default(),
        "aws.isVirtualHostableS3Bucket" => {
            json!(text(0).is_some_and(|name| is_bucket_label(name, argument(1) == &Value::Bool(true))))
        }
        other => return Err(format!("the endpoint rules call the unknown function {other}")),
    })
}

/// `name.other[0]`
pub(super) fn get_attr(value: &Value, path: &str) -> Value {
    let mut value = value;
    for part in path.split('.') {
        let (name, index) =
            part.split_once('[').map_or((part, None), |(name, index)| (name, Some(index.trim_end_matches(']'))));
        if !name.is_empty() {
            value = value.get(name).unwrap_or(&Value::Null);
        }
        if let Some(index) = index {
            value = index.parse::<usize>().ok().and_then(|index| value.get(index)).unwrap_or(&Value::Null);
        }
    }
    value.clone()
}

/// From `start` to before `stop`, counted from the end where the last argument says so; of ASCII only.
fn substring(text: &str, arguments: &[Value]) -> Option<String> {
    let number = |at: usize| usize::try_from(arguments.get(at)?.as_u64()?).ok();
    let (start, stop) = (number(1)?, number(2)?);
    if !text.is_ascii() || start >= stop || text.len() < stop {
        return None;
    }
    let reverse = arguments.get(3) == Some(&Value::Bool(true));
    let range = if reverse { text.len() - stop..text.len() - start } else { start..stop };
    text.get(range).map(str::to_owned)
}

/// A label of a host, or with `dots` several.
pub(super) fn is_host_label(text: &str, dots: bool) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
    };
    if dots { text.split('.').all(label) } else { label(text) }
}

fn is_bucket_label(name: &str, dots: bool) -> bool {
    let label = |label: &str| {
        (3..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.parse::<std::net::Ipv4Addr>().is_err() && if dots { name.split('.').all(label) } else { label(name) }
}

fn parse_url(text: &str) -> Option<Value> {
    let (scheme, rest) = text.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    if rest.contains(['?', '#']) {
        return None;
    }
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let normalized = if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
    let host = authority
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(authority, |(host, _)| host);
    let is_ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    Some(json!({"scheme": scheme, "authority": authority, "path": path, "normalizedPath": normalized, "isIp": is_ip}))
}

/// By the Region's name, else by its pattern. An unknown Region is AWS's own partition's if it looks like one.
fn partition(region: &str, partitions: &Value) -> Option<Value> {
    let all = || partitions.get("partitions").and_then(Value::as_array).into_iter().flatten();
    let known = all().find(|partition| partition.get("regions").is_some_and(|regions| regions.get(region).is_some()));
    let by_pattern = || {
        all().find(|partition| {
            partition.get("regionRegex").and_then(Value::as_str).is_some_and(|regex| fits(region, regex))
        })
    };
    let aws = || all().find(|partition| partition.get("id").is_some_and(|id| id == "aws"));
    let found = known.or_else(by_pattern).or_else(aws)?;
    let mut outputs = found.get("outputs")?.clone();
    outputs.as_object_mut()?.insert("name".to_owned(), found.get("id")?.clone());
    Some(outputs)
}

/// All patterns are `^(us|eu|…)\-\w+\-\d+$` or `^us\-gov\-\w+\-\d+$`: a prefix, a word, a number.
fn fits(region: &str, regex: &str) -> bool {
    let pattern = regex.trim_start_matches('^').trim_end_matches('$').replace('\\', "");
    let Some(prefix) = pattern.strip_suffix("-w+-d+") else { return false };
    let prefixes = prefix.trim_start_matches('(').trim_end_matches(')').split('|');
    prefixes.into_iter().any(|prefix| {
        let rest =
            region.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).and_then(|rest| rest.split_once('-'));
        rest.is_some_and(|(word, number)| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

fn parse_arn(text: &str) -> Option<Value> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    let (arn, partition, service, region, account, resource) = (next()?, next()?, next()?, next()?, next()?, next()?);
    if arn != "arn" || partition.is_empty() || service.is_empty() || resource.is_empty() {
        return None;
    }
    let resource: Vec<&str> = resource.split([':', '/']).collect();
    Some(
        json!({"partition": partition, "service": service, "region": region, "accountId": account, "resourceId": resource}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_as_specified() {
        let partitions = crate::model::endpoint_rules("S3").unwrap().0;
        for (name, arguments, expected) in [
            ("substring", json!(["testInput", 0, 4, false]), json!("test")),
            ("substring", json!(["testInput", 0, 4, true]), json!("nput")),
            ("substring", json!(["abc", 0, 4, false]), json!(null)),
            ("isValidHostLabel", json!(["a.b", false]), json!(false)),
            ("isValidHostLabel", json!(["a.b", true]), json!(true)),
            ("uriEncode", json!(["a b/c"]), json!("a%20b%2Fc")),
            ("not", json!([false]), json!(true)),
            ("isSet", json!([null]), json!(false)),
            ("getAttr", json!([{"a": {"b": ["x", "y"]}}, "a.b[1]"]), json!("y")),
            (
                "parseURL",
                json!(["https://1.2.3.4:8/x"]),
                json!({"scheme": "https", "authority": "1.2.3.4:8", "path": "/x", "normalizedPath": "/x/", "isIp": true}),
            ),
            ("aws.isVirtualHostableS3Bucket", json!(["my.bucket", false]), json!(false)),
            ("aws.isVirtualHostableS3Bucket", json!(["Bucket", false]), json!(false)),
            ("aws.isVirtualHostableS3Bucket", json!(["bucket", false]), json!(true)),
            (
                "aws.parseArn",
                json!(["arn:aws:s3:r:1:accesspoint/x"]),
                json!({"partition": "aws", "service": "s3", "region": "r", "accountId": "1", "resourceId": ["accesspoint", "x"]}),
            ),
            ("aws.parseArn", json!(["arn:aws:s3"]), json!(null)),
        ] {
            assert_eq!(call(name, arguments.as_array().unwrap(), &partitions).unwrap(), expected, "{name} {arguments}");
        }
    }

    #[test]
    fn partitions_by_name_and_by_pattern() {
        let partitions = crate::model::endpoint_rules("S3").unwrap().0;
        for (region, name) in [
            ("eu-west-1", "aws"),
            ("us-moon-7", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-mars-1", "aws-us-gov"),
            ("elsewhere", "aws"),
        ] {
            assert_eq!(partition(region, &partitions).unwrap()["name"], name, "{region}");
        }
    }
}
