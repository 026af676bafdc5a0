//! Checkpoints: what the log holds is copied into the database's file, so that the log can begin anew.
//!
//! Copying and syncing some thousands of pages takes tens of milliseconds, in which SQLite's own habit lets every write wait. Here a
//! thread does most of it while the writer goes on; the writer then copies the few pages that came meanwhile, between two commits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;

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
        Ok(Checkpoints { pages, asked: Some(asked), done, is_running: false, limits, thread: Some(thread) })
    }

    /// Begins one where it is time, or ends it.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        let (from, most) = self.limits;
        if self.is_running {
            let ended = match pages >= most {
                true => self.done.recv().is_ok(),
                false => self.done.try_recv().is_ok(),
            };
            if ended {
                self.is_running = false;
                checkpoint(writer);
            }
        } else if pages >= from {
            self.is_running = self.asked.as_ref().is_some_and(|asked| asked.try_send(()).is_ok());
        }
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

/// Copies what it can without waiting for anybody. What fails is tried again at the next.
fn checkpoint(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the store's log can't be copied into its file now; it grows until it can");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_begins_anew_however_long_it_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let connection = Connection::open(folder.path().join("file")).unwrap();
            connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
            connection
        };
        let (mut writer, own) = (open(), open());
        let mut checkpoints = Checkpoints::start_within((8, 64), &mut writer, own).unwrap();
        writer.execute("CREATE TABLE rows (row)", []).unwrap();
        let mut longest = 0;
        for _ in 0..500 {
            writer.execute("INSERT INTO rows VALUES (zeroblob(4000))", []).unwrap();
            longest = longest.max(checkpoints.pages.load(Ordering::Relaxed));
            checkpoints.after_commit(&writer);
        }
        drop(checkpoints);
        // A commit of a row is a few pages; all of them are more than a thousand.
        assert!((8..80).contains(&longest), "{longest}");
        let rows: i64 = writer.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 500);
    }
}
