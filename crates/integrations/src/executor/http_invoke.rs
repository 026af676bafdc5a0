//! `arn:aws:states:::http:invoke`: an HTTPS API, with the credentials of an EventBridge connection.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html>

mod connection;
mod form;
#[cfg(test)]
mod tests;
mod token;
mod trace;

use std::time::Duration;

use aws::http::{Destinations, HttpClient, SendError};
use bytes::Bytes;
use connection::Connection;
use engine::ports::Task;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Map, Value};
use token::Tokens;
pub(super) use trace::Tracing;

use super::{
    Executor, Failure, home, http_answer,
    http_parameters::{Parameters, with_query},
};
use crate::figures::HttpResult;

const RESOURCE: &str = "http:invoke";

const KNOWN: &[&str] = &[
    "ApiEndpoint",
    "Method",
    "Authentication",
    "InvocationConfig",
    "Headers",
    "QueryParameters",
    "RequestBody",
    "Transform",
];

/// Headers that a Task can't set, and beginnings of such.
const RESERVED: &[&str] = &[
    "a-im",
    "accept-charset",
    "accept-datetime",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-md5",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "range",
    "referer",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "warning",
];
const RESERVED_BEGINNINGS: &[&str] = &["x-amz-", "x-amzn-", "x-forwarded-"];

/// For a whole call. What takes longer is `States.Http.Socket`.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Of an answer: what a Task's result can hold, and a little for what is no longer escaped in it.
const ANSWER_BYTES: usize = 512 * 1024;
/// Answers of such types are refused, as AWS does.
const BINARY: &[&str] = &["application/octet-stream", "image/", "video/", "audio/"];

/// The client of other people's APIs, and the tokens that their connections were given.
#[derive(Debug)]
pub(super) struct HttpTasks {
    pub client: HttpClient,
    tokens: Tokens,
}

impl HttpTasks {
    pub(super) fn new(destinations: Destinations) -> HttpTasks {
        HttpTasks { client: HttpClient::guarded(destinations), tokens: Tokens::default() }
    }
}

impl Executor {
    pub(super) async fn invoke_http(&self, task: &Task, tracing: Option<&Tracing>) -> Result<Value, Failure> {
        let outcome = match tokio::time::timeout(TIMEOUT, self.invoke_within(task, tracing)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(socket(format!("no answer within {} s", TIMEOUT.as_secs()))),
        };
        let error = outcome.as_ref().err().map(|failure| failure.error.as_str());
        self.figures.http_requests.of(HttpResult::of(error)).increment();
        outcome
    }

    async fn invoke_within(&self, task: &Task, tracing: Option<&Tracing>) -> Result<Value, Failure> {
        let parameters = Parameters::new(RESOURCE, &task.scheduled.arguments, KNOWN)?;
        let wanted = Wanted::new(&parameters)?;
        let connection = self.connection(task, &wanted.connection_arn).await?;
        let (region, _) = home(task)?;
        let mut request = wanted.request(&parameters, &connection, region)?;
        let fresh = self.authorize(&mut request, &connection).await?;
        if let Some(tracing) = tracing {
            // What the connection adds is left out by asking anew without it.
            let shown = if tracing.reveal_secrets {
                &request
            } else {
                &wanted.request(&parameters, &connection.bare(), region)?
            };
            tracing.sent(shown);
        }
        let mut answer = self.send(request.clone()).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && fresh == Some(false) {
            // The token that was kept may have been taken back.
            self.http.tokens.forget(&connection);
            self.authorize(&mut request, &connection).await?;
            answer = self.send(request).await?;
        }
        if let Some(tracing) = tracing {
            tracing.answered(&answer);
        }
        refuse_binary(&answer)?;
        http_answer::shown(&answer, "States.Http.StatusCode.", str::to_owned)
    }

    /// Adds what the connection proves itself with. For a token: whether it was fetched just now.
    async fn authorize(&self, request: &mut Request<Bytes>, connection: &Connection) -> Result<Option<bool>, Failure> {
        if let Some((name, value)) = connection.header()? {
            request.headers_mut().insert(name, value);
            return Ok(None);
        }
        let (token, fresh) = self.http.tokens.of(connection, &self.http.client).await?;
        request.headers_mut().insert(header::AUTHORIZATION, token);
        Ok(Some(fresh))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        self.http.client.send(request, TIMEOUT, ANSWER_BYTES).await.map_err(lost)
    }
}

