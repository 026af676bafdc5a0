//! Verifies AWS Signature Version 4 in the Authorization header.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::{digest, hmac};
use axum::http::{HeaderMap, Method, Uri};
use jiff::{SignedDuration, Timestamp, fmt::strtime};
use thiserror::Error;

use super::Caller;

/// How far the request's clock may be from ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Signing keys that are kept: of a few Regions and services, today's and yesterday's.
const KEYS_KEPT: usize = 16;

/// The signing keys of the last good requests: making one takes four of the five HMACs of a signature. Each is of one credential
/// scope, so of one day.
#[derive(Default)]
pub struct SigningKeys(Mutex<Vec<(String, hmac::Key)>>);

impl SigningKeys {
    fn of(&self, scope: &str) -> Option<hmac::Key> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(of, _)| of == scope).map(|(_, key)| key.clone())
    }

    /// Keeps one, in place of the oldest where there are many.
    fn keep(&self, scope: String, key: hmac::Key) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().all(|(of, _)| *of != scope) {
            let over = (kept.len() + 1).saturating_sub(KEYS_KEPT);
            kept.drain(..over);
            kept.push((scope, key));
        }
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKeys(…)")
    }
}

/// What was signed.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// GET, POST …
    pub method: &'a Method,
    /// Path and query.
    pub uri: &'a Uri,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// Why a request is refused: AWS's error names and texts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "each is AWS's common error of the same name")]
pub enum Denied {
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    #[error("{0}")]
    IncompleteSignature(String),
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    #[error("Signature expired or not yet valid: {0} is more than five minutes from this server's clock")]
    Expired(String),
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."
    )]
    InvalidSignature,
    #[error("Credential should be scoped to correct service: '{0}'.")]
    OtherService(&'static str),
}

impl Denied {
    /// AWS's name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Denied::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Denied::IncompleteSignature(_) => "IncompleteSignatureException",
            Denied::UnrecognizedClient => "UnrecognizedClientException",
            Denied::Expired(_) | Denied::InvalidSignature | Denied::OtherService(_) => "InvalidSignatureException",
        }
    }
}

/// The parts of an Authorization header.
struct Authorization<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// Checks a request against a key pair.
pub fn verify(
    request: &SignedRequest<'_>,
    access_key_id: &str,
    secret_access_key: &str,
    keys: &SigningKeys,
    now: Timestamp,
) -> Result<Caller, Denied> {
    let header = request.headers.get("authorization").ok_or(Denied::MissingAuthenticationToken)?;
    let authorization = parse(header.to_str().unwrap_or_default())?;
    if authorization.access_key_id != access_key_id {
        return Err(Denied::UnrecognizedClient);
    }
    let time = signed_time(request.headers, &authorization, now)?;
    let scope = format!("{}/{}/{}/aws4_request", authorization.date, authorization.region, authorization.service);
    let canonical = canonical_request(request, authorization.signed_headers)?;
    let to_sign = format!(
        "{ALGORITHM}\n{time}\n{scope}\n{}",
        hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    );
    let signature = unhex(authorization.signature).ok_or(Denied::InvalidSignature)?;
    let kept = keys.of(&scope);
    let key = kept.clone().unwrap_or_else(|| signing_key(secret_access_key, &authorization));
    hmac::verify(&key, to_sign.as_bytes(), &signature).map_err(|_| Denied::InvalidSignature)?;
    if kept.is_none() {
        keys.keep(scope, key);
    }
    Ok(Caller { region: authorization.region.to_owned(), service: authorization.service.to_owned() })
}

fn signing_key(secret_access_key: &str, authorization: &Authorization<'_>) -> hmac::Key {
    let secret = format!("AWS4{secret_access_key}");
    let scope = [authorization.date, authorization.region, authorization.service, "aws4_request"];
    scope.iter().fold(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), |key, part| {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
    })
}

fn parse(header: &str) -> Result<Authorization<'_>, Denied> {
    let incomplete =
        |what: &str| Denied::IncompleteSignature(format!("Authorization header requires '{what}' parameter."));
    let rest = header.strip_prefix(ALGORITHM).ok_or_else(|| {
        Denied::IncompleteSignature(format!(
            "the Authorization header does not begin with {ALGORITHM}, the one algorithm taken here"
        ))
    })?;
    let field = |name: &str| {
        rest.split(',')
            .find_map(|part| part.trim().strip_prefix(name).and_then(|value| value.strip_prefix('=')))
            .ok_or_else(|| incomplete(name))
    };
    let credential: Vec<&str> = field("Credential")?.split('/').collect();
    let [access_key_id, date, region, service, "aws4_request"] = credential[..] else {
        return Err(incomplete("Credential"));
    };
    Ok(Authorization {
        access_key_id,
        date,
        region,
        service,
        signed_headers: field("SignedHeaders")?,
        signature: field("Signature")?,
    })
}

/// The request's `x-amz-date`, if it is near enough and of the credential's day.
fn signed_time<'a>(
    headers: &'a HeaderMap,
    authorization: &Authorization<'_>,
    now: Timestamp,
) -> Result<&'a str, Denied> {
    let incomplete = || {
        Denied::IncompleteSignature(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned(),
        )
    };
    let text = headers.get("x-amz-date").and_then(|value| value.to_str().ok()).ok_or_else(incomplete)?;
    let time = strtime::parse("%Y%m%dT%H%M%SZ", text)
        .and_then(|parsed| parsed.to_datetime())
        .and_then(|datetime| datetime.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| incomplete())?
        .timestamp();
    if time.duration_since(now).abs() > CLOCK_SKEW || !text.starts_with(authorization.date) {
        return Err(Denied::Expired(text.to_owned()));
    }
    Ok(text)
}

