//! `States.Base64Encode` and `States.Base64Decode` (RFC 4648).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{count, short};

/// `States.Base64Encode(text)`.
pub fn encode(values: &[Value]) -> Result<Value, String> {
    let [Value::String(text)] = values else { return Err(count("a text", values)) };
    short(text)?;
    Ok(Value::String(BASE64_STANDARD.encode(text)))
}

/// `States.Base64Decode(text)`.
pub fn decode(values: &[Value]) -> Result<Value, String> {
    let [Value::String(text)] = values else { return Err(count("a text", values)) };
    short(text)?;
    let bytes = BASE64_STANDARD.decode(text).map_err(|error| format!("the text is not Base64: {error}"))?;
    String::from_utf8(bytes).map(Value::String).map_err(|_| "what the Base64 says is not UTF-8".to_owned())
}
