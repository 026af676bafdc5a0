//! Buckets of other Regions: S3 says where they are, and the call is made there.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html>

use serde_json::Value;

use super::plan::Plan;
use crate::protocol::{Answer, ServiceError};

/// The Region in which the call may fare better.
pub(super) fn elsewhere(plan: &Plan, error: &ServiceError, answer: &Answer<'_>) -> Option<String> {
    let bucket = plan.bucket.as_deref().filter(|bucket| plan.service.is_s3() && !bucket.starts_with("arn:"))?;
    let told = answer.header("x-amz-bucket-region").or(error.region.as_deref());
    let region = told.filter(|region| !region.is_empty() && *region != plan.region)?;
    let makes = plan.name == "CreateBucket";
    let moved = match error.code.as_str() {
        "PermanentRedirect" => true,
        "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => !makes,
        // Answers to HEAD have no body.
        "301" | "400" => plan.name.starts_with("Head"),
        _ => matches!(answer.status, 301 | 302 | 307),
    };
    tracing::debug!(bucket, region, moved, "a bucket of another Region");
    moved.then(|| region.to_owned())
}

/// The bucket that a call names.
pub(super) fn bucket(parameters: &Value) -> Option<String> {
    parameters.get("Bucket").and_then(Value::as_str).map(str::to_owned)
}
