//! An API as its model describes it: botocore's JSON, less what no call needs.

mod store;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

#[cfg(test)]
pub(crate) use store::speaking;
pub(crate) use store::{endpoint_rules, ids, name_elsewhere, names, service};

/// A service.
#[derive(Debug, Deserialize)]
pub(crate) struct Service {
    pub metadata: Metadata,
    pub operations: IndexMap<String, Arc<Operation>>,
    /// Each in a place of its own: a table of thousands is moved as it grows.
    pub shapes: HashMap<String, Box<Shape>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub api_version: String,
    #[serde(default)]
    pub aws_query_compatible: Option<Value>,
    pub endpoint_prefix: String,
    #[serde(default)]
    pub json_version: Option<String>,
    pub protocol: String,
    pub service_id: String,
    pub signature_version: String,
    #[serde(default)]
    pub signing_name: Option<String>,
    #[serde(default)]
    pub target_prefix: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    pub http: Http,
    #[serde(default)]
    pub input: Option<Reference>,
    #[serde(default)]
    pub output: Option<Reference>,
    #[serde(default)]
    pub errors: Vec<String>,
    #[serde(default)]
    pub auth: Vec<String>,
    #[serde(default)]
    pub authtype: Option<String>,
    #[serde(default)]
    pub endpoint: Option<HostPrefix>,
    #[serde(default, rename = "endpointdiscovery")]
    pub endpoint_discovery: Option<EndpointDiscovery>,
    #[serde(default)]
    pub http_checksum: Option<HttpChecksum>,
    #[serde(default)]
    pub http_checksum_required: bool,
    #[serde(default)]
    pub idempotent: bool,
    #[serde(default)]
    pub readonly: bool,
    #[serde(default)]
    pub static_context_params: BTreeMap<String, StaticValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub method: String,
    pub request_uri: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostPrefix {
    pub host_prefix: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EndpointDiscovery {
    #[serde(default)]
    pub required: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HttpChecksum {
    #[serde(default)]
    pub request_algorithm_member: Option<String>,
    #[serde(default)]
    pub request_checksum_required: bool,
    #[serde(default)]
    pub response_algorithms: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StaticValue {
    pub value: Value,
}

/// What a value looks like.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shape {
    pub r#type: Type,
    #[serde(default)]
    pub members: IndexMap<String, Reference>,
    #[serde(default)]
    pub member: Option<Reference>,
    #[serde(default)]
    pub key: Option<Reference>,
    #[serde(default)]
    pub value: Option<Reference>,
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(default)]
    pub payload: Option<String>,
    #[serde(default)]
    pub document: bool,
    /// The strings it can be; kept of what is answered only, as `min` and `max` are.
    #[serde(default)]
    pub r#enum: Vec<String>,
    /// The least number, the fewest characters or elements.
    #[serde(default)]
    pub min: Option<f64>,
    /// The greatest number, the most characters or elements.
    #[serde(default)]
    pub max: Option<f64>,
    #[serde(default)]
    pub eventstream: bool,
    #[serde(default)]
    pub exception: bool,
    #[serde(default)]
    pub error: Option<ErrorTrait>,
    #[serde(flatten)]
    pub traits: Traits,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    Structure,
    List,
    Map,
    String,
    Boolean,
    Integer,
    Long,
    Float,
    Double,
    Timestamp,
    Blob,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ErrorTrait {
    #[serde(default)]
    pub code: Option<String>,
}

/// What a shape and a reference to it can both say; the reference has the last word.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Traits {
    #[serde(default)]
    flattened: bool,
    #[serde(default)]
    location_name: Option<String>,
    #[serde(default)]
    timestamp_format: Option<String>,
    #[serde(default)]
    xml_namespace: Option<XmlNamespace>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum XmlNamespace {
    Uri(String),
    Full {
        uri: String,
        #[serde(default)]
        prefix: Option<String>,
    },
}

/// The use of a shape.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub shape: String,
    #[serde(default)]
    pub context_param: Option<ContextParam>,
    #[serde(default)]
    pub idempotency_token: bool,
    #[serde(default)]
    pub jsonvalue: bool,
    #[serde(default)]
    pub location: Option<Location>,
    #[serde(default)]
    pub query_name: Option<String>,
    #[serde(default)]
    pub result_wrapper: Option<String>,
    #[serde(default)]
    pub xml_attribute: bool,
    #[serde(flatten)]
    pub traits: Traits,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ContextParam {
    pub name: String,
}

/// Where a member travels, if not in the body.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Location {
    Header,
    Headers,
    Querystring,
    StatusCode,
    Uri,
}

impl Service {
    /// The operation of an action, whose first letter is a small one, and its own name.
    pub fn operation(&self, action: &str) -> Option<(&str, &Arc<Operation>)> {
        let name =
            action.split_at_checked(1).filter(|(first, _)| first.bytes().all(|letter| letter.is_ascii_lowercase()));
        let name = name.map(|(first, rest)| first.to_ascii_uppercase() + rest)?;
        let found = self.operations.get_key_value(name.as_str()).or_else(|| self.operations.get_key_value(action));
        found.map(|(name, operation)| (name.as_str(), operation))
    }

    pub fn node<'m>(&'m self, reference: Option<&'m Reference>) -> Option<Node<'m>> {
        let reference = reference?;
        let shape = self.shapes.get(&reference.shape)?;
        Some(Node { service: self, reference, shape })
    }

    /// S3 has ways of its own.
    pub fn is_s3(&self) -> bool {
        self.metadata.service_id == "S3"
    }

    pub fn signing_name(&self) -> &str {
        self.metadata.signing_name.as_deref().unwrap_or(&self.metadata.endpoint_prefix)
    }
}

/// A shape in its use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'m> {
    pub service: &'m Service,
    pub reference: &'m Reference,
    pub shape: &'m Shape,
}

impl<'m> Node<'m> {
    pub fn r#type(&self) -> Type {
        self.shape.r#type
    }

