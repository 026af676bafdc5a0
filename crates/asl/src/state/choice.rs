//! Choice.

use jiff::Timestamp;
use query::{Language, Template, jsonata::Expression, jsonpath::Path};
use serde_json::Value;

use super::Kind;
use crate::{
    parse::{Allowed, Object, Parser, SCHEMA},
    timestamp,
};

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

/// The fields of a Choice.
pub(super) const FIELDS: Allowed = Allowed {
    both: &["Type", "Comment", "QueryLanguage", "Choices", "Default", "Assign"],
    jsonpath: &["InputPath", "OutputPath"],
    jsonata: &["Output"],
};

/// The fields of one of its rules.
const RULE: Allowed =
    Allowed { both: &["Comment", "Next", "Assign"], jsonpath: &CONDITION_FIELDS, jsonata: &["Condition", "Output"] };

/// The fields of a condition inside of `And`, `Or` or `Not`.
const CONDITION: Allowed = Allowed { both: &["Comment"], jsonpath: &CONDITION_FIELDS, jsonata: &[] };

const CONDITION_FIELDS: [&str; 43] = [
    "Variable",
    "And",
    "Or",
    "Not",
    "StringEquals",
    "StringLessThan",
    "StringGreaterThan",
    "StringLessThanEquals",
    "StringGreaterThanEquals",
    "StringMatches",
    "NumericEquals",
    "NumericLessThan",
    "NumericGreaterThan",
    "NumericLessThanEquals",
    "NumericGreaterThanEquals",
    "BooleanEquals",
    "TimestampEquals",
    "TimestampLessThan",
    "TimestampGreaterThan",
    "TimestampLessThanEquals",
    "TimestampGreaterThanEquals",
    "IsNull",
    "IsPresent",
    "IsNumeric",
    "IsString",
    "IsBoolean",
    "IsTimestamp",
    "StringEqualsPath",
    "StringLessThanPath",
    "StringGreaterThanPath",
    "StringLessThanEqualsPath",
    "StringGreaterThanEqualsPath",
    "NumericEqualsPath",
    "NumericLessThanPath",
    "NumericGreaterThanPath",
    "NumericLessThanEqualsPath",
    "NumericGreaterThanEqualsPath",
    "BooleanEqualsPath",
    "TimestampEqualsPath",
    "TimestampLessThanPath",
    "TimestampGreaterThanPath",
    "TimestampLessThanEqualsPath",
    "TimestampGreaterThanEqualsPath",
];

/// Every comparator's field.
const COMPARATOR_FIELDS: &[&str] = match CONDITION_FIELDS.split_first_chunk::<4>() {
    Some((_, comparators)) => comparators,
    None => &[],
};

/// Every comparator and its name.
const COMPARATORS: [(&str, Comparator); 23] = [
    ("StringEquals", Comparator::StringEquals),
    ("StringLessThan", Comparator::StringLessThan),
    ("StringGreaterThan", Comparator::StringGreaterThan),
    ("StringLessThanEquals", Comparator::StringLessThanEquals),
    ("StringGreaterThanEquals", Comparator::StringGreaterThanEquals),
    ("StringMatches", Comparator::StringMatches),
    ("NumericEquals", Comparator::NumericEquals),
    ("NumericLessThan", Comparator::NumericLessThan),
    ("NumericGreaterThan", Comparator::NumericGreaterThan),
    ("NumericLessThanEquals", Comparator::NumericLessThanEquals),
    ("NumericGreaterThanEquals", Comparator::NumericGreaterThanEquals),
    ("BooleanEquals", Comparator::BooleanEquals),
    ("TimestampEquals", Comparator::TimestampEquals),
    ("TimestampLessThan", Comparator::TimestampLessThan),
    ("TimestampGreaterThan", Comparator::TimestampGreaterThan),
    ("TimestampLessThanEquals", Comparator::TimestampLessThanEquals),
    ("TimestampGreaterThanEquals", Comparator::TimestampGreaterThanEquals),
    ("IsNull", Comparator::IsNull),
    ("IsPresent", Comparator::IsPresent),
    ("IsNumeric", Comparator::IsNumeric),
    ("IsString", Comparator::IsString),
    ("IsBoolean", Comparator::IsBoolean),
    ("IsTimestamp", Comparator::IsTimestamp),
];

/// The comparator that a field names, and whether its operand is a path.
pub(crate) fn comparator(field: &str) -> Option<(Comparator, bool)> {
    let named = |name: &str| COMPARATORS.iter().find(|(known, _)| *known == name).map(|(_, comparator)| *comparator);
    match (named(field), field.strip_suffix("Path").and_then(named)) {
        (Some(comparator), _) => Some((comparator, false)),
        (None, Some(comparator)) => Some((comparator, true)),
        (None, None) => None,
    }
}

pub(super) fn parse(parser: &mut Parser<'_>, object: &Object<'_>) -> Option<Kind> {
    parser.require(object, &["Choices"]);
    let default = parser.text(object, "Default");
    let mut rules = Vec::new();
    for (pointer, value) in parser.items(object, "Choices") {
        if let Some(rule) = parser.object(value, &pointer, object.language, &RULE) {
            rules.extend(parser.choice_rule(&rule));
        }
    }
    Some(Kind::Choice(Choice { rules, default }))
}

