//! Backups: a copy of the store's file as it is at one moment, taken beside whoever writes it.
//!
//! SQLite's backup API copies the pages of one read transaction. A reader never holds up the writer in WAL mode, so a running server
//! does not notice; the file is opened read-only, so nothing can be hurt; and nobody has to run. While it is copied, the log can't be
//! written back beyond that moment, and grows by what is written meanwhile. (`VACUUM INTO` would hold the moment for longer, since it
//! builds the file anew, and could not be compared row by row with what it copied.)

use std::{ops::ControlFlow, path::Path};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    backup::{Backup as Copy, StepResult},
};

use super::{FILE, FILES, LOCKED_TIMEOUT, natural};
use crate::ports::StoreError;

/// Pages copied before the progress is told.
const PAGES_AT_ONCE: i32 = 4096;

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupProgress {
    /// Pages of the file are copied.
    Copying {
        /// Bytes copied.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The copy is checked.
    Verifying,
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// Bytes of the file.
    pub bytes: u64,
    /// The rows of each table, by the tables' names; the same as in the store at the moment of the copy.
    pub rows: Vec<(String, u64)>,
}

impl BackupSummary {
    /// The rows of a table; 0 where there is none of that name.
    pub fn rows_of(&self, table: &str) -> u64 {
        self.rows.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows)
    }
}

/// Whether a path names one of the store's files in a folder, which a backup must never replace: by their names, whether they are there
/// now or not, or as another name of the same file.
pub fn is_of_store(folder: &Path, path: &Path) -> bool {
    let folder_of_path = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_in_folder = match (folder.canonicalize(), folder_of_path.canonicalize()) {
        (Ok(folder), Ok(other)) => folder == other,
        _ => false,
    };
    FILES.iter().any(|name| {
        let is_its_name = path.file_name().is_some_and(|other| other.eq_ignore_ascii_case(name));
        is_in_folder && is_its_name || is_same_file(&folder.join(name), path)
    })
}

/// Whether both are there, and are one file: also by links, hard or symbolic.
fn is_same_file(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        identity(one).is_some_and(|one| identity(other) == Some(one))
    }
    #[cfg(not(unix))]
    {
        one.canonicalize().ok().is_some_and(|one| other.canonicalize().ok() == Some(one))
    }
}

/// Copies the store in a folder into a file that is empty or not there, and checks the copy: SQLite's `integrity_check`, and the rows of
/// each table against those that were copied. It blocks. `progress` ends it by breaking: then the file is left unfinished, for the
/// caller to remove, and so it is after an error.
///
/// In a folder of its own, named `rectify.sqlite`, the copy is a store.
pub fn backup(
    folder: &Path,
    file: &Path,
    progress: &mut dyn FnMut(BackupProgress) -> ControlFlow<()>,
) -> Result<Option<BackupSummary>, StoreError> {
    let path = folder.join(FILE);
    if !path.is_file() {
        let text = format!("there is no store in `{}`: name the folder that `serve` was given", folder.display());
        return Err(StoreError::Unavailable(text));
    }
    let from = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    from.busy_timeout(LOCKED_TIMEOUT)?;
    // Held open until the end: all that is read and copied is of one moment.
    from.execute_batch("BEGIN")?;
    let rows = rows(&from)?;
    let page_bytes = natural(from.query_row("PRAGMA page_size", [], |row| row.get(0))?)?;
    let mut to = Connection::open(file).map_err(unwritten)?;
    // Nobody needs what is half copied: it is synced as a whole, and no journal is kept beside it.
    to.pragma_update(None, "synchronous", "off").map_err(unwritten)?;
    to.pragma_update_and_check(None, "journal_mode", "memory", |_| Ok(())).map_err(unwritten)?;
    if !copy(&from, &mut to, page_bytes, progress)? || progress(BackupProgress::Verifying).is_break() {
        return Ok(None);
    }
    verify(&to, &rows)?;
    // The copy is one file, with no log beside it.
    to.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).map_err(unwritten)?;
    to.close().map_err(|(_, error)| unwritten(error))?;
    let bytes = std::fs::File::open(file).and_then(|file| {
        file.sync_all()?;
        Ok(file.metadata()?.len())
    });
    let bytes =
        bytes.map_err(|error| StoreError::Unavailable(format!("the copy can't be written to its disk: {error}")))?;
    Ok(Some(BackupSummary { bytes, rows }))
}

/// Why the copy can't be written. The store was read before, so a disk that fails now is the copy's.
fn unwritten(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            StoreError::Unavailable(format!("the copy can't be written, its disk is full ({error})"))
        }
        Some(
            ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen,
        ) => StoreError::Unavailable(format!("the copy can't be written ({error})")),
        _ => StoreError::from(error),
    }
}

/// Whether all was copied.
fn copy(
    from: &Connection,
    to: &mut Connection,
    page_bytes: u64,
    progress: &mut dyn FnMut(BackupProgress) -> ControlFlow<()>,
) -> Result<bool, StoreError> {
    let copy = Copy::new(from, to)?;
    loop {
        let result = copy.step(PAGES_AT_ONCE).map_err(unwritten)?;
        let (left, total) = (copy.progress().remaining, copy.progress().pagecount);
        let bytes = |pages: i32| u64::try_from(pages).unwrap_or(0).saturating_mul(page_bytes);
        let told = progress(BackupProgress::Copying { done: bytes(total.saturating_sub(left)), total: bytes(total) });
        if told.is_break() {
            return Ok(false);
        }
        match result {
            StepResult::Done => return Ok(true),
            StepResult::Busy | StepResult::Locked => std::thread::sleep(LOCKED_TIMEOUT / 20),
            _ => {}
        }
    }
}

fn verify(copy: &Connection, expected: &[(String, u64)]) -> Result<(), StoreError> {
    let said: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        return Err(StoreError::Damaged(format!(
            "the store is damaged, and so is its copy, which is not kept: restore an older backup ({said})"
        )));
    }
    let found = rows(copy)?;
    if found != expected {
        return Err(StoreError::Damaged(
            "the copy does not hold what the store does, and is not kept: make it anew; if this comes again, report it"
                .to_owned(),
        ));
    }
    Ok(())
}

/// How many rows each table has.
fn rows(connection: &Connection) -> Result<Vec<(String, u64)>, StoreError> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut statement = connection.prepare(tables)?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let counted = names.into_iter().map(|name| {
        // Our own names need no escaping.
        let rows = connection.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0))?;
        Ok((name, natural(rows)?))
    });
    counted.collect()
}

#[cfg(test)]
mod tests;
