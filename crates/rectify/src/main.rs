//! Catches AWS misconfigurations, tells their owners, fixes what may be fixed, proves the fix and can take it back.

mod client;
mod commands;
mod configuration;
mod content;
#[cfg(debug_assertions)]
mod crash;
mod diagnostics;
mod output;
mod rules;
mod start;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    start::logging(matches!(arguments.command, commands::Command::Serve(_)), arguments.verbose);
    match arguments.command.run() {
        Ok(code) => code,
        Err(error) => {
            output::problem(&error.to_string());
            ExitCode::from(2)
        }
    }
}
