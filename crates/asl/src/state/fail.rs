//! Fail.

use serde_json::Value;

use super::Kind;
use crate::{
    Dynamic,
    parse::{Allowed, Object, Parser},
};

/// What only a Fail has.
#[derive(Clone, Debug)]
pub struct Fail {
    /// `Error`, `ErrorPath`.
    pub error: Option<Dynamic>,
    /// `Cause`, `CausePath`.
    pub cause: Option<Dynamic>,
}

/// The fields of a Fail.
pub(super) const FIELDS: Allowed = Allowed {
    both: &["Type", "Comment", "QueryLanguage", "Error", "Cause"],
    jsonpath: &["ErrorPath", "CausePath"],
    jsonata: &[],
};

pub(super) fn parse(parser: &mut Parser<'_>, object: &Object<'_>) -> Option<Kind> {
    let error = parser.dynamic(object, "Error", string);
    let cause = parser.dynamic(object, "Cause", string);
    parser.warn_without_path(object, "Error");
    parser.warn_without_path(object, "Cause");
    Some(Kind::Fail(Fail { error, cause }))
}

fn string(value: &Value) -> Result<(), String> {
    match value {
        Value::String(_) => Ok(()),
        _ => Err("Expected value of type [STRING]".to_owned()),
    }
}
