//! Who sent a request: a token, or a code over the raw body. Both are compared in a time that tells nothing of the secret.

use aws_lc_rs::hmac;
use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use detection::source::{Algorithm, Encoding, Hmac, Sent, Token};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

/// Whether the request carries the token.
pub(super) fn has_token(token: &Token, secret: &SecretString, headers: &HeaderMap) -> bool {
    let expected = format!("{}{}", token.prefix, secret.expose_secret());
    headers.get(&token.header).is_some_and(|sent| bool::from(sent.as_bytes().ct_eq(expected.as_bytes())))
}

/// Why the code of a request is none of this body, or too old.
pub(super) fn check_code(
    wanted: &Hmac,
    secret: &SecretString,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), String> {
    let sent = header(headers, &wanted.header)?;
    let code = sent
        .strip_prefix(wanted.prefix.as_str())
        .and_then(|code| match wanted.encoding {
            Encoding::Hex => from_hex(code),
            Encoding::Base64 => STANDARD.decode(code).ok(),
        })
        .ok_or_else(|| format!("the header {} holds no code as it is expected", wanted.header))?;
    let timestamp =
        wanted.timestamp.as_ref().map(|sent| header(headers, &sent.header)).transpose()?.unwrap_or_default();
    let algorithm = match wanted.algorithm {
        Algorithm::Sha256 => hmac::HMAC_SHA256,
        Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    };
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, secret.expose_secret().as_bytes()));
    for (index, around) in wanted.signed.split("{body}").enumerate() {
        if index > 0 {
            context.update(body);
        }
        context.update(around.replace("{timestamp}", timestamp).as_bytes());
    }
    if !bool::from(context.sign().as_ref().ct_eq(&code)) {
        return Err("the code is not of this body and our secret".to_owned());
    }
    // Only what is signed is worth looking at.
    wanted.timestamp.as_ref().map_or(Ok(()), |sent| check_age(sent, timestamp, now))
}

fn check_age(sent: &Sent, timestamp: &str, now: Timestamp) -> Result<(), String> {
    let at = instant(timestamp).ok_or_else(|| format!("the header {} holds no time", sent.header))?;
    let seconds = now.duration_since(at).as_secs().unsigned_abs();
    if seconds > u64::from(sent.tolerance_seconds) {
        return Err(format!("it was sent {seconds} seconds from now; {} are taken", sent.tolerance_seconds));
    }
    Ok(())
}

/// RFC 3339, or seconds or milliseconds since 1970: no seconds have as many digits as today's milliseconds.
fn instant(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(number) if number.unsigned_abs() >= 100_000_000_000 => Timestamp::from_millisecond(number).ok(),
        Ok(number) => Timestamp::from_second(number).ok(),
        Err(_) => text.parse().ok(),
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, String> {
    headers.get(name).and_then(|value| value.to_str().ok()).ok_or_else(|| format!("the header {name} is missing"))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(named: &[(&'static str, &str)]) -> HeaderMap {
        named
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn wanted() -> Hmac {
        Hmac {
            header: "x-signature".to_owned(),
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            prefix: String::new(),
            signed: "{body}".to_owned(),
            timestamp: None,
        }
    }

    fn check(wanted: &Hmac, secret: &str, named: &[(&'static str, &str)], body: &str, expected: Result<(), &str>) {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let answer = check_code(wanted, &secret.into(), &headers(named), body.as_bytes(), now);
        match (answer, expected) {
            (Ok(()), Ok(())) => {}
            (Err(reason), Err(expected)) if reason.contains(expected) => {}
            (answer, expected) => panic!("{answer:?} instead of {expected:?}"),
        }
    }

    /// Test case 2 of RFC 4231, and of RFC 2202.
    const KEY: &str = "Jefe";
    const BODY: &str = "what do ya want for nothing?";
    const SHA256: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const SHA1: &str = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";

    #[test]
    fn codes_of_the_standards() {
        check(&wanted(), KEY, &[("x-signature", SHA256)], BODY, Ok(()));
        check(&wanted(), KEY, &[("x-signature", &SHA256.to_uppercase())], BODY, Ok(()));
        let sha1 = Hmac { algorithm: Algorithm::Sha1, prefix: "sha1=".to_owned(), ..wanted() };
        check(&sha1, KEY, &[("x-signature", &format!("sha1={SHA1}"))], BODY, Ok(()));
        let base64 = Hmac { encoding: Encoding::Base64, ..wanted() };
        check(&base64, KEY, &[("x-signature", &STANDARD.encode(from_hex(SHA256).unwrap()))], BODY, Ok(()));
    }

    #[test]
    fn what_is_no_code_of_the_body() {
        let wrong = "the code is not of this body";
        check(&wanted(), KEY, &[("x-signature", SHA256)], "what do ya want for nothing!", Err(wrong));
        check(&wanted(), "jefe", &[("x-signature", SHA256)], BODY, Err(wrong));
        check(&wanted(), KEY, &[("x-signature", SHA1)], BODY, Err(wrong));
        check(&wanted(), KEY, &[("x-signature", "")], BODY, Err(wrong));
        check(&wanted(), KEY, &[("x-signature", "0g")], BODY, Err("holds no code"));
        check(&wanted(), KEY, &[("x-signature", "abc")], BODY, Err("holds no code"));
        check(&wanted(), KEY, &[], BODY, Err("the header x-signature is missing"));
        let prefixed = Hmac { prefix: "sha256=".to_owned(), ..wanted() };
        check(&prefixed, KEY, &[("x-signature", SHA256)], BODY, Err("holds no code"));
    }

    #[test]
    fn times_are_signed_and_near() {
        let sent = Sent { header: "x-time".to_owned(), tolerance_seconds: 300 };
        let wanted = Hmac { signed: "{timestamp}.{body}".to_owned(), timestamp: Some(sent), ..wanted() };
        let code = |time: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
            let tag = hmac::sign(&key, format!("{time}.{BODY}").as_bytes());
            tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        for (time, expected) in [
            ("2026-01-01T00:05:00Z", Ok(())),
            ("2025-12-31T23:55:00Z", Ok(())),
            ("1767225600", Ok(())),
            ("1767225600123", Ok(())),
            ("2026-01-01T00:05:01Z", Err("it was sent 301 seconds from now; 300 are taken")),
            ("1767225000", Err("it was sent 600 seconds")),
            ("soon", Err("the header x-time holds no time")),
        ] {
            check(&wanted, KEY, &[("x-signature", &code(time)), ("x-time", time)], BODY, expected);
        }
        let other = code("1767225600");
        check(&wanted, KEY, &[("x-signature", &other), ("x-time", "1767225601")], BODY, Err("the code is not"));
        check(&wanted, KEY, &[("x-signature", &other)], BODY, Err("the header x-time is missing"));
    }

    #[test]
    fn tokens() {
        let token = Token { header: "authorization".to_owned(), prefix: "Bearer ".to_owned() };
        for (sent, expected) in [
            (&[("authorization", "Bearer s3cret")][..], true),
            (&[("authorization", "s3cret")], false),
            (&[("authorization", "Bearer s3cre")], false),
            (&[("authorization", "Bearer s3cret!")], false),
            (&[], false),
        ] {
            assert_eq!(has_token(&token, &"s3cret".into(), &headers(sent)), expected, "{sent:?}");
        }
    }
}
