//! Finds the foreign suites. They live outside the project, in the folder that `RECTIFY_CORPUS` names; where it is unset, a
//! suite says so and how many cases it skipped.

use std::{fs::File, io::Read as _, path::PathBuf};

use serde_json::Value;

/// The cases of a suite (one JSON object a line, gzipped), or `None` where there is no corpus: the test is to return then.
///
/// `cases` is how many there would be, for the message.
#[expect(clippy::panic, reason = "test support: a corpus that is there but broken is a failed test")]
pub fn corpus(file: &str, cases: usize) -> Option<Vec<Value>> {
    Some(
        corpus_lines(file, cases)?
            .iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}: {error}: {line}")))
            .collect(),
    )
}

/// The same, each case as its text: for suites with cases that no Rust string can hold.
#[expect(
    clippy::print_stderr,
    clippy::panic,
    reason = "test support: a skip is told, and a corpus that is there but broken is a failed test"
)]
pub fn corpus_lines(file: &str, cases: usize) -> Option<Vec<String>> {
    let Some(folder) = std::env::var_os("RECTIFY_CORPUS") else {
        eprintln!("skipped {cases} cases of {file}: RECTIFY_CORPUS is not set");
        return None;
    };
    let path = PathBuf::from(folder).join(file);
    let mut text = String::new();
    File::open(&path)
        .map(flate2::read::MultiGzDecoder::new)
        .and_then(|mut reader| reader.read_to_string(&mut text))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}
