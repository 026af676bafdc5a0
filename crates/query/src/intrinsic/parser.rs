//! Parses calls: `States.Format('{} of {}', $.one, States.ArrayLength($.all))`.

use serde_json::Value;

use super::{Argument, Function, Invocation};
use crate::{jsonpath::Path, limits};

/// What is wrong, and at which byte.
type Fault = (String, usize);

/// Parses a whole text that is one call.
pub fn parse(text: &str) -> Result<Invocation, Fault> {
    let mut parser = Parser { text, offset: 0 };
    parser.skip_blanks();
    let call = parser.call(1)?;
    parser.skip_blanks();
    match parser.peek() {
        None => Ok(call),
        Some(found) => Err(parser.fault(format!("unexpected '{found}' after the call"))),
    }
}

struct Parser<'t> {
    text: &'t str,
    offset: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.offset += found.len_utf8();
        Some(found)
    }

    fn skip_blanks(&mut self) {
        self.skip_while(char::is_whitespace);
    }

    /// Moves on while `wanted` holds, and gives what was passed over.
    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let passed: String = self.rest().chars().take_while(|found| wanted(*found)).collect();
        self.offset += passed.len();
        passed
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        (message.into(), self.offset)
    }

    fn call(&mut self, depth: usize) -> Result<Invocation, Fault> {
        let offset = self.offset;
        if depth > limits::INTRINSIC_NESTING {
            return Err(self.fault(format!("calls nest deeper than {}", limits::INTRINSIC_NESTING)));
        }
        let name = self.skip_while(|found| found.is_ascii_alphanumeric() || found == '.');
        let Some(function) = Function::named(&name) else {
            return Err((format!("there is no intrinsic function '{name}'"), offset));
        };
        self.skip_blanks();
        if self.next() != Some('(') {
            return Err(self.fault(format!("expected '(' after {name}")));
        }
        let mut arguments = Vec::new();
        self.skip_blanks();
        if self.peek() == Some(')') {
            self.next();
            return Ok(Invocation { function, arguments, offset });
        }
        loop {
            self.skip_blanks();
            arguments.push(self.argument(depth)?);
            self.skip_blanks();
            match self.next() {
                Some(',') => {}
                Some(')') => return Ok(Invocation { function, arguments, offset }),
                _ => return Err(self.fault(format!("expected ',' or ')' after an argument of {name}"))),
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, Fault> {
        match self.peek() {
            Some('\'') => self.quoted(),
            Some('$') => self.path(),
            Some('S') => self.call(depth + 1).map(Argument::Call),
            _ => {
                let start = self.offset;
                let word = self.skip_while(|found| found.is_ascii_alphanumeric() || matches!(found, '-' | '+' | '.'));
                match serde_json::from_str::<Value>(&word) {
                    Ok(value) => Ok(Argument::Value(value)),
                    Err(_) => Err((
                        "expected a path, a call, a text in single quotes, a number, true, false or null".to_owned(),
                        start,
                    )),
                }
            }
        }
    }

    /// `'text'`, in which a backslash stands before `'`, `{`, `}` and itself, and before nothing else.
    fn quoted(&mut self) -> Result<Argument, Fault> {
        self.next();
        let start = self.offset;
        let mut value = String::new();
        loop {
            let end = self.offset;
            match self.next() {
                None => return Err((String::from("a text is not closed by a single quote"), start)),
                Some('\'') => {
                    let written = self.text.get(start..end).unwrap_or_default().to_owned();
                    return Ok(Argument::Text { written, value });
                }
                Some('\\') => match self.next() {
                    Some(escaped @ ('\'' | '{' | '}' | '\\')) => value.push(escaped),
                    _ => return Err((String::from(r"a backslash stands before none of ' { } \"), end)),
                },
                Some(found) => value.push(found),
            }
        }
    }

    /// A path: up to the comma or parenthesis that ends the argument.
    fn path(&mut self) -> Result<Argument, Fault> {
        let start = self.offset;
        let mut depth = 0usize;
        let mut quote = None;
        while let Some(found) = self.peek() {
            match (quote, found) {
                (Some(_), '\\') => {
                    self.next();
                }
                (Some(open), _) if open == found => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(found),
                (None, '(' | '[') => depth += 1,
                (None, ',' | ')') if depth == 0 => break,
                (None, ')' | ']') => depth = depth.saturating_sub(1),
                (None, _) => {}
            }
            self.next();
        }
        let text = self.text.get(start..self.offset).unwrap_or_default().trim_end();
        Path::parse(text).map(Argument::Path).map_err(|error| (error.message, start + error.offset.unwrap_or_default()))
    }
}
