//! Past events from files: one document or JSON Lines, gzipped or not.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
};

use detection::{Event, Source, normalize, source::Received};
use flate2::read::MultiGzDecoder;

use crate::commands::Problem;

/// The largest file that is read, once inflated.
const FILE_LIMIT_BYTES: u64 = 1 << 30;

/// A part of a file.
pub enum Part {
    /// An event.
    Event(Box<Event>),
    /// What could not be read: where, and why.
    Unreadable {
        /// The file, and the line where it has lines.
        at: String,
        /// Why.
        reason: String,
    },
}

/// The files that are meant: those named, and all below the folders named, in the order of their names.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    for path in paths {
        let found =
            fs::metadata(path).map_err(|error| Problem(format!("{} can't be read: {error}", path.display())))?;
        if found.is_dir() { below(path, &mut files)? } else { files.push(path.clone()) }
    }
    Ok(files)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let unreadable = |error: std::io::Error| Problem(format!("{} can't be read: {error}", folder.display()));
    let mut entries = fs::read_dir(folder).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // A link is not followed: it could lead back.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            below(&entry.path(), files)?
        } else {
            files.push(entry.path())
        }
    }
    Ok(())
}

/// Reads a file, part by part; `sources` make events of others' documents.
pub fn read(path: &Path, sources: &[Source], received: &Received, mut each: impl FnMut(Part)) {
    let name = path.display().to_string();
    let body = match inflated(path) {
        Ok(body) => body,
        Err(reason) => return each(Part::Unreadable { at: name, reason }),
    };
    let mut pass_on = |at: &str, read: normalize::Read| {
        for part in read {
            each(match part {
                Ok(event) => Part::Event(Box::new(event)),
                Err(unreadable) => Part::Unreadable { at: at.to_owned(), reason: unreadable.reason },
            });
        }
    };
    // One document over many lines, or a document a line?
    let is_one =
        serde_json::from_slice::<serde::de::IgnoredAny>(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body)).is_ok();
    if is_one {
        return pass_on(&name, normalize::read_with(&body, sources, received));
    }
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            pass_on(&format!("{name}:{}", index + 1), normalize::read_with(line, sources, received));
        }
    }
}

fn inflated(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("can't be read: {error}");
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut body = Vec::new();
    let is_gzip = file.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    let mut reader: Box<dyn Read> = if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    reader.by_ref().take(FILE_LIMIT_BYTES + 1).read_to_end(&mut body).map_err(unreadable)?;
    if u64::try_from(body.len()).is_ok_and(|length| length > FILE_LIMIT_BYTES) {
        return Err(format!("is longer than the {FILE_LIMIT_BYTES} bytes that are read of one file"));
    }
    Ok(body)
}
