//! Both stores on SQLite: one writer thread with group commit, WAL, `synchronous=FULL`.

mod activities;
mod alerts;
mod aliases;
mod backup;
mod catalogue;
mod checkpoints;
mod concurrency;
mod evaluations;
mod events;
mod exceptions;
mod executions;
mod exports;
mod express;
mod findings;
mod follow;
mod jobs;
mod journal;
mod levels;
mod map_runs;
mod pool;
mod receive;
mod retention;
mod revisions;
mod schema;
mod state_machines;
mod tags;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fs::{File, TryLockError},
    io::Write as _,
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode};

pub(crate) use self::state_machines::{hash_of, revision_hash};
#[cfg(feature = "simulator")]
pub(crate) use self::writer::simulated::{Disk, Fate};
pub use self::{
    backup::{BackupProgress, BackupSummary, backup, is_of_store},
    exceptions::exceptions,
    levels::Levels,
    retention::{DEFAULT_FINDINGS_RETENTION_DAYS, DEFAULT_RETENTION_DAYS, Pruned, Pruner, Retention},
    writer::{CommitMoment, CommitObserver, WriterCounts},
};
use self::{pool::Pool, writer::Writer};
use crate::{
    Clock, Figures,
    clock::SystemClock,
    ports::{EvaluationStore, ExecutionStore, ExportStore, FindingStore, StoreError},
};

/// The database's file within the store's folder.
const FILE: &str = "rectify.sqlite";
/// Locked by the process that has the store open.
const LOCK_FILE: &str = "lock";
/// All files of the store: SQLite's beside its own, too.
const FILES: [&str; 5] = [FILE, "rectify.sqlite-wal", "rectify.sqlite-shm", "rectify.sqlite-journal", LOCK_FILE];
/// What the log's file may keep of the disk after a checkpoint, in bytes.
const LOG_SIZE_LIMIT: i64 = 64 << 20;
/// What the writer may keep of the database in memory, in KiB: the index of ARNs is hit all over.
const WRITER_CACHE_KIB: i64 = 16 << 10;
/// How long a write waits for another program that has the file locked.
const LOCKED_TIMEOUT: Duration = Duration::from_secs(2);
/// Prepared statements kept by each connection.
const STATEMENTS_KEPT: usize = 128;

/// The store in a folder. A second process on the same folder is refused.
pub struct SqliteStore {
    writer: Writer,
    readers: Pool,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
    unreadable_jobs: jobs::Unreadable,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SqliteStore").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens or makes the store, migrating it forwards.
    pub fn open(folder: &Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(folder, Arc::new(SystemClock))
    }

