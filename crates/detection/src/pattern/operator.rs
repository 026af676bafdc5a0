//! What one value must be: one file a family of operators.

mod address;
mod affix;
mod anything_but;
mod exact;
mod exists;
mod numeric;
mod wildcard;

use serde_json::{Number, Value};

use super::document::{Fault, Kind, Node};
use crate::scalar::Scalar;

pub(crate) use {
    address::AddressRange,
    affix::Affix,
    numeric::{NumericRange, comparable},
    wildcard::Wildcard,
};

/// One alternative of a leaf.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operator {
    /// `"text"`, and `{"exactly": "text"}`.
    Text(String),
    /// `300`.
    Number(Number),
    /// `true`, `false`, `null`.
    Literal(Value),
    /// `{"prefix": …}`
    Prefix(Affix),
    /// `{"suffix": …}`
    Suffix(Affix),
    /// `{"equals-ignore-case": …}`
    EqualsIgnoreCase(String),
    /// `{"wildcard": …}`
    Wildcard(Wildcard),
    /// `{"numeric": …}`
    Numeric(NumericRange),
    /// `{"cidr": …}`, and an exact text that is an address: addresses are equal however they are written.
    Address(AddressRange),
    /// `{"anything-but": …}`: none of these.
    AnythingBut(Vec<Operator>),
    /// `{"exists": true}`
    Present,
    /// `{"exists": false}`: met by no value, but by there being none.
    Absent,
}

impl Operator {
    /// Whether a scalar is what the operator asks for.
    pub fn matches(&self, scalar: Scalar<'_>) -> bool {
        match self {
            Operator::AnythingBut(operators) => !any_matches(operators, scalar),
            Operator::Present => true,
            Operator::Absent => false,
            _ => match scalar {
                Scalar::Text(text) => self.matches_text(text),
                Scalar::Value(value) => self.matches_value(value),
                // No pattern looks at objects.
                Scalar::Json(_) => false,
            },
        }
    }

    fn matches_text(&self, text: &str) -> bool {
        match self {
            Operator::Text(exact) => exact == text,
            Operator::Prefix(affix) => affix.starts(text),
            Operator::Suffix(affix) => affix.ends(text),
            Operator::EqualsIgnoreCase(exact) => affix::equal_ignoring_case(exact, text),
            Operator::Wildcard(wildcard) => wildcard.matches(text),
            Operator::Address(range) => range.matches(text),
            _ => false,
        }
    }

    fn matches_value(&self, value: &Value) -> bool {
        match self {
            Operator::Number(number) => exact::number_matches(number, value),
            Operator::Literal(literal) => literal == value,
            Operator::Numeric(range) => range.matches(value),
            _ => false,
        }
    }
}

/// Whether a scalar is what one of the operators asks for.
pub(crate) fn any_matches(operators: &[Operator], scalar: Scalar<'_>) -> bool {
    operators.iter().any(|operator| operator.matches(scalar))
}

/// Reads one alternative of a leaf.
pub(super) fn parse(node: &Node) -> Result<Operator, Fault> {
    let entries = match &node.kind {
        Kind::Object(entries) => entries,
        Kind::Array(_) => {
            return Err(Fault::at(node.met, "Match value must be String, number, true, false, or null"));
        }
        _ => return exact::parse(node),
    };
    let Some((name, value)) = entries.first() else {
        return Err(Fault::at(node.end, "Match expression name not found"));
    };
    let operator = expression(name, value).map_err(|fault| fault.under(name))?;
    match entries.get(1) {
        None => Ok(operator),
        Some((_, second)) if matches!(name.as_str(), "numeric" | "anything-but") => {
            Err(Fault::at(second.met, "Too many elements in numeric expression"))
        }
        Some((_, second)) => Err(only_one_key(second)),
    }
}

fn expression(name: &str, value: &Node) -> Result<Operator, Fault> {
    match name {
        "exactly" => text(value, "exact").map(|text| Operator::Text(text.to_owned())),
        "prefix" => affix::parse(value, "prefix").map(Operator::Prefix),
        "suffix" => affix::parse(value, "suffix").map(Operator::Suffix),
        "equals-ignore-case" => {
            text(value, "equals-ignore-case").map(|text| Operator::EqualsIgnoreCase(text.to_owned()))
        }
        "wildcard" => wildcard::parse(value).map(Operator::Wildcard),
        "numeric" => numeric::parse(value).map(Operator::Numeric),
        // AWS says `prefix` here
        "cidr" => AddressRange::parse(text(value, "prefix")?).map(Operator::Address),
        "anything-but" => anything_but::parse(value).map(Operator::AnythingBut),
        "exists" => exists::parse(value),
        _ => Err(Fault::at(value.met, format!("Unrecognized match type {name}"))),
    }
}

fn text<'node>(node: &'node Node, operator: &str) -> Result<&'node str, Fault> {
    match &node.kind {
        Kind::String(text) => Ok(text),
        _ => Err(Fault::at(node.met, format!("{operator} match pattern must be a string"))),
    }
}

fn only_one_key(second: &Node) -> Fault {
    Fault::at(second.met, "Only one key allowed in match expression")
}
