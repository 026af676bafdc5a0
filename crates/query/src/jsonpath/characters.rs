//! A text being parsed, by characters: Jayway counts positions in characters.

use crate::SyntaxError;

/// A text and a position in it.
#[derive(Debug)]
pub struct Characters {
    text: Vec<char>,
    pub position: usize,
}

impl Characters {
    pub fn new(text: &str) -> Characters {
        Characters { text: text.chars().collect(), position: 0 }
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }

    pub fn at(&self, position: usize) -> Option<char> {
        self.text.get(position).copied()
    }

    pub fn current(&self) -> Option<char> {
        self.at(self.position)
    }

    pub fn at_end(&self) -> bool {
        self.position >= self.text.len()
    }

    pub fn skip_blanks(&mut self) {
        while self.current() == Some(' ') {
            self.position += 1;
        }
    }

    /// Takes `wanted` if it is what comes next.
    pub fn take(&mut self, wanted: &str) -> bool {
        let is_next = wanted.chars().enumerate().all(|(at, wanted)| self.at(self.position + at) == Some(wanted));
        if is_next {
            self.position += wanted.chars().count();
        }
        is_next
    }

    pub fn slice(&self, from: usize, to: usize) -> String {
        self.text.get(from..to.min(self.text.len())).unwrap_or_default().iter().collect()
    }

    /// Where the first character after `position` is that is no blank.
    pub fn next_significant(&self, position: usize) -> usize {
        let mut position = position + 1;
        while self.at(position) == Some(' ') {
            position += 1;
        }
        position
    }

    pub fn next_index_of(&self, from: usize, wanted: char) -> Option<usize> {
        (from..self.text.len()).find(|&position| self.at(position) == Some(wanted))
    }

    /// Where the next `wanted` after the current position is that has no backslash before it.
    pub fn next_unescaped(&self, from: usize, wanted: char) -> Option<usize> {
        let mut escaped = false;
        for position in from + 1..self.text.len() {
            match self.at(position) {
                _ if escaped => escaped = false,
                Some('\\') => escaped = true,
                Some(found) if found == wanted => return Some(position),
                _ => {}
            }
        }
        None
    }

    /// Where what opens at `start` closes, quoted strings and, if told, `/regular expressions/` skipped.
    pub fn matching_close(&self, start: usize, close: char, skip_patterns: bool) -> Option<usize> {
        let open = self.at(start)?;
        let mut depth = 1usize;
        let mut position = start + 1;
        while let Some(found) = self.at(position) {
            match found {
                '\'' | '"' => position = self.next_unescaped(position, found)?,
                '/' if skip_patterns => position = self.next_unescaped(position, '/')?,
                _ if found == close => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(position);
                    }
                }
                _ if found == open => depth += 1,
                _ => {}
            }
            position += 1;
        }
        None
    }

    /// An error at a character position, its offset given in bytes.
    pub fn error(&self, position: usize, message: impl Into<String>) -> SyntaxError {
        let offset = self.text.iter().take(position).map(|found| found.len_utf8()).sum();
        SyntaxError::new(message, Some(offset))
    }
}

/// Takes the backslash escapes out of a quoted name or string.
pub fn unescape(text: &str) -> Option<String> {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(found) = characters.next() {
        if found != '\\' {
            result.push(found);
            continue;
        }
        match characters.next()? {
            'b' => result.push('\u{8}'),
            'f' => result.push('\u{c}'),
            'n' => result.push('\n'),
            'r' => result.push('\r'),
            't' => result.push('\t'),
            'u' => result.push(unicode(&mut characters)?),
            other => result.push(other),
        }
    }
    Some(result)
}

/// The character of four hexadecimal digits, or of two surrogates.
fn unicode(characters: &mut std::str::Chars<'_>) -> Option<char> {
    let unit = |characters: &mut std::str::Chars<'_>| {
        let digits: String = characters.by_ref().take(4).collect();
        (digits.len() == 4).then(|| u16::from_str_radix(&digits, 16).ok())?
    };
    let first = unit(characters)?;
    if let Some(single) = char::from_u32(u32::from(first)) {
        return Some(single);
    }
    let second = (characters.next() == Some('\\') && characters.next() == Some('u')).then(|| unit(characters))??;
    char::decode_utf16([first, second]).next()?.ok()
}
