//! Parses paths as Jayway's compiler does, with its words for what is wrong.

use super::{
    characters::{Characters, unescape},
    filter_parser,
    function::Function,
    token::{Argument, Token},
};
use crate::{SyntaxError, limits};

/// Parses what follows the origin of a path: `.a[0]` of `$.a[0]`. `text` begins with `$` or `@`.
pub fn parse(text: &str, depth: usize) -> Result<Vec<Token>, SyntaxError> {
    let mut parser = Parser { path: Characters::new(text.trim_end_matches(' ')), tokens: Vec::new(), depth };
    if depth > limits::PATH_NESTING {
        return Err(parser.path.error(0, "Path nests too deep"));
    }
    if parser.path.len() > limits::PATH_LENGTH {
        return Err(parser.path.error(0, format!("Path is longer than {} characters", limits::PATH_LENGTH)));
    }
    parser.parse()?;
    Ok(parser.tokens)
}

struct Parser {
    path: Characters,
    tokens: Vec<Token>,
    depth: usize,
}

impl Parser {
    fn parse(&mut self) -> Result<(), SyntaxError> {
        if !matches!(self.path.current(), Some('$' | '@')) {
            return Err(self.path.error(0, "Path must start with '$' or '@'"));
        }
        if self.path.at(self.path.len() - 1) == Some('.') {
            return Err(self.path.error(self.path.len() - 1, "Path must not end with a '.' or '..'"));
        }
        self.path.position = 1;
        if !matches!(self.path.current(), None | Some('.' | '[')) {
            return Err(self.path.error(1, "Illegal character at position 1 expected '.' or '['"));
        }
        while !self.path.at_end() {
            self.token()?;
        }
        Ok(())
    }

    fn token(&mut self) -> Result<(), SyntaxError> {
        match self.path.current() {
            Some('[') => self.bracket(),
            Some('.') => {
                if self.path.take("..") {
                    self.tokens.push(Token::Scan);
                } else {
                    self.path.position += 1;
                }
                let position = self.path.position;
                match self.path.current() {
                    Some('.') => {
                        Err(self.path.error(position, format!("Character '.' on position {position} is not valid.")))
                    }
                    Some('[') => self.bracket(),
                    Some('*') => self.wildcard(),
                    _ => self.name(),
                }
            }
            Some('*') => self.wildcard(),
            _ => self.name(),
        }
    }

    fn wildcard(&mut self) -> Result<(), SyntaxError> {
        self.path.position += 1;
        self.tokens.push(Token::Wildcard);
        Ok(())
    }

    /// `name` or `name(arguments)`.
    fn name(&mut self) -> Result<(), SyntaxError> {
        let start = self.path.position;
        if matches!(self.path.current(), None | Some(' ')) {
            return Err(self.path.error(start, format!("Could not parse token starting at position {start}")));
        }
        while let Some(found) = self.path.current() {
            match found {
                ' ' => {
                    return Err(self.path.error(
                        self.path.position,
                        format!(
                            "Use bracket notion ['my prop'] if your property contains blank characters. position: {start}"
                        ),
                    ));
                }
                '.' | '[' => break,
                '(' => return self.function(start),
                _ => self.path.position += 1,
            }
        }
        let names = vec![self.path.slice(start, self.path.position)];
        self.tokens.push(Token::Property { names, delimiter: '\'' });
        Ok(())
    }

    /// `(arguments)` of the function whose name begins at `start`.
    fn function(&mut self, start: usize) -> Result<(), SyntaxError> {
        let open = self.path.position;
        let name = self.path.slice(start, open);
        let Some(close) = self.path.matching_close(open, ')', false) else {
            let message = format!("Arguments to function: '{name}' are not closed properly.");
            return Err(self.path.error(open, message));
        };
        let Some(function) = Function::named(&name) else {
            return Err(self.path.error(start, format!("Function with name: {name} does not exist.")));
        };
        let arguments = self.arguments(&name, open, close)?;
        self.path.position = close + 1;
        self.tokens.push(Token::Function { function, arguments });
        Ok(())
    }

    fn arguments(&self, name: &str, open: usize, close: usize) -> Result<Vec<Argument>, SyntaxError> {
        let mut arguments = Vec::new();
        let mut start = open + 1;
        while start < close {
            let end = self.argument_end(start, close);
            let text = self.path.slice(start, end);
            let text = text.trim();
            let argument = if text.starts_with(['$', '@']) {
                Some(Argument::Path(parse(text, self.depth + 1)?))
            } else {
                serde_json::from_str(text).ok().map(Argument::Literal)
            };
            match argument {
                Some(argument) => arguments.push(argument),
                None if text.is_empty() && end == close && arguments.is_empty() => {}
                None => {
                    let message = format!("Arguments to function: '{name}' are neither JSON nor a path: {text}");
                    return Err(self.path.error(start, message));
                }
            }
            start = end + 1;
        }
        Ok(arguments)
    }

    /// Where the argument that begins at `start` ends: the comma or the closing parenthesis.
    fn argument_end(&self, start: usize, close: usize) -> usize {
        let mut position = start;
        while position < close {
            let skipped = match self.path.at(position) {
                Some(',') => return position,
                Some(quote @ ('"' | '\'')) => self.path.next_unescaped(position, quote),
                Some('(') => self.path.matching_close(position, ')', false),
                Some('[') => self.path.matching_close(position, ']', false),
                Some('{') => self.path.matching_close(position, '}', false),
                _ => None,
            };
            position = skipped.unwrap_or(position) + 1;
        }
        close
    }

