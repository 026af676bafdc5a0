//! Checkpoints: what the log holds is copied into the database's file, so that the log can begin anew.
//!
//! Copying and syncing some thousands of pages takes tens of milliseconds, in which SQLite's own habit lets every write wait. Here a
//! thread does most of it while the writer goes on; the writer then copies the few pages that came meanwhile, between two commits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::{Connection, Row};

use crate::ports::StoreError;

/// A checkpoint begins when the log has this many pages (of 4 KiB).
const PAGES: i32 = 4000;
/// When it has this many, the writer waits for the checkpoint: the disk is too slow for both.
const MOST_PAGES: i32 = 8 * PAGES;

/// The thread, as the writer sees it.
pub(super) struct Checkpoints {
    /// Pages in the log after the last commit.
    pages: Arc<AtomicI32>,
    asked: Option<SyncSender<()>>,
    done: Receiver<()>,
    is_running: bool,
    /// [`PAGES`] and [`MOST_PAGES`].
    limits: (i32, i32),
    /// So many more pages than those are waited for: of a log that a reader keeps from being copied whole, such as a backup.
    kept_by_readers: i32,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// `writer` is told of here; `own` is another connection to the same file. The thread ends when this is dropped.
    pub(super) fn start(writer: &mut Connection, own: Connection) -> Result<Checkpoints, StoreError> {
        Checkpoints::start_within((PAGES, MOST_PAGES), writer, own)
    }

    fn start_within(limits: (i32, i32), writer: &mut Connection, own: Connection) -> Result<Checkpoints, StoreError> {
        let pages = Arc::new(AtomicI32::new(0));
        let seen = pages.clone();
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        let (asked, ask) = sync_channel(1);
        let (tell, done) = sync_channel(1);
        let work = move || {
            while ask.recv().is_ok() {
                checkpoint(&own);
                if tell.send(()).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(work).map_err(|error| {
            StoreError::Unavailable(format!("the thread for the store's checkpoints can't be started: {error}"))
        })?;
        Ok(Checkpoints {
            pages,
            asked: Some(asked),
            done,
            is_running: false,
            limits,
            kept_by_readers: 0,
            thread: Some(thread),
        })
    }

    /// Begins one where it is time, or ends it.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        let (from, most) = self.limits;
        if pages < from {
            // It has begun anew.
            self.kept_by_readers = 0;
        }
        let (from, most) = (from.saturating_add(self.kept_by_readers), most.saturating_add(self.kept_by_readers));
        if self.is_running {
            let ended = match pages >= most {
                true => self.done.recv().map_err(|_| TryRecvError::Disconnected),
                false => self.done.try_recv(),
            };
            if ended != Err(TryRecvError::Empty) {
                self.is_running = false;
                self.finish(writer, pages);
            }
        } else if pages >= from {
            self.is_running = self.asked.as_ref().is_some_and(|asked| asked.try_send(()).is_ok());
            if !self.is_running {
                // The thread is no more.
                self.finish(writer, pages);
            }
        }
    }

    /// Copies what is left. Where readers still need the log, copying it again for each commit would not help: it has to grow first.
    fn finish(&mut self, writer: &Connection, pages: i32) {
        self.kept_by_readers = if checkpoint(writer) { 0 } else { pages };
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.asked.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread for the store's checkpoints panicked; this is a bug");
        }
    }
}

/// Copies what it can without waiting for anybody; whether that is all. What fails is tried again at the next.
fn checkpoint(connection: &Connection) -> bool {
    let pages = |row: &Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages) {
        Ok((in_log, copied)) => copied >= in_log,
        Err(error) => {
            tracing::warn!(%error, "the store's log can't be copied into its file now; it grows until it can");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Log {
        folder: tempfile::TempDir,
        writer: Connection,
        checkpoints: Checkpoints,
    }

    impl Log {
        fn new(limits: (i32, i32)) -> Log {
            let folder = tempfile::tempdir().unwrap();
            let (mut writer, own) = (open(&folder), open(&folder));
            let checkpoints = Checkpoints::start_within(limits, &mut writer, own).unwrap();
            writer.execute("CREATE TABLE rows (row)", []).unwrap();
            Log { folder, writer, checkpoints }
        }

        /// So many commits of a row, which are a few pages each; the most pages that there were, and how often a checkpoint ended.
        fn write(&mut self, commits: usize) -> (i32, usize) {
            let (mut longest, mut ended) = (0, 0);
            for _ in 0..commits {
                self.writer.execute("INSERT INTO rows VALUES (zeroblob(4000))", []).unwrap();
                longest = longest.max(self.checkpoints.pages.load(Ordering::Relaxed));
                let was_running = self.checkpoints.is_running;
                self.checkpoints.after_commit(&self.writer);
                ended += usize::from(was_running && !self.checkpoints.is_running);
            }
            (longest, ended)
        }
    }

    fn open(folder: &tempfile::TempDir) -> Connection {
        let connection = Connection::open(folder.path().join("file")).unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        connection
    }

    #[test]
    fn a_reader_that_keeps_the_log_does_not_hold_up_each_commit() {
        let mut log = Log::new((40, 80));
        log.write(4);
        let reader = open(&log.folder);
        reader.execute_batch("BEGIN; SELECT count(*) FROM rows;").unwrap();
        let (longest, ended) = log.write(500);
        assert!(longest > 500, "{longest}");
        // A commit is a few pages: one for each 40 of them, and not after each second commit.
        assert!((1..100).contains(&ended), "{ended}");
        reader.execute_batch("COMMIT").unwrap();
        log.write(100);
        let (longest, _) = log.write(100);
        assert!(longest < 200, "the log begins anew when the reader has gone: {longest}");
    }

    #[test]
    fn without_its_thread_the_writer_copies_the_log() {
        let mut log = Log::new((8, 64));
        // As a panic of the thread leaves it.
        let (asked, _) = sync_channel(1);
        log.checkpoints.asked = Some(asked);
        let (longest, _) = log.write(500);
        assert!((8..80).contains(&longest), "{longest}");
    }

    #[test]
    fn the_log_begins_anew_however_long_it_is_written_to() {
        let mut log = Log::new((8, 64));
        let (longest, _) = log.write(500);
        drop(log.checkpoints);
        // All of the pages are more than a thousand.
        assert!((8..80).contains(&longest), "{longest}");
        let rows: i64 = log.writer.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 500);
    }
}
