//! Where a call goes and how it is signed: AWS's own endpoint rule sets, interpreted.
//!
//! <https://smithy.io/2.0/additional-specs/rules-engine/specification.html>

mod functions;
mod rules;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Map, Value};

use crate::model::{Operation, Service, endpoint_rules};

/// Rule sets kept; beyond it all are dropped and read again when needed.
const KEPT_RULE_SETS: usize = 64;

/// An endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Endpoint {
    /// Scheme, host, and where there is one a path without a slash at its end.
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// `sigv4`, unless the rules say otherwise.
    pub scheme: Option<String>,
    pub signing_name: Option<String>,
    pub signing_region: Option<String>,
    /// Of `sigv4a`, with commas.
    pub region_set: Option<String>,
}

/// What the caller's configuration says about endpoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish<'a> {
    pub region: &'a str,
    /// The endpoint instead of the service's own.
    pub custom: Option<&'a str>,
    pub fips: bool,
    pub dual_stack: bool,
}

/// The endpoint of an operation with its bound parameters.
pub(crate) fn resolve(
    service: &Service,
    operation: &Operation,
    parameters: &Value,
    wish: &Wish<'_>,
) -> Result<Endpoint, String> {
    if !functions::is_host_label(wish.region, false) {
        return Err(format!("`{}` is no name of a Region, as eu-west-1 is", wish.region));
    }
    let id = &service.metadata.service_id;
    let sets = rule_set(id).ok_or_else(|| format!("no endpoint rules for {id}"))?;
    let given = given(service, operation, parameters, wish);
    let endpoint = rules::evaluate(&sets.rules, &sets.partitions, given)?;
    host_prefix(service, operation, parameters, wish, endpoint)
}

struct RuleSet {
    partitions: Value,
    rules: Value,
}

fn rule_set(id: &str) -> Option<Arc<RuleSet>> {
    static KEPT: OnceLock<Mutex<HashMap<String, Arc<RuleSet>>>> = OnceLock::new();
    let mut kept = KEPT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(set) = kept.get(id) {
        return Some(set.clone());
    }
    let (partitions, rules) = endpoint_rules(id)?;
    let set = Arc::new(RuleSet { partitions, rules });
    if kept.len() >= KEPT_RULE_SETS {
        kept.clear();
    }
    kept.insert(id.to_owned(), set.clone());
    Some(set)
}

/// The rule set's parameters: configuration, what the operation fixes, what its members say.
fn given(service: &Service, operation: &Operation, parameters: &Value, wish: &Wish<'_>) -> Map<String, Value> {
    let mut given = Map::new();
    let mut put = |name: &str, value: Value| drop(given.insert(name.to_owned(), value));
    put("Region", Value::from(wish.region));
    put("UseFIPS", Value::from(wish.fips));
    put("UseDualStack", Value::from(wish.dual_stack));
    if let Some(custom) = wish.custom {
        put("Endpoint", Value::from(custom.trim_end_matches('/')));
        put("ForcePathStyle", Value::from(true));
    }
    if service.is_s3() {
        put("DisableS3ExpressSessionAuth", Value::from(true));
    }
    let input = service.node(operation.input.as_ref());
    for (name, member) in input.into_iter().flat_map(|node| node.members()) {
        if let (Some(context), Some(value)) = (&member.reference.context_param, parameters.get(name)) {
            put(&context.name, value.clone());
        }
    }
    for (name, fixed) in &operation.static_context_params {
        put(name, fixed.value.clone());
    }
    given
}

/// An operation may want labels before the host. A custom endpoint on this machine, at an address, or at a name of one label
/// (a container's) has no such names.
fn host_prefix(
    service: &Service,
    operation: &Operation,
    parameters: &Value,
    wish: &Wish<'_>,
    mut endpoint: Endpoint,
) -> Result<Endpoint, String> {
    let Some(prefix) = &operation.endpoint else { return Ok(endpoint) };
    let (scheme, rest) = endpoint.url.split_once("://").ok_or_else(|| format!("not a URL: {}", endpoint.url))?;
    let mut filled = prefix.host_prefix.clone();
    for (name, _) in service.node(operation.input.as_ref()).into_iter().flat_map(|node| node.members()) {
        if let Some(text) = parameters.get(name).and_then(Value::as_str) {
            let label = format!("{{{name}}}");
            if filled.contains(&label) && !functions::is_host_label(text, false) {
                return Err(format!("the field `{name}` becomes part of the host and can't be {text:?}"));
            }
            filled = filled.replace(&label, text);
        }
    }
    // S3 Control's rules have put it there already.
    let bare = rest.strip_prefix(filled.as_str()).unwrap_or(rest);
    let filled = if wish.custom.is_some() && is_local(bare) { "" } else { filled.as_str() };
    endpoint.url = format!("{scheme}://{filled}{bare}");
    Ok(endpoint)
}

