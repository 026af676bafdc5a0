//! `rectify completions SHELL`.

use std::{io, process::ExitCode};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Problem;

/// Print completions for a shell.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which shell
    shell: Shell,
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "rectify", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}
