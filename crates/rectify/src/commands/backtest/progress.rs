//! How far it is, shown in one line while standard error is a terminal.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::output;

/// How often the line is drawn.
pub const INTERVAL: Duration = Duration::from_millis(100);
/// Of how many characters the bar is.
const BAR: usize = 20;
/// How long it takes before time left is told: what is seen at first says little.
const GUESSING_AFTER: Duration = Duration::from_secs(1);

/// How many files there are, which somebody else counts meanwhile.
#[derive(Default)]
pub struct Total {
    /// Those that were found so far.
    pub files: AtomicU64,
    /// Whether these are all.
    pub is_known: AtomicBool,
}

/// The line.
pub struct Progress {
    is_shown: bool,
    began: Instant,
    drawn: Instant,
    total: Arc<Total>,
}

impl Progress {
    /// Shown where it is wanted and standard error is a terminal.
    pub fn new(is_wanted: bool, total: Arc<Total>) -> Progress {
        let now = Instant::now();
        Progress { is_shown: is_wanted && io::stderr().is_terminal(), began: now, drawn: now, total }
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// Draws the line where it is time to.
    pub fn draw(&mut self, files: u64, events: u64) {
        if !self.is_shown || self.drawn.elapsed() < INTERVAL {
            return;
        }
        self.drawn = Instant::now();
        let all = self.total.files.load(Ordering::Relaxed);
        let all = if self.total.is_known.load(Ordering::Relaxed) { Ok(all) } else { Err(all) };
        let text = line(files, all, events, self.began.elapsed(), output::has_colours());
        // Back to the line's beginning; what it showed is cleared.
        drop(write!(io::stderr(), "\r\u{1b}[K{text}"));
    }

    /// Takes the line away, so that something else can be written.
    pub fn clear(&self) {
        if self.is_shown {
            drop(write!(io::stderr(), "\r\u{1b}[K"));
        }
    }
}

/// `[#####     ] 12 of 40 files, 1200 events, 800 events/s, 4 s left`. `all` are all files, or those found so far.
fn line(files: u64, all: Result<u64, u64>, events: u64, passed: Duration, has_colours: bool) -> String {
    let per_second = u128::from(events) * 1_000 / passed.as_millis().max(1);
    let (bar, of, left) = match all {
        Ok(all) => {
            let done = files.min(all);
            let marks = usize::try_from(done.saturating_mul(20) / all.max(1)).unwrap_or(BAR).min(BAR);
            let (full, empty) = ("#".repeat(marks), " ".repeat(BAR - marks));
            let bar =
                if has_colours { format!("[\u{1b}[32m{full}\u{1b}[0m{empty}] ") } else { format!("[{full}{empty}] ") };
            (bar, all.to_string(), left(done, all, passed))
        }
        Err(found) => (String::new(), format!("at least {}", found.max(files)), String::new()),
    };
    format!("{bar}{files} of {of} files, {events} events, {per_second} events/s{left}")
}

fn left(done: u64, all: u64, passed: Duration) -> String {
    if done == 0 || passed < GUESSING_AFTER {
        return String::new();
    }
    let seconds = u128::from(all - done) * passed.as_millis() / u128::from(done) / 1_000;
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!(", {seconds} s left"),
        (0, minutes, seconds) => format!(", {minutes} min {seconds} s left"),
        (hours, minutes, _) => format!(", {hours} h {minutes} min left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_it_is() {
        let check = |files, all, events, seconds, expected: &str| {
            assert_eq!(line(files, all, events, Duration::from_secs(seconds), false), expected);
        };
        check(10, Ok(40), 1_200, 4, "[#####               ] 10 of 40 files, 1200 events, 300 events/s, 12 s left");
        check(1, Ok(100), 10, 2, "[                    ] 1 of 100 files, 10 events, 5 events/s, 3 min 18 s left");
        check(1, Ok(3_601), 10, 2, "[                    ] 1 of 3601 files, 10 events, 5 events/s, 2 h 0 min left");
        check(40, Ok(40), 0, 1, "[####################] 40 of 40 files, 0 events, 0 events/s, 0 s left");
        check(0, Ok(0), 0, 0, "[                    ] 0 of 0 files, 0 events, 0 events/s");
        check(3, Err(2), 9, 3, "3 of at least 3 files, 9 events, 3 events/s");
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert!(line(1, Ok(2), 0, Duration::ZERO, true).contains("\u{1b}[32m"));
    }
}
