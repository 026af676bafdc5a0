//! What a Task shows of an HTTP answer: `{Headers, ResponseBody, StatusCode, StatusText}`.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::Failure;

/// The result, or the failure that the status is; `named` begins its name (`ApiGateway.`). `name_of` says how headers are written.
pub(super) fn shown(answer: &Response<Bytes>, named: &str, name_of: fn(&str) -> String) -> Result<Value, Failure> {
    let status = answer.status();
    if !status.is_success() {
        return Err(Failure { error: format!("{named}{}", status.as_u16()), cause: cause(answer) });
    }
    Ok(json!({
        "Headers": headers(answer.headers(), name_of),
        "ResponseBody": body(answer),
        "StatusCode": status.as_u16(),
        "StatusText": text_of(status),
    }))
}

/// The body as it came, or where there is none the status in words.
fn cause(answer: &Response<Bytes>) -> String {
    let text = String::from_utf8_lossy(answer.body());
    if text.is_empty() { text_of(answer.status()).to_owned() } else { text.into_owned() }
}

fn text_of(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or_default()
}

/// A list of values each.
fn headers(headers: &HeaderMap, name_of: fn(&str) -> String) -> Value {
    let mut shown: Map<String, Value> = Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        shown.insert(name_of(name.as_str()), values.collect());
    }
    shown.sort_keys();
    Value::Object(shown)
}

/// JSON where it says that it is and can be read as such; else text.
fn body(answer: &Response<Bytes>) -> Value {
    let text = String::from_utf8_lossy(answer.body());
    let parsed = content_type(answer).filter(|kind| is_json(kind)).and_then(|_| serde_json::from_str(&text).ok());
    parsed.unwrap_or_else(|| Value::from(text))
}

/// The media type, in small letters, without its parameters.
pub(super) fn content_type(answer: &Response<Bytes>) -> Option<String> {
    let kind = answer.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next()?.trim().to_ascii_lowercase())
}

fn is_json(kind: &str) -> bool {
    kind == "application/json" || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, kind: &str, body: &'static str) -> Response<Bytes> {
        Response::builder()
            .status(status)
            .header("x-two", "b")
            .header("x-two", "a")
            .header("content-type", kind)
            .body(Bytes::from(body))
            .unwrap()
    }

    #[test]
    fn answers_as_they_are_shown() {
        for (kind, text, body) in [
            ("application/json; charset=utf-8", r#"{"b": 1, "a": [2]}"#, json!({"b": 1, "a": [2]})),
            ("application/problem+json", "\"x\"", json!("x")),
            ("application/json", "{", json!("{")),
            ("text/plain", "{}", json!("{}")),
            ("application/json", "", json!("")),
        ] {
            assert_eq!(
                shown(&answer(200, kind, text), "X.", str::to_owned).unwrap(),
                json!({
                    "Headers": {"content-type": [kind], "x-two": ["b", "a"]},
                    "ResponseBody": body,
                    "StatusCode": 200,
                    "StatusText": "OK",
                })
            );
        }
    }

    #[test]
    fn other_statuses_are_failures() {
        for (status, text, error, cause) in [
            (404, "{\"a\": 1}", "X.404", "{\"a\": 1}"),
            (503, "", "X.503", "Service Unavailable"),
            (302, "", "X.302", "Found"),
        ] {
            let failure = shown(&answer(status, "text/plain", text), "X.", str::to_owned).unwrap_err();
            assert_eq!(failure, Failure { error: error.to_owned(), cause: cause.to_owned() });
        }
    }
}
