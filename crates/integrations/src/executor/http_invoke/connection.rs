//! An EventBridge connection: how it authorizes, by EventBridge, and with what, by its secret in Secrets Manager.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection.html>

use std::fmt;

use aws::{Aws, Call, CallError};
use engine::ports::Task;
use http::{HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Executor, Failure};
use crate::executor::http_parameters;

/// Attempts and seconds for each of the two questions.
const ATTEMPTS: u32 = 3;
const TIMEOUT_SECONDS: u64 = 10;

/// A connection with its secrets. What is in it is shown nowhere.
pub(super) struct Connection {
    pub arn: String,
    /// Changes with the connection: a token fetched for another one is not good.
    pub version: String,
    pub authorization: Authorization,
    headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub body: Vec<(String, String)>,
}

pub(super) enum Authorization {
    ApiKey { name: String, value: SecretString },
    Basic { username: String, password: SecretString },
    OAuth(OAuth),
}

/// Client credentials.
pub(super) struct OAuth {
    pub endpoint: String,
    pub method: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub body: Vec<(String, String)>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl Connection {
    /// One that adds nothing to a request, for those who may not see its secrets.
    pub(super) fn bare(&self) -> Connection {
        Connection {
            arn: self.arn.clone(),
            version: String::new(),
            authorization: Authorization::ApiKey { name: String::new(), value: String::new().into() },
            headers: Vec::new(),
            query: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The header that proves who calls, where it needs no token.
    pub(super) fn header(&self) -> Result<Option<(HeaderName, HeaderValue)>, Failure> {
        let (name, value) = match &self.authorization {
            Authorization::ApiKey { name, value } => (name.as_str(), value.expose_secret().to_owned()),
            Authorization::Basic { username, password } => (header::AUTHORIZATION.as_str(), basic(username, password)),
            Authorization::OAuth(_) => return Ok(None),
        };
        self.secret_header(name, &value).map(Some)
    }

    /// The further headers of the connection.
    pub(super) fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
        self.headers.iter().map(|(name, value)| self.secret_header(name, value)).collect()
    }

    fn secret_header(&self, name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Failure> {
        let (name, mut value) = http_parameters::header(name, value).ok_or_else(|| {
            failure("InvalidConnectionState", &self.arn, "one of its headers has characters that none takes")
        })?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

/// `Basic …`
pub(super) fn basic(username: &str, password: &SecretString) -> String {
    format!("Basic {}", aws::base64(format!("{username}:{}", password.expose_secret())))
}

pub(super) fn failure(kind: &str, arn: &str, why: &str) -> Failure {
    Failure { error: format!("Events.ConnectionResource.{kind}"), cause: format!("The connection {arn}: {why}") }
}

impl Executor {
    /// The connection of that ARN, asked for anew each time, as AWS does: keys change.
    pub(super) async fn connection(&self, task: &Task, arn: &str) -> Result<Connection, Failure> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "events", region, _, resource] = parts.as_slice() else {
            return Err(failure("ResourceNotFound", arn, "this is not the ARN of a connection"));
        };
        let Some(name) = resource.strip_prefix("connection/").and_then(|rest| rest.split('/').next()) else {
            return Err(failure("ResourceNotFound", arn, "this is not the ARN of a connection"));
        };
        let role = task.scheduled.role_arn.as_deref();
        let question = |service: &str, action: &str, parameters: Value| Call {
            service: service.to_owned(),
            action: action.to_owned(),
            parameters,
            region: Some((*region).to_owned()),
            role_arn: role.map(str::to_owned),
            idempotency_token: None,
            attempts: ATTEMPTS,
            timeout_seconds: TIMEOUT_SECONDS,
            answer_bytes: None,
        };
        let described =
            ask(&self.aws, question("eventbridge", "describeConnection", json!({"Name": name})), arn).await?;
        let state = text(&described, "ConnectionState").unwrap_or_default();
        match state.as_str() {
            "AUTHORIZED" | "ACTIVE" => {}
            "AUTHORIZING" | "CREATING" | "UPDATING" => {
                return Err(failure("AuthInProgress", arn, &format!("its state is {state}")));
            }
            _ => return Err(failure("InvalidConnectionState", arn, &format!("its state is {state}"))),
        }
        if described.pointer("/InvocationConnectivityParameters/ResourceParameters").is_some() {
            return Err(failure(
                "InvalidPrivateConnectionState",
                arn,
                "private connections (VPC Lattice) can't be used outside AWS",
            ));
        }
        let Some(secret_arn) = text(&described, "SecretArn") else {
            return Err(failure("InternalError", arn, "EventBridge names no secret of it"));
        };
        let secret =
            ask(&self.aws, question("secretsmanager", "getSecretValue", json!({"SecretId": secret_arn})), arn).await?;
        let version = text(&secret, "VersionId").unwrap_or_default();
        let secret = text(&secret, "SecretString").and_then(|text| serde_json::from_str(&text).ok());
        let secret: Value = secret.ok_or_else(|| failure("InternalError", arn, "its secret is no JSON"))?;
        read(arn, version, &described, &secret)
            .ok_or_else(|| failure("InternalError", arn, "its secret lacks what its kind of authorization needs"))
    }
}

async fn ask(aws: &Aws, call: Call, arn: &str) -> Result<Value, Failure> {
    aws.call(call).await.map_err(|error| {
        let kind = match &error {
            CallError::Service { code, .. } if code.contains("AccessDenied") => "AccessDenied",
            CallError::Service { code, .. } if code.contains("NotFound") => "ResourceNotFound",
            _ => "InternalError",
        };
        failure(kind, arn, &error.to_string())
    })
}

/// The secret's fields are those of the connection's parameters, in small letters with underscores.
fn read(arn: &str, version: String, described: &Value, secret: &Value) -> Option<Connection> {
    let shown = &described["AuthParameters"];
    let kind = text(described, "AuthorizationType")?;
    let authorization = match kind.as_str() {
        "API_KEY" => Authorization::ApiKey {
            name: find(secret, "api_key_name").or_else(|| find(&shown["ApiKeyAuthParameters"], "ApiKeyName"))?,
            value: find(secret, "api_key_value")?.into(),
        },
        "BASIC" => Authorization::Basic {
            username: find(secret, "username").or_else(|| find(&shown["BasicAuthParameters"], "Username"))?,
            password: find(secret, "password")?.into(),
        },
        "OAUTH_CLIENT_CREDENTIALS" => {
            let (inner, shown) = (&secret["client_parameters"], &shown["OAuthParameters"]);
            let of_client = |name: &str| find(secret, name).or_else(|| find(inner, name));
            let parameters = [&secret["oauth_http_parameters"], &secret["o_auth_http_parameters"]];
            let parameters =
                parameters.into_iter().find(|each| each.is_object()).unwrap_or(&shown["OAuthHttpParameters"]);
            Authorization::OAuth(OAuth {
                endpoint: find(secret, "authorization_endpoint").or_else(|| find(shown, "AuthorizationEndpoint"))?,
                method: find(secret, "http_method")
                    .or_else(|| find(shown, "HttpMethod"))
                    .unwrap_or_else(|| "POST".to_owned()),
                client_id: of_client("client_id").or_else(|| find(&shown["ClientParameters"], "ClientID"))?,
                client_secret: of_client("client_secret")?.into(),
                headers: pairs(parameters, "header_parameters"),
                query: pairs(parameters, "query_string_parameters"),
                body: pairs(parameters, "body_parameters"),
            })
        }
        _ => return None,
    };
    let parameters = Some(&secret["invocation_http_parameters"]).filter(|each| each.is_object());
    let parameters = parameters.unwrap_or(&shown["InvocationHttpParameters"]);
    Some(Connection {
        arn: arn.to_owned(),
        version,
        authorization,
        headers: pairs(parameters, "header_parameters"),
        query: pairs(parameters, "query_string_parameters"),
        body: pairs(parameters, "body_parameters"),
    })
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

/// A member by its name, however it is spelled: `api_key_name`, `ApiKeyName`.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let bare = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let wanted = bare(name);
    value.as_object()?.iter().find(|(key, _)| bare(key) == wanted).map(|(_, value)| value)
}

fn find(value: &Value, name: &str) -> Option<String> {
    member(value, name)?.as_str().map(str::to_owned)
}

/// `[{key, value, is_value_secret}]`
fn pairs(parameters: &Value, name: &str) -> Vec<(String, String)> {
    let entries = member(parameters, name).and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| Some((find(entry, "key")?, find(entry, "value").unwrap_or_default()))).collect()
}