    /// The name on the wire, where it isn't the member's own.
    pub fn location_name(&self) -> Option<&'m str> {
        self.reference.traits.location_name.as_deref().or(self.shape.traits.location_name.as_deref())
    }

    pub fn flattened(&self) -> bool {
        self.reference.traits.flattened || self.shape.traits.flattened
    }

    pub fn timestamp_format(&self) -> Option<&'m str> {
        self.reference.traits.timestamp_format.as_deref().or(self.shape.traits.timestamp_format.as_deref())
    }

    /// URI and prefix.
    pub fn xml_namespace(&self) -> Option<(&'m str, Option<&'m str>)> {
        let namespace = self.reference.traits.xml_namespace.as_ref().or(self.shape.traits.xml_namespace.as_ref())?;
        Some(match namespace {
            XmlNamespace::Uri(uri) => (uri, None),
            XmlNamespace::Full { uri, prefix } => (uri, prefix.as_deref()),
        })
    }

    /// A structure's members in the model's order.
    pub fn members(&self) -> impl Iterator<Item = (&'m str, Node<'m>)> + use<'m> {
        let service = self.service;
        let members = self.shape.members.iter();
        members.filter_map(move |(name, reference)| Some((name.as_str(), service.node(Some(reference))?)))
    }

    pub fn member(&self, name: &str) -> Option<Node<'m>> {
        self.service.node(self.shape.members.get(name))
    }

    /// The member that is the whole body.
    pub fn payload(&self) -> Option<(&'m str, Node<'m>)> {
        let name = self.shape.payload.as_deref()?;
        Some((name, self.member(name)?))
    }

    /// A list's elements.
    pub fn item(&self) -> Option<Node<'m>> {
        self.service.node(self.shape.member.as_ref())
    }

    pub fn map_key(&self) -> Option<Node<'m>> {
        self.service.node(self.shape.key.as_ref())
    }

    pub fn map_value(&self) -> Option<Node<'m>> {
        self.service.node(self.shape.value.as_ref())
    }

    pub fn location(&self) -> Option<Location> {
        self.reference.location
    }

    /// Whether it carries an event stream: itself, or one of its members.
    pub fn streams_events(&self) -> bool {
        self.shape.eventstream || self.members().any(|(_, member)| member.shape.eventstream)
    }
}
