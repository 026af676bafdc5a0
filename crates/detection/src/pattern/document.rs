//! JSON text as nodes that know where they stand, and where AWS's reader would be after them.
//!
//! AWS reads patterns with Jackson and names Jackson's position in its messages. Jackson reads lazily: having met a string value
//! it stands behind the opening quote until somebody asks for the text. So a node knows two places: [`Node::met`] and [`Node::end`].

use serde_json::Number;

use super::Location;

/// How deep a pattern may nest.
const DEPTH_MAX: usize = 128;
/// How much of the text a message repeats, in characters.
const EXCERPT_CHARACTERS: usize = 500;
const VALUES: &str = "JSON String, Number, Array, Object or token 'null', 'true' or 'false'";

/// What is wrong with a pattern.
#[derive(Debug)]
pub(super) struct Fault {
    pub message: String,
    /// The byte offset behind what was read last; `None` where AWS tells no place.
    pub at: Option<usize>,
    /// A JSON pointer.
    pub pointer: String,
}

impl Fault {
    pub fn at(offset: usize, message: impl Into<String>) -> Fault {
        Fault { message: message.into(), at: Some(offset), pointer: String::new() }
    }

    pub fn nowhere(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), at: None, pointer: String::new() }
    }

    /// The fault as seen from the object or array around it.
    pub fn under(mut self, step: &str) -> Fault {
        let step = step.replace('~', "~0").replace('/', "~1");
        self.pointer = format!("/{step}{}", self.pointer);
        self
    }
}

/// A JSON value in a text.
#[derive(Debug)]
pub(super) struct Node {
    pub kind: Kind,
    /// The byte offset at which a lazy reader stands when it has met the value.
    pub met: usize,
    /// The byte offset behind the value.
    pub end: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Every entry as written, repeated keys too.
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    String(String),
    Number(Number),
    Boolean(bool),
    Null,
}

/// The place of a byte offset, as Jackson tells it: columns are UTF-16 units.
pub(super) fn location(text: &str, offset: usize) -> Location {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or_default().encode_utf16().count();
    let characters = text.chars().count();
    let excerpt: String = text.chars().take(EXCERPT_CHARACTERS).collect();
    let excerpt = match characters.checked_sub(EXCERPT_CHARACTERS) {
        Some(more) if more > 0 => format!("\"{excerpt}\"[truncated {more} chars]"),
        _ => format!("\"{excerpt}\""),
    };
    Location { excerpt, line: before.matches('\n').count() + 1, column: if text.is_empty() { 0 } else { column + 1 } }
}

/// Reads a text that is one JSON object.
pub(super) fn scan(text: &str) -> Result<Node, Fault> {
    let mut scanner = Scanner { text, position: 0 };
    scanner.skip_blanks();
    if scanner.peek().is_none() {
        return Err(Fault::at(scanner.position, "Filter is not an object"));
    }
    let root = scanner.value(0)?;
    if !matches!(root.kind, Kind::Object(_)) {
        return Err(Fault::at(root.met, "Filter is not an object"));
    }
    scanner.skip_blanks();
    match scanner.peek() {
        None => Ok(root),
        Some(character) => Err(scanner.unexpected(character, "expected the end of the pattern")),
    }
}

struct Scanner<'text> {
    text: &'text str,
    position: usize,
}

