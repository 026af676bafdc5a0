//! Succeed: has nothing of its own.

use super::Kind;
use crate::parse::{Allowed, Object, Parser};

/// The fields of a Succeed.
pub(super) const FIELDS: Allowed = Allowed {
    both: &["Type", "Comment", "QueryLanguage"],
    jsonpath: &["InputPath", "OutputPath"],
    jsonata: &["Output"],
};

pub(super) fn parse(_parser: &mut Parser<'_>, _object: &Object<'_>) -> Option<Kind> {
    Some(Kind::Succeed)
}
