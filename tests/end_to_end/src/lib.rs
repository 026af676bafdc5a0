//! What the end-to-end tests share: the built binary, an emulated AWS account, a webhook that listens.
//!
//! The account needs Python with `moto`: `make test` names it in `RECTIFY_PYTHON`. Where that is unset, each test says that it
//! was skipped.
#![expect(clippy::panic, reason = "test support: what can't be set up fails the test")]

pub mod account;
pub mod collector;
pub mod exposition;
pub mod serve;
pub mod sqs;
pub mod webhook;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
    time::{Duration, Instant},
};

pub use account::Account;
pub use collector::Collector;
pub use serve::Serve;
pub use sqs::Sqs;
pub use webhook::Webhook;

/// How long something may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The project's root.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

/// The binary, built with the profile of the tests.
pub fn rectify() -> PathBuf {
    built().join("rectify")
}

/// The folder in which the example of a function in Rust is, as `bootstrap`.
pub fn example_function() -> PathBuf {
    built()
}

/// The folder of what is built. Both are built at once: each alone would build much of the rest anew, with other features.
fn built() -> PathBuf {
    static BUILT: Once = Once::new();
    let tests = std::env::current_exe().unwrap_or_else(|error| panic!("this test's own path: {error}"));
    let profile = tests.ancestors().nth(2).unwrap_or(&tests).to_owned();
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet", "--locked", "--package", "rectify", "--package", "example-function"])
            .current_dir(root());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let built = build.status().unwrap_or_else(|error| panic!("cargo build: {error}"));
        assert!(built.success(), "cargo build of the binary: {built}");
    });
    profile
}

/// The Python that has the emulated account; `None`, and a word about it, where there is none.
#[expect(clippy::print_stderr, reason = "a skip is told")]
pub fn python() -> Option<PathBuf> {
    let named = std::env::var_os("RECTIFY_PYTHON").filter(|path| !path.is_empty()).map(PathBuf::from);
    if named.is_none() {
        eprintln!("skipped: RECTIFY_PYTHON names no Python with moto (`make test` sets it up)");
    }
    named
}

/// The Python that has Lambda's runtime for functions too; `None`, and a word about it, where there is none.
#[expect(clippy::print_stderr, reason = "a skip is told")]
pub fn function_python() -> Option<PathBuf> {
    let found = python()?;
    let imports = Command::new(&found).args(["-c", "import awslambdaric"]).output();
    if imports.is_ok_and(|output| output.status.success()) {
        return Some(found);
    }
    eprintln!("skipped: {} has no awslambdaric (`make test` installs it where there is a wheel)", found.display());
    None
}

/// What `happens` answers, once it answers something.
pub fn until<T>(what: &str, mut happens: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = happens() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not happen within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}