impl<'text> Scanner<'text> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.position..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.position += character.len_utf8();
        Some(character)
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.position += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::at(self.position, format!("Nested deeper than {DEPTH_MAX} levels")));
        }
        let start = self.position;
        match self.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some('"') => {
                let string = self.string()?;
                Ok(Node { kind: Kind::String(string), met: start + 1, end: self.position })
            }
            Some('-' | '0'..='9') => self.number(),
            Some(character) if character.is_alphabetic() => self.word(),
            Some(character) => Err(self.unexpected(character, &format!("expected a valid value ({VALUES})"))),
            None => Err(Fault::at(self.position, "Unexpected end-of-input: expected a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.position;
        self.next();
        let met = self.position;
        let mut entries = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                Some('}') if entries.is_empty() => break,
                Some('"') => {}
                Some(character) => {
                    return Err(self.unexpected(character, "was expecting double-quote to start field name"));
                }
                None => return Err(self.unclosed("Object", start)),
            }
            let key = self.string()?;
            self.skip_blanks();
            match self.next() {
                Some(':') => {}
                Some(character) => {
                    return Err(
                        self.unexpected_past(character, "was expecting a colon to separate field name and value")
                    );
                }
                None => return Err(self.unclosed("Object", start)),
            }
            self.skip_blanks();
            entries.push((key, self.value(depth + 1)?));
            self.skip_blanks();
            match self.peek() {
                Some(',') => self.position += 1,
                Some('}') => break,
                Some(character) => {
                    return Err(self.unexpected(character, "was expecting comma to separate Object entries"));
                }
                None => return Err(self.unclosed("Object", start)),
            }
        }
        self.next();
        Ok(Node { kind: Kind::Object(entries), met, end: self.position })
    }

    fn array(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.position;
        self.next();
        let met = self.position;
        let mut elements = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(']') if elements.is_empty() => break,
                None => return Err(self.unclosed("Array", start)),
                Some(_) => elements.push(self.value(depth + 1)?),
            }
            self.skip_blanks();
            match self.peek() {
                Some(',') => self.position += 1,
                Some(']') => break,
                Some(character) => {
                    return Err(self.unexpected(character, "was expecting comma to separate Array entries"));
                }
                None => return Err(self.unclosed("Array", start)),
            }
        }
        self.next();
        Ok(Node { kind: Kind::Array(elements), met, end: self.position })
    }

    fn string(&mut self) -> Result<String, Fault> {
        let start = self.position;
        self.next();
        loop {
            match self.next() {
                Some('"') => break,
                Some('\\') => match self.next() {
                    Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u') => {}
                    Some(character) => {
                        let message =
                            format!("Unrecognized character escape '{character}' (code {})", u32::from(character));
                        return Err(Fault::at(self.position, message));
                    }
                    None => {}
                },
                Some(character) if character < ' ' => {
                    let message = format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {})): has to be escaped using backslash to be included in string value",
                        u32::from(character)
                    );
                    return Err(Fault::at(self.position, message));
                }
                Some(_) => {}
                None => {
                    let message = "Unexpected end-of-input: was expecting closing quote for a string value";
                    return Err(Fault::at(self.position, message));
                }
            }
        }
        let literal = self.text.get(start..self.position).unwrap_or_default();
        serde_json::from_str(literal)
            .map_err(|error| Fault::at(self.position, format!("Unrecognized string {literal}: {error}")))
    }

    fn number(&mut self) -> Result<Node, Fault> {
        let literal = self.take(|character| matches!(character, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
        match serde_json::from_str(literal) {
            Ok(number) => Ok(Node { kind: Kind::Number(number), met: self.position, end: self.position }),
            Err(_) => Err(Fault::at(self.position, format!("Invalid numeric value: {literal}"))),
        }
    }

    fn word(&mut self) -> Result<Node, Fault> {
        let word = self.take(char::is_alphanumeric);
        let kind = match word {
            "true" => Kind::Boolean(true),
            "false" => Kind::Boolean(false),
            "null" => Kind::Null,
            _ => {
                let message = format!("Unrecognized token '{word}': was expecting ({VALUES})");
                return Err(Fault::at(self.position, message));
            }
        };
        Ok(Node { kind, met: self.position, end: self.position })
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'text str {
        let start = self.position;
        while self.peek().is_some_and(&belongs) {
            self.next();
        }
        self.text.get(start..self.position).unwrap_or_default()
    }

    fn unexpected(&mut self, character: char, instead: &str) -> Fault {
        self.next();
        self.unexpected_past(character, instead)
    }

    fn unexpected_past(&self, character: char, instead: &str) -> Fault {
        let code = u32::from(character);
        Fault::at(self.position, format!("Unexpected character ('{character}' (code {code})): {instead}"))
    }

    fn unclosed(&self, what: &str, start: usize) -> Fault {
        let start = location(self.text, start);
        let message = format!("Unexpected end-of-input: expected close marker for {what} (start marker at {start})");
        Fault::at(self.position, message)
    }
}
