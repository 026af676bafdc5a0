//! `States.Format`, `States.StringSplit`.

use serde_json::Value;

use super::count;
use crate::java;

/// `States.Format(template, …)`: each `{}` of the template replaced by the next value. `written` is the template as it is
/// written, where it is: a backslash before a brace is only to be seen there.
pub fn format(written: Option<&str>, values: &[Value]) -> Result<Value, String> {
    let Some((Value::String(template), mut rest)) = values.split_first() else {
        return Err(count("a template and values for it", values));
    };
    let mut text = String::new();
    let mut characters = written.unwrap_or(template).chars().peekable();
    while let Some(found) = characters.next() {
        match found {
            '\\' if written.is_some() => text.extend(characters.next()),
            '{' if characters.peek() == Some(&'}') => {
                characters.next();
                let Some((value, others)) = rest.split_first() else {
                    return Err("the template has more {} than there are values".to_owned());
                };
                display(value, &mut text);
                rest = others;
            }
            _ => text.push(found),
        }
    }
    if !rest.is_empty() {
        return Err("there are more values than the template has {}".to_owned());
    }
    Ok(Value::String(text))
}

/// A value as Java prints its maps and lists: `{a=1, b=[x, null]}`.
fn display(value: &Value, text: &mut String) {
    match value {
        Value::String(inside) => text.push_str(inside),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                display(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                text.push_str(name);
                text.push('=');
                display(field, text);
            }
            text.push('}');
        }
        Value::Number(number) => text.push_str(&java::number(number)),
        other => text.push_str(&other.to_string()),
    }
}

/// `States.StringSplit(text, delimiters)`: every character of the second is a delimiter; empty pieces are dropped.
pub fn split(values: &[Value]) -> Result<Value, String> {
    let [Value::String(text), Value::String(delimiters)] = values else {
        return Err(count("a text and its delimiters", values));
    };
    Ok(text.split(|found| delimiters.contains(found)).filter(|piece| !piece.is_empty()).map(Value::from).collect())
}
