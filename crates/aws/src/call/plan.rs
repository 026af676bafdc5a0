//! What is to be sent where: all of a call that needs no network.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::presigned::Presign;
use super::{Call, CallError, moved};
use crate::endpoint::{self, Endpoint, Wish};
use crate::model::{self, Operation, Service};
use crate::names::{error_prefix, hint};
use crate::options::Options;
use crate::protocol::{self, Request};
use crate::{checksum, parameters};

/// A call that can be sent.
#[derive(Debug)]
pub(super) struct Plan {
    pub service: Arc<Service>,
    /// The operation's own name.
    pub name: String,
    pub operation: Arc<Operation>,
    pub region: String,
    pub endpoint: Endpoint,
    pub request: Request,
    pub presign: Option<Presign>,
    /// S3's.
    pub bucket: Option<String>,
    /// Whether the endpoint is the account's own, and has to be asked for.
    pub discovers: bool,
    /// Whether a second time does no harm.
    pub repeatable: bool,
}

/// The service, its operation's name and the operation, if it can be called.
fn find(service: &str, action: &str) -> Result<(Arc<Service>, String, Arc<Operation>), CallError> {
    let unknown = |message: String| CallError::Unknown { message };
    let Some(found) = model::service(service) else {
        let near = match model::name_elsewhere(service) {
            Some(name) => format!("; Step Functions calls it `{name}`"),
            None => hint(service, model::names()),
        };
        return Err(unknown(format!("the service `{service}` is not known{near}")));
    };
    let Some((name, operation)) = found.operation(action) else {
        let actions = actions(&found);
        let near = hint(action, actions.iter().map(String::as_str));
        return Err(unknown(format!("the service `{service}` has no action `{action}`{near}")));
    };
    let metadata = &found.metadata;
    if !protocol::supported(&metadata.protocol) {
        return Err(unknown(format!(
            "the service `{service}` speaks only {}, which is not supported",
            metadata.protocol
        )));
    }
    if !is_anonymous(operation) && matches!(metadata.signature_version.as_str(), "v2" | "bearer") {
        let version = &metadata.signature_version;
        return Err(unknown(format!(
            "the service `{service}` wants signatures of kind {version}, which is not supported"
        )));
    }
    let nodes =
        [&operation.input, &operation.output].into_iter().filter_map(|reference| found.node(reference.as_ref()));
    if nodes.into_iter().any(|node| node.streams_events()) {
        return Err(unknown(format!("`{service}:{action}` is an event stream, which is not supported")));
    }
    let (name, operation) = (name.to_owned(), operation.clone());
    Ok((found, name, operation))
}

/// Whether the operation wants no signature at all.
pub(super) fn is_anonymous(operation: &Operation) -> bool {
    operation.authtype.as_deref() == Some("none") || operation.auth.iter().any(|auth| auth == "smithy.api#noAuth")
}

pub(super) fn check(service: &str, action: &str) -> Result<(), CallError> {
    find(service, action).map(drop)
}

/// First letters lower case.
pub(super) fn actions(service: &Service) -> Vec<String> {
    let lower = |name: &String| {
        let mut characters = name.chars();
        characters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + characters.as_str())
    };
    service.operations.keys().map(lower).collect()
}

/// Looks everything up, checks the parameters, writes the request.
pub(super) fn make(call: &Call, options: &Options) -> Result<Plan, CallError> {
    let (service, name, operation) = find(&call.service, &call.action)?;
    let refuse_for = |message: String, problems| CallError::Parameters {
        message: format!("{}:{}: {message}", call.service, call.action),
        problems,
    };
    let refuse = |message: String| refuse_for(message, Vec::new());
    let token = call.idempotency_token.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let mut parameters = call.parameters.clone();
    let presign = Presign::of(&service, &name, &operation, &mut parameters);
    let bound = parameters::bind(service.node(operation.input.as_ref()), &parameters, &token)
        .map_err(|problems| refuse_for(parameters::told(&problems), problems))?;
    let region = region(call, &service, &bound, options);
    let bound = bucket_place(&service, &name, bound, &region);
    let custom = options.endpoint(&service.metadata.service_id);
    if let Some(url) = custom.filter(|url| !is_url(url)) {
        return Err(client(&service, &format!("the endpoint `{url}` is no URL that begins with http:// or https://")));
    }
    let wish = Wish { region: &region, custom, fips: options.fips, dual_stack: options.dual_stack };
    let endpoint = endpoint::resolve(&service, &operation, &bound, &wish).map_err(|error| client(&service, &error))?;
    if let Some(scheme) = endpoint.scheme.as_deref().filter(|scheme| !matches!(*scheme, "sigv4" | "sigv4a")) {
        return Err(CallError::Unknown {
            message: format!(
                "{}:{} to {} wants {scheme} signatures, which are not supported",
                call.service, call.action, endpoint.url
            ),
        });
    }
    let mut request = protocol::request(&service, &name, &operation, &bound).map_err(refuse)?;
    checksum::add(&service, &operation, &bound, options.checksums, &mut request).map_err(refuse)?;
    let repeatable = is_repeatable(&service, &name, &operation);
    let discovers =
        custom.is_none() && operation.endpoint_discovery.as_ref().is_some_and(|discovery| discovery.required);
    let bucket = moved::bucket(&bound);
    Ok(Plan { service, name, operation, region, endpoint, request, presign, bucket, discovers, repeatable })
}