fn canonical_request(request: &SignedRequest<'_>, signed_headers: &str) -> Result<String, Denied> {
    let mut text = format!(
        "{}\n{}\n{}\n",
        request.method,
        canonical_path(request.uri.path()),
        canonical_query(request.uri.query().unwrap_or_default())
    );
    if !signed_headers.split(';').any(|name| name == "host") {
        return Err(Denied::IncompleteSignature(
            "'Host' must be a 'SignedHeader' in the Authorization header.".to_owned(),
        ));
    }
    for name in signed_headers.split(';') {
        let values: Vec<String> = request
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let host =
            (name == "host" && values.is_empty()).then(|| request.uri.authority().map(ToString::to_string)).flatten();
        let value = host.unwrap_or_else(|| values.join(","));
        let _ = writeln!(text, "{name}:{value}");
    }
    let payload = hex(digest::digest(&digest::SHA256, request.body).as_ref());
    let _ = write!(text, "\n{signed_headers}\n{payload}");
    Ok(text)
}

/// Every service but S3 encodes the path a second time.
fn canonical_path(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    pairs.sort_unstable();
    pairs.join("&")
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() % 2 == 1 {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of AWS's documentation ("get-vanilla" of its Signature Version 4 test suite).
    const KEY: &str = "AKIDEXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
        SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    fn check(key: &str, secret: &str, authorization: &str, body: &[u8], now: &str) -> Result<Caller, Denied> {
        let mut headers = HeaderMap::new();
        headers.insert("host", "example.amazonaws.com".parse().unwrap());
        headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
        if !authorization.is_empty() {
            headers.insert("authorization", authorization.parse().unwrap());
        }
        let request = SignedRequest { method: &Method::GET, uri: &Uri::from_static("/"), headers: &headers, body };
        verify(&request, key, secret, &SigningKeys::default(), now.parse().unwrap())
    }

    #[test]
    fn a_kept_key_is_of_its_scope_alone() {
        let keys = SigningKeys::default();
        let check = |authorization: &str, secret: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", "example.amazonaws.com".parse().unwrap());
            headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
            headers.insert("authorization", authorization.parse().unwrap());
            let request =
                SignedRequest { method: &Method::GET, uri: &Uri::from_static("/"), headers: &headers, body: b"" };
            verify(&request, KEY, secret, &keys, "2015-08-30T12:36:00Z".parse().unwrap()).is_ok()
        };
        let kept = || keys.0.lock().unwrap().len();
        assert!(!check(AUTHORIZATION, "wrong") && kept() == 0, "a key that verified nothing is not kept");
        assert!(check(AUTHORIZATION, SECRET) && check(AUTHORIZATION, SECRET) && kept() == 1);
        assert!(!check(&AUTHORIZATION.replace("us-east-1", "eu-west-1"), SECRET) && kept() == 1);
        for number in 0..100 {
            keys.keep(number.to_string(), hmac::Key::new(hmac::HMAC_SHA256, b"key"));
        }
        assert_eq!(kept(), KEYS_KEPT);
        assert!(check(AUTHORIZATION, SECRET));
    }

    #[test]
    fn the_example_of_the_documentation_passes() {
        let caller = check(KEY, SECRET, AUTHORIZATION, b"", "2015-08-30T12:36:00Z").unwrap();
        assert_eq!(caller.region, "us-east-1");
        assert_eq!(caller.check_service("service"), Ok(()));
        let refused = caller.check_service("states").unwrap_err();
        assert_eq!(
            (refused.code(), refused.to_string().as_str()),
            ("InvalidSignatureException", "Credential should be scoped to correct service: 'states'.")
        );
    }

    #[test]
    fn everything_else_is_refused_by_its_name() {
        let then = "2015-08-30T12:36:00Z";
        assert_eq!(check(KEY, SECRET, "", b"", then), Err(Denied::MissingAuthenticationToken));
        assert_eq!(check("AKIDOTHER", SECRET, AUTHORIZATION, b"", then), Err(Denied::UnrecognizedClient));
        assert_eq!(check(KEY, "wrong", AUTHORIZATION, b"", then), Err(Denied::InvalidSignature));
        assert_eq!(check(KEY, SECRET, AUTHORIZATION, b"changed", then), Err(Denied::InvalidSignature));
        assert_eq!(
            check(KEY, SECRET, &AUTHORIZATION.replace("us-east-1", "eu-west-1"), b"", then),
            Err(Denied::InvalidSignature)
        );
        assert!(matches!(check(KEY, SECRET, AUTHORIZATION, b"", "2015-08-30T12:42:00Z"), Err(Denied::Expired(_))));
        assert!(matches!(check(KEY, SECRET, AUTHORIZATION, b"", "2015-08-30T12:30:00Z"), Err(Denied::Expired(_))));
        assert!(matches!(check(KEY, SECRET, "Basic abc", b"", then), Err(Denied::IncompleteSignature(_))));
        assert!(matches!(
            check(KEY, SECRET, &AUTHORIZATION.replace("host;", ""), b"", then),
            Err(Denied::IncompleteSignature(_))
        ));
        assert!(matches!(
            check(KEY, SECRET, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/x", b"", then),
            Err(Denied::IncompleteSignature(_))
        ));
    }

    #[test]
    fn queries_are_sorted_and_get_their_equals_sign() {
        assert_eq!(canonical_query("b=2&a=1&flag"), "a=1&b=2&flag=");
        assert_eq!(canonical_path("/a%20b/ü"), "/a%2520b/%C3%BC");
    }
}
