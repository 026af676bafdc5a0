//! Pass.

use serde_json::Value;

use super::Kind;
use crate::parse::{Allowed, Object, Parser};

/// What only a Pass has.
#[derive(Clone, Debug)]
pub struct Pass {
    /// `Result` (JSONPath): no template, it comes out as it is.
    pub result: Option<Value>,
}

/// The fields of a Pass.
pub(super) const FIELDS: Allowed = Allowed {
    both: &["Type", "Comment", "QueryLanguage", "Next", "End", "Assign"],
    jsonpath: &["Result", "Parameters", "InputPath", "OutputPath", "ResultPath"],
    jsonata: &["Output"],
};

pub(super) fn parse(parser: &mut Parser<'_>, object: &Object<'_>) -> Option<Kind> {
    parser.warn_of_static_result(object);
    Some(Kind::Pass(Pass { result: object.get("Result").cloned() }))
}
