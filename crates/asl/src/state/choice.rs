//! Choice.

use jiff::Timestamp;
use query::{Template, jsonata::Expression, jsonpath::Path};

/// What only a Choice has.
#[derive(Clone, Debug)]
pub struct Choice {
    /// `Choices`, the first that holds wins.
    pub rules: Vec<ChoiceRule>,
    /// `Default`.
    pub default: Option<String>,
}

/// One top-level rule.
#[derive(Clone, Debug)]
pub struct ChoiceRule {
    /// When it holds.
    pub condition: Condition,
    /// `Next`.
    pub next: String,
    /// `Output` (JSONata).
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Template>,
}

/// A rule's condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// `Condition` (JSONata).
    Expression(Expression),
    /// `Condition: true` or `false` as a literal (JSONata).
    Constant(bool),
    /// `And`.
    And(Vec<Condition>),
    /// `Or`.
    Or(Vec<Condition>),
    /// `Not`.
    Not(Box<Condition>),
    /// `Variable` and a comparison.
    Compare {
        /// `Variable`.
        variable: Path,
        /// The comparator.
        comparator: Comparator,
        /// What it is compared with.
        operand: Operand,
    },
}

/// Which comparison: the comparator's name without its `Path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the ASL comparator of the same name")]
pub enum Comparator {
    StringEquals,
    StringLessThan,
    StringGreaterThan,
    StringLessThanEquals,
    StringGreaterThanEquals,
    StringMatches,
    NumericEquals,
    NumericLessThan,
    NumericGreaterThan,
    NumericLessThanEquals,
    NumericGreaterThanEquals,
    BooleanEquals,
    TimestampEquals,
    TimestampLessThan,
    TimestampGreaterThan,
    TimestampLessThanEquals,
    TimestampGreaterThanEquals,
    IsNull,
    IsPresent,
    IsNumeric,
    IsString,
    IsBoolean,
    IsTimestamp,
}

/// What a variable is compared with.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A string.
    Text(String),
    /// A number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A timestamp.
    Timestamp(Timestamp),
    /// `…Path`: where to find it.
    Path(Path),
}
