//! Event patterns, exactly as EventBridge takes them.
//!
//! A pattern is read in three steps: `document` turns the text into nodes that know where they stand, `branch` turns the nodes
//! into branches (one for each combination of `$or`), and the operators hold what one value must be. Matching flattens the
//! event into fields and looks for an assignment of fields to the paths of a branch.
//!
//! Sources: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html> and the behaviour of
//! AWS's own matcher, event-ruler.

mod assignment;
mod branch;
mod complexity;
mod document;
mod field;
mod operator;

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use field::Field;

pub(crate) use assignment::{Membership, Requirement, assignable};
pub(crate) use branch::Branch;
pub(crate) use operator::{AddressRange, Affix, Operator, Wildcard, any_matches, comparable};

/// The longest pattern that EventBridge takes, in characters. Source:
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html>
pub const LENGTH_MAX: usize = 4_096;

/// The most combinations that the `$or`s of a pattern may make. Source:
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>
pub const COMBINATIONS_MAX: usize = 1_000;

/// A pattern that EventBridge would refuse. Its display is AWS's message, the place included.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Event pattern is not valid. Reason: {reason}{}", location.as_ref().map(|location| format!("\n at {location}")).unwrap_or_default())]
pub struct InvalidPattern {
    /// What is wrong, in AWS's words where they are known.
    pub reason: String,
    /// The JSON pointer of what is wrong, `""` where it is no JSON.
    pub pointer: String,
    /// Where reading stopped, where AWS tells it.
    pub location: Option<Location>,
}

/// Where the reading of a pattern's text stopped, as AWS writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The text, its first 500 characters.
    pub excerpt: String,
    /// The line, from 1.
    pub line: usize,
    /// The column after what was read last, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[Source: (String){}; line: {}, column: {}]", self.excerpt, self.line, self.column)
    }
}

/// A parsed pattern.
#[derive(Clone, Debug)]
pub struct EventPattern {
    source: Value,
    branches: Vec<Branch>,
}

impl EventPattern {
    /// Parses a pattern's JSON text. The last of duplicate keys wins, as on AWS.
    pub fn parse(text: &str) -> Result<EventPattern, InvalidPattern> {
        let invalid = |fault: document::Fault| InvalidPattern {
            reason: fault.message,
            pointer: fault.pointer,
            location: fault.at.map(|offset| document::location(text, offset)),
        };
        let length = text.chars().count();
        if length > LENGTH_MAX {
            return Err(invalid(document::Fault::nowhere(format!(
                "The pattern has {length} characters, and at most {LENGTH_MAX} are allowed"
            ))));
        }
        let root = document::scan(text).map_err(invalid)?;
        let branches = branch::branches(&root).map_err(invalid)?;
        let source = serde_json::from_str(text).map_err(|error| InvalidPattern {
            reason: error.to_string(),
            pointer: String::new(),
            location: None,
        })?;
        Ok(EventPattern { source, branches })
    }

    /// Parses a pattern that is a JSON value already.
    pub fn from_value(value: &Value) -> Result<EventPattern, InvalidPattern> {
        EventPattern::parse(&value.to_string())
    }

    /// The pattern as JSON.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Whether it matches any JSON object (naively: the oracle of the compiled [`Matcher`](crate::Matcher)).
    pub fn matches(&self, event: &Value) -> bool {
        if !event.is_object() {
            return false;
        }
        let fields = field::flatten(event);
        self.branches.iter().any(|branch| branch_matches(branch, &fields))
    }

    /// What matching takes: one of these branches must match.
    pub(crate) fn branches(&self) -> &[Branch] {
        &self.branches
    }
}

fn branch_matches(branch: &Branch, fields: &[Field<'_>]) -> bool {
    let requirements: Vec<Requirement<'_>> = branch
        .iter()
        .map(|(path, operators)| {
            let present: Vec<&Field<'_>> = fields.iter().filter(|field| &field.path == path).collect();
            Requirement {
                matching: present
                    .iter()
                    .filter(|field| any_matches(operators, field.value.into()))
                    .map(|field| &field.membership)
                    .collect(),
                absent: operators
                    .contains(&Operator::Absent)
                    .then(|| present.iter().map(|field| &field.membership).collect()),
            }
        })
        .collect();
    assignable(&requirements)
}

#[cfg(test)]
mod tests;
