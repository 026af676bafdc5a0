//! Filters: `[?(@.size > 3 && @.kind in ['a','b'])]`.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    evaluator::{self, Failure},
    operator::Operator,
    token::Token,
};

/// What a filter asks of a node.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// The path finds something.
    Exists { tokens: Vec<Token>, from_root: bool },
    /// Two values compared.
    Compare { left: Operand, operator: Operator, right: Operand },
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A JSON literal.
    Literal(Value),
    /// `/regular expression/`.
    Pattern(regex::Regex),
    /// A path from the node (`@`) or from the document's root (`$`).
    Path { tokens: Vec<Token>, from_root: bool },
}

impl Condition {
    /// Whether it holds for `node`.
    pub fn holds(&self, node: &Value, root: &Value) -> bool {
        match self {
            Condition::And(conditions) => conditions.iter().all(|condition| condition.holds(node, root)),
            Condition::Or(conditions) => conditions.iter().any(|condition| condition.holds(node, root)),
            Condition::Not(condition) => !condition.holds(node, root),
            Condition::Exists { tokens, from_root } => {
                evaluator::evaluate(tokens, if *from_root { root } else { node }, root).is_ok()
            }
            Condition::Compare { left, operator, right } => match (left, right) {
                (Operand::Pattern(pattern), value) | (value, Operand::Pattern(pattern)) => {
                    *operator == Operator::Matches
                        && value.value(node, root).is_ok_and(|value| matches_any(pattern, value.as_deref()))
                }
                (left, right) => match (left.value(node, root), right.value(node, root)) {
                    (Ok(left), Ok(right)) => operator.compare(left.as_deref(), right.as_deref()),
                    _ => false,
                },
            },
        }
    }
}

impl Operand {
    /// Its value; `None` is Jayway's undefined, an error one of the path itself.
    fn value<'v>(&'v self, node: &'v Value, root: &'v Value) -> Result<Option<Cow<'v, Value>>, Failure> {
        match self {
            Operand::Literal(value) => Ok(Some(Cow::Borrowed(value))),
            Operand::Pattern(_) => Ok(None),
            Operand::Path { tokens, from_root } => {
                match evaluator::evaluate(tokens, if *from_root { root } else { node }, root) {
                    Ok(value) => Ok(Some(value)),
                    Err(Failure::NotFound(_)) => Ok(None),
                    Err(failure) => Err(failure),
                }
            }
        }
    }
}

/// Whether a text, number or boolean matches as a whole, or any such item of an array.
fn matches_any(pattern: &regex::Regex, value: Option<&Value>) -> bool {
    let matches = |value: &Value| match value {
        Value::String(text) => pattern.is_match(text),
        Value::Number(_) | Value::Bool(_) => pattern.is_match(&value.to_string()),
        _ => pattern.is_match(""),
    };
    match value {
        None => pattern.is_match(""),
        Some(Value::Array(items)) => items.iter().any(matches),
        Some(value) => matches(value),
    }
}
