//! Texts with wildcards: `*` is any number of characters, `?` is one; `\*`, `\?` and `\\` are themselves.

use std::borrow::Cow;

/// A part of a text with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// These characters.
    Literal(String),
    /// `*`
    Any,
    /// `?`
    One,
}

/// What a text must be. Where case does not matter, the texts here are folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextPattern {
    pub cased: bool,
    pub shape: Shape,
}

/// How a text is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of it.
    Exact(String),
    /// How it begins.
    Prefix(String),
    /// How it ends.
    Suffix(String),
    /// What is somewhere in it.
    Contains(String),
    /// Any text.
    Any,
    /// Wildcards elsewhere.
    Parts(Parts),
}

/// What `?`s and inner `*`s make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts(Vec<Part>);

/// Reads a text's wildcards.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let literal = match (character, characters.peek().copied()) {
            ('\\', Some(escaped @ ('*' | '?' | '\\'))) => {
                characters.next();
                escaped
            }
            ('*', _) => {
                if parts.last() != Some(&Part::Any) {
                    parts.push(Part::Any);
                }
                continue;
            }
            ('?', _) => {
                parts.push(Part::One);
                continue;
            }
            (literal, _) => literal,
        };
        match parts.last_mut() {
            Some(Part::Literal(text)) => text.push(literal),
            _ => parts.push(Part::Literal(literal.to_string())),
        }
    }
    parts
}

impl TextPattern {
    pub(super) fn new(mut parts: Vec<Part>, cased: bool) -> TextPattern {
        if !cased {
            for part in &mut parts {
                if let Part::Literal(text) = part {
                    *text = fold(text).into_owned();
                }
            }
        }
        let shape = match parts.as_slice() {
            [] => Shape::Exact(String::new()),
            [Part::Literal(text)] => Shape::Exact(text.clone()),
            [Part::Literal(text), Part::Any] => Shape::Prefix(text.clone()),
            [Part::Any, Part::Literal(text)] => Shape::Suffix(text.clone()),
            [Part::Any, Part::Literal(text), Part::Any] => Shape::Contains(text.clone()),
            [Part::Any] => Shape::Any,
            _ => Shape::Parts(Parts(parts)),
        };
        TextPattern { cased, shape }
    }

    /// Whether a text is as asked for.
    pub fn matches(&self, text: &str) -> bool {
        if matches!(self.shape, Shape::Any) {
            return true;
        }
        if self.cased || !text.is_ascii() {
            let text = if self.cased { Cow::Borrowed(text) } else { fold(text) };
            return match &self.shape {
                Shape::Exact(wanted) => *text == *wanted,
                Shape::Prefix(wanted) => text.starts_with(wanted.as_str()),
                Shape::Suffix(wanted) => text.ends_with(wanted.as_str()),
                Shape::Contains(wanted) => text.contains(wanted.as_str()),
                Shape::Any => true,
                Shape::Parts(parts) => parts.match_all_of(&text),
            };
        }
        let (bytes, equal) = (text.as_bytes(), |found: Option<&[u8]>, wanted: &str| {
            found.is_some_and(|found| found.eq_ignore_ascii_case(wanted.as_bytes()))
        });
        match &self.shape {
            Shape::Exact(wanted) => equal(Some(bytes), wanted),
            Shape::Prefix(wanted) => equal(bytes.get(..wanted.len()), wanted),
            Shape::Suffix(wanted) => {
                equal(bytes.len().checked_sub(wanted.len()).and_then(|start| bytes.get(start..)), wanted)
            }
            Shape::Contains(wanted) => {
                wanted.is_empty() || bytes.windows(wanted.len()).any(|window| equal(Some(window), wanted))
            }
            Shape::Any => true,
            Shape::Parts(parts) => parts.match_all_of(&fold(text)),
        }
    }

    /// Whether it is a text without wildcards.
    pub fn is_exact(&self) -> bool {
        matches!(self.shape, Shape::Exact(_))
    }

    /// The longest text that stands in whatever matches.
    pub fn longest_literal(&self) -> Option<&str> {
        match &self.shape {
            Shape::Exact(text) | Shape::Prefix(text) | Shape::Suffix(text) | Shape::Contains(text) => Some(text),
            Shape::Any => None,
            Shape::Parts(Parts(parts)) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Literal(text) => Some(text.as_str()),
                    Part::Any | Part::One => None,
                })
                .max_by_key(|text| text.len()),
        }
    }
}

impl Parts {
    /// The first place that will do is taken for what follows each `*`; only the last `*` is ever gone back to.
    fn match_all_of(&self, text: &str) -> bool {
        let wanted: Vec<Wanted> = self.0.iter().flat_map(Wanted::of).collect();
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut position) = (0, 0);
        let mut last_any: Option<(usize, usize)> = None;
        loop {
            match (wanted.get(position), text.get(at)) {
                (None, None) => return true,
                (Some(Wanted::Any), _) => {
                    position += 1;
                    last_any = Some((position, at));
                    continue;
                }
                (Some(Wanted::One), Some(_)) => {}
                (Some(Wanted::Letter(letter)), Some(found)) if letter == found => {}
                _ => {
                    let Some((behind, from)) = last_any.filter(|(_, from)| *from < text.len()) else { return false };
                    last_any = Some((behind, from + 1));
                    (position, at) = (behind, from + 1);
                    continue;
                }
            }
            position += 1;
            at += 1;
        }
    }
}

/// A part of a text with wildcards, letter by letter.
enum Wanted {
    Letter(char),
    Any,
    One,
}

impl Wanted {
    fn of(part: &Part) -> Vec<Wanted> {
        match part {
            Part::Literal(text) => text.chars().map(Wanted::Letter).collect(),
            Part::Any => vec![Wanted::Any],
            Part::One => vec![Wanted::One],
        }
    }
}

/// A text in which case does not matter any more.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    // Letter by letter, so that a text's fold does not depend on what stands around it.
    Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_escapes() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(TextPattern::new(parts(pattern), false).matches(text), expected, "{pattern} {text}");
        };
        check("abc", "ABC", true);
        check("abc", "abcd", false);
        check("a*", "Abc", true);
        check("*c", "abC", true);
        check("*b*", "aBc", true);
        check("*b*", "ac", false);
        check("*", "", true);
        check("", "", true);
        check("", "x", false);
        check("a?c", "aBc", true);
        check("a?c", "ac", false);
        check("?", "\u{e4}", true);
        check("a*b*c", "a1b2b3c", true);
        check("a*b*c", "a1b2b3cd", false);
        check("a*b?c*", "abbxbxcz", true);
        check(r"a\*c", "a*c", true);
        check(r"a\*c", "abc", false);
        check(r"a\?c", "a?c", true);
        check(r"a\\*", r"a\bc", true);
        check(r"a\\*", "abc", false);
        check(r"a\\\*", r"a\*", true);
        check(r"c:\dir\x", r"C:\DIR\X", true);
        check(r"c:\\dir", r"c:\dir", true);
        check("\u{c4}b*", "\u{e4}Bc", true);
        check("k", "\u{212a}", true);
    }

    #[test]
    fn cased_texts_are_as_written() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(TextPattern::new(parts(pattern), true).matches(text), expected, "{pattern} {text}");
        };
        check("abc", "abc", true);
        check("abc", "ABC", false);
        check("*B*", "aBc", true);
        check("*B*", "abc", false);
        check("a?*C", "axyC", true);
        check("a?*C", "axyc", false);
    }
}
