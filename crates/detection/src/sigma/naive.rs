//! Whether an event is as a condition says, the plain way: the oracle of the compiled matcher.

use serde_json::Value;

use super::{
    Check, Condition, Expression, Test,
    text::{TextPattern, parts},
};
use crate::scalar::Scalar;

/// What every event has that CloudTrail wrote, whoever forwards it.
const RECORD_FIELDS: [&str; 4] = ["detail.eventVersion", "detail.eventSource", "detail.eventName", "detail.eventTime"];

impl Condition {
    /// The condition, of what CloudTrail wrote.
    pub(super) fn of_cloudtrail(expression: Expression) -> Condition {
        let test = |field: &str, check: Check| Expression::Test(Test { field: field.to_owned(), check });
        let forwarded = RECORD_FIELDS.map(|field| test(field, Check::Exists));
        let delivered = test("detail-type", Check::Text(TextPattern::new(parts("* via CloudTrail"), true)));
        Condition(Expression::All(vec![
            Expression::Any(vec![delivered, Expression::All(forwarded.to_vec())]),
            expression,
        ]))
    }

    /// Whether an event's envelope is as the condition says.
    pub fn matches(&self, envelope: &Value) -> bool {
        self.0.holds(&mut |test: &Test| {
            let here = values_at(envelope, &test.field);
            let there = test.check.reference().map(|field| values_at(envelope, field)).unwrap_or_default();
            test.check.holds(here.into_iter().map(Scalar::from), there.into_iter().map(Scalar::from))
        })
    }
}

impl Expression {
    fn holds(&self, test: &mut impl FnMut(&Test) -> bool) -> bool {
        match self {
            Expression::All(parts) => parts.iter().all(|part| part.holds(test)),
            Expression::Any(parts) => parts.iter().any(|part| part.holds(test)),
            Expression::Not(part) => !part.holds(test),
            Expression::Test(inner) => test(inner),
        }
    }
}

/// All values at a path: a key may hold dots itself, and of arrays it is each element.
fn values_at<'event>(value: &'event Value, path: &str) -> Vec<&'event Value> {
    let mut found = Vec::new();
    collect(value, Some(path), &mut found);
    found
}

fn collect<'event>(value: &'event Value, path: Option<&str>, found: &mut Vec<&'event Value>) {
    match (value, path) {
        (Value::Array(elements), _) if !elements.is_empty() => {
            elements.iter().for_each(|element| collect(element, path, found));
        }
        (value, None) => found.push(value),
        (Value::Object(entries), Some(path)) => {
            for (key, value) in entries {
                match path.strip_prefix(key.as_str()) {
                    Some("") => collect(value, None, found),
                    Some(rest) if rest.starts_with('.') => collect(value, rest.get(1..), found),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
