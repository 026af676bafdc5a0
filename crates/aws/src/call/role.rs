//! Whose credentials a call is made with.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::plan::{self, Plan};
use super::{Aws, Call, CallError};
use crate::credentials::Vacancy;
use crate::names::error_prefix;
use crate::sign;

/// Attempts and seconds for assuming a role.
const ATTEMPTS: u32 = 3;
const TIMEOUT_SECONDS: u64 = 10;

impl Aws {
    /// `None` where the operation wants no signature.
    pub(super) async fn credentials(&self, plan: &Plan, role: Option<&str>) -> Result<Option<Credentials>, CallError> {
        if plan::is_anonymous(&plan.operation) {
            return Ok(None);
        }
        self.identity(&error_prefix(&plan.service.metadata.service_id), role, &plan.region).await.map(Some)
    }

    /// The process's own credentials, or the role's. `named` begins the name of the error that there are none.
    async fn identity(&self, named: &str, role: Option<&str>, region: &str) -> Result<Credentials, CallError> {
        let none = |cause: String| CallError::Client { name: format!("{named}.SdkClientException"), cause };
        let Some(role) = role else {
            return match &self.inner.options.credentials {
                Some(fixed) => Ok(fixed.clone()),
                None => self.inner.keys.own(self.region()).await.map_err(none),
            };
        };
        let slot = self.inner.keys.slot(Some(role));
        match slot.get().await {
            Ok(kept) => kept.map_err(none),
            Err(vacancy) => self.assume(vacancy, role, region).await,
        }
    }

    /// Signs a request that is no model's operation, of the service with that signing name (`execute-api`). An error's name begins
    /// with `named`.
    pub async fn sign(
        &self,
        request: &mut Request<Bytes>,
        (name, region): (&str, &str),
        role: Option<&str>,
        named: &str,
    ) -> Result<(), CallError> {
        let credentials = self.identity(named, role, region).await?;
        let scope = sign::Scope { name, region, region_set: None, s3: false, unsigned_body: false };
        sign::apply(request, &credentials, scope, SystemTime::now())
            .map_err(|cause| CallError::Client { name: format!("{named}.SdkClientException"), cause })
    }

    async fn assume(&self, vacancy: Vacancy<'_>, role: &str, region: &str) -> Result<Credentials, CallError> {
        let call = Call {
            service: "sts".to_owned(),
            action: "assumeRole".to_owned(),
            parameters: json!({"RoleArn": role, "RoleSessionName": self.inner.options.application}),
            region: Some(region.to_owned()),
            role_arn: None,
            idempotency_token: None,
            attempts: ATTEMPTS,
            timeout_seconds: TIMEOUT_SECONDS,
            answer_bytes: None,
        };
        let answer = Box::pin(self.perform(&call)).await.map_err(|error| with_role(error, role))?;
        vacancy
            .fill(read(&answer.result))
            .map_err(|cause| CallError::Client { name: "Sts.SdkClientException".to_owned(), cause })
    }
}

fn read(answer: &Value) -> Result<Credentials, String> {
    let text = |name: &str| answer.pointer(&format!("/Credentials/{name}")).and_then(Value::as_str);
    let (Some(id), Some(secret), Some(token)) = (text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"))
    else {
        return Err("AssumeRole answered without credentials".to_owned());
    };
    let end = text("Expiration").and_then(|end| end.parse::<Timestamp>().ok()).map(SystemTime::from);
    Ok(Credentials::new(id, secret, Some(token.to_owned()), end, "assumed role"))
}

/// The error of STS, with the role that couldn't be assumed.
fn with_role(error: CallError, role: &str) -> CallError {
    match error {
        CallError::Service { name, cause, code, status, throttled } => CallError::Service {
            name,
            cause: format!("the role {role} can't be assumed: {cause}"),
            code,
            status,
            throttled,
        },
        CallError::Client { name, cause } => {
            CallError::Client { name, cause: format!("the role {role} can't be assumed: {cause}") }
        }
        CallError::Parameters { message, .. } => CallError::Parameters {
            message: format!("the role {role} can't be assumed: {message}"),
            problems: Vec::new(),
        },
        other @ (CallError::TooLong { .. } | CallError::Unknown { .. }) => other,
    }
}