fn lost(error: SendError) -> Failure {
    if error.denied {
        return Failure { error: "States.Http.AccessDenied".to_owned(), cause: error.message };
    }
    socket(error.message)
}

fn socket(cause: String) -> Failure {
    Failure { error: "States.Http.Socket".to_owned(), cause }
}

fn refuse_binary(answer: &Response<Bytes>) -> Result<(), Failure> {
    let kind = http_answer::content_type(answer).unwrap_or_default();
    let binary = BINARY.iter().any(|start| kind.starts_with(start));
    if binary || std::str::from_utf8(answer.body()).is_err() {
        return Err(Failure::runtime(format!(
            "the answer (status {}, content type `{kind}`) is no text, which an HTTP Task can't show",
            answer.status().as_u16()
        )));
    }
    Ok(())
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_BEGINNINGS.iter().any(|start| name.starts_with(start))
}

/// What the Task's parameters say, but for what goes into the request as it is.
struct Wanted<'a> {
    method: &'a str,
    endpoint: &'a str,
    connection_arn: String,
    /// How lists are written where the body is to be a form.
    form: Option<form::Lists>,
}

impl<'a> Wanted<'a> {
    fn new(parameters: &Parameters<'a>) -> Result<Wanted<'a>, Failure> {
        let mut connection_arn = None;
        for name in ["Authentication", "InvocationConfig"] {
            let arn = parameters.object(name)?.and_then(|entries| entries.get("ConnectionArn"));
            connection_arn = connection_arn.or(arn.and_then(Value::as_str));
        }
        let connection_arn = connection_arn.ok_or_else(|| {
            parameters.wrong("`Authentication.ConnectionArn` or `InvocationConfig.ConnectionArn` is required")
        })?;
        Ok(Wanted {
            method: parameters.method()?,
            endpoint: parameters.required("ApiEndpoint")?,
            connection_arn: connection_arn.to_owned(),
            form: form::lists(parameters)?,
        })
    }

    fn request(
        &self,
        parameters: &Parameters<'_>,
        connection: &Connection,
        region: &str,
    ) -> Result<Request<Bytes>, Failure> {
        let mut headers = HeaderMap::new();
        for (name, value) in parameters.headers(is_reserved)? {
            headers.append(name, value);
        }
        let body = self.body(parameters, connection)?;
        let kind = if self.form.is_some() { "application/x-www-form-urlencoded" } else { "application/json" };
        if body.is_some() && !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let agent = HeaderValue::from_str(&format!("Amazon|StepFunctions|HttpInvoke|{region}"));
        headers.insert(header::USER_AGENT, agent.map_err(|_| parameters.wrong("the Region is no text of a header"))?);
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-262144"));
        for (name, value) in connection.headers()? {
            headers.insert(name, value);
        }
        let mut query = parameters.pairs("QueryParameters")?;
        query.retain(|(name, _)| connection.query.iter().all(|(own, _)| own != name));
        query.extend(connection.query.iter().cloned());
        let mut request = Request::builder()
            .method(self.method)
            .uri(with_query(self.endpoint, &query))
            .body(Bytes::from(body.unwrap_or_default()))
            // The error's text might hold a query parameter of the connection.
            .map_err(|_| parameters.wrong("`ApiEndpoint` is no URL"))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// The connection's parameters win over the Task's.
    fn body(&self, parameters: &Parameters<'_>, connection: &Connection) -> Result<Option<String>, Failure> {
        let mut body = parameters.get("RequestBody").cloned();
        if !connection.body.is_empty() {
            let mut merged = match body {
                None => Map::new(),
                Some(Value::Object(entries)) => entries,
                Some(_) => {
                    return Err(
                        parameters.wrong("the connection has body parameters, so `RequestBody` must be an object")
                    );
                }
            };
            merged.extend(connection.body.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))));
            body = Some(Value::Object(merged));
        }
        Ok(match (body, self.form) {
            (None, _) => None,
            (Some(Value::String(text)), _) => Some(text),
            (Some(body), None) => Some(body.to_string()),
            (Some(Value::Object(entries)), Some(lists)) => Some(form::write(&entries, lists)),
            (Some(_), Some(_)) => return Err(parameters.wrong("`RequestBody` must be an object to become a form")),
        })
    }
}
