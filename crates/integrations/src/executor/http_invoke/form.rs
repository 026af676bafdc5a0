//! `Transform`: a request's body as a form.

use aws::escape;
use serde_json::{Map, Value};

use super::{Failure, Parameters};
use crate::executor::http_parameters::plain;

/// `Transform.RequestEncodingOptions.ArrayFormat`: how lists are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// `a[0]=x&a[1]=y`
    Indices,
    /// `a=x&a=y`
    Repeat,
    /// `a=x,y`
    Commas,
    /// `a[]=x&a[]=y`
    Brackets,
}

/// How the body is to be written, if as a form.
pub(super) fn lists(parameters: &Parameters<'_>) -> Result<Option<Lists>, Failure> {
    let Some(transform) = parameters.object("Transform")? else { return Ok(None) };
    match transform.get("RequestBodyEncoding").and_then(Value::as_str).unwrap_or("NONE") {
        "NONE" => return Ok(None),
        "URL_ENCODED" => {}
        other => {
            let why = format!("`Transform.RequestBodyEncoding` must be NONE or URL_ENCODED, not `{other}`");
            return Err(parameters.wrong(&why));
        }
    }
    let options = transform.get("RequestEncodingOptions");
    let format = options.and_then(|options| options.get("ArrayFormat")).and_then(Value::as_str);
    Ok(match format.unwrap_or("INDICES") {
        "INDICES" => Some(Lists::Indices),
        "REPEAT" => Some(Lists::Repeat),
        "COMMAS" => Some(Lists::Commas),
        "BRACKETS" => Some(Lists::Brackets),
        "NONE" => None,
        other => {
            let known = "INDICES, REPEAT, COMMAS, BRACKETS or NONE";
            let why = format!("`Transform.RequestEncodingOptions.ArrayFormat` must be {known}, not `{other}`");
            return Err(parameters.wrong(&why));
        }
    })
}

/// The form: what is within an object has its name in brackets.
pub(super) fn write(entries: &Map<String, Value>, lists: Lists) -> String {
    let mut pairs = Vec::new();
    for (name, value) in entries {
        push(&escape(name), value, lists, &mut pairs);
    }
    pairs.join("&")
}

fn push(name: &str, value: &Value, lists: Lists, pairs: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, each) in entries {
                push(&format!("{name}[{}]", escape(key)), each, lists, pairs);
            }
        }
        Value::Array(items) if lists == Lists::Commas => {
            let items: Vec<String> = items.iter().map(|item| escape(&text(item))).collect();
            pairs.push(format!("{name}={}", items.join(",")));
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let name = match lists {
                    Lists::Indices => format!("{name}[{at}]"),
                    Lists::Brackets => format!("{name}[]"),
                    Lists::Repeat | Lists::Commas => name.to_owned(),
                };
                push(&name, item, lists, pairs);
            }
        }
        _ => pairs.push(format!("{name}={}", escape(&text(value)))),
    }
}

/// Null is empty.
fn text(value: &Value) -> String {
    if value.is_null() { String::new() } else { plain(value).unwrap_or_else(|| value.to_string()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_in_every_format() {
        let body = json!({"array": ["a", "b&"], "o": {"x y": 1, "deep": {"t": true}}, "n": null});
        for (lists, array) in [
            (Lists::Indices, "array[0]=a&array[1]=b%26"),
            (Lists::Repeat, "array=a&array=b%26"),
            (Lists::Commas, "array=a,b%26"),
            (Lists::Brackets, "array[]=a&array[]=b%26"),
        ] {
            let expected = format!("{array}&o[x%20y]=1&o[deep][t]=true&n=");
            assert_eq!(write(body.as_object().unwrap(), lists), expected);
        }
    }
}
