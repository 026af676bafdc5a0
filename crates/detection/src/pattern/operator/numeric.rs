//! `numeric`: JSON numbers between bounds.

use serde_json::{Number, Value};

use super::{Fault, Kind, Node};

/// AWS compares numbers up to here, either way.
const COMPARABLE_MAX: f64 = 5e9;

/// Bounds of a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NumericRange {
    bottom: Option<Bound>,
    top: Option<Bound>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound {
    value: f64,
    inclusive: bool,
}

impl NumericRange {
    pub(super) fn matches(&self, value: &Value) -> bool {
        let Value::Number(number) = value else {
            return false;
        };
        comparable(number).is_some_and(|number| {
            self.bottom.is_none_or(|bound| number > bound.value || bound.inclusive && number == bound.value)
                && self.top.is_none_or(|bound| number < bound.value || bound.inclusive && number == bound.value)
        })
    }
}

/// A number as AWS compares it; `None` beyond ±5,000,000,000.
pub(crate) fn comparable(number: &Number) -> Option<f64> {
    number.as_f64().filter(|number| number.abs() <= COMPARABLE_MAX)
}

/// A number of a pattern that must be comparable.
pub(super) fn check_comparable(number: &Number) -> Result<f64, String> {
    comparable(number).ok_or_else(|| "Value must be between -5.0E9 and 5.0E9, inclusive".to_owned())
}

/// Reads `["=", n]`, `["<", n]`, `[">=", n, "<", m]` …
pub(super) fn parse(node: &Node) -> Result<NumericRange, Fault> {
    let Kind::Array(terms) = &node.kind else {
        return Err(Fault::at(node.met, "Value of numeric must be an array."));
    };
    let mut terms = terms.iter();
    let operator = match terms.next() {
        Some(Node { kind: Kind::String(operator), .. }) => operator.as_str(),
        Some(other) => return Err(Fault::at(other.end, format!("Invalid member in numeric match: {}", shown(other)))),
        None => return Err(Fault::at(node.end, "Invalid member in numeric match: ]")),
    };
    let name = match operator {
        "=" => "equals",
        "<" | "<=" | ">" | ">=" => operator,
        _ => {
            let at = terms.next().map_or(node.end, |term| term.met);
            return Err(Fault::at(at, format!("Unrecognized numeric range operator: {operator}")));
        }
    };
    let (number, first) = number(terms.next(), node, name)?;
    let bound = |inclusive| Some(Bound { value: first, inclusive });
    let (range, between) = match operator {
        "=" => (NumericRange { bottom: bound(true), top: bound(true) }, false),
        "<" => (NumericRange { bottom: None, top: bound(false) }, false),
        "<=" => (NumericRange { bottom: None, top: bound(true) }, false),
        ">" => (NumericRange { bottom: bound(false), top: None }, true),
        _ => (NumericRange { bottom: bound(true), top: None }, true),
    };
    let range = match terms.next() {
        None => range,
        Some(term) if between => complete(range, term, &mut terms, node)?,
        Some(term) => return Err(Fault::at(term.met, "Too many elements in numeric expression")),
    };
    check_comparable(number).map_err(|message| Fault::at(node.end, message))?;
    Ok(range)
}

/// The upper bound that follows a lower one.
fn complete<'node>(
    range: NumericRange,
    term: &Node,
    terms: &mut impl Iterator<Item = &'node Node>,
    node: &Node,
) -> Result<NumericRange, Fault> {
    let Kind::String(operator) = &term.kind else {
        return Err(Fault::at(term.end, format!("Bad value in numeric range: {}", shown(term))));
    };
    let inclusive = match operator.as_str() {
        "<" => false,
        "<=" => true,
        _ => return Err(Fault::at(term.end, format!("Bad numeric range operator: {operator}"))),
    };
    let (number, value) = number(terms.next(), node, operator)?;
    if let Some(more) = terms.next() {
        return Err(Fault::at(more.met, "Too many terms in numeric range expression"));
    }
    check_comparable(number).map_err(|message| Fault::at(node.end, message))?;
    if range.bottom.is_some_and(|bottom| bottom.value >= value) {
        return Err(Fault::at(node.end, "Bottom must be less than top"));
    }
    Ok(NumericRange { top: Some(Bound { value, inclusive }), ..range })
}

fn number<'node>(term: Option<&'node Node>, node: &Node, name: &str) -> Result<(&'node Number, f64), Fault> {
    let number = match term {
        Some(Node { kind: Kind::Number(number), .. }) => number,
        other => {
            let at = other.map_or(node.end, |term| term.met);
            return Err(Fault::at(at, format!("Value of {name} must be numeric")));
        }
    };
    Ok((number, number.as_f64().unwrap_or(f64::INFINITY)))
}

fn shown(node: &Node) -> String {
    match &node.kind {
        Kind::Object(_) => "{".to_owned(),
        Kind::Array(_) => "[".to_owned(),
        Kind::String(text) => text.clone(),
        Kind::Number(number) => number.to_string(),
        Kind::Boolean(boolean) => boolean.to_string(),
        Kind::Null => "null".to_owned(),
    }
}
