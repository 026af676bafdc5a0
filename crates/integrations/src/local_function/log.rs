//! The log of a function: one file, and one before it.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

/// The longest line, in bytes; a longer one goes on in the next.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024;
/// At this length the file is put aside as `NAME.log.1`, in the place of the one before.
const FILE_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// Of the tail that an invocation may ask for (`LogType: Tail`).
const TAIL_BYTES_MAX: usize = 4 * 1024;

/// The log of a function.
#[derive(Debug)]
pub(super) struct FunctionLog {
    path: PathBuf,
    bytes_max: u64,
    state: Mutex<LogState>,
}

#[derive(Debug, Default)]
struct LogState {
    /// The file and its length, once it was written to.
    file: Option<(File, u64)>,
    /// Whether the last line could not be written: it is said once.
    failing: bool,
}

impl FunctionLog {
    /// `FOLDER/NAME.log`.
    pub(super) fn new(folder: &Path, name: &str) -> FunctionLog {
        FunctionLog {
            path: folder.join(format!("{name}.log")),
            bytes_max: FILE_BYTES_MAX,
            state: Mutex::new(LogState::default()),
        }
    }

    /// Writes a line with the time and the id of the request, where one is under way. A log that can't be written keeps nobody from
    /// their work.
    pub(super) fn line(&self, request_id: Option<&str>, text: &str) {
        let line = format!("{:.3} {} {text}\n", Timestamp::now(), request_id.unwrap_or("-"));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.write(&mut state, line.as_bytes());
        if let Err(error) = &written
            && !state.failing
        {
            tracing::error!(%error, file = %self.path.display(), "a function's log can't be written: its lines are lost until it can be");
        }
        state.failing = written.is_err();
    }

    fn write(&self, state: &mut LogState, line: &[u8]) -> io::Result<()> {
        let added = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if state.file.as_ref().is_some_and(|(_, bytes)| bytes.saturating_add(added) > self.bytes_max) {
            state.file = None;
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
        }
        if state.file.is_none() {
            let file = File::options().create(true).append(true).mode(0o600).open(&self.path)?;
            file.set_permissions(Permissions::from_mode(0o600))?;
            let bytes = file.metadata()?.len();
            state.file = Some((file, bytes));
        }
        let Some((file, bytes)) = &mut state.file else { return Ok(()) };
        file.write_all(line)?;
        *bytes = bytes.saturating_add(added);
        Ok(())
    }
}

/// Cuts what a process writes into lines, and keeps the tail of the present invocation.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    /// The invocation under way, and the end of its log.
    request: Option<(String, String)>,
}

impl Lines {
    /// An invocation begins.
    pub(super) fn begin(&mut self, request_id: &str, log: &FunctionLog) {
        self.request = Some((request_id.to_owned(), String::new()));
        self.line(&format!("START RequestId: {request_id} Version: $LATEST"), log);
    }

    /// It has ended: the tail of its log.
    pub(super) fn end(&mut self, report: &str, log: &FunctionLog) -> String {
        self.flush(log);
        if let Some((request_id, _)) = &self.request {
            let end = format!("END RequestId: {request_id}");
            let report = format!("REPORT RequestId: {request_id}\t{report}");
            self.line(&end, log);
            self.line(&report, log);
        }
        self.request.take().map(|(_, tail)| tail).unwrap_or_default()
    }

    /// What the process wrote.
    pub(super) fn push(&mut self, bytes: &[u8], log: &FunctionLog) {
        for byte in bytes {
            if *byte != b'\n' {
                self.partial.push(*byte);
            }
            if *byte == b'\n' || self.partial.len() >= LINE_BYTES_MAX {
                self.flush_line(log);
            }
        }
    }

    /// A line without an end is one, too.
    pub(super) fn flush(&mut self, log: &FunctionLog) {
        if !self.partial.is_empty() {
            self.flush_line(log);
        }
    }

    fn flush_line(&mut self, log: &FunctionLog) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned();
        self.line(line.trim_end_matches('\r'), log);
    }

    /// A line of the platform's.
    pub(super) fn line(&mut self, text: &str, log: &FunctionLog) {
        log.line(self.request.as_ref().map(|(request_id, _)| request_id.as_str()), text);
        if let Some((_, tail)) = &mut self.request {
            tail.push_str(text);
            tail.push('\n');
            if tail.len() > TAIL_BYTES_MAX {
                let from = (tail.len() - TAIL_BYTES_MAX..tail.len()).find(|at| tail.is_char_boundary(*at));
                tail.drain(..from.unwrap_or(tail.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a file, less their times.
    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn lines_have_the_request_and_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let log = FunctionLog::new(folder.path(), "f");
        let mut lines_of = Lines::default();
        lines_of.push(b"before\r\nhal", &log);
        lines_of.push(b"f\n", &log);
        lines_of.begin("r", &log);
        lines_of.push("x".repeat(LINE_BYTES_MAX + 1).as_bytes(), &log);
        let tail = lines_of.end("Duration: 1.00 ms", &log);
        lines_of.push(b"after\n", &log);
        let long = "x".repeat(LINE_BYTES_MAX);
        let expected = [
            "- before",
            "- half",
            "r START RequestId: r Version: $LATEST",
            &format!("r {long}"),
            "r x",
            "r END RequestId: r",
            "r REPORT RequestId: r\tDuration: 1.00 ms",
            "- after",
        ];
        assert_eq!(lines(&folder.path().join("f.log")), expected);
        assert_eq!(tail.len(), TAIL_BYTES_MAX);
        assert!(tail.ends_with("xxx\nx\nEND RequestId: r\nREPORT RequestId: r\tDuration: 1.00 ms\n"), "{tail}");
    }

    #[test]
    fn a_long_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let log = FunctionLog { bytes_max: 100, ..FunctionLog::new(folder.path(), "f") };
        for number in 0..7 {
            log.line(None, &format!("line {number}"));
        }
        let all = ["f.log.1", "f.log"].map(|name| lines(&folder.path().join(name)));
        // 34 bytes a line: two a file; of those before the last but one nothing is kept.
        assert_eq!(all, [vec!["- line 4", "- line 5"], vec!["- line 6"]]);
    }

    #[test]
    fn a_log_that_cannot_be_written_disturbs_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let log = FunctionLog::new(&folder.path().join("gone"), "f");
        log.line(None, "lost");
        fs::create_dir(folder.path().join("gone")).unwrap();
        log.line(None, "kept");
        assert_eq!(lines(&folder.path().join("gone/f.log")), ["- kept"]);
    }
}
