//! Reads the project's own sources, so that tests can hold them to what ARCHITECTURE.md promises.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A line of code of our own.
pub struct Line {
    /// The file, from the project's root.
    pub file: String,
    /// Its number, from 1.
    pub number: usize,
    /// Its text; comments are left out.
    pub code: String,
}

/// The project's root.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

/// Every Rust file below a folder of the project, in the order of their names.
#[expect(clippy::panic, reason = "test support: sources that can't be read fail the test")]
pub fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The lines of code below a folder; with `tests` those of `#[cfg(test)]` modules and `tests.rs` files too.
#[expect(clippy::panic, reason = "test support: sources that can't be read fail the test")]
pub fn lines(folder: &str, tests: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    for path in files(folder) {
        if !tests && (path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests")) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        for (index, line) in text.lines().enumerate() {
            if !tests
                && line.trim() == "#[cfg(test)]"
                && text.lines().nth(index + 1).is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'))
            {
                break;
            }
            let code = line.split("//").next().unwrap_or_default().to_owned();
            if !code.trim().is_empty() {
                lines.push(Line { file: file.clone(), number: index + 1, code });
            }
        }
    }
    assert!(!lines.is_empty(), "{folder} holds no code: is it spelt rightly?");
    lines
}

/// The text of a file, from the project's root.
#[expect(clippy::panic, reason = "test support: sources that can't be read fail the test")]
pub fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The names in the `[dependencies]` of a crate.
pub fn dependencies(krate: &str) -> Vec<String> {
    text(&format!("crates/{krate}/Cargo.toml"))
        .lines()
        .skip_while(|line| line.trim() != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', '=', ' ']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