    fn bracket(&mut self) -> Result<(), SyntaxError> {
        let start = self.path.position;
        let inside = self.path.next_significant(start);
        let read = match self.path.at(inside) {
            Some(quote @ ('\'' | '"')) => return self.quoted_names(quote),
            Some('0'..='9' | '-' | ':') => self.numbers()?,
            Some('*') => {
                let end = self.path.next_significant(inside);
                if self.path.at(end) != Some(']') {
                    let message = format!("Expected wildcard token to end with ']' on position {}", inside + 1);
                    return Err(self.path.error(inside + 1, message));
                }
                self.path.position = end + 1;
                self.tokens.push(Token::Wildcard);
                true
            }
            Some('?') => self.filter(inside)?,
            _ => false,
        };
        if read {
            return Ok(());
        }
        let message = format!("Could not parse token starting at position {start}. Expected ?, ', 0-9, * ");
        Err(self.path.error(start, message))
    }

    /// `[?(…)]`.
    fn filter(&mut self, question: usize) -> Result<bool, SyntaxError> {
        let open = self.path.next_significant(question);
        if self.path.at(open) != Some('(') {
            return Ok(false);
        }
        let Some(close) = self.path.matching_close(open, ')', true) else { return Ok(false) };
        let end = self.path.next_significant(close);
        if self.path.at(end) != Some(']') {
            return Ok(false);
        }
        let condition = filter_parser::parse(&self.path.slice(open, close + 1), self.depth + 1)
            .map_err(|error| self.path.error(open, error.message))?;
        self.tokens.push(Token::Filter {
            condition: Box::new(condition),
            text: format!("[?{}]", self.path.slice(open, close + 1)),
        });
        self.path.position = end + 1;
        Ok(true)
    }

    /// `[1]`, `[1,2]`, `[1:2]`.
    fn numbers(&mut self) -> Result<bool, SyntaxError> {
        let start = self.path.position;
        let Some(end) = self.path.next_index_of(start + 1, ']') else { return Ok(false) };
        let text = self.path.slice(start + 1, end);
        let text = text.trim();
        if !text.chars().all(|found| found.is_ascii_digit() || matches!(found, ',' | '-' | ':' | ' ')) {
            return Ok(false);
        }
        let token = if text.contains(':') { slice(text) } else { indices(text) };
        self.tokens.push(token.map_err(|message| self.path.error(start, message))?);
        self.path.position = end + 1;
        Ok(true)
    }

    /// `['name']`, `["one", "two"]`.
    fn quoted_names(&mut self, quote: char) -> Result<(), SyntaxError> {
        let mut names = Vec::new();
        let mut position = self.path.position + 1;
        let mut wants_name = true;
        loop {
            let fail = |message: String| Err(self.path.error(position, message));
            match self.path.at(position) {
                None => return fail("Property has not been closed - missing closing ]".to_owned()),
                Some(']') if wants_name => return fail(format!("Found empty property at index {position}")),
                Some(']') => break,
                Some(',') if wants_name => return fail(format!("Found empty property at index {position}")),
                Some(',') => wants_name = true,
                Some(found) if found == quote => {
                    let Some(close) = self.path.next_unescaped(position, quote) else {
                        return fail(format!("Property has not been closed - missing closing {quote}"));
                    };
                    if !matches!(self.path.at(self.path.next_significant(close)), Some(']' | ',')) {
                        return fail(format!(
                            "Property must be separated by comma or Property must be terminated close square bracket at index {close}"
                        ));
                    }
                    let text = self.path.slice(position + 1, close);
                    let Some(name) = unescape(&text) else {
                        return fail(format!("Unable to parse unicode value: {text}"));
                    };
                    names.push(name);
                    wants_name = false;
                    position = close;
                }
                Some(_) => {}
            }
            position += 1;
        }
        self.path.position = position + 1;
        self.tokens.push(Token::Property { names, delimiter: quote });
        Ok(())
    }
}

/// Java's `int`, which Jayway reads indices with.
fn integer(text: &str) -> Option<i64> {
    text.parse::<i32>().ok().map(i64::from)
}

fn indices(text: &str) -> Result<Token, String> {
    text.split(',')
        .map(|part| {
            let part = part.trim();
            integer(part).ok_or_else(|| format!("Failed to parse token in ArrayIndexOperation: {part}"))
        })
        .collect::<Result<_, _>>()
        .map(Token::Index)
}

/// Jayway has no step: what follows a second colon is not looked at.
fn slice(text: &str) -> Result<Token, String> {
    if text.contains([',', ' ']) {
        return Err(format!("Failed to parse SliceOperation: {text}"));
    }
    let mut bounds = text.split(':').map(|part| match part {
        "" => Ok(None),
        part => integer(part)
            .map(Some)
            .ok_or_else(|| format!("java.lang.NumberFormatException: For input string: \"{part}\"")),
    });
    let from = bounds.next().transpose()?.flatten();
    let to = bounds.next().transpose()?.flatten();
    if from.is_none() && to.is_none() {
        return Err(format!("Failed to parse SliceOperation: {text}"));
    }
    Ok(Token::Slice { from, to })
}
