//! Where a value stands in its text.

use crate::Span;

/// The bytes of a value and of its key, and the places of what is in it, in the value's own order.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) value: (usize, usize),
    pub(super) key: Option<(usize, usize)>,
    pub(super) children: Vec<Place>,
}

impl Place {
    pub(super) fn leaf(start: usize, end: usize) -> Place {
        Place { value: (start, end), key: None, children: Vec::new() }
    }
}

/// A text and where its lines begin: turns bytes into lines and columns when somebody asks.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn new(text: &str) -> Lines {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(index, _)| index.saturating_add(1))).collect();
        Lines { text: text.to_owned(), starts }
    }

    /// The span of a range of bytes.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let line = self.starts.partition_point(|begin| *begin <= start).max(1);
        let begin = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(begin..start).unwrap_or("");
        Span { start, end, line, column: before.chars().count().saturating_add(1) }
    }

    /// What stands in a range of bytes.
    pub(super) fn text(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or("")
    }

    /// The byte of a line and a column, both from 1 and the column in bytes, as serde_json tells them.
    pub(super) fn byte(&self, line: usize, column: usize) -> usize {
        let begin = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let mut byte = begin.saturating_add(column.saturating_sub(1)).min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte = byte.saturating_sub(1);
        }
        byte
    }
}
