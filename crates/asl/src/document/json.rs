//! JSON: serde_json says whether it is JSON and what it is; a walk over the same bytes then says where everything is.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    jackson,
    place::{Lines, Place},
};
use crate::{
    Diagnostic,
    diagnostic::{INVALID_JSON, Problems},
    trail::Trail,
};

/// How serde_json says that a text nests too deep.
const TOO_DEEP: &str = "recursion limit exceeded";

/// Parses a JSON text.
pub(super) fn parse(text: &str, lines: &Lines) -> Result<(Value, Place, Vec<Diagnostic>), Vec<Diagnostic>> {
    let value: Value = serde_json::from_str(text).map_err(|error| vec![syntax_error(text, &error, lines)])?;
    let mut walk = Walk { text, at: 0, lines, duplicates: Problems::default() };
    let root = walk.value(&Trail::at(""));
    Ok((value, root, walk.duplicates.into_sorted()))
}

/// What Jackson, which reads definitions at AWS, says of the text; else what serde_json says of it.
fn syntax_error(text: &str, error: &serde_json::Error, lines: &Lines) -> Diagnostic {
    let there = lines.byte(error.line(), error.column());
    let said = error.to_string();
    if said.starts_with(TOO_DEEP) {
        let message = format!("the text is nested deeper than {}", super::MAX_DEPTH);
        return Diagnostic::error("TOO_DEEPLY_NESTED", message).at("", lines.span(there, there));
    }
    if let Some(refusal) = jackson::refusal(text) {
        let mut at = refusal.byte.min(text.len());
        while !text.is_char_boundary(at) {
            at = at.saturating_sub(1);
        }
        return Diagnostic::error(INVALID_JSON, refusal.message)
            .at("", lines.span(at, at))
            .with_location(refusal.location);
    }
    let (message, location) = taken_by_jackson(text, error);
    Diagnostic::error(INVALID_JSON, message).at("", lines.span(there, there)).with_location(location)
}

/// Why a text that Jackson takes is not taken here; `None` where it is, or where it nests too deep.
pub(super) fn not_taken(text: &str) -> Option<String> {
    let error = serde_json::from_str::<Value>(text).err()?;
    if error.to_string().starts_with(TOO_DEEP) {
        return None;
    }
    let (message, location) = taken_by_jackson(text, &error);
    Some(format!("{message}\n at {location}"))
}

/// What is said of a text that Jackson would take, or refuse only because it is told to, and the place.
fn taken_by_jackson(text: &str, error: &serde_json::Error) -> (String, String) {
    let (said, line, column) = (error.to_string(), error.line(), error.column());
    let said = said.strip_suffix(format!(" at line {line} column {column}").as_str()).unwrap_or(&said);
    (in_our_words(said).to_owned(), jackson::location(text, line, column))
}

fn in_our_words(said: &str) -> &str {
    match said {
        "trailing characters" => {
            "Trailing token found after value: not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`"
        }
        "number out of range" => "a number is larger than the largest that is kept here, 1.7976931348623157e308",
        "lone leading surrogate in hex escape"
        | "unexpected end of hex escape"
        | "lone trailing surrogate in hex escape" => {
            "an escape is half a pair (\\ud800 to \\udfff), which is no character: texts with it are not kept here"
        }
        other => other,
    }
}

/// A walk over a text that is known to be JSON, not deeper than serde_json's own limit of 128.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    lines: &'a Lines,
    duplicates: Problems,
}

impl Walk<'_> {
    fn value(&mut self, trail: &Trail<'_>) -> Place {
        match self.next() {
            Some(b'{') => self.object(trail),
            Some(b'[') => self.array(trail),
            Some(b'"') => self.string(),
            _ => self.word(),
        }
    }

    fn object(&mut self, trail: &Trail<'_>) -> Place {
        let start = self.at;
        let mut children = Vec::new();
        let mut keys = HashSet::new();
        self.advance();
        while self.next().is_some_and(|byte| byte != b'}') {
            let key = self.string().value;
            let name: String =
                self.text.get(key.0..key.1).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            self.next();
            self.advance(); // the colon
            let place = Place { key: Some(key), ..self.value(&trail.key(&name)) };
            if keys.contains(&name) {
                self.duplicates.push(duplicate_key(&name, trail, key, self.lines));
            } else {
                keys.insert(name);
                children.push(place);
            }
            self.comma();
        }
        self.advance();
        Place { value: (start, self.at), key: None, children }
    }

    fn array(&mut self, trail: &Trail<'_>) -> Place {
        let start = self.at;
        let mut children = Vec::new();
        self.advance();
        while self.next().is_some_and(|byte| byte != b']') {
            children.push(self.value(&trail.index(children.len())));
            self.comma();
        }
        self.advance();
        Place { value: (start, self.at), key: None, children }
    }

    fn string(&mut self) -> Place {
        let start = self.at;
        self.advance();
        while let Some(byte) = self.byte() {
            self.advance();
            match byte {
                b'\\' => self.advance(),
                b'"' => break,
                _ => {}
            }
        }
        Place::leaf(start, self.at)
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Place {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')) {
            self.advance();
        }
        Place::leaf(start, self.at)
    }

    fn comma(&mut self) {
        if self.next() == Some(b',') {
            self.advance();
        }
    }

    /// The first byte that is no white space, from here on.
    fn next(&mut self) -> Option<u8> {
        while self.byte().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.advance();
        }
        self.byte()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn advance(&mut self) {
        self.at = self.at.saturating_add(1);
    }
}

pub(super) fn duplicate_key(name: &str, around: &Trail<'_>, key: (usize, usize), lines: &Lines) -> Diagnostic {
    Diagnostic::error("DUPLICATE_KEY", format!("the key `{name}` is here twice"))
        .with_help("keep one of the two: the other would be lost without a word")
        .at(around.key(name).to_string(), lines.span(key.0, key.1))
}