fn is_local(authority: &str) -> bool {
    let host = authority.split('/').next().unwrap_or_default();
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    !host.contains('.') || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(service: &str, action: &str, parameters: Value, region: &str, custom: Option<&str>, expected: &str) {
        let service = crate::model::service(service).unwrap();
        let (_, operation) = service.operation(action).unwrap();
        let wish = Wish { region, custom, ..Wish::default() };
        let told = match resolve(&service, operation, &parameters, &wish) {
            Ok(endpoint) => [Some(endpoint.url), endpoint.signing_name, endpoint.signing_region]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error,
        };
        assert_eq!(told, expected, "{action} {parameters} {region}");
    }

    #[test]
    fn endpoints_as_aws_has_them() {
        let bucket = json!({"Bucket": "my-bucket"});
        check(
            "s3",
            "getBucketAcl",
            bucket.clone(),
            "eu-west-1",
            None,
            "https://my-bucket.s3.eu-west-1.amazonaws.com s3 eu-west-1",
        );
        check(
            "s3",
            "getBucketAcl",
            json!({"Bucket": "my.bucket"}),
            "eu-west-1",
            None,
            "https://s3.eu-west-1.amazonaws.com/my.bucket s3 eu-west-1",
        );
        check("s3", "listBuckets", json!({}), "us-east-1", None, "https://s3.us-east-1.amazonaws.com s3 us-east-1");
        check(
            "s3",
            "getBucketAcl",
            bucket,
            "eu-west-1",
            Some("http://127.0.0.1:5000"),
            "http://127.0.0.1:5000/my-bucket s3 eu-west-1",
        );
        check(
            "s3",
            "getObject",
            json!({"Bucket": "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine", "Key": "k"}),
            "eu-west-1",
            None,
            "https://mine-123456789012.s3-accesspoint.eu-west-1.amazonaws.com s3 eu-west-1",
        );
        let account = json!({"AccountId": "123456789012"});
        check(
            "s3control",
            "getPublicAccessBlock",
            account.clone(),
            "eu-west-1",
            None,
            "https://123456789012.s3-control.eu-west-1.amazonaws.com s3 eu-west-1",
        );
        check(
            "s3control",
            "getPublicAccessBlock",
            account.clone(),
            "eu-west-1",
            Some("http://127.0.0.1:5000"),
            "http://127.0.0.1:5000 s3 eu-west-1",
        );
        check(
            "s3control",
            "getPublicAccessBlock",
            account,
            "eu-west-1",
            Some("https://aws.example/x"),
            "https://123456789012.aws.example/x s3 eu-west-1",
        );
        check("iam", "listUsers", json!({}), "eu-west-1", None, "https://iam.amazonaws.com us-east-1");
        check("iam", "listUsers", json!({}), "cn-north-1", None, "https://iam.cn-north-1.amazonaws.com.cn cn-north-1");
        check("iam", "listUsers", json!({}), "us-gov-west-1", None, "https://iam.us-gov.amazonaws.com us-gov-west-1");
        check("sts", "getCallerIdentity", json!({}), "eu-west-1", None, "https://sts.eu-west-1.amazonaws.com");
        check("ec2", "describeInstances", json!({}), "cn-north-1", None, "https://ec2.cn-north-1.amazonaws.com.cn");
        check("sqs", "listQueues", json!({}), "us-gov-west-1", None, "https://sqs.us-gov-west-1.amazonaws.com");
        check(
            "securityhub",
            "getFindings",
            json!({}),
            "eu-west-1",
            None,
            "https://securityhub.eu-west-1.amazonaws.com",
        );
        check(
            "lambda",
            "listFunctions",
            json!({}),
            "ap-southeast-2",
            None,
            "https://lambda.ap-southeast-2.amazonaws.com",
        );
        check("sfn", "startSyncExecution", json!({}), "eu-west-1", None, "https://sync-states.eu-west-1.amazonaws.com");
        check("route53", "listHostedZones", json!({}), "eu-west-1", None, "https://route53.amazonaws.com us-east-1");
        check("dynamodb", "listTables", json!({}), "eu-west-1", None, "https://dynamodb.eu-west-1.amazonaws.com");
        check(
            "sqs",
            "listQueues",
            json!({}),
            "not a region",
            None,
            "`not a region` is no name of a Region, as eu-west-1 is",
        );
    }

    #[test]
    fn local_hosts() {
        for (host, local) in [
            ("127.0.0.1:5000", true),
            ("[::1]:80", true),
            ("localhost", true),
            ("moto:5000", true),
            ("aws.example:443/path", false),
        ] {
            assert_eq!(is_local(host), local, "{host}");
        }
    }
}