    /// The same, with somebody who is told of every commit: for tests of crashes.
    pub fn open_observed(folder: &Path, observer: CommitObserver) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_as(folder, Arc::new(SystemClock), Some(observer))
    }

    /// The same, with a clock of one's own: what findings and exceptions take for now.
    pub fn open_with(folder: &Path, clock: Arc<dyn Clock>) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_as(folder, clock, None)
    }

    /// A store in memory, which other connections of the same name keep there: all in the runtime's one thread, on a disk that fails
    /// as it is told.
    #[cfg(feature = "simulator")]
    pub(crate) fn open_simulated(
        name: &str,
        clock: Arc<dyn Clock>,
        disk: Arc<dyn Disk>,
    ) -> Result<SqliteStore, StoreError> {
        let mut connection = SqliteStore::connect_simulated(name)?;
        configure(&connection)?;
        schema::migrate(&mut connection)?;
        let readers = Pool::simulate(SqliteStore::connect_simulated(name)?, disk.clone());
        Ok(SqliteStore {
            writer: Writer::simulate(connection, disk),
            readers,
            clock,
            figures: Arc::default(),
            unreadable_jobs: jobs::Unreadable::default(),
        })
    }

    /// Everything that is kept of an execution, by what is committed.
    #[cfg(feature = "simulator")]
    pub(crate) fn load_simulated(
        connection: &Connection,
        arn: &str,
    ) -> Result<Option<crate::ports::Stored>, StoreError> {
        executions::load(connection, arn, true)
    }

    /// A store in memory that is new: a copy of one that this thread made once, since making it takes longer than most seeds.
    #[cfg(feature = "simulator")]
    pub(crate) fn make_simulated(name: &str) -> Result<Connection, StoreError> {
        thread_local! {
            static NEW: std::cell::OnceCell<Connection> = const { std::cell::OnceCell::new() };
        }
        let mut made = SqliteStore::connect_simulated(name)?;
        NEW.with(|new| {
            if new.get().is_none() {
                let mut connection = Connection::open_in_memory()?;
                schema::migrate(&mut connection)?;
                // It was empty, in this thread.
                let _ = new.set(connection);
            }
            if let Some(new) = new.get() {
                rusqlite::backup::Backup::new(new, &mut made)?.step(-1)?;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(made)
    }

    /// One more connection to it.
    #[cfg(feature = "simulator")]
    pub(crate) fn connect_simulated(name: &str) -> Result<Connection, StoreError> {
        Ok(Connection::open(format!("file:{name}?mode=memory&cache=shared"))?)
    }

    fn open_as(
        folder: &Path,
        clock: Arc<dyn Clock>,
        observer: Option<CommitObserver>,
    ) -> Result<SqliteStore, StoreError> {
        let refused = |what: &str, error: &dyn std::fmt::Display| {
            StoreError::Unavailable(format!(
                "{what} `{}`: {error}. The store needs a folder that can be written to; name another one, or change its permissions",
                folder.display()
            ))
        };
        std::fs::create_dir_all(folder).map_err(|error| refused("can't make the folder", &error))?;
        let lock = take_lock(folder, &refused)?;
        let path = folder.join(FILE);
        drop(own(&path).map_err(|error| refused("can't open the store in", &error))?);
        let mut connection = Connection::open(&path).map_err(|error| refused("can't open the store in", &error))?;
        let named = |error| match error {
            StoreError::Unavailable(error) => refused("can't write to the store in", &error),
            StoreError::Damaged(error) => StoreError::Damaged(format!("`{}`: {error}", path.display())),
        };
        configure(&connection).map_err(named)?;
        schema::migrate(&mut connection).map_err(named)?;
        let checkpoints = Connection::open(&path)?;
        configure(&checkpoints).map_err(named)?;
        let figures = Arc::new(Figures::default());
        Ok(SqliteStore {
            writer: Writer::start(connection, checkpoints, lock, observer, figures.clone())?,
            readers: Pool::open(&path)?,
            clock,
            figures,
            unreadable_jobs: jobs::Unreadable::default(),
        })
    }

    /// How well writes were grouped, since the store was opened.
    pub fn counts(&self) -> WriterCounts {
        self.writer.counts()
    }

    /// What the store counts, and the engine on it.
    pub fn figures(&self) -> Arc<Figures> {
        self.figures.clone()
    }

    /// This store as the port of events and findings.
    pub fn findings(self: &Arc<Self>) -> Arc<dyn FindingStore> {
        self.clone()
    }

    /// This store as the port of the findings' exports.
    pub fn exports(self: &Arc<Self>) -> Arc<dyn ExportStore> {
        self.clone()
    }

    /// This store as the port of the invocations of AWS Config's rules.
    pub fn evaluations(self: &Arc<Self>) -> Arc<dyn EvaluationStore> {
        self.clone()
    }

    /// This store as the port of executions.
    pub fn executions(self: &Arc<Self>) -> Arc<dyn ExecutionStore> {
        self.clone()
    }
}

/// Locks the folder, and says in the lock's file who has done so.
fn take_lock(folder: &Path, refused: &dyn Fn(&str, &dyn std::fmt::Display) -> StoreError) -> Result<File, StoreError> {
    let path = folder.join(LOCK_FILE);
    let mut lock = own(&path).map_err(|error| refused("can't make a file in the folder", &error))?;
    match lock.try_lock() {
        Ok(()) => {
            // Whether it can be said does not matter: what counts is the lock.
            drop(lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())));
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u32>().ok());
            let process = holder.map_or_else(String::new, |pid| format!(" (pid {pid})"));
            Err(StoreError::Unavailable(format!(
                "the store in `{}` is in use by another process{process}: stop that one, or give this one a folder of its own",
                folder.display()
            )))
        }
        Err(TryLockError::Error(error)) => Err(refused("can't lock the store in", &error)),
    }
}

/// Opens a file of the store; makes it one that only its owner can read, also where it is there (a backup that was copied, for one):
/// findings hold the task tokens of open questions. SQLite gives the files beside its own the same permissions.
fn own(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mut permissions = file.metadata()?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o600);
            file.set_permissions(permissions)?;
        }
    }
    Ok(file)
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.busy_timeout(LOCKED_TIMEOUT)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE_LIMIT, |_| Ok(()))?;
    Ok(())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let unavailable = |what: &str| StoreError::Unavailable(format!("the store {what} ({error})"));
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                unavailable("can't write, its disk is full: make room; writes are taken again as soon as there is some")
            }
            // Also how a limit on the size of files arrives.
            Some(ErrorCode::SystemIoFailure) => unavailable(
                "can't read or write its disk: make room, or look at the system's log if there is; writes are taken again as soon as it works",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                unavailable("can't write: make its folder writable for this process")
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                unavailable("is locked by another program: close what has its file open")
            }
            Some(ErrorCode::OutOfMemory) => unavailable("got no memory"),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged(format!("the store is damaged: restore a backup ({error})"))
            }
            _ => StoreError::Damaged(format!("the store can't do this: {error}")),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> StoreError {
        StoreError::Damaged(format!("a row of the store is not what this program wrote: {error}"))
    }
}

/// Microseconds since 1970, as the store keeps times.
fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

fn time_of(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| StoreError::Damaged(format!("a time in the store is none: {error}")))
}

/// SQLite's integers are signed; ids and numbers of ours never reach half of the range.
fn integer(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Damaged(format!("{number} is too large for the store")))
}

/// A LIMIT.
fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn natural(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number)
        .map_err(|_| StoreError::Damaged(format!("the store holds {number} where a natural number belongs")))
}
