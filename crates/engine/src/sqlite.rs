//! Both stores on SQLite: one writer thread with group commit, WAL, `synchronous=FULL`.

use std::path::Path;

use crate::ports::StoreError;

/// The store in a folder. A second process on the same folder is refused.
#[derive(Debug)]
pub struct SqliteStore {
    // filled in by this crate
}

impl SqliteStore {
    /// Opens or makes the store, migrating it forwards.
    pub fn open(_folder: &Path) -> Result<SqliteStore, StoreError> {
        todo!()
    }
}
