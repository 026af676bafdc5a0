//! An event's values along the paths, from its JSON text: what no rule asks about is passed over unread.

use std::borrow::Cow;

use super::{
    found::{Found, Held},
    paths::{Paths, Step},
};
use crate::pattern::Membership;

/// How deep a text may nest: as deep as `serde_json` reads.
const DEPTH_MAX: usize = 127;

impl Paths {
    /// An event's values along the paths; `None` where the text has to be read as a whole: it is no JSON object, gives a key twice
    /// (the last one counts), or has a dot in a key that matters.
    pub fn scan<'event>(&self, text: &'event str) -> Option<Found<'event>> {
        let mut scan = Scan { paths: self, text, at: 0, found: Found::new(), arrays: 0 };
        scan.skip_blanks();
        if scan.peek() != Some(b'{') {
            return None;
        }
        scan.value(self.root()?, &Membership::default(), 0)?;
        scan.skip_blanks();
        scan.peek().is_none().then(|| scan.found.sorted())
    }
}

struct Scan<'paths, 'event> {
    paths: &'paths Paths,
    text: &'event str,
    at: usize,
    found: Found<'event>,
    arrays: usize,
}

impl<'event> Scan<'_, 'event> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Takes a character that must come next.
    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn value(&mut self, step: &Step, membership: &Membership, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.peek()? {
            b'{' => self.object(step, membership, depth),
            b'[' => self.array(step, membership, depth),
            b'"' => {
                let text = self.string()?;
                if let Some(slot) = step.slot {
                    self.found.add(slot, Held::Text(text.read()?), membership);
                }
                Some(())
            }
            _ => {
                let start = self.at;
                self.skip_word();
                if let Some(slot) = step.slot {
                    let value = serde_json::from_str(self.text.get(start..self.at)?).ok()?;
                    self.found.add(slot, Held::Read(value), membership);
                }
                Some(())
            }
        }
    }

    fn object(&mut self, step: &Step, membership: &Membership, depth: usize) -> Option<()> {
        let start = self.at;
        let mut met = 0_u64;
        self.at += 1;
        self.skip_blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            return self.container(step, start);
        }
        loop {
            let key = self.string()?.read()?;
            self.skip_blanks();
            self.expect(b':')?;
            self.skip_blanks();
            match self.paths.next(step, &key) {
                None => self.skip_value()?,
                Some(next) => {
                    let bit = 1_u64 << next.ordinal.min(63);
                    if met & bit != 0 || key.contains('.') {
                        return None;
                    }
                    met |= bit;
                    self.value(next, membership, depth + 1)?;
                }
            }
            self.skip_blanks();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
            self.skip_blanks();
        }
        self.at += 1;
        self.container(step, start)
    }

    fn array(&mut self, step: &Step, membership: &Membership, depth: usize) -> Option<()> {
        let start = self.at;
        let array = self.arrays;
        self.arrays += 1;
        self.at += 1;
        self.skip_blanks();
        if self.peek()? == b']' {
            self.at += 1;
            return self.container(step, start);
        }
        for index in 0.. {
            match self.peek()? {
                b'{' | b'[' => self.value(step, &membership.with(array, index), depth + 1)?,
                _ => self.value(step, membership, depth + 1)?,
            }
            self.skip_blanks();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return None,
            }
            self.skip_blanks();
        }
        self.at += 1;
        Some(())
    }

    /// What was read since `start`, where it is looked at as a whole.
    fn container(&mut self, step: &Step, start: usize) -> Option<()> {
        if let Some(slot) = step.slot.filter(|_| step.is_whole) {
            self.found.add_container(slot, Held::Json(self.text.get(start..self.at)?));
        }
        Some(())
    }

    fn string(&mut self) -> Option<Literal<'event>> {
        self.expect(b'"')?;
        let start = self.at;
        let is_escaped = self.skip_string()?;
        Some(Literal { inside: self.text.get(start..self.at - 1)?, is_escaped })
    }

    /// Goes behind the closing quote; tells whether there are escapes.
    fn skip_string(&mut self) -> Option<bool> {
        let mut is_escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let length = quote_or_backslash(rest)?;
            self.at += length + 1;
            if rest.get(length) == Some(&b'"') {
                return Some(is_escaped);
            }
            is_escaped = true;
            self.at += 1;
        }
    }

    fn skip_value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.skip_string().map(drop)
            }
            b'{' | b'[' => self.skip_container(),
            _ => {
                self.skip_word();
                Some(())
            }
        }
    }

    fn skip_container(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => drop(self.skip_string()?),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => continue,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn skip_word(&mut self) {
        while !matches!(self.peek(), None | Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }
}

/// A string of the text, without its quotes.
struct Literal<'event> {
    inside: &'event str,
    is_escaped: bool,
}

impl<'event> Literal<'event> {
    fn read(&self) -> Option<Cow<'event, str>> {
        if self.is_escaped {
            return serde_json::from_str(&format!("\"{}\"", self.inside)).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(self.inside))
    }
}

/// Where the first quote or backslash is, eight bytes at a time.
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The lowest bit that it sets is that of the first byte that is zero.
    let zeros = |word: u64| word.wrapping_sub(EACH) & !word & (EACH << 7);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (EACH * 0x22)) | zeros(word ^ (EACH * 0x5c));
        if found != 0 {
            return usize::try_from(found.trailing_zeros() / 8).ok().map(|offset| index * 8 + offset);
        }
    }
    let offset = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + offset)
}
