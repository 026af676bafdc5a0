//! One call.

use serde_json::Value;
use thiserror::Error;

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
}

/// Calls AWS. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Aws {
    // filled in by this crate
}

impl Aws {
    /// Reads the environment as the SDKs do (credential chain, Region, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`).
    pub async fn from_environment() -> Aws {
        todo!()
    }

    /// Makes the call. The result's members have upper-case first letters, as Step Functions shows them.
    pub async fn call(&self, _call: Call) -> Result<Value, CallError> {
        todo!()
    }

    /// Whether an operation can be called; else why not, with the nearest known name.
    pub fn check(&self, _service: &str, _action: &str) -> Result<(), CallError> {
        todo!()
    }

    /// The process's own Region.
    pub fn region(&self) -> &str {
        todo!()
    }
}
