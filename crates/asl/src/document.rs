//! A JSON or YAML text as a value whose every part knows its place.

mod jackson;
mod json;
mod place;
mod scalar;
mod yaml;

pub use jackson::not_json;

use serde_json::Value;

use crate::{Diagnostic, Span};
use place::{Lines, Place};

/// The longest text that is read, in bytes. AWS takes definitions of up to 1 MiB; comments and guardrails' tests need some more.
pub const MAX_TEXT_BYTES: usize = 2 << 20;

/// How deep a text may be nested, and how deep a value is looked into.
pub const MAX_DEPTH: usize = 128;

/// How much YAML aliases and merge keys may add to a text: each value counts one, and its strings their bytes.
pub const MAX_ALIAS_EXPANSION: usize = 2 << 20;

/// The format of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2. JSON is YAML too, but its errors are told in JSON's words.
    Yaml,
}

impl Format {
    /// The format that a file's name tells: `.json` is JSON, `.yaml` and `.yml` are YAML.
    pub fn of_file_name(name: &str) -> Option<Format> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "json" => Some(Format::Json),
            "yaml" | "yml" => Some(Format::Yaml),
            _ => None,
        }
    }

    /// The format that a text tells by its first character: `{` and `[` begin JSON, all else is YAML.
    pub fn of_text(text: &str) -> Format {
        match text.trim_start_matches('\u{feff}').trim_start().chars().next() {
            Some('{' | '[') => Format::Json,
            _ => Format::Yaml,
        }
    }
}

/// A parsed text: its value, and the place of every part of it.
#[derive(Clone, Debug)]
pub struct Document {
    value: Value,
    root: Place,
    lines: Lines,
}

impl Document {
    /// Parses a text. A text that can't be parsed gives one problem, as nothing can be known behind it; duplicate keys,
    /// unknown tags and too many aliases are problems too.
    pub fn parse(text: &str, format: Format) -> Result<Document, Vec<Diagnostic>> {
        let (document, problems) = Document::read(text, format)?;
        if problems.is_empty() { Ok(document) } else { Err(problems) }
    }

    /// The same for those who show every problem at once: a text that could be read in spite of its problems (a duplicate key, an
    /// unknown tag) comes with them, so that what it says can be checked too.
    pub fn read(text: &str, format: Format) -> Result<(Document, Vec<Diagnostic>), Vec<Diagnostic>> {
        let lines = Lines::new(text);
        if text.len() > MAX_TEXT_BYTES {
            let message = format!("the text has {} bytes, more than the {MAX_TEXT_BYTES} that are read", text.len());
            return Err(vec![Diagnostic::error("DOCUMENT_TOO_LONG", message).with_help("split it into several files")]);
        }
        if text.trim().is_empty() {
            return Err(vec![Diagnostic::error("SCHEMA_VALIDATION_FAILED", "Definition must be a valid JSON object")]);
        }
        let (value, root, problems) = match (format, text.strip_prefix('\u{feff}')) {
            // A byte-order mark is three bytes, which blanks replace, so that every place stays where it is.
            (Format::Json, Some(rest)) => json::parse(&format!("   {rest}"), &lines)?,
            (Format::Json, None) => json::parse(text, &lines)?,
            (Format::Yaml, _) => yaml::parse(text, &lines)?,
        };
        Ok((Document { value, root, lines }, problems))
    }

    /// A value that has no text, for instance one that a program made: every place in it is the text's beginning.
    pub fn of_value(value: Value) -> Document {
        Document { value, root: Place::default(), lines: Lines::new("") }
    }

    /// The value, keys in the order of the text.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// A JSON pointer as AWS writes places: `/States/Fix/Catch[0]/Next`, names as they are, `/` for the whole.
    pub fn location(&self, pointer: &str) -> String {
        let mut location = String::new();
        let mut value = Some(&self.value);
        for segment in pointer.split('/').skip(1) {
            let key = unescape(segment);
            if matches!(value, Some(Value::Array(_))) {
                location.push_str(&format!("[{key}]"));
            } else {
                location.push('/');
                location.push_str(&key);
            }
            value = value.and_then(|value| match value {
                Value::Object(object) => object.get(&key),
                Value::Array(items) => items.get(key.parse::<usize>().ok()?),
                _ => None,
            });
        }
        if location.is_empty() { "/".to_owned() } else { location }
    }

    /// The place of the value at a JSON pointer, or of the nearest part around it that is there.
    pub fn span(&self, pointer: &str) -> Span {
        let (start, end) = self.place(pointer).value;
        self.lines.span(start, end)
    }

    /// The place of the key whose value is at a JSON pointer, or of the value where it has no key.
    pub fn key_span(&self, pointer: &str) -> Span {
        let place = self.place(pointer);
        let (start, end) = place.key.unwrap_or(place.value);
        self.lines.span(start, end)
    }

    /// The place in the string at a JSON pointer, `offset` bytes behind the string's beginning; that of the whole string
    /// where the text writes it otherwise than it is (escapes, folded lines).
    pub fn span_inside(&self, pointer: &str, offset: usize) -> Span {
        let whole = self.span(pointer);
        let Some(string) = self.value.pointer(pointer).and_then(Value::as_str) else { return whole };
        let written = self.lines.text(whole.start, whole.end);
        let quoted = written.strip_prefix(['"', '\'']).and_then(|rest| rest.strip_suffix(['"', '\'']));
        let quote = usize::from(quoted.is_some());
        if quoted.unwrap_or(written) != string || !string.is_char_boundary(offset) {
            return whole;
        }
        let end = whole.end.saturating_sub(quote);
        self.lines.span(whole.start.saturating_add(quote).saturating_add(offset).min(end), end)
    }

    fn place(&self, pointer: &str) -> &Place {
        let mut place = &self.root;
        let mut value = &self.value;
        for segment in pointer.split('/').skip(1) {
            let Some(index) = child_index(value, &unescape(segment)) else { break };
            let Some(child) = place.children.get(index) else { break };
            let next = match value {
                Value::Object(object) => object.values().nth(index),
                Value::Array(array) => array.get(index),
                _ => None,
            };
            let Some(next) = next else { break };
            (place, value) = (child, next);
        }
        place
    }
}

fn child_index(value: &Value, segment: &str) -> Option<usize> {
    match value {
        Value::Object(object) => object.keys().position(|key| key == segment),
        Value::Array(_) => segment.parse().ok(),
        _ => None,
    }
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// A key as a segment of a JSON pointer (RFC 6901).
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
