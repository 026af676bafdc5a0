//! One call.

mod attempt;
mod clock;
mod discovery;
mod moved;
mod plan;
mod presigned;
mod role;
mod version_1;

use std::sync::Arc;

use bytes::Bytes;
use clock::Clock;
use discovery::Discovered;
use serde_json::Value;
use thiserror::Error;

use crate::conformity::{self, Nonconformity, Wanted};
use crate::counts::{AttemptResult, Counts};
use crate::credentials::Keys;
use crate::http::HttpClient;
use crate::model;
use crate::options::Options;
use crate::parameters::ParameterProblem;

pub(crate) use presigned::has_source_region;
pub use version_1::VersionOneAnswer;

/// A call of an AWS API, named as the `aws-sdk` integration of Step Functions names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The service, as in `arn:aws:states:::aws-sdk:SERVICE:action`: `s3`, `ec2`, `sfn`, `cloudwatchlogs` …
    pub service: String,
    /// The action, its first letter lower case: `putPublicAccessBlock`.
    pub action: String,
    /// Its parameters, members' first letters upper case.
    pub parameters: Value,
    /// The Region; `None` is the process's own.
    pub region: Option<String>,
    /// The role to assume first.
    pub role_arn: Option<String>,
    /// Fills the operation's idempotency token member, where it has one and the parameters don't.
    pub idempotency_token: Option<String>,
    /// Attempts in all, for throttling and lost connections; 1 is no retry.
    pub attempts: u32,
    /// For one attempt.
    pub timeout_seconds: u64,
    /// The longest answer that is read, as it is sent; `None` is 64 MiB.
    pub answer_bytes: Option<usize>,
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CallError {
    /// The service or the action is unknown, or unsupported: its text names the nearest known one.
    #[error("{message}")]
    Unknown {
        /// What, and the way out.
        message: String,
    },
    /// The parameters don't fit the operation's shape.
    #[error("{message}")]
    Parameters {
        /// Which member, what was expected.
        message: String,
        /// The same one by one; none where it is something else than a member of the wrong name or type.
        problems: Vec<ParameterProblem>,
    },
    /// AWS answered with an error. `name` and `cause` are what Step Functions shows.
    #[error("{name}: {cause}")]
    Service {
        /// `S3.NoSuchBucketException`, `Ec2.Ec2Exception` …
        name: String,
        /// "message (Service: S3, Status Code: 404, Request ID: …)".
        cause: String,
        /// The code as the service wrote it.
        code: String,
        /// HTTP status.
        status: u16,
        /// Whether it was one of throttling.
        throttled: bool,
    },
    /// No answer: no credentials, no connection, no time. `name` as Step Functions shows it.
    #[error("{name}: {cause}")]
    Client {
        /// `S3.SdkClientException` …
        name: String,
        /// What happened, where, what to do.
        cause: String,
    },
    /// The answer is longer than [`Call::answer_bytes`].
    #[error("{cause}")]
    TooLong {
        /// Whose, and what the limit is.
        cause: String,
    },
}

/// Calls AWS. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Aws {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: Options,
    keys: Keys,
    clock: Clock,
    discovered: Discovered,
    counts: Counts,
}

impl Aws {
    /// Calls as these options say.
    pub fn new(options: Options) -> Aws {
        Aws {
            inner: Arc::new(Inner {
                options,
                keys: Keys::default(),
                clock: Clock::default(),
                discovered: Discovered::default(),
                counts: Counts::default(),
            }),
        }
    }

    /// Reads the environment as the SDKs do (credential chain, Region, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`).
    /// Credentials are looked for when a call first needs them.
    pub async fn from_environment() -> Aws {
        Aws::new(Options::from_environment().await)
    }

    /// Makes the call. The result's members have upper-case first letters, as Step Functions shows them; what a service
    /// didn't answer is left out; timestamps are ISO 8601; blobs are text, base64 where they are none.
    pub async fn call(&self, call: Call) -> Result<Value, CallError> {
        Ok(self.perform(&call).await?.result)
    }

    /// Makes a call and gives the answer's body as it came too: what `getObject` fetches may be no text.
    pub async fn call_for_body(&self, call: Call) -> Result<(Value, Bytes), CallError> {
        let performed = self.perform(&call).await?;
        Ok((performed.result, performed.body))
    }

    /// Whether an operation can be called; else why not, with the nearest known name.
    pub fn check(&self, service: &str, action: &str) -> Result<(), CallError> {
        plan::check(service, action)
    }

    /// Whether a result is one that an operation can give, as far as its model says. What is not known is not checked: fields that
    /// the model does not have, services and operations that there are none of.
    pub fn conforms(service: &str, action: &str, result: &Value, wanted: Wanted<'_>) -> Result<(), Nonconformity> {
        conformity::check(service, action, result, wanted)
    }

    /// All services' names, as `aws-sdk` tasks name them.
    pub fn services() -> impl Iterator<Item = &'static str> {
        model::names()
    }

    /// A service's actions, first letters lower case; none where the service is unknown.
    pub fn actions(service: &str) -> Vec<String> {
        model::service(service).map(|service| plan::actions(&service)).unwrap_or_default()
    }

    /// The process's own Region.
    pub fn region(&self) -> &str {
        &self.inner.options.region
    }

    /// The endpoint that is configured for this service and no other (`AWS_ENDPOINT_URL_<SERVICE>`).
    pub fn own_endpoint(&self, service: &str) -> Option<&str> {
        self.inner.options.own_endpoint(&model::service(service)?.metadata.service_id)
    }

    /// How the attempts of all calls ended, of the services that were called: `(service, result, count)`.
    pub fn attempts(&self) -> Vec<(&'static str, AttemptResult, u64)> {
        self.inner.counts.read()
    }

    /// The HTTP client that carries the calls.
    pub fn http(&self) -> &HttpClient {
        &self.inner.options.http
    }
}