/// The one asked for; else a queue's is its host's; else the process's own.
fn region(call: &Call, service: &Service, bound: &Value, options: &Options) -> String {
    if let Some(region) = &call.region {
        return region.clone();
    }
    let queue = bound.get("QueueUrl").and_then(Value::as_str).filter(|_| service.metadata.service_id == "SQS");
    queue.and_then(queue_region).map_or_else(|| options.region.clone(), str::to_owned)
}

/// As the SDK for Java 2 does: a bucket is made in the Region that is called, unless the parameters say otherwise.
fn bucket_place(service: &Service, name: &str, mut bound: Value, region: &str) -> Value {
    let wanted = service.is_s3() && name == "CreateBucket" && region != "us-east-1";
    if let (true, Some(members)) = (wanted, bound.as_object_mut()) {
        let configuration = members.entry("CreateBucketConfiguration").or_insert_with(|| json!({}));
        if let Some(place) = configuration.as_object_mut().filter(|place| !place.contains_key("Location")) {
            place.entry("LocationConstraint").or_insert_with(|| Value::from(region));
        }
    }
    bound
}

/// `https://sqs.eu-west-1.amazonaws.com/123456789012/name`
fn queue_region(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split('/').next()?;
    let (region, rest) = host.strip_prefix("sqs.")?.split_once('.')?;
    rest.starts_with("amazonaws.com").then_some(region)
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty()) && text.parse::<http::Uri>().is_ok()
}

fn is_repeatable(service: &Service, name: &str, operation: &Operation) -> bool {
    let rest = service.metadata.protocol.starts_with("rest-");
    let input = service.node(operation.input.as_ref());
    operation.idempotent
        || operation.readonly
        || (rest && matches!(operation.http.method.as_str(), "GET" | "HEAD" | "PUT" | "DELETE"))
        || ["BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Search"]
            .iter()
            .any(|start| name.starts_with(start))
        || input.is_some_and(|input| input.members().any(|(_, member)| member.reference.idempotency_token))
}

/// An error before or instead of an answer.
pub(super) fn client(service: &Service, cause: &str) -> CallError {
    CallError::Client {
        name: format!("{}.SdkClientException", error_prefix(&service.metadata.service_id)),
        cause: cause.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_called() {
        for (service, action, expected) in [
            ("s3", "putPublicAccessBlock", None),
            ("sfn", "startExecution", None),
            ("s4", "putPublicAccessBlock", Some("the service `s4` is not known; did you mean `")),
            (
                "stepfunctions",
                "startExecution",
                Some("the service `stepfunctions` is not known; Step Functions calls it `sfn`"),
            ),
            (
                "s3",
                "putPublicAccesBlock",
                Some("the service `s3` has no action `putPublicAccesBlock`; did you mean `putPublicAccessBlock`?"),
            ),
            ("s3", "selectObjectContent", Some("`s3:selectObjectContent` is an event stream, which is not supported")),
            ("s3", "PutBucketAcl", Some("the service `s3` has no action `PutBucketAcl`; did you mean `putBucketAcl`?")),
            ("s3", "", Some("the service `s3` has no action ``")),
        ] {
            let message = check(service, action).err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(message, None),
                Some(start) => {
                    assert!(message.as_ref().is_some_and(|message| message.starts_with(start)), "{message:?}")
                }
            }
        }
    }

    /// What is refused by name, all of it: docs/calling-apis.md tells of it.
    #[test]
    fn what_can_not_be_called() {
        let (mut services, mut streams) = (std::collections::BTreeSet::new(), Vec::new());
        for name in model::names() {
            let service = model::service(name).unwrap();
            for action in actions(&service) {
                let Err(refused) = check(name, &action) else { continue };
                if refused.to_string().ends_with("is an event stream, which is not supported") {
                    streams.push(format!("{name}:{action}"));
                } else {
                    services.insert(name);
                }
            }
        }
        let services: Vec<&str> = services.into_iter().collect();
        assert_eq!(services, ["accountaccessruntime", "codecatalyst", "importexport", "simpledb"]);
        assert_eq!(streams, STREAMS);
    }

    const STREAMS: &[&str] = &[
        "bedrockagentcore:invokeAgentRuntimeCommand",
        "bedrockagentcore:invokeCodeInterpreter",
        "bedrockagentcore:invokeHarness",
        "bedrockagentruntime:agenticRetrieveStream",
        "bedrockagentruntime:invokeAgent",
        "bedrockagentruntime:invokeFlow",
        "bedrockagentruntime:invokeInlineAgent",
        "bedrockagentruntime:optimizePrompt",
        "bedrockagentruntime:retrieveAndGenerateStream",
        "bedrockruntime:converseStream",
        "bedrockruntime:invokeModelWithBidirectionalStream",
        "bedrockruntime:invokeModelWithResponseStream",
        "cloudwatchlogs:getLogObject",
        "cloudwatchlogs:startLiveTail",
        "connecthealth:startMedicalScribeListeningSession",
        "devopsagent:sendMessage",
        "healthlake:updateProfileWithAgent",
        "iotsitewise:invokeAssistant",
        "kinesis:subscribeToShard",
        "lambda:invokeWithResponseStream",
        "lexruntimev2:startConversation",
        "polly:startSpeechSynthesisStream",
        "qbusiness:chat",
        "s3:selectObjectContent",
        "sagemakerruntime:invokeEndpointWithResponseStream",
    ];

    #[test]
    fn regions_of_queues() {
        for (url, region) in [
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", Some("eu-west-1")),
            ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", Some("cn-north-1")),
            ("http://127.0.0.1:5000/123456789012/q", None),
        ] {
            assert_eq!(queue_region(url), region, "{url}");
        }
    }
}