impl Parser<'_> {
    fn choice_rule(&mut self, rule: &Object<'_>) -> Option<ChoiceRule> {
        self.require(rule, &["Next"]);
        self.text(rule, "Comment");
        let next = self.text(rule, "Next");
        let output = self.template(rule, "Output");
        let assign = self.assign(rule);
        let condition = match rule.language {
            Language::JsonPath => self.condition(rule),
            Language::Jsonata => self.jsonata_condition(rule),
        };
        Some(ChoiceRule { condition: condition?, next: next?, output, assign })
    }

    fn jsonata_condition(&mut self, rule: &Object<'_>) -> Option<Condition> {
        self.require(rule, &["Condition"]);
        let pointer = rule.at("Condition");
        match rule.get("Condition")? {
            Value::Bool(constant) => Some(Condition::Constant(*constant)),
            Value::String(text) if text.starts_with("{%") || text.ends_with("%}") => {
                self.expression(text, &pointer).map(Condition::Expression)
            }
            other => {
                self.wrong_type(&pointer, "[BOOLEAN]", other);
                None
            }
        }
    }

    /// One of `And`, `Or`, `Not`, or `Variable` with one comparator.
    fn condition(&mut self, rule: &Object<'_>) -> Option<Condition> {
        const SELECTORS: [&str; 4] = ["And", "Or", "Not", "Variable"];
        let written: Vec<&str> = rule.keys().map(String::as_str).filter(|key| rule.has(key)).collect();
        let tests: Vec<&str> = written.iter().copied().filter(|key| comparator(key).is_some()).collect();
        let selectors: Vec<&str> = SELECTORS.into_iter().filter(|field| rule.has(field)).collect();
        let [selector] = selectors.as_slice() else {
            let message = "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]";
            let help = "give it a `Variable` and one comparator, or `And`, `Or` or `Not`";
            self.problem(SCHEMA, rule.pointer.clone(), message, Some(help.to_owned()));
            return None;
        };
        if *selector != "Variable" {
            if let Some(test) = tests.first() {
                self.field_problem(rule, test, format!("Field '{test}' is not supported"), None);
                return None;
            }
        } else if tests.is_empty() && rule.keys().any(|key| !rule.has(key)) {
            return None; // a misspelt comparator is a problem already
        } else if !self.exactly_one(rule, COMPARATOR_FIELDS, "compare it by one of them") {
            return None;
        }
        let test = tests.first().copied().unwrap_or(selector);
        match test {
            "And" => self.conditions(rule, "And").map(Condition::And),
            "Or" => self.conditions(rule, "Or").map(Condition::Or),
            "Not" => {
                let inner = self.object(rule.get("Not")?, &rule.at("Not"), rule.language, &CONDITION)?;
                self.condition(&inner).map(Box::new).map(Condition::Not)
            }
            test => self.comparison(rule, test),
        }
    }

    fn conditions(&mut self, rule: &Object<'_>, field: &str) -> Option<Vec<Condition>> {
        let items = self.items(rule, field);
        let count = items.len();
        let mut conditions = Vec::new();
        for (pointer, value) in items {
            if let Some(inner) = self.object(value, &pointer, rule.language, &CONDITION) {
                conditions.extend(self.condition(&inner));
            }
        }
        (count > 0 && conditions.len() == count).then_some(conditions)
    }

    fn comparison(&mut self, rule: &Object<'_>, field: &str) -> Option<Condition> {
        self.require(rule, &["Variable"]);
        let variable = self.compared_path(rule, "Variable");
        let (comparator, is_path) = comparator(field)?;
        let operand = if is_path {
            self.compared_path(rule, field).map(Operand::Path)
        } else {
            if field != "StringMatches" {
                self.warn_without_path(rule, field);
            }
            let value = rule.get(field)?;
            let operand = operand(comparator, value);
            if let Err(message) = &operand {
                self.problem(SCHEMA, rule.at(field), message.clone(), None);
            }
            operand.ok()
        };
        Some(Condition::Compare { variable: variable?, comparator, operand: operand? })
    }
}

/// The operand in the type that its comparator wants.
fn operand(comparator: Comparator, value: &Value) -> Result<Operand, String> {
    use Comparator as C;
    let wanted = match comparator {
        C::StringEquals
        | C::StringLessThan
        | C::StringGreaterThan
        | C::StringLessThanEquals
        | C::StringGreaterThanEquals
        | C::StringMatches => match value {
            Value::String(text) => return Ok(Operand::Text(text.clone())),
            _ => "[STRING]",
        },
        C::NumericEquals
        | C::NumericLessThan
        | C::NumericGreaterThan
        | C::NumericLessThanEquals
        | C::NumericGreaterThanEquals => match value.as_f64() {
            Some(number) => return Ok(Operand::Number(number)),
            None => "[NUMBER]",
        },
        C::TimestampEquals
        | C::TimestampLessThan
        | C::TimestampGreaterThan
        | C::TimestampLessThanEquals
        | C::TimestampGreaterThanEquals => match value.as_str().and_then(timestamp::parse) {
            Some(moment) => return Ok(Operand::Timestamp(moment)),
            None if value.is_string() => return Err("String does not match RFC3339 timestamp".to_owned()),
            None => "[STRING]",
        },
        C::BooleanEquals | C::IsNull | C::IsPresent | C::IsNumeric | C::IsString | C::IsBoolean | C::IsTimestamp => {
            match value {
                Value::Bool(boolean) => return Ok(Operand::Boolean(*boolean)),
                _ => "[BOOLEAN]",
            }
        }
    };
    Err(format!("Expected value of type {wanted}"))
}
