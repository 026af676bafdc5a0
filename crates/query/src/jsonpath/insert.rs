//! Puts a value into a document: ResultPath.

use serde_json::{Map, Value};

use super::token::Token;

/// Puts `value` at the reference path `tokens` of `document`. The error says which step does not fit what is there.
pub fn insert(document: &mut Value, tokens: &[Token], value: Value) -> Result<(), String> {
    let mut node = document;
    for token in tokens {
        node = match token {
            Token::Property { names, .. } => {
                let name = names.first().map(String::as_str).unwrap_or_default();
                let Value::Object(fields) = node else { return Err(misfit(name, node)) };
                fields.entry(name).or_insert_with(|| Value::Object(Map::new()))
            }
            Token::Index(indices) => {
                let index = indices.first().copied().unwrap_or_default();
                let position = usize::try_from(index).ok();
                let fits = position.zip(node.as_array()).is_some_and(|(at, items)| at < items.len());
                if !fits {
                    return Err(misfit(&index.to_string(), node));
                }
                match position.and_then(|at| node.get_mut(at)) {
                    Some(item) => item,
                    None => return Err(format!("Unable to apply step \"{index}\"")),
                }
            }
            other => return Err(misfit(&other.fragment(), node)),
        };
    }
    *node = value;
    Ok(())
}

fn misfit(step: &str, node: &Value) -> String {
    format!("Unable to apply step \"{step}\" to input {node}")
}
