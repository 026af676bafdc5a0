//! Sending a call until there is an answer that stands.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use serde_json::Value;
use uuid::Uuid;

use super::plan::{self, Plan};
use super::{Aws, Call, CallError, moved};
use crate::counts::AttemptResult;
use crate::http::SendError;
use crate::model::{Operation, Service};
use crate::protocol::{self, Answer};
use crate::{checksum, retry, sign};

/// The longest answer that is read, where the call sets no other limit.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A call that went well.
pub(super) struct Performed {
    pub service: Arc<Service>,
    pub operation: Arc<Operation>,
    /// As the `aws-sdk` integration shows it.
    pub result: Value,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What came of one attempt.
enum Outcome {
    Done(Box<Performed>),
    Failed(Failure),
}

struct Failure {
    error: CallError,
    /// Whether another attempt may fare better.
    again: bool,
    /// Whether the credentials may be at fault.
    stale: bool,
    /// Whether the clock was at fault, and was corrected.
    skewed: bool,
    /// The Region where the bucket is.
    elsewhere: Option<String>,
    /// `Retry-After`.
    asked: Option<Duration>,
}

impl Aws {
    pub(super) async fn perform(&self, call: &Call) -> Result<Performed, CallError> {
        let mut plan = plan::make(call, &self.inner.options)?;
        let most = call.attempts.clamp(1, retry::MOST_ATTEMPTS);
        if plan.discovers {
            plan.endpoint.url = self.discover(&plan, call).await?;
        }
        let (mut renewed, mut corrected, mut moved) = (false, false, false);
        let mut attempt = 1;
        loop {
            let credentials = self.credentials(&plan, call.role_arn.as_deref()).await?;
            let failure = match self.attempt(&plan, call, credentials.as_ref(), attempt).await {
                Outcome::Done(performed) => {
                    self.inner.counts.count(&call.service, AttemptResult::Ok);
                    return Ok(*performed);
                }
                Outcome::Failed(failure) => failure,
            };
            self.inner.counts.count(&call.service, AttemptResult::of(&failure.error));
            if failure.skewed && !corrected {
                corrected = true;
                continue;
            }
            if let (Some(region), false) = (&failure.elsewhere, moved) {
                moved = true;
                plan = plan::make(&Call { region: Some(region.clone()), ..call.clone() }, &self.inner.options)?;
                continue;
            }
            if let (true, false, Some(refused)) = (failure.stale, renewed, &credentials) {
                // Once, and at once: new credentials may have come since these were read.
                renewed = true;
                self.inner.keys.slot(call.role_arn.as_deref()).forget(refused).await;
                if self.credentials(&plan, call.role_arn.as_deref()).await?.as_ref() != credentials.as_ref() {
                    continue;
                }
            }
            if !failure.again || attempt >= most {
                return Err(failure.error);
            }
            let wait = retry::wait(attempt, Uuid::new_v4().as_u64_pair().1, failure.asked);
            tracing::debug!(service = call.service, action = call.action, attempt, ?wait, error = %failure.error, "attempt again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, plan: &Plan, call: &Call, credentials: Option<&Credentials>, attempt: u32) -> Outcome {
        let request = match self.http_request(plan, credentials) {
            Ok(request) => request,
            Err(cause) => return Outcome::Failed(Failure::final_client(plan, &cause)),
        };
        let timeout = Duration::from_secs(call.timeout_seconds.max(1));
        match self.inner.options.http.send(request, timeout, call.answer_bytes.unwrap_or(ANSWER_BYTES)).await {
            Ok(answer) => self.read(plan, answer, attempt),
            Err(SendError { too_long: true, message, .. }) => {
                let error = CallError::TooLong { cause: message };
                Outcome::Failed(Failure { error, ..Failure::final_client(plan, "") })
            }
            Err(lost) => Outcome::Failed(Failure::lost(plan, &lost)),
        }
    }

    /// The request as it goes out, signed unless there are no credentials.
    fn http_request(&self, plan: &Plan, credentials: Option<&Credentials>) -> Result<Request<Bytes>, String> {
        let wire = &plan.request;
        let mut url = format!("{}{}", plan.endpoint.url, wire.path);
        for (position, (name, value)) in wire.query.iter().enumerate() {
            url.push(if position == 0 { '?' } else { '&' });
            url.push_str(&protocol::escape(name));
            if !value.is_empty() {
                url.push('=');
                url.push_str(&protocol::escape(value));
            }
        }
        let agent = format!("{}/{}", self.inner.options.application, env!("CARGO_PKG_VERSION"));
        let mut request = Request::builder().method(wire.method.as_str()).uri(url).header("user-agent", agent);
        for (name, value) in plan.endpoint.headers.iter().chain(&wire.headers) {
            let value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_| format!("a value for the header {name} has characters that no header takes"))?;
            request = request.header(name.as_str(), value);
        }
        let now = self.inner.clock.now();
        let body = match (&plan.presign, credentials) {
            (Some(presign), Some(credentials)) => presign.form(plan, credentials, now)?,
            _ => wire.body.clone(),
        };
        let mut request = request.body(Bytes::from(body)).map_err(|error| error.to_string())?;
        if let Some(credentials) = credentials {
            let endpoint = &plan.endpoint;
            let scope = sign::Scope {
                name: endpoint.signing_name.as_deref().unwrap_or(plan.service.signing_name()),
                region: endpoint.signing_region.as_deref().unwrap_or(&plan.region),
                region_set: endpoint.region_set.as_deref().filter(|_| endpoint.scheme.as_deref() == Some("sigv4a")),
                s3: plan.service.signing_name() == "s3" || endpoint.signing_name.as_deref() == Some("s3"),
                unsigned_body: plan.operation.authtype.as_deref() == Some("v4-unsigned-body"),
            };
            sign::apply(&mut request, credentials, scope, now)?;
        }
        Ok(request)
    }

    fn read(&self, plan: &Plan, answer: Response<Bytes>, attempt: u32) -> Outcome {
        let (parts, body) = answer.into_parts();
        let status = parts.status.as_u16();
        let answer = Answer { status, headers: &parts.headers, body: &body };
        let operation = &plan.operation;
        let Some(error) = protocol::read_error(&plan.service, operation, &answer) else {
            let result =
                checksum::verify(operation, &answer).and_then(|()| protocol::result(&plan.service, operation, &answer));
            return match result {
                Ok(result) => {
                    let (service, operation) = (plan.service.clone(), operation.clone());
                    let headers = parts.headers;
                    Outcome::Done(Box::new(Performed { service, operation, result, status, headers, body }))
                }
                Err(cause) => Outcome::Failed(Failure::final_client(plan, &cause)),
            };
        };
        let throttled = retry::is_throttling(&error.code, status);
        Outcome::Failed(Failure {
            again: throttled || (plan.repeatable && retry::is_transient(&error.code, status)),
            stale: retry::is_stale(&error.code),
            skewed: self.inner.clock.corrected(&error.code, &parts.headers),
            elsewhere: moved::elsewhere(plan, &error, &answer),
            asked: retry_after(&parts.headers),
            error: CallError::Service {
                name: error.name(&plan.service, operation),
                cause: error.cause(&plan.service, status, attempt),
                code: error.code,
                status,
                throttled,
            },
        })
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

impl Failure {
    fn final_client(plan: &Plan, cause: &str) -> Failure {
        let error = plan::client(&plan.service, cause);
        Failure { error, again: false, stale: false, skewed: false, elsewhere: None, asked: None }
    }

    fn lost(plan: &Plan, lost: &SendError) -> Failure {
        let cause = format!("Unable to execute HTTP request: {lost}");
        Failure { again: lost.never_sent || plan.repeatable, ..Failure::final_client(plan, &cause) }
    }
}
