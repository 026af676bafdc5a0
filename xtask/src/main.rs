//! The project's own tooling: `cargo run -p xtask -- COMMAND`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]
#![expect(clippy::indexing_slicing, reason = "a model without these keys must stop the tool")]

mod botocore;
mod constraints;
mod container;
mod distil;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo run --release -p xtask -- distil [--botocore FOLDER]

distil   writes crates/aws/models/ and the constraints of the API served here, from the data of the pinned botocore, fetched by pip unless a folder is named";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["distil"] => botocore::fetch().and_then(|data| distil::write(&data)),
        ["distil", "--botocore", folder] => distil::write(std::path::Path::new(folder)),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
