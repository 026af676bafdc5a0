//! How complex wildcards are together. AWS refuses a pattern in which one value could be at too many places of the wildcards of a
//! field at once.
//!
//! The measure is that of event-ruler's `MachineComplexityEvaluator`: of all texts, the one that makes the most beginnings of the
//! wildcards match at the same time. That AWS refuses more than ten was seen and is not documented. Source:
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-wildcard-matching-complexity>

use std::collections::{BTreeSet, HashSet};

use super::{Operator, document::Fault, operator::Wildcard};

/// How many beginnings may match at the same time.
const MATCHING_MAX: usize = 10;
/// How many sets of beginnings are looked at; what is not found to be too complex until then is taken.
const SETS_MAX: usize = 5_000;

const TOO_COMPLEX: &str = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character";

/// Refuses alternatives of one field whose wildcards are too complex together.
pub(super) fn check(operators: &[Operator]) -> Result<(), Fault> {
    let mut wildcards: Vec<Beginnings> = Vec::new();
    for (alternative, operator) in operators.iter().enumerate() {
        match operator {
            Operator::Wildcard(wildcard) => wildcards.push(Beginnings::of(alternative, wildcards.len(), wildcard)),
            Operator::AnythingBut(inner) => {
                for operator in inner {
                    if let Operator::Wildcard(wildcard) = operator {
                        wildcards.push(Beginnings::of(alternative, wildcards.len(), wildcard));
                    }
                }
            }
            _ => {}
        }
    }
    if is_too_complex(&wildcards) { Err(Fault::nowhere(TOO_COMPLEX)) } else { Ok(()) }
}

/// A byte of a wildcard, or its gap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Byte(u8),
    Gap,
}

/// A beginning of a wildcard: which one, and how many of its tokens.
type Beginning = (usize, usize);

/// What a beginning counts as: beginnings of one alternative that are the same count once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Counted {
    /// Until behind the first gap, and what is there.
    Same(usize, Vec<Token>),
    Own(Beginning),
    End(usize),
}

struct Beginnings {
    tokens: Vec<Token>,
    /// By number of tokens.
    counted: Vec<Counted>,
}

impl Beginnings {
    /// The value is looked at with its quotes.
    fn of(alternative: usize, number: usize, wildcard: &Wildcard) -> Beginnings {
        let mut tokens = vec![Token::Byte(b'"')];
        for (index, literal) in wildcard.literals().enumerate() {
            if index > 0 {
                tokens.push(Token::Gap);
            }
            tokens.extend(literal.bytes().map(Token::Byte));
        }
        tokens.push(Token::Byte(b'"'));
        let first_gap = tokens.iter().position(|token| *token == Token::Gap).unwrap_or(tokens.len());
        let counted = (0..=tokens.len())
            .map(|length| match tokens.get(..length) {
                _ if length == tokens.len() => Counted::End(alternative),
                Some(beginning) if length <= first_gap + 1 => Counted::Same(alternative, beginning.to_vec()),
                _ => Counted::Own((number, length)),
            })
            .collect();
        Beginnings { tokens, counted }
    }

    fn token(&self, length: usize) -> Option<Token> {
        self.tokens.get(length).copied()
    }

    /// The beginnings that match with one more byte (`None`: one that no wildcard names).
    fn next(&self, length: usize, byte: Option<u8>, mut add: impl FnMut(usize)) {
        let is_next = |token: Option<Token>| token.is_some() && token == byte.map(Token::Byte);
        if length.checked_sub(1).and_then(|last| self.token(last)) == Some(Token::Gap) {
            add(length);
        }
        if self.token(length) == Some(Token::Gap) {
            add(length + 1);
            if is_next(self.token(length + 1)) {
                add(length + 2);
            }
        } else if is_next(self.token(length)) {
            add(length + 1);
        }
    }
}

fn is_too_complex(wildcards: &[Beginnings]) -> bool {
    let mut bytes: BTreeSet<Option<u8>> = BTreeSet::from([None]);
    for token in wildcards.iter().flat_map(|wildcard| &wildcard.tokens) {
        if let Token::Byte(byte) = token {
            bytes.insert(Some(*byte));
        }
    }
    let start: BTreeSet<Beginning> = (0..wildcards.len()).map(|wildcard| (wildcard, 0)).collect();
    let mut seen = HashSet::from([start.clone()]);
    let mut pending = vec![start];
    while let Some(matching) = pending.pop() {
        for byte in &bytes {
            let mut next = BTreeSet::new();
            for (number, length) in &matching {
                if let Some(wildcard) = wildcards.get(*number) {
                    wildcard.next(*length, *byte, |length| {
                        next.insert((*number, length));
                    });
                }
            }
            if count(wildcards, &next) > MATCHING_MAX {
                return true;
            }
            if !next.is_empty() && seen.len() < SETS_MAX && seen.insert(next.clone()) {
                pending.push(next);
            }
        }
    }
    false
}

/// How many match: before a gap, what is behind it matches too.
fn count(wildcards: &[Beginnings], matching: &BTreeSet<Beginning>) -> usize {
    let mut counted = BTreeSet::new();
    for (number, length) in matching {
        let Some(wildcard) = wildcards.get(*number) else { continue };
        counted.extend(wildcard.counted.get(*length));
        if wildcard.token(*length) == Some(Token::Gap) {
            counted.extend(wildcard.counted.get(length + 1));
        }
    }
    counted.len()
}

#[cfg(test)]
mod tests {
    use crate::EventPattern;

    #[test]
    fn wildcards_that_aws_refuses_together() {
        let check = |alternatives: &str, expected: bool| {
            let parsed = EventPattern::parse(&format!(r#"{{"a": [{alternatives}]}}"#));
            assert_eq!(parsed.is_ok(), expected, "{alternatives}: {parsed:?}");
            if let Err(invalid) = parsed {
                assert_eq!(invalid.to_string(), format!("Event pattern is not valid. Reason: {}", super::TOO_COMPLEX));
            }
        };
        let stacks = |count: usize| {
            let names = ["api", "web", "data", "monitoring", "shared"];
            names
                .iter()
                .take(count)
                .map(|name| format!(r#"{{"wildcard": "*:stack/{name}/*"}}"#))
                .collect::<Vec<_>>()
                .join(",")
        };
        // as it went with four stacks on AWS
        check(&stacks(3), true);
        check(&stacks(4), false);
        check(r#"{"wildcard": "*/bin/*.jar"}"#, true);
        check(r#"{"wildcard": "*a*b*c*d*e*f*"}"#, true);
        check(r#"{"wildcard": "*a*a*a*a*a*a*"}"#, false);
        check(r#"{"anything-but": {"wildcard": ["*a*a*a*a*a*a*"]}}"#, false);
        check(r#"{"wildcard": "aaaaaaaaaaaaaaaaaaaaaaaaaaa*"}"#, true);
    }
}
