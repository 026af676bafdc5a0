//! Parallel.

use std::sync::Arc;

use super::Kind;
use crate::{
    Flow,
    parse::{Allowed, Object, Parser},
};

/// What only a Parallel has.
#[derive(Clone, Debug)]
pub struct Parallel {
    /// `Branches`.
    pub branches: Vec<Arc<Flow>>,
}

/// The fields of a Parallel.
pub(super) const FIELDS: Allowed = Allowed {
    both: &["Type", "Comment", "QueryLanguage", "Branches", "Retry", "Catch", "Assign", "Next", "End"],
    jsonpath: &["InputPath", "Parameters", "ResultSelector", "ResultPath", "OutputPath"],
    jsonata: &["Arguments", "Output"],
};

/// The fields of one of its branches.
const BRANCH: Allowed = Allowed { both: &["Comment", "StartAt", "States"], jsonpath: &[], jsonata: &[] };

pub(super) fn parse(parser: &mut Parser<'_>, object: &Object<'_>) -> Option<Kind> {
    parser.require(object, &["Branches"]);
    let mut branches = Vec::new();
    for (pointer, value) in parser.items(object, "Branches") {
        if let Some(branch) = parser.object(value, &pointer, object.language, &BRANCH)
            && let Some(flow) = parser.flow(&branch)
        {
            branches.push(Arc::new(flow));
        }
    }
    Some(Kind::Parallel(Parallel { branches }))
}
