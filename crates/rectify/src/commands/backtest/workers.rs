//! Inputs read and matched on all cores; what was seen of them comes in the order of the inputs, as with one thread.
//!
//! A worker takes the next input together with a place in the line of those whose results are awaited; it puts what it sees into a
//! channel of its own. Whoever collects empties one channel after the other. Both the line and the channels are short, so that those who
//! are ahead wait: memory does not grow with the number of files.

use std::{
    fs,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use super::{
    inputs::{Body, Input},
    matching::{Matching, Question, Seen},
    reader::{self, Opened, Reader},
};

/// How many inputs each worker may be ahead.
const AHEAD: usize = 8;
/// How much of an input may wait to be collected.
const SEEN_AHEAD: usize = 2;
/// A file of this size, as it is stored, is opened before it is given to a worker: its lines are given to several.
const LARGE_FILE_BYTES: u64 = 1 << 20;

/// What comes of a piece of work.
pub enum Message {
    /// A part of what was seen.
    Seen(Seen),
    /// An input was read to its end; whether it was only passed over.
    Ended {
        /// It holds no events.
        passed_over: bool,
    },
}

/// A piece of work.
enum Work {
    Input(Input),
    /// A file's text.
    Text(String, Vec<u8>),
    /// Some of a file's lines; the last of them are followed by the file's end.
    Lines {
        name: String,
        lines: reader::Lines,
        is_last: bool,
    },
    /// A document of which the beginning was read.
    Document(String, Reader),
}

/// What is to be done.
struct Feed<Inputs> {
    inputs: Inputs,
    /// A file whose lines are being handed out.
    open: Option<Open>,
    line: SyncSender<Receiver<Message>>,
}

/// A file whose lines are being handed out.
struct Open {
    name: String,
    reader: Reader,
    /// What comes next of it.
    next: Result<reader::Lines, String>,
}

/// Reads all inputs with so many threads, and gives what was seen to `collect`, in the order of the inputs.
pub fn run(
    question: &Question<'_>,
    inputs: impl Iterator<Item = Input> + Send,
    threads: usize,
    collect: impl FnOnce(Receiver<Receiver<Message>>),
) {
    let (line, results) = sync_channel(threads.saturating_mul(AHEAD));
    let feed = Mutex::new(Some(Feed { inputs, open: None, line }));
    // Large documents are in memory one at a time.
    let large = Mutex::new(());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((work, sender)) = next(&feed) {
                    perform(question, work, &sender, &large);
                }
            });
        }
        collect(results);
    });
}

/// The next piece of work, and where what comes of it goes. Once there is none, the line is closed.
fn next<Inputs: Iterator<Item = Input>>(feed: &Mutex<Option<Feed<Inputs>>>) -> Option<(Work, SyncSender<Message>)> {
    let mut feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = feed.as_mut().and_then(|feed| {
        let work = feed.next()?;
        let (sender, receiver) = sync_channel(SEEN_AHEAD);
        // Nobody collects any more where this fails.
        feed.line.send(receiver).ok()?;
        Some((work, sender))
    });
    if taken.is_none() {
        *feed = None;
    }
    taken
}

impl<Inputs: Iterator<Item = Input>> Feed<Inputs> {
    fn next(&mut self) -> Option<Work> {
        if let Some(Open { name, mut reader, next }) = self.open.take() {
            return Some(match next {
                Ok(lines) => {
                    let next = reader.lines();
                    let work = Work::Lines { name: name.clone(), lines, is_last: next.is_none() };
                    self.open = next.map(|next| Open { name, reader, next });
                    work
                }
                Err(reason) => Work::Input(Input { name, body: Body::Unreadable(reason) }),
            });
        }
        let input = self.inputs.next()?;
        let is_large = match &input.body {
            Body::File(path) => fs::metadata(path).is_ok_and(|found| found.len() >= LARGE_FILE_BYTES),
            Body::Object(bytes) => u64::try_from(bytes.len()).is_ok_and(|length| length >= LARGE_FILE_BYTES),
            Body::Unreadable(_) | Body::PassedOver => false,
        };
        if !is_large {
            return Some(Work::Input(input));
        }
        match reader::open(input.body) {
            Err(reason) => Some(Work::Input(Input { name: input.name, body: Body::Unreadable(reason) })),
            Ok(Opened::Whole(text)) => Some(Work::Text(input.name, text)),
            Ok(Opened::Document(reader)) => Some(Work::Document(input.name, reader)),
            Ok(Opened::Lines(mut reader)) => {
                let name = input.name;
                self.open = reader.lines().map(|next| Open { name, reader, next });
                self.next()
            }
        }
    }
}

fn perform(question: &Question<'_>, work: Work, sender: &SyncSender<Message>, large: &Mutex<()>) {
    // Nobody collects any more where sending fails: then the line is closed, too.
    let mut matching = Matching::new(question, |seen| drop(sender.send(Message::Seen(seen))));
    let mut passed_over = false;
    let mut is_end = true;
    match work {
        Work::Lines { name, lines, is_last } => {
            matching.lines(&name, &lines.text, lines.first);
            is_end = is_last;
        }
        Work::Text(name, text) => matching.text(&name, &text),
        Work::Document(name, reader) => document(&mut matching, name, reader, large),
        Work::Input(Input { body: Body::PassedOver, .. }) => passed_over = true,
        Work::Input(Input { name, body }) => match reader::open(body) {
            Err(reason) => matching.unreadable(name, reason),
            Ok(Opened::Whole(text)) => matching.text(&name, &text),
            Ok(Opened::Document(reader)) => document(&mut matching, name, reader, large),
            Ok(Opened::Lines(mut reader)) => {
                while let Some(part) = reader.lines() {
                    match part {
                        Ok(lines) => matching.lines(&name, &lines.text, lines.first),
                        Err(reason) => matching.unreadable(name.clone(), reason),
                    }
                }
            }
        },
    }
    matching.finish();
    if is_end {
        drop(sender.send(Message::Ended { passed_over }));
    }
}

fn document<HandOn: FnMut(Seen)>(matching: &mut Matching<'_, HandOn>, name: String, reader: Reader, large: &Mutex<()>) {
    let _turn = large.lock().unwrap_or_else(PoisonError::into_inner);
    match reader.document() {
        Ok(text) => matching.text(&name, &text),
        Err(reason) => matching.unreadable(name, reason),
    }
}
