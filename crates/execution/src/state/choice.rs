//! Choice: goes on where the first rule that holds says.

use std::cmp::Ordering;

use asl::{
    State,
    state::{Choice, ChoiceRule, Comparator, Condition, Operand},
};
use jiff::Timestamp;
use query::Template;
use serde_json::Value;

use crate::{
    data_flow,
    driver::{Driver, Outcome, View},
    failure::{Failure, NO_CHOICE_MATCHED},
    path::PathId,
    time,
};

pub(crate) fn perform<'machine>(
    driver: &mut Driver<'machine, '_>,
    path: PathId,
    state: &'machine State,
    choice: &'machine Choice,
) -> Result<Outcome<'machine>, Failure> {
    let effective = data_flow::input(driver, path, state)?;
    let mut chosen = None;
    {
        let mut test = Test { view: View::of_state(state, effective.value()), driver, path, state, rule: 0 };
        for (index, rule) in choice.rules.iter().enumerate() {
            test.rule = index;
            if test.holds(&rule.condition)? {
                chosen = Some(rule);
                break;
            }
        }
    }
    let (next, from) = match (chosen, &choice.default) {
        (Some(rule), _) => (&rule.next, of_rule(rule)),
        (None, Some(default)) => (default, (state.output.as_ref(), state.assign.as_ref())),
        (None, None) => {
            let cause = "Failed to transition out of the state. The state does not point to a next state.";
            return Err(Failure::of_state(NO_CHOICE_MATCHED, cause.to_owned()));
        }
    };
    data_flow::exit_with_input(driver, path, state, effective, from, Some(next)).map(Outcome::Leave)
}

/// `Output` and `Assign` of the rule that holds.
fn of_rule(rule: &ChoiceRule) -> (Option<&Template>, Option<&Template>) {
    (rule.output.as_ref(), rule.assign.as_ref())
}

struct Test<'test, 'machine, 'execution> {
    view: View<'test>,
    driver: &'test mut Driver<'machine, 'execution>,
    path: PathId,
    state: &'test State,
    rule: usize,
}

