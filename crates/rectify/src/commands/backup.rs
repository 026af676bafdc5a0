//! `rectify backup [--data DIR] [--to FILE]`.

use std::{
    fs::{self, File},
    io::{self, IsTerminal as _, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use engine::sqlite::{BackupProgress, BackupSummary, backup, is_of_store};
use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::{Problem, end_asked_for};
use crate::{output, start};

/// How the folders are named in which copies are made.
const PARTIAL_PREFIX: &str = ".rectify-backup-";
const PARTIAL_SUFFIX: &str = ".partial";
/// What lies beside the store in its folder, and is none of a backup's business.
const KEYS: [&str; 2] = ["credentials", "api-key"];

/// Copy the store into a file, while `serve` runs too.
///
/// The copy is checked, and there only once it is whole. In a folder of its own, named `rectify.sqlite`, it is a store that `serve`
/// goes on with. The file's name goes to standard output. Keys and configuration are no part of it.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where `serve` keeps everything
    #[arg(long, value_name = "DIR", default_value = "rectify-data")]
    data: PathBuf,
    /// The file to write (rectify-backup-TIME.sqlite in this folder)
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long)]
    overwrite: bool,
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    let to = arguments.to.unwrap_or_else(|| {
        PathBuf::from(format!("rectify-backup-{}.sqlite", Timestamp::now().strftime("%Y%m%dT%H%M%SZ")))
    });
    if !arguments.overwrite && to.exists() {
        return Err(is_there(&to));
    }
    let (data, overwrite) = (arguments.data, arguments.overwrite);
    start::runtime().map_err(Problem::new)?.block_on(async {
        let is_given_up = Arc::new(AtomicBool::new(false));
        let given_up = is_given_up.clone();
        let file = to.clone();
        let mut work = tokio::task::spawn_blocking(move || write(&data, &file, overwrite, &given_up));
        let done = tokio::select! {
            done = &mut work => done,
            () = end_asked_for() => {
                is_given_up.store(true, Ordering::Relaxed);
                work.await
            }
        };
        let summary = done.map_err(Problem::new)??;
        let Some(summary) = summary else {
            output::problem("given up: nothing is left of the backup");
            return Ok(ExitCode::FAILURE);
        };
        output::problem(&format!(
            "{} bytes, checked: {} executions, {} findings, {} events",
            summary.bytes,
            summary.rows_of("executions"),
            summary.rows_of("findings"),
            summary.rows_of("events")
        ));
        output::line(&to.display().to_string());
        Ok(ExitCode::SUCCESS)
    })
}

/// Writes the copy in a folder beside it, which only its owner can look into, and gives it its name once it is whole and on the disk.
/// Without that it is removed.
fn write(data: &Path, to: &Path, overwrite: bool, is_given_up: &AtomicBool) -> Result<Option<BackupSummary>, Problem> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refused = |error: io::Error| {
        Problem(format!("the backup {} can't be written: {error}; choose another place with --to", to.display()))
    };
    check_target(data, to)?;
    remove_stale(folder);
    let partial =
        tempfile::Builder::new().prefix(PARTIAL_PREFIX).suffix(PARTIAL_SUFFIX).tempdir_in(folder).map_err(refused)?;
    // Locked for as long as this process works on it.
    #[cfg(unix)]
    let lock = File::open(partial.path()).map_err(refused)?;
    #[cfg(unix)]
    lock.try_lock().map_err(|error| refused(error.into()))?;
    let file = NamedTempFile::new_in(partial.path()).map_err(refused)?;
    let mut progress = progress(is_given_up);
    let summary = backup(data, file.path(), &mut progress).map_err(|error| {
        let (data, to) = (data.display(), to.display());
        Problem(format!("the store in {data} was not copied to {to}: {error}; --to names another place"))
    })?;
    let Some(summary) = summary else { return Ok(None) };
    if overwrite {
        file.persist(to).map_err(|error| refused(error.error))?;
    } else {
        file.persist_noclobber(to).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => is_there(to),
            _ => refused(error.error),
        })?;
    }
    // The new name is durable, too.
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(refused)?;
    Ok(Some(summary))
}

/// Refuses to replace what is no backup.
fn check_target(data: &Path, to: &Path) -> Result<(), Problem> {
    let no = |what: &str| Err(Problem(format!("{} {what}: choose another file with --to", to.display())));
    if is_of_store(data, to) || KEYS.iter().any(|key| to == data.join(key)) {
        return no("belongs to the store itself, and is not replaced");
    }
    match fs::symlink_metadata(to) {
        Ok(there) if !there.is_file() => no("is no regular file, and is not replaced"),
        _ => Ok(()),
    }
}

/// Removes what killed backups left in a folder. Nobody has those locked.
fn remove_stale(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_ours = name.starts_with(PARTIAL_PREFIX) && name.ends_with(PARTIAL_SUFFIX);
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if File::open(entry.path()).is_ok_and(|lock| lock.try_lock().is_ok()) {
            // What can't be removed disturbs nobody.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Shows on a terminal how far it is.
fn progress(is_given_up: &AtomicBool) -> impl FnMut(BackupProgress) -> ControlFlow<()> + '_ {
    let is_shown = io::stderr().is_terminal();
    move |progress| {
        if is_shown {
            let text = match progress {
                BackupProgress::Copying { done, total } => {
                    format!("{done} of {total} bytes, {} %", done.saturating_mul(100) / total.max(1))
                }
                BackupProgress::Verifying => "checking the copy".to_owned(),
            };
            // Back to the line's beginning; what it showed is cleared.
            drop(write!(io::stderr(), "\r\u{1b}[K{text}"));
            if progress == BackupProgress::Verifying {
                drop(writeln!(io::stderr()));
            }
        }
        if is_given_up.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn is_there(to: &Path) -> Problem {
    Problem(format!("{} is there already: choose another file with --to, or say --overwrite", to.display()))
}
