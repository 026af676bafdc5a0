//! Parses filters: what stands between `[?` and `]`.

use serde_json::Value;

use super::{
    characters::{Characters, unescape},
    filter::{Condition, Operand},
    operator::Operator,
    parser,
};
use crate::{SyntaxError, limits};

/// Parses `(…)`.
pub fn parse(text: &str, depth: usize) -> Result<Condition, SyntaxError> {
    let mut parser = FilterParser { filter: Characters::new(text), depth };
    let condition = parser.or()?;
    parser.filter.skip_blanks();
    if !parser.filter.at_end() {
        let rest = parser.filter.slice(parser.filter.position, parser.filter.len());
        return Err(parser.fail(format!("Expected end of filter expression instead of: {rest}")));
    }
    Ok(condition)
}

struct FilterParser {
    filter: Characters,
    depth: usize,
}

impl FilterParser {
    fn fail(&self, message: impl Into<String>) -> SyntaxError {
        self.filter.error(self.filter.position, message)
    }

    fn or(&mut self) -> Result<Condition, SyntaxError> {
        let mut conditions = vec![self.and()?];
        while self.takes("||") {
            conditions.push(self.and()?);
        }
        Ok(if conditions.len() == 1 { conditions.remove(0) } else { Condition::Or(conditions) })
    }

    fn and(&mut self) -> Result<Condition, SyntaxError> {
        let mut conditions = vec![self.operand()?];
        while self.takes("&&") {
            conditions.push(self.operand()?);
        }
        Ok(if conditions.len() == 1 { conditions.remove(0) } else { Condition::And(conditions) })
    }

    fn operand(&mut self) -> Result<Condition, SyntaxError> {
        self.depth += 1;
        if self.depth > limits::PATH_NESTING {
            return Err(self.fail("Filter nests too deep"));
        }
        let condition = if self.takes("!") {
            Condition::Not(Box::new(self.operand()?))
        } else if self.takes("(") {
            let condition = self.or()?;
            if !self.takes(")") {
                return Err(self.fail("Expected character: )"));
            }
            condition
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn takes(&mut self, wanted: &str) -> bool {
        self.filter.skip_blanks();
        self.filter.take(wanted)
    }

    fn comparison(&mut self) -> Result<Condition, SyntaxError> {
        let left = self.value()?;
        let start = self.filter.position;
        self.filter.skip_blanks();
        let Some(operator) = self.operator() else {
            self.filter.position = start;
            return match left {
                Operand::Path { tokens, from_root } => Ok(Condition::Exists { tokens, from_root }),
                _ => Err(self.fail("Expected path node")),
            };
        };
        let right = self.value()?;
        Ok(Condition::Compare { left, operator, right })
    }

    fn operator(&mut self) -> Option<Operator> {
        let start = self.filter.position;
        let is_symbol = |found: Option<char>| matches!(found, Some('<' | '>' | '=' | '~' | '!'));
        if is_symbol(self.filter.current()) {
            while is_symbol(self.filter.current()) {
                self.filter.position += 1;
            }
        } else {
            while self.filter.current().is_some_and(|found| found.is_ascii_alphabetic()) {
                self.filter.position += 1;
            }
        }
        Operator::named(&self.filter.slice(start, self.filter.position))
    }

    fn value(&mut self) -> Result<Operand, SyntaxError> {
        self.filter.skip_blanks();
        let start = self.filter.position;
        match self.filter.current() {
            Some('$' | '@') => self.path(),
            Some(quote @ ('\'' | '"')) => {
                let text = self.until(self.filter.next_unescaped(start, quote), "String not closed.")?;
                let inside = text.get(1..text.len() - 1).unwrap_or_default();
                match unescape(inside) {
                    Some(text) => Ok(Operand::Literal(Value::String(text))),
                    None => Err(self.fail(format!("Unable to parse unicode value: {inside}"))),
                }
            }
            Some(open @ ('{' | '[')) => {
                let close = if open == '{' { '}' } else { ']' };
                let text = self.until(self.filter.matching_close(start, close, false), "JSON not closed.")?;
                json(&text).map(Operand::Literal).ok_or_else(|| self.fail(format!("Not JSON: {text}")))
            }
            Some('/') => self.pattern(),
            _ => {
                let is_part = |found: char| found.is_ascii_alphanumeric() || matches!(found, '-' | '+' | '.' | '_');
                while self.filter.current().is_some_and(is_part) {
                    self.filter.position += 1;
                }
                let text = self.filter.slice(start, self.filter.position);
                json(&text)
                    .or_else(|| is_word(&text).then(|| Value::String(text.clone())))
                    .map(Operand::Literal)
                    .ok_or_else(|| self.filter.error(start, format!("Expected a value instead of: {text}")))
            }
        }
    }

    /// The text from here to `end`, which is taken.
    fn until(&mut self, end: Option<usize>, message: &str) -> Result<String, SyntaxError> {
        let Some(end) = end else { return Err(self.fail(message)) };
        let text = self.filter.slice(self.filter.position, end + 1);
        self.filter.position = end + 1;
        Ok(text)
    }

    /// `/text/flags`. The whole of a value has to match.
    fn pattern(&mut self) -> Result<Operand, SyntaxError> {
        let start = self.filter.position;
        let text = self.until(self.filter.next_unescaped(start, '/'), "Pattern not closed. Expected /")?;
        let inside = text.get(1..text.len() - 1).unwrap_or_default().replace("\\/", "/");
        let flags_start = self.filter.position;
        while matches!(self.filter.current(), Some('i' | 'm' | 's' | 'u' | 'x' | 'd' | 'U')) {
            self.filter.position += 1;
        }
        let flags = self.filter.slice(flags_start, self.filter.position);
        let regex = regex::RegexBuilder::new(&format!(r"\A(?:{inside})\z"))
            .case_insensitive(flags.contains('i'))
            .multi_line(flags.contains('m'))
            .dot_matches_new_line(flags.contains('s'))
            .ignore_whitespace(flags.contains('x'))
            .size_limit(limits::REGEX_SIZE)
            .build()
            .map_err(|error| self.fail(format!("Not a regular expression: {error}")))?;
        Ok(Operand::Pattern(regex))
    }

    /// A path: up to a blank, an operator or the parenthesis that closes the condition.
    fn path(&mut self) -> Result<Operand, SyntaxError> {
        let start = self.filter.position;
        let from_root = self.filter.current() == Some('$');
        self.filter.position += 1;
        while let Some(found) = self.filter.current() {
            let end = match found {
                '[' => self.filter.matching_close(self.filter.position, ']', true),
                '(' => self.filter.matching_close(self.filter.position, ')', true),
                ' ' | ')' | '<' | '>' | '=' | '~' | '!' | '&' | '|' | ',' => break,
                _ => Some(self.filter.position),
            };
            let Some(end) = end else { return Err(self.fail("Brackets does not match in filter")) };
            self.filter.position = end + 1;
        }
        let text = self.filter.slice(start, self.filter.position);
        Ok(Operand::Path { tokens: parser::parse(&text, self.depth + 1)?, from_root })
    }
}

/// JSON, or Java's lenient kind of it with single quotes.
fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&text.replace('\'', "\""))).ok()
}

/// A word without quotes: definitions that run at AWS compare with such (`[?(@.Name==Receipt)]`), and mean the text.
fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