impl Test<'_, '_, '_> {
    fn holds(&mut self, condition: &Condition) -> Result<bool, Failure> {
        match condition {
            Condition::Constant(holds) => Ok(*holds),
            Condition::Expression(expression) => {
                let field = format!("Choices[{}]/Condition", self.rule);
                let found = self
                    .driver
                    .evaluate(self.path, self.state, self.view, &field, |scope| expression.evaluate(scope))?;
                found.as_bool().ok_or_else(|| Failure::unexpected_type(expression.as_str(), &field, "boolean", &found))
            }
            Condition::And(all) => {
                for condition in all {
                    if !self.holds(condition)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Or(any) => {
                for condition in any {
                    if self.holds(condition)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(condition) => self.holds(condition).map(|holds| !holds),
            Condition::Compare { variable, comparator: Comparator::IsPresent, operand } => {
                let exists = |scope: &query::Scope<'_>| Ok(variable.exists(scope));
                let found = self.driver.evaluate(self.path, self.state, self.view, "Variable", exists)?;
                Ok(matches!(operand, Operand::Boolean(wanted) if *wanted == found))
            }
            Condition::Compare { variable, comparator, operand } => {
                let value = self.find(variable)?;
                match operand {
                    Operand::Path(path) => {
                        let other = self.find(path)?;
                        Ok(compare(*comparator, &value, &Other::Value(&other)))
                    }
                    operand => Ok(compare(*comparator, &value, &Other::Operand(operand))),
                }
            }
        }
    }

    fn find(&mut self, variable: &query::jsonpath::Path) -> Result<Value, Failure> {
        let found = self.driver.query(self.path, self.state, self.view, |scope| variable.evaluate(scope));
        found.map_err(|_| {
            Failure::runtime(format!(
                "Invalid path '{}': The choice state's condition path references an invalid value.",
                variable.as_str()
            ))
        })
    }
}

/// What a variable is compared with.
enum Other<'other> {
    Operand(&'other Operand),
    Value(&'other Value),
}

impl Other<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Other::Operand(Operand::Text(text)) => Some(text),
            Other::Value(value) => value.as_str(),
            Other::Operand(_) => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Other::Operand(Operand::Number(number)) => Some(*number),
            Other::Value(value) => value.as_f64(),
            Other::Operand(_) => None,
        }
    }

    fn boolean(&self) -> Option<bool> {
        match self {
            Other::Operand(Operand::Boolean(boolean)) => Some(*boolean),
            Other::Value(value) => value.as_bool(),
            Other::Operand(_) => None,
        }
    }

    fn timestamp(&self) -> Option<Timestamp> {
        match self {
            Other::Operand(Operand::Timestamp(timestamp)) => Some(*timestamp),
            Other::Value(value) => value.as_str().and_then(time::parse),
            Other::Operand(_) => None,
        }
    }
}

/// Values of types that can't be compared never compare true.
fn compare(comparator: Comparator, value: &Value, other: &Other<'_>) -> bool {
    use Comparator as C;
    let is = |holds: bool| other.boolean() == Some(holds);
    let ordering = match comparator {
        C::IsNull => return is(value.is_null()),
        C::IsPresent => return is(true),
        C::IsNumeric => return is(value.is_number()),
        C::IsString => return is(value.is_string()),
        C::IsBoolean => return is(value.is_boolean()),
        C::IsTimestamp => return is(value.as_str().and_then(time::parse).is_some()),
        C::StringMatches => {
            return value.as_str().zip(other.text()).is_some_and(|(text, pattern)| matches(text, pattern));
        }
        C::BooleanEquals => return value.as_bool().is_some_and(|boolean| other.boolean() == Some(boolean)),
        C::StringEquals
        | C::StringLessThan
        | C::StringGreaterThan
        | C::StringLessThanEquals
        | C::StringGreaterThanEquals => value.as_str().zip(other.text()).map(|(one, other)| one.cmp(other)),
        C::NumericEquals
        | C::NumericLessThan
        | C::NumericGreaterThan
        | C::NumericLessThanEquals
        | C::NumericGreaterThanEquals => {
            value.as_f64().zip(other.number()).and_then(|(one, other)| one.partial_cmp(&other))
        }
        C::TimestampEquals
        | C::TimestampLessThan
        | C::TimestampGreaterThan
        | C::TimestampLessThanEquals
        | C::TimestampGreaterThanEquals => {
            value.as_str().and_then(time::parse).zip(other.timestamp()).map(|(one, other)| one.cmp(&other))
        }
    };
    ordering.is_some_and(|ordering| satisfies(comparator, ordering))
}

fn satisfies(comparator: Comparator, ordering: Ordering) -> bool {
    use Comparator as C;
    match comparator {
        C::StringLessThan | C::NumericLessThan | C::TimestampLessThan => ordering.is_lt(),
        C::StringGreaterThan | C::NumericGreaterThan | C::TimestampGreaterThan => ordering.is_gt(),
        C::StringLessThanEquals | C::NumericLessThanEquals | C::TimestampLessThanEquals => ordering.is_le(),
        C::StringGreaterThanEquals | C::NumericGreaterThanEquals | C::TimestampGreaterThanEquals => ordering.is_ge(),
        _ => ordering.is_eq(),
    }
}

/// `StringMatches`: `*` is any run of characters, `\*` a star, `\\` a backslash.
fn matches(text: &str, pattern: &str) -> bool {
    let mut pieces = vec![String::new()];
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match (character, pieces.last_mut()) {
            ('*', _) => pieces.push(String::new()),
            ('\\', Some(piece)) => piece.extend(characters.next().or(Some('\\'))),
            (character, Some(piece)) => piece.push(character),
            (_, None) => {}
        }
    }
    let [first, middle @ .., last] = pieces.as_slice() else {
        return pieces.first().is_some_and(|whole| whole == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece.as_str()) else { return false };
        rest = after;
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        let check = |text: &str, pattern: &str, expected: bool| {
            assert_eq!(matches(text, pattern), expected, "{text} against {pattern}");
        };
        check("log-1.txt", "log-*.txt", true);
        check("log-.txt", "log-*.txt", true);
        check("log.txt", "log-*.txt", false);
        check("a*b", "a\\*b", true);
        check("acb", "a\\*b", false);
        check("a\\b", "a\\\\b", true);
        check("abcbc", "a*bc", true);
        check("ab", "*a*b*", true);
        check("ba", "*a*b*", false);
        check("", "*", true);
        check("", "", true);
        check("a", "", false);
        check("aa", "aa*aa", false);
    }

    #[test]
    fn other_types_never_compare() {
        let check = |value: Value, comparator, operand: Operand, expected: bool| {
            assert_eq!(
                compare(comparator, &value, &Other::Operand(&operand)),
                expected,
                "{comparator:?} {value} {operand:?}"
            );
        };
        check(json!("1"), Comparator::NumericEquals, Operand::Number(1.0), false);
        check(json!(1), Comparator::NumericEquals, Operand::Number(1.0), true);
        check(json!(2), Comparator::NumericLessThanEquals, Operand::Number(1.5), false);
        check(json!("b"), Comparator::StringGreaterThan, Operand::Text("a".to_owned()), true);
        check(json!(true), Comparator::BooleanEquals, Operand::Boolean(false), false);
        check(json!(null), Comparator::IsNull, Operand::Boolean(true), true);
        check(json!("2016-03-14T01:59:00Z"), Comparator::IsTimestamp, Operand::Boolean(true), true);
        check(json!("2016-03-14"), Comparator::IsTimestamp, Operand::Boolean(false), true);
    }
}
