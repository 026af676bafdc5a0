//! A file's text: inflated, as a whole or line by line.
//!
//! JSON Lines are read in parts, however long the file. One document over many lines has to be in memory as a whole, within a limit.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
};

use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;

use super::inputs::Body;

/// How much of a file is read at a time, inflated.
pub const PART_BYTES: usize = 4 << 20;
/// The longest document, inflated: a file that is not in lines.
pub const DOCUMENT_LIMIT_BYTES: usize = 256 << 20;
/// The longest line. A CloudTrail record is 256 KB at most.
pub const LINE_LIMIT_BYTES: usize = 16 << 20;
/// How many of the first lines tell whether a file is in lines.
const LINES_LOOKED_AT: usize = 20;
/// How much is read of a file at once, as it is stored.
const BUFFER_BYTES: usize = 64 << 10;

/// A file that is being read.
pub struct Reader {
    reader: Box<dyn Read + Send>,
    /// What was read and not yet handed out.
    text: Vec<u8>,
    /// The line with which it begins, from 1.
    line: u64,
    /// Set once there is no more to come: by the end, or by what went wrong.
    end: Option<Result<(), String>>,
}

/// What a file turned out to be.
pub enum Opened {
    /// A text that is here as a whole.
    Whole(Vec<u8>),
    /// Lines, to be had by [`Reader::lines`].
    Lines(Reader),
    /// A document that is longer than a part, to be had by [`Reader::document`].
    Document(Reader),
}

/// Some lines of a file.
pub struct Lines {
    /// Their text.
    pub text: Vec<u8>,
    /// The number of the first, from 1.
    pub first: u64,
}

/// Opens a file or object and reads its first part; the error tells why it can't be read.
pub fn open(body: Body) -> Result<Opened, String> {
    let unreadable = |error: io::Error| format!("can't be read: {error}");
    let reader: Box<dyn BufRead + Send> = match body {
        Body::File(path) => Box::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(unreadable)?)),
        Body::Object(bytes) => Box::new(io::Cursor::new(bytes)),
        Body::Unreadable(reason) => return Err(reason),
        Body::PassedOver => return Err("holds no events".to_owned()),
    };
    let mut reader = Reader { reader: inflated(reader).map_err(unreadable)?, text: Vec::new(), line: 1, end: None };
    reader.fill(PART_BYTES);
    match &reader.end {
        Some(Ok(())) => Ok(Opened::Whole(reader.text)),
        _ if is_in_lines(&reader.text) => Ok(Opened::Lines(reader)),
        Some(Err(reason)) => Err(reason.clone()),
        None => Ok(Opened::Document(reader)),
    }
}

fn inflated(mut reader: Box<dyn BufRead + Send>) -> io::Result<Box<dyn Read + Send>> {
    let is_gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) })
}

/// Whether a file that begins so has a document on each line: one of the first lines is one. Lines of a document that goes over many are
/// not, but for the last element of an array.
fn is_in_lines(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    let mut lines =
        text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).take(LINES_LOOKED_AT);
    text.starts_with(b"{")
        && lines.any(|line| line.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(line).is_ok())
}

impl Reader {
    /// Reads until there are so many bytes, or no more to come.
    fn fill(&mut self, bytes: usize) {
        let wanted = bytes.saturating_sub(self.text.len());
        if self.end.is_some() || wanted == 0 {
            return;
        }
        let limit = u64::try_from(wanted).unwrap_or(u64::MAX);
        match self.reader.by_ref().take(limit).read_to_end(&mut self.text) {
            Ok(read) if read < wanted => self.end = Some(Ok(())),
            Ok(_) => {}
            Err(error) => self.end = Some(Err(format!("can't be read: {error}"))),
        }
    }

