//! Log objects in S3, fetched when a notification names them.

use aws::{Aws, Call, CallError};
use bytes::Bytes;
use detection::normalize::Object;
use serde_json::json;

use crate::machines::is_region;

/// The largest object that is fetched. CloudTrail's are a few MB.
const OBJECT_LIMIT_BYTES: usize = 32 << 20;
const ATTEMPTS: u32 = 3;
const TIMEOUT_SECONDS: u64 = 30;

/// Why an object was not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfetched {
    /// It is gone, denied, too large: trying again is a person's to say.
    For(String),
    /// S3 throttles or can't be reached: it may go well next time.
    Now(String),
}

/// `s3://BUCKET/KEY`.
pub(crate) fn name(object: &Object) -> String {
    format!("s3://{}/{}", object.bucket, object.key)
}

/// The object as it is stored.
pub(crate) async fn fetch(aws: &Aws, object: &Object) -> Result<Bytes, Unfetched> {
    let name = name(object);
    if !is_region(&object.region) {
        return Err(Unfetched::For(format!("`{name}` is in `{}`, which is no AWS Region", object.region)));
    }
    let limit = u64::try_from(OBJECT_LIMIT_BYTES).unwrap_or(u64::MAX);
    let too_large =
        || Unfetched::For(format!("`{name}` is larger than the {OBJECT_LIMIT_BYTES} bytes that are fetched"));
    if object.size.is_some_and(|size| size > limit) {
        return Err(too_large());
    }
    let call = Call {
        service: "s3".to_owned(),
        action: "getObject".to_owned(),
        // One byte more than is taken tells that there is more.
        parameters: json!({"Bucket": object.bucket, "Key": object.key, "Range": format!("bytes=0-{limit}")}),
        region: Some(object.region.clone()),
        role_arn: None,
        idempotency_token: None,
        attempts: ATTEMPTS,
        timeout_seconds: TIMEOUT_SECONDS,
        answer_bytes: None,
    };
    match aws.call_for_body(call).await {
        Ok((_, body)) if body.len() > OBJECT_LIMIT_BYTES => Err(too_large()),
        Ok((_, body)) => Ok(body),
        Err(error) if may_go_well_next_time(&error) => {
            Err(Unfetched::Now(format!("`{name}` can't be fetched now: {error}")))
        }
        Err(error) => Err(Unfetched::For(format!(
            "`{name}` can't be fetched: {error}. Once it can, `rectify events retry` the notification"
        ))),
    }
}

fn may_go_well_next_time(error: &CallError) -> bool {
    match error {
        CallError::Client { .. } => true,
        CallError::Service { status, throttled, code, .. } => {
            let of_the_moment = ["ExpiredToken", "RequestTimeTooSkewed", "RequestTimeout"].contains(&code.as_str());
            *throttled || *status >= 500 || of_the_moment
        }
        CallError::Unknown { .. } | CallError::Parameters { .. } | CallError::TooLong { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_and_what_stays() {
        let check = |code: &str, status: u16, throttled: bool, expected: bool| {
            let error =
                CallError::Service { name: code.into(), cause: String::new(), code: code.into(), status, throttled };
            assert_eq!(may_go_well_next_time(&error), expected, "{code}");
        };
        check("NoSuchKey", 404, false, false);
        check("AccessDenied", 403, false, false);
        check("InvalidRange", 416, false, false);
        check("SlowDown", 503, true, true);
        check("InternalError", 500, false, true);
        check("ExpiredToken", 400, false, true);
        assert!(may_go_well_next_time(&CallError::Client { name: "c".into(), cause: "no connection".into() }));
    }
}
