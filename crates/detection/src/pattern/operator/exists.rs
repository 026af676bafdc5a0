//! `{"exists": true}` and `{"exists": false}`: leaves only; an object is not there.

use super::{Fault, Kind, Node, Operator};

pub(super) fn parse(node: &Node) -> Result<Operator, Fault> {
    match node.kind {
        Kind::Boolean(true) => Ok(Operator::Present),
        Kind::Boolean(false) => Ok(Operator::Absent),
        _ => Err(Fault::at(node.met, "exists match pattern must be either true or false.")),
    }
}