    /// The next lines, about [`PART_BYTES`] of them. What goes wrong comes after the last whole line before it.
    pub fn lines(&mut self) -> Option<Result<Lines, String>> {
        let mut wanted = PART_BYTES;
        loop {
            self.fill(wanted);
            let whole = match &self.end {
                Some(Ok(())) => self.text.len(),
                _ => self.text.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1),
            };
            if whole > 0 {
                let rest = self.text.split_off(whole);
                let lines = Lines { text: std::mem::replace(&mut self.text, rest), first: self.line };
                let count = lines.text.iter().filter(|byte| **byte == b'\n').count();
                self.line = self.line.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                return Some(Ok(lines));
            }
            match self.end.replace(Ok(())) {
                Some(Ok(())) => return None,
                Some(Err(reason)) => {
                    self.text.clear();
                    return Some(Err(format!(
                        "{reason}; what comes after line {} is not read",
                        self.line.saturating_sub(1)
                    )));
                }
                None if wanted >= LINE_LIMIT_BYTES => {
                    self.text.clear();
                    return Some(Err(format!(
                        "line {} is longer than the {LINE_LIMIT_BYTES} bytes that are read of a line; it and what comes after it is not read",
                        self.line
                    )));
                }
                None => self.end = None,
            }
            wanted = wanted.saturating_mul(2);
        }
    }

    /// All of the text, where it is one document.
    pub fn document(self) -> Result<Vec<u8>, String> {
        self.document_within(DOCUMENT_LIMIT_BYTES)
    }

    fn document_within(mut self, limit_bytes: usize) -> Result<Vec<u8>, String> {
        self.fill(limit_bytes.saturating_add(1));
        match self.end {
            Some(Err(reason)) => Err(reason),
            _ if self.text.len() > limit_bytes => Err(format!(
                "is longer than the {limit_bytes} bytes that are read of a document, inflated; as JSON Lines it may have any length"
            )),
            _ => Ok(self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn opened(bytes: Vec<u8>) -> Result<Opened, String> {
        open(Body::Object(bytes.into()))
    }

    /// What lines a file has, by parts: the number of the first and how many; or what went wrong.
    fn lines(bytes: Vec<u8>) -> Vec<Result<(u64, usize), String>> {
        let Ok(Opened::Lines(mut reader)) = opened(bytes) else { panic!("no lines") };
        let part = |part: Lines| (part.first, part.text.split_inclusive(|byte| *byte == b'\n').count());
        std::iter::from_fn(|| reader.lines()).map(|read| read.map(part)).collect()
    }

    #[test]
    fn short_files_are_read_as_a_whole() {
        for text in ["", "{\"a\": 1}\n{\"b\": 2}", "[1]"] {
            for bytes in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
                assert!(matches!(opened(bytes), Ok(Opened::Whole(whole)) if whole == text.as_bytes()), "{text}");
            }
        }
        let two = [gzip(b"{\"a\": 1}\n"), gzip(b"{\"b\": 2}\n")].concat();
        assert!(matches!(opened(two), Ok(Opened::Whole(whole)) if whole == b"{\"a\": 1}\n{\"b\": 2}\n"), "two members");
        let cut = gzip("{\"a\"".repeat(1000).as_bytes());
        assert!(opened(cut[..cut.len() - 9].to_vec()).is_err_and(|reason| reason.starts_with("can't be read")));
        assert!(opened(vec![0x1f, 0x8b, 1]).is_err());
    }

    #[test]
    fn lines_come_in_parts() {
        let line = format!("{{\"a\": \"{}\"}}\n", "x".repeat(1_000_000));
        let parts = lines(gzip(line.repeat(10).as_bytes()));
        let expected = [(1, 4), (5, 4), (9, 2)];
        assert_eq!(parts, expected.map(Ok));
        let without_end = line.repeat(5) + "{}";
        assert_eq!(lines(without_end.into_bytes()), [Ok((1, 4)), Ok((5, 2))]);
    }

    #[test]
    fn lines_before_what_is_broken_are_read() {
        let text: String = (0..200_000).map(|number| format!("{{\"a\": {number}}}\n")).collect();
        let whole = gzip(text.as_bytes());
        let parts = lines(whole[..whole.len() / 2].to_vec());
        let Some((Err(reason), before)) = parts.split_last() else { panic!("{parts:?}") };
        let read: usize = before.iter().map(|part| part.as_ref().unwrap().1).sum();
        assert!(read > 10_000, "{read}");
        assert!(reason.contains(&format!("after line {read} is not read")), "{read}: {reason}");
        let long = format!("{{}}\n{{\"a\": \"{}", "x".repeat(LINE_LIMIT_BYTES));
        let parts = lines(long.into_bytes());
        assert!(
            matches!(parts.as_slice(), [Ok((1, 1)), Err(reason)] if reason.starts_with("line 2 is longer")),
            "{parts:?}"
        );
    }

    #[test]
    fn a_document_has_a_limit() {
        let document = format!("{{\n\"a\": \"{}\"\n}}", "x".repeat(PART_BYTES));
        let Ok(Opened::Document(reader)) = opened(gzip(document.as_bytes())) else { panic!("no document") };
        assert_eq!(reader.document().unwrap(), document.as_bytes());
        let Ok(Opened::Document(reader)) = opened(gzip(document.as_bytes())) else { panic!("no document") };
        let refused = reader.document_within(PART_BYTES);
        assert!(refused.is_err_and(|reason| reason.contains("longer than the 4194304 bytes")));
    }
}
