//! Intrinsic functions: `States.Format`, `States.MathAdd` and the others.
//!
//! Source: the Step Functions developer guide, "Intrinsics for JSONPath states".

mod array;
mod encoding;
mod json;
mod math;
mod parser;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

use crate::{Error, ErrorKind, Scope, SyntaxError, digest, java, jsonpath, jsonpath::Path, limits, random};

/// A call of an intrinsic function, its arguments parsed.
#[derive(Clone, Debug)]
pub struct Call {
    text: String,
    root: Arc<Invocation>,
}

/// A function and its arguments.
#[derive(Clone, Debug)]
struct Invocation {
    function: Function,
    arguments: Vec<Argument>,
    /// Where the call begins in the text: calls of one expression differ in their randomness.
    offset: usize,
}

#[derive(Clone, Debug)]
enum Argument {
    Value(Value),
    /// A text as it is written between its quotes, escapes and all, for `States.Format`.
    Text {
        written: String,
        value: String,
    },
    Path(Path),
    Call(Invocation),
}

/// The functions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Format,
    StringToJson,
    JsonToString,
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
}

/// Why a function refuses its arguments.
enum Refusal {
    /// In words for the user.
    Arguments(String),
    /// A path among the arguments finds nothing.
    NotFound(String),
}

impl Call {
    /// Parses `States.Name(arguments)`.
    pub fn parse(text: &str) -> Result<Call, SyntaxError> {
        let root = parser::parse(text).map_err(|(message, offset)| SyntaxError::new(message, Some(offset)))?;
        Ok(Call { text: text.to_owned(), root: Arc::new(root) })
    }

    /// The call as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The paths among its arguments, those of nested calls too.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        collect_paths(&self.root, &mut paths);
        paths
    }

    /// Its answer. The same as [`Call::evaluate_at`] with an empty place.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Error> {
        self.evaluate_at(scope, "")
    }

    /// Its answer. `place` says where the call stands (`Parameters/id.$`): the same call at two places of one moment
    /// draws different randomness.
    ///
    /// The error's message is a whole sentence: "The function '…' had the following error: …".
    pub fn evaluate_at(&self, scope: &Scope<'_>, place: &str) -> Result<Value, Error> {
        invoke(&self.root, self, scope, place).map_err(|refusal| {
            let (kind, message) = match refusal {
                Refusal::Arguments(message) => (ErrorKind::Intrinsic, message),
                Refusal::NotFound(message) => (ErrorKind::Path, message),
            };
            Error {
                kind,
                location: String::new(),
                expression: self.text.clone(),
                message: format!("The function '{}' had the following error: {message}", self.text),
            }
        })
    }
}

fn collect_paths<'c>(invocation: &'c Invocation, paths: &mut Vec<&'c Path>) {
    for argument in &invocation.arguments {
        match argument {
            Argument::Path(path) => paths.push(path),
            Argument::Call(call) => collect_paths(call, paths),
            Argument::Value(_) | Argument::Text { .. } => {}
        }
    }
}

fn invoke(invocation: &Invocation, call: &Call, scope: &Scope<'_>, place: &str) -> Result<Value, Refusal> {
    let mut values = Vec::with_capacity(invocation.arguments.len());
    for argument in &invocation.arguments {
        values.push(match argument {
            Argument::Value(value) => value.clone(),
            Argument::Text { value, .. } => Value::String(value.clone()),
            Argument::Path(path) => path.evaluate_for_field(scope).map_err(|_| {
                Refusal::NotFound(format!(
                    "The JsonPath argument for the field '{}' {}",
                    path.as_str(),
                    jsonpath::not_found(scope.root)
                ))
            })?,
            Argument::Call(nested) => invoke(nested, call, scope, place)?,
        });
    }
    let generator = || random::generator(scope.moment, place, &format!("{}#{}", call.text, invocation.offset));
    let answer = match invocation.function {
        Function::Format => {
            let written = match invocation.arguments.first() {
                Some(Argument::Text { written, .. }) => Some(written.as_str()),
                _ => None,
            };
            text::format(written, &values)
        }
        Function::StringSplit => text::split(&values),
        Function::StringToJson => json::parse(&values),
        Function::JsonToString => json::print(&values),
        Function::JsonMerge => json::merge(&values),
        Function::Array => Ok(Value::Array(values)),
        Function::ArrayPartition => array::partition(&values),
        Function::ArrayContains => array::contains(&values),
        Function::ArrayRange => array::range(&values),
        Function::ArrayGetItem => array::item(&values),
        Function::ArrayLength => array::length(&values),
        Function::ArrayUnique => array::unique(&values),
        Function::Base64Encode => encoding::encode(&values),
        Function::Base64Decode => encoding::decode(&values),
        Function::Hash => hash(&values),
        Function::MathRandom => math::random(&values, generator),
        Function::MathAdd => math::add(&values),
        Function::Uuid => match values.as_slice() {
            [] => Ok(Value::String(random::uuid(&mut generator()))),
            _ => Err(count("no arguments", &values)),
        },
    };
    answer.map_err(Refusal::Arguments)
}

/// `States.Hash(data, algorithm)`.
fn hash(values: &[Value]) -> Result<Value, String> {
    let [data, Value::String(algorithm)] = values else {
        return Err(count("data and the name of an algorithm", values));
    };
    let data = match data {
        Value::String(text) => text.clone(),
        other => java::json(other),
    };
    short(&data)?;
    digest::hash(algorithm, data.as_bytes())
        .map(Value::String)
        .ok_or_else(|| format!("there is no algorithm '{algorithm}', only {}", digest::ALGORITHMS))
}

/// What was wanted and what was there.
fn count(wanted: &str, values: &[Value]) -> String {
    let kinds: Vec<&str> = values.iter().map(kind).collect();
    format!("it takes {wanted}, but was given ({})", kinds.join(", "))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn short(text: &str) -> Result<(), String> {
    if text.chars().count() > limits::INTRINSIC_TEXT {
        return Err(format!("the text is longer than {} characters", limits::INTRINSIC_TEXT));
    }
    Ok(())
}

impl Function {
    fn named(name: &str) -> Option<Function> {
        Some(match name {
            "States.Format" => Function::Format,
            "States.StringToJson" => Function::StringToJson,
            "States.JsonToString" => Function::JsonToString,
            "States.Array" => Function::Array,
            "States.ArrayPartition" => Function::ArrayPartition,
            "States.ArrayContains" => Function::ArrayContains,
            "States.ArrayRange" => Function::ArrayRange,
            "States.ArrayGetItem" => Function::ArrayGetItem,
            "States.ArrayLength" => Function::ArrayLength,
            "States.ArrayUnique" => Function::ArrayUnique,
            "States.Base64Encode" => Function::Base64Encode,
            "States.Base64Decode" => Function::Base64Decode,
            "States.Hash" => Function::Hash,
            "States.JsonMerge" => Function::JsonMerge,
            "States.MathRandom" => Function::MathRandom,
            "States.MathAdd" => Function::MathAdd,
            "States.StringSplit" => Function::StringSplit,
            "States.UUID" => Function::Uuid,
            _ => return None,
        })
    }
}
