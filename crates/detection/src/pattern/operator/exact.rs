//! Exact values: texts, numbers, `true`, `false`, `null`.

use serde_json::{Number, Value};

use super::{AddressRange, Fault, Kind, Node, Operator, numeric};

pub(super) fn parse(node: &Node) -> Result<Operator, Fault> {
    match &node.kind {
        Kind::String(text) => {
            Ok(AddressRange::exactly(text).map_or_else(|| Operator::Text(text.clone()), Operator::Address))
        }
        Kind::Number(number) => Ok(Operator::Number(number.clone())),
        Kind::Boolean(boolean) => Ok(Operator::Literal(Value::Bool(*boolean))),
        Kind::Null => Ok(Operator::Literal(Value::Null)),
        Kind::Object(_) | Kind::Array(_) => {
            Err(Fault::at(node.met, "Match value must be String, number, true, false, or null"))
        }
    }
}

/// Numbers are equal by value where AWS can compare them (300 = 300.0 = 3.0e2), else by how they are written: account numbers.
pub(super) fn number_matches(number: &Number, value: &Value) -> bool {
    let Value::Number(other) = value else {
        return false;
    };
    number == other
        || matches!((numeric::comparable(number), numeric::comparable(other)), (Some(left), Some(right)) if left == right)
}
