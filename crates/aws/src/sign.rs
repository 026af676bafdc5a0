//! Signature version 4.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderValue, Request};

use crate::protocol::escape;

/// What a signature is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub name: &'a str,
    pub region: &'a str,
    /// S3's own rules: the path as it stands, the body's hash in a header.
    pub s3: bool,
    /// The body is left out of the signature.
    pub unsigned_body: bool,
}

/// Adds the headers of a signature made now.
pub(crate) fn apply(
    request: &mut Request<Bytes>,
    credentials: &Credentials,
    scope: Scope<'_>,
    now: SystemTime,
) -> Result<(), String> {
    let mut settings = SigningSettings::default();
    if scope.s3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    if scope.s3 || scope.unsigned_body {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.name)
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let headers: Vec<(&str, &str)> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?)))
        .collect();
    let body = if scope.unsigned_body { SignableBody::UnsignedPayload } else { SignableBody::Bytes(request.body()) };
    let signable =
        SignableRequest::new(request.method().as_str(), request.uri().to_string(), headers.into_iter(), body)
            .map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| error.to_string())?.into_parts();
    let (headers, _) = instructions.into_parts();
    for header in headers {
        let mut value = HeaderValue::from_str(header.value())
            .map_err(|_| "credentials with characters that no header takes".to_owned())?;
        value.set_sensitive(header.sensitive());
        request.headers_mut().insert(header.name(), value);
    }
    Ok(())
}

/// The URL with a signature in its query: whoever has it can GET it for so long.
pub(crate) fn presign(
    url: &str,
    credentials: &Credentials,
    scope: Scope<'_>,
    now: SystemTime,
    good_for: Duration,
) -> Result<String, String> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(good_for);
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.name)
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let signable = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::Bytes(&[]))
        .map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| error.to_string())?.into_parts();
    let (_, query) = instructions.into_parts();
    let query = query.iter().map(|(name, value)| format!("&{}={}", escape(name), escape(value)));
    Ok(url.to_owned() + &query.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `get-vanilla` case of AWS's Signature Version 4 test suite.
    #[test]
    fn signature_of_the_test_suite() {
        let mut request = Request::get("https://example.amazonaws.com/")
            .header("host", "example.amazonaws.com")
            .body(Bytes::new())
            .unwrap();
        let credentials =
            Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "test");
        let scope = Scope { name: "service", region: "us-east-1", s3: false, unsigned_body: false };
        apply(&mut request, &credentials, scope, SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)).unwrap();
        assert_eq!(
            request.headers()["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }
}
