//! `wildcard`: `*` is any number of characters, `\*` and `\\` are themselves.

use super::{Fault, Kind, Node, text};
use crate::sigma::Place;

/// A text with gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard {
    first: String,
    /// What follows each gap.
    rest: Vec<String>,
}

impl Wildcard {
    /// Parses a wildcard. Positions in messages count the bytes of the quoted text.
    pub(super) fn parse(text: &str) -> Result<Wildcard, String> {
        let mut parts = vec![String::new()];
        let mut characters = text.char_indices().peekable();
        while let Some((index, character)) = characters.next() {
            let literal = match (character, characters.peek()) {
                ('*', Some((_, '*'))) => return Err(format!("Consecutive wildcard characters at pos {}", index + 1)),
                ('*', _) => {
                    parts.push(String::new());
                    continue;
                }
                ('\\', Some(&(_, escaped @ ('*' | '\\')))) => {
                    characters.next();
                    escaped
                }
                ('\\', _) => return Err(format!("Invalid escape character at pos {}", index + 1)),
                (literal, _) => literal,
            };
            if let Some(part) = parts.last_mut() {
                part.push(literal);
            }
        }
        let mut parts = parts.into_iter();
        Ok(Wildcard { first: parts.next().unwrap_or_default(), rest: parts.collect() })
    }

    /// The texts between gaps, the outer ones too.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.first).chain(&self.rest).map(String::as_str)
    }

    /// The longest text between gaps, and where it has to be.
    pub fn longest_literal(&self) -> (&str, Place) {
        let Some((last, between)) = self.rest.split_last() else {
            return (&self.first, Place::Whole);
        };
        let between = between.iter().map(|part| (part.as_str(), Place::Anywhere));
        let ends = [(self.first.as_str(), Place::Start), (last.as_str(), Place::End)];
        ends.into_iter().chain(between).max_by_key(|(text, _)| text.len()).unwrap_or(("", Place::Anywhere))
    }

    /// The first place for each part is the best one, so no way is tried twice.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Some((last, between)) = self.rest.split_last() else {
            return self.first == text;
        };
        let Some(mut text) = text.strip_prefix(self.first.as_str()) else {
            return false;
        };
        for part in between {
            match text.split_once(part.as_str()) {
                Some((_, after)) => text = after,
                None => return false,
            }
        }
        text.ends_with(last.as_str())
    }
}

pub(super) fn parse(node: &Node) -> Result<Wildcard, Fault> {
    let text = text(node, "wildcard")?;
    Wildcard::parse(text).map_err(|message| Fault::at(node.end, message))
}

/// Reads the texts of `{"anything-but": {"wildcard": …}}`; AWS looks at them when it has read them all.
pub(super) fn parse_all(node: &Node) -> Result<Vec<Wildcard>, Fault> {
    let nodes = match &node.kind {
        Kind::Array(elements) => elements.as_slice(),
        _ => std::slice::from_ref(node),
    };
    nodes
        .iter()
        .map(|element| {
            let text = text(element, "wildcard")?;
            Wildcard::parse(text).map_err(|message| Fault::at(node.end, message))
        })
        .collect()
}
