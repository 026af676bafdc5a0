//! What fires on the events of a text.

use detection::{
    Event, Source,
    normalize::{self, Piece, Plain},
    source::Received,
};
use jiff::Timestamp;
use serde::de::IgnoredAny;

use super::rules::{Fired, Rules};

/// How much a worker keeps before it hands it on.
const FIRED_AT_ONCE: usize = 4_096;
/// How much may be unreadable of one text before it is only counted.
const UNREADABLE_TOLD: usize = 100;

/// What events are held against, and what is wanted of it.
pub struct Question<'a> {
    /// What may fire.
    pub rules: &'a Rules,
    /// What makes events of others' documents.
    pub sources: &'a [Source],
    /// What documents are that do not say so themselves.
    pub received: &'a Received,
    /// Whether a line of JSON is wanted of each hit.
    pub wants_lines: bool,
}

/// What was seen of a text, or of some of it.
#[derive(Default)]
pub struct Seen {
    /// How many events.
    pub events: u64,
    /// When the first and the last happened.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What fired.
    pub fired: Vec<Fired>,
    /// The same as JSON Lines.
    pub lines: String,
    /// What could not be read: where, and why.
    pub unreadable: Vec<(String, String)>,
    /// How much more could not be read.
    pub unreadable_untold: u64,
}

/// Matches the events of texts, and hands on what it saw whenever that is much.
pub struct Matching<'a, HandOn> {
    question: &'a Question<'a>,
    seen: Seen,
    envelope: String,
    hand_on: HandOn,
}

impl<'a, HandOn: FnMut(Seen)> Matching<'a, HandOn> {
    /// Begins.
    pub fn new(question: &'a Question<'a>, hand_on: HandOn) -> Matching<'a, HandOn> {
        Matching { question, seen: Seen::default(), envelope: String::new(), hand_on }
    }

    /// Hands on the rest.
    pub fn finish(mut self) {
        (self.hand_on)(self.seen);
    }

    /// A text that is one document, or a document a line.
    pub fn text(&mut self, name: &str, text: &[u8]) {
        if self.plain(text, || name.to_owned()) {
            return;
        }
        let document = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if serde_json::from_slice::<IgnoredAny>(document).is_ok() || document.trim_ascii().is_empty() {
            return self
                .read(normalize::read_with(text, self.question.sources, self.question.received), || name.to_owned());
        }
        self.lines(name, text, 1);
    }

    /// A text that has a document on each line.
    pub fn lines(&mut self, name: &str, text: &[u8], first: u64) {
        for (line, number) in text.split(|byte| *byte == b'\n').zip(first..) {
            let at = || format!("{name}:{number}");
            if !line.trim_ascii().is_empty() && !self.plain(line, at) {
                self.read(normalize::read_with(line, self.question.sources, self.question.received), at);
            }
        }
    }

    /// Something that can't be read.
    pub fn unreadable(&mut self, at: String, reason: String) {
        if self.seen.unreadable.len() < UNREADABLE_TOLD {
            self.seen.unreadable.push((at, reason));
        } else {
            self.seen.unreadable_untold += 1;
        }
    }

    /// Takes a text where it is plain; tells whether it is.
    fn plain(&mut self, text: &[u8], at: impl Fn() -> String) -> bool {
        let Some(pieces) = normalize::plain(text) else { return false };
        for piece in pieces {
            match piece {
                Piece::Event(event) => self.plain_event(&event, &at),
                Piece::Text(text) => self.read(normalize::read(text.as_bytes()), &at),
            }
        }
        true
    }

    fn plain_event(&mut self, event: &Plain<'_>, at: impl Fn() -> String) {
        let matched = self.question.rules.matching(event.envelope(&mut self.envelope));
        if matched.is_empty() {
            return self.count(event.time);
        }
        // Few events get here; only these are made values.
        for read in event.read() {
            match read {
                Ok(event) => self.fired(&event, &matched),
                Err(unreadable) => self.unreadable(at(), unreadable.reason),
            }
        }
    }

    fn read(&mut self, read: normalize::Read, at: impl Fn() -> String) {
        for part in read {
            match part {
                Ok(event) => self.fired(&event, &self.question.rules.matching_value(&event.envelope())),
                Err(unreadable) => self.unreadable(at(), unreadable.reason),
            }
        }
    }

    fn fired(&mut self, event: &Event, matched: &[usize]) {
        self.count(event.time);
        for rule in matched {
            let Some(fired) = self.question.rules.fired(event, *rule) else { continue };
            if self.question.wants_lines {
                self.question.rules.write_lines(&fired, &mut self.seen.lines);
            }
            self.seen.fired.push(fired);
        }
        if self.seen.fired.len() >= FIRED_AT_ONCE {
            (self.hand_on)(std::mem::take(&mut self.seen));
        }
    }

    fn count(&mut self, time: Timestamp) {
        self.seen.events += 1;
        let (first, last) = self.seen.span.unwrap_or((time, time));
        self.seen.span = Some((first.min(time), last.max(time)));
    }
}
