//! What is read: files, folders, and prefixes of S3, one input after the other in the order of their names.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::s3::{Prefix, S3};
use crate::commands::Problem;

/// The folders with which CloudTrail proves that no log was changed: they hold no events.
const DIGESTS: &str = "CloudTrail-Digest";

/// A file or an object.
pub struct Input {
    /// What it is called in messages.
    pub name: String,
    /// Where its bytes are.
    pub body: Body,
}

/// Where an input's bytes are.
pub enum Body {
    /// In a file.
    File(PathBuf),
    /// Here.
    Object(Bytes),
    /// Nowhere, and why.
    Unreadable(String),
    /// They are of no use: CloudTrail's digests.
    PassedOver,
}

/// What the command names.
pub enum Place {
    /// A file or a folder.
    Path(PathBuf),
    /// A prefix of S3.
    Prefix(Arc<S3>, Prefix),
}

/// The places that are named. All have to be there.
pub fn places(words: &[PathBuf]) -> Result<Vec<Place>, Problem> {
    let mut s3: Option<Arc<S3>> = None;
    let mut places = Vec::new();
    for word in words {
        if let Some(rest) = word.to_str().and_then(|word| word.strip_prefix("s3://")) {
            let s3 = match &s3 {
                Some(s3) => Arc::clone(s3),
                None => Arc::clone(s3.insert(Arc::new(S3::new()?))),
            };
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = s3.open(bucket, prefix)?;
            places.push(Place::Prefix(s3, prefix));
        } else {
            fs::metadata(word).map_err(|error| Problem(format!("{} can't be read: {error}", word.display())))?;
            places.push(Place::Path(word.clone()));
        }
    }
    Ok(places)
}

/// The inputs of all places, found as they are asked for.
pub fn inputs(places: Vec<Place>) -> impl Iterator<Item = Input> + Send {
    places.into_iter().flat_map(|place| -> Box<dyn Iterator<Item = Input> + Send> {
        match place {
            Place::Path(path) => Box::new(Walk::new(path)),
            Place::Prefix(s3, prefix) => Box::new(s3.objects(prefix)),
        }
    })
}

/// Whether an object's key is that of a digest, or of a folder that a console made.
pub fn is_of_no_use(key: &str) -> bool {
    key.ends_with('/') || key.split('/').any(|part| part == DIGESTS)
}

/// A file, or the files of a folder and all below it. The names of one folder, and of those around it, are in memory at a time.
pub struct Walk {
    /// What is left of each folder, the innermost last, in reverse order.
    left: Vec<Vec<Found>>,
}

enum Found {
    /// Named in the command: a link to a folder is followed.
    Named(PathBuf),
    /// Found in a folder, with what is known of it.
    Entry(PathBuf, io::Result<fs::FileType>),
}

impl Walk {
    /// Begins at a file or folder.
    pub fn new(path: PathBuf) -> Walk {
        Walk { left: vec![vec![Found::Named(path)]] }
    }

    fn open(&mut self, folder: &Path) -> io::Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
        let found = |entry: fs::DirEntry| Found::Entry(entry.path(), entry.file_type());
        self.left.push(entries.into_iter().map(found).collect());
        Ok(())
    }

    fn next_found(&mut self) -> Option<Found> {
        loop {
            match self.left.last_mut()?.pop() {
                Some(found) => return Some(found),
                None => drop(self.left.pop()),
            }
        }
    }
}

impl Iterator for Walk {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        loop {
            let input = |path: &Path, body: Body| Some(Input { name: path.display().to_string(), body });
            let unreadable = |error: io::Error| Body::Unreadable(format!("can't be read: {error}"));
            let (path, is_folder) = match self.next_found()? {
                Found::Named(path) => {
                    let is_folder = path.is_dir();
                    (path, is_folder)
                }
                Found::Entry(path, Err(error)) => return input(&path, unreadable(error)),
                // A link to a folder is not followed: it could lead back.
                Found::Entry(path, Ok(kind)) if kind.is_dir() => {
                    if path.file_name() == Some(OsStr::new(DIGESTS)) {
                        return input(&path, Body::PassedOver);
                    }
                    (path, true)
                }
                Found::Entry(path, Ok(kind)) if kind.is_file() || kind.is_symlink() => (path, false),
                Found::Entry(path, Ok(_)) => return input(&path, Body::Unreadable("is no file".to_owned())),
            };
            if !is_folder {
                return input(&path, Body::File(path.clone()));
            }
            if let Err(error) = self.open(&path) {
                return input(&path, unreadable(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        for name in ["b/2", "b/10", "a", "c", "b/CloudTrail-Digest/x", "ö/ü ä.gz", "empty/x/y"] {
            write(name);
        }
        fs::remove_file(folder.path().join("empty/x/y")).unwrap();
        let inputs = Walk::new(folder.path().to_owned());
        let told = |input: Input| {
            let name = Path::new(&input.name).strip_prefix(folder.path()).unwrap().display().to_string();
            (name, matches!(input.body, Body::File(_)))
        };
        let found: Vec<(String, bool)> = inputs.map(told).collect();
        let expected = [
            ("a", true),
            ("b/10", true),
            ("b/2", true),
            ("b/CloudTrail-Digest", false),
            ("c", true),
            ("ö/ü ä.gz", true),
        ];
        assert_eq!(found, expected.map(|(name, is_file)| (name.to_owned(), is_file)));
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_file_is_told_and_no_link_leads_back() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("around")).unwrap();
        let found: Vec<bool> =
            Walk::new(folder.path().to_owned()).map(|input| matches!(input.body, Body::File(_))).collect();
        // The link is read as a file, which tells that it is none.
        assert_eq!(found, [true, false]);
    }

    #[test]
    fn what_holds_no_events() {
        for (key, expected) in [
            ("AWSLogs/1/CloudTrail/eu/2026/x.json.gz", false),
            ("AWSLogs/1/CloudTrail-Digest/eu/x.json.gz", true),
            ("AWSLogs/", true),
            ("My-CloudTrail-Digest/x", false),
        ] {
            assert_eq!(is_of_no_use(key), expected, "{key}");
        }
    }
}
