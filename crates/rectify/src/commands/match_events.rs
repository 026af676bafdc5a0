//! `rectify match PATTERN [EVENTS…]`: as grep, with an event pattern.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use detection::{EventPattern, Matcher};
use serde::de::IgnoredAny;

use super::Problem;
use crate::output;

/// The longest line that is read: a CloudTrail record is 256 KB at most.
const LINE_LIMIT_BYTES: u64 = 16 << 20;

/// Print the events that match an event pattern, as grep does with lines.
///
/// Exit status: 0 some matched, 1 none did, 2 the pattern, a file or a line was refused.
#[derive(clap::Args)]
pub struct Arguments {
    /// A file with the pattern, or the pattern itself (beginning with `{`)
    pattern: String,
    /// Files of JSON Lines; standard input where none is named
    events: Vec<PathBuf>,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    matched: bool,
    refused: bool,
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    let text = if arguments.pattern.trim_start().starts_with('{') {
        arguments.pattern
    } else {
        fs::read_to_string(&arguments.pattern)
            .map_err(|error| Problem(format!("the pattern's file {} can't be read: {error}", arguments.pattern)))?
    };
    let pattern = Matcher::new(vec![((), EventPattern::parse(&text).map_err(Problem::new)?)]);
    let mut seen = Seen::default();
    if arguments.events.is_empty() {
        lines(&pattern, "standard input", io::stdin().lock(), &mut seen);
    }
    for path in &arguments.events {
        match File::open(path) {
            Ok(file) => lines(&pattern, &path.display().to_string(), BufReader::new(file), &mut seen),
            Err(error) => {
                output::problem(&format!("{} can't be read: {error}", path.display()));
                seen.refused = true;
            }
        }
    }
    Ok(match seen {
        Seen { refused: true, .. } => ExitCode::from(2),
        Seen { matched: true, .. } => ExitCode::SUCCESS,
        Seen { .. } => ExitCode::FAILURE,
    })
}

fn lines(pattern: &Matcher<()>, name: &str, mut reader: impl BufRead, seen: &mut Seen) {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        match io::Read::take(&mut reader, LINE_LIMIT_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                output::problem(&format!("{name}:{number}: reading failed: {error}"));
                seen.refused = true;
                break;
            }
        }
        let text = line.trim_ascii();
        let text = if number == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
        if text.is_empty() {
            continue;
        }
        match json(text) {
            Ok(event) if event.starts_with('{') => {
                if !pattern.matches_json(event).is_empty() {
                    seen.matched = true;
                    if out.write_all(text).and_then(|()| out.write_all(b"\n")).is_err() {
                        return;
                    }
                }
            }
            Ok(_) => refuse(name, number, "no JSON object", seen),
            Err(error) => refuse(name, number, &format!("no JSON: {error}"), seen),
        }
    }
    // A reader that has gone wants nothing more.
    drop(out.flush());
}

/// A line that is JSON, as text.
fn json(line: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())?;
    Ok(text)
}

fn refuse(name: &str, number: u64, why: &str, seen: &mut Seen) {
    output::problem(&format!("{name}:{number}: {why}"));
    seen.refused = true;
}
