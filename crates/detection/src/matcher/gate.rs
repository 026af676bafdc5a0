//! By what a candidate is found: it waits for one of a few keys, at least one of which an event must have to match.

use std::collections::HashMap;

use super::{
    Candidate, Wanted,
    branch::Condition,
    condition::{CompiledExpression, CompiledTest, Tests},
    paths::Slot,
};
use crate::{
    pattern::{Affix, Operator, Wildcard, comparable},
    sigma::{Check, Place, Shape, TextPattern, fold},
};

/// What an event must have at a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub slot: Slot,
    pub kind: KeyKind,
    /// Whether an object there will do as well.
    pub or_object: bool,
    /// Whether a Sigma rule waits: to it a number is a text too.
    pub is_of_sigma: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum KeyKind {
    /// This text.
    Exact(String),
    /// This text, folded.
    Folded(String),
    /// A text with this in it (folded or not).
    Part { literal: String, place: Place, folded: bool },
    /// This number: the bits of a finite `f64` that is not -0.
    Number(u64),
    /// Anything.
    Any,
}

/// One of these keys; `None`: anything at all may match.
pub(super) type Gate = Option<Vec<Key>>;

/// How many candidates could wait for what: the rarer, the better.
pub(super) struct Usage {
    keys: HashMap<Key, usize>,
}

impl Usage {
    pub fn of(candidates: &[Candidate], tests: &Tests) -> Usage {
        let mut usage = Usage { keys: HashMap::new() };
        for candidate in candidates {
            match &candidate.wanted {
                Wanted::Branch(branch) => {
                    branch.conditions.iter().for_each(|condition| usage.count(of_condition(condition)))
                }
                Wanted::Condition(condition) => usage.count_all(condition, tests),
            }
        }
        usage
    }

    fn count(&mut self, gate: Gate) {
        for key in gate.into_iter().flatten() {
            *self.keys.entry(key).or_default() += 1;
        }
    }

    fn count_all(&mut self, expression: &CompiledExpression, tests: &Tests) {
        match expression {
            CompiledExpression::All(parts) | CompiledExpression::Any(parts) => {
                parts.iter().for_each(|part| self.count_all(part, tests));
            }
            CompiledExpression::Not(_) => {}
            CompiledExpression::Test(number) => self.count(tests.get(*number).and_then(of_test)),
        }
    }

    /// By what a candidate is found.
    pub fn gate(&self, candidate: &Candidate, tests: &Tests) -> Gate {
        match &candidate.wanted {
            Wanted::Branch(branch) => self.rarest(branch.conditions.iter().map(of_condition)),
            Wanted::Condition(condition) => self.of_expression(condition, tests),
        }
    }

    fn of_expression(&self, expression: &CompiledExpression, tests: &Tests) -> Gate {
        match expression {
            CompiledExpression::All(parts) => self.rarest(parts.iter().map(|part| self.of_expression(part, tests))),
            CompiledExpression::Any(parts) => {
                let gates: Option<Vec<Vec<Key>>> = parts.iter().map(|part| self.of_expression(part, tests)).collect();
                gates.map(|gates| gates.concat())
            }
            CompiledExpression::Not(_) => None,
            CompiledExpression::Test(number) => tests.get(*number).and_then(of_test),
        }
    }

    fn rarest(&self, gates: impl Iterator<Item = Gate>) -> Gate {
        gates.flatten().min_by_key(|gate| gate.iter().map(|key| self.cost(key)).sum::<usize>())
    }

    /// How often a key may be met, roughly: a value that many rules name is a common one.
    fn cost(&self, key: &Key) -> usize {
        let named = self.keys.get(key).copied().unwrap_or_default();
        match &key.kind {
            KeyKind::Exact(_) | KeyKind::Folded(_) | KeyKind::Number(_) => named,
            KeyKind::Part { literal, .. } => named + 4 + 64_usize / literal.len().max(1),
            KeyKind::Any => named + (1 << 20),
        }
    }
}

fn of_condition(condition: &Condition) -> Gate {
    let key = |operator: &Operator| Key {
        slot: condition.slot,
        kind: of_operator(operator),
        or_object: false,
        is_of_sigma: false,
    };
    (!condition.may_be_absent).then(|| condition.operators.iter().map(key).collect())
}

fn of_operator(operator: &Operator) -> KeyKind {
    match operator {
        Operator::Text(text) => KeyKind::Exact(text.clone()),
        Operator::EqualsIgnoreCase(text) => KeyKind::Folded(fold(text).into_owned()),
        Operator::Prefix(affix) => of_affix(affix, Place::Start),
        Operator::Suffix(affix) => of_affix(affix, Place::End),
        Operator::Wildcard(wildcard) => of_wildcard(wildcard),
        Operator::Number(number) => comparable(number).map_or(KeyKind::Any, |number| KeyKind::Number(bits_of(number))),
        _ => KeyKind::Any,
    }
}

/// A number's bits, the same for 0 and -0.
pub(super) fn bits_of(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

fn of_affix(affix: &Affix, place: Place) -> KeyKind {
    let folded = affix.ignores_case();
    part(if folded { fold(affix.text()).into_owned() } else { affix.text().to_owned() }, place, folded)
}

fn of_wildcard(wildcard: &Wildcard) -> KeyKind {
    let (literal, place) = wildcard.longest_literal();
    if place == Place::Whole { KeyKind::Exact(literal.to_owned()) } else { part(literal.to_owned(), place, false) }
}

fn part(literal: String, place: Place, folded: bool) -> KeyKind {
    if literal.is_empty() { KeyKind::Any } else { KeyKind::Part { literal, place, folded } }
}

fn of_test(test: &CompiledTest) -> Gate {
    let kind = match &test.check {
        Check::Absent => return None,
        Check::Text(pattern) => of_text(pattern),
        _ => KeyKind::Any,
    };
    let or_object = matches!(test.check, Check::Exists) || test.check.looks_into();
    Some(vec![Key { slot: test.slot, kind, or_object, is_of_sigma: true }])
}

fn of_text(pattern: &TextPattern) -> KeyKind {
    let place = match &pattern.shape {
        Shape::Exact(text) if pattern.cased => return KeyKind::Exact(text.clone()),
        Shape::Exact(text) => return KeyKind::Folded(text.clone()),
        Shape::Prefix(_) => Place::Start,
        Shape::Suffix(_) => Place::End,
        Shape::Contains(_) | Shape::Any | Shape::Parts(_) => Place::Anywhere,
    };
    part(pattern.longest_literal().unwrap_or_default().to_owned(), place, !pattern.cased)
}
