//! The command line, one file a command.

mod backtest;
mod backup;
mod completions;
mod events;
mod findings;
mod match_events;
mod rules;
mod run;
mod serve;
mod test;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use thiserror::Error;

use crate::{configuration::Unusable, diagnostics};

/// Catches AWS misconfigurations, tells their owners, fixes what may be fixed, proves the fix and can take it back.
#[derive(Parser)]
#[command(name = "rectify", version, max_term_width = 120)]
pub struct Arguments {
    /// Tell more of what happens (RUST_LOG tells in detail what to show)
    #[arg(long, short, global = true)]
    pub verbose: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Take events in, and respond to them
    Serve(serve::Arguments),
    /// Run a playbook once, here; its states are shown as they happen
    Run(run::Arguments),
    /// Check playbooks, guardrails and configuration: every problem with line and column
    Validate(validate::Arguments),
    /// Print the events that match an event pattern, as grep does with lines
    Match(match_events::Arguments),
    /// Tell what would have fired on past events; nothing is touched
    Backtest(backtest::Arguments),
    /// Run the tests of guardrails in an emulated account
    Test(test::Arguments),
    /// What was found, and what is done about it
    Findings(findings::Arguments),
    /// The rules that a running `serve` has in force
    Rules(rules::Arguments),
    /// Bodies that could not be read as events
    Events(events::Arguments),
    /// Copy the store into a file, while `serve` runs too
    Backup(backup::Arguments),
    /// Print completions for a shell
    Completions(completions::Arguments),
}

/// A command could not do its work: what happened, where, and what to do.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Problem(pub String);

impl From<Unusable> for Problem {
    fn from(unusable: Unusable) -> Problem {
        match unusable {
            Unusable::Unreadable(text) => Problem(text),
            Unusable::Invalid(file, text, problems) => Problem(diagnostics::render(&file, &text, &problems)),
        }
    }
}

impl Problem {
    /// Of anything that can tell itself.
    pub fn new(text: impl ToString) -> Problem {
        Problem(text.to_string())
    }
}

impl Command {
    /// Does it.
    pub fn run(self) -> Result<ExitCode, Problem> {
        match self {
            Command::Serve(arguments) => serve::run(arguments),
            Command::Run(arguments) => run::run(arguments),
            Command::Validate(arguments) => validate::run(arguments),
            Command::Match(arguments) => match_events::run(arguments),
            Command::Backtest(arguments) => backtest::run(arguments),
            Command::Test(arguments) => test::run(arguments),
            Command::Findings(arguments) => findings::run(arguments),
            Command::Rules(arguments) => rules::run(arguments),
            Command::Events(arguments) => events::run(arguments),
            Command::Backup(arguments) => backup::run(arguments),
            Command::Completions(arguments) => completions::run(arguments),
        }
    }
}

/// SIGTERM, Ctrl-C, or a terminal that is gone (SIGHUP).
async fn end_asked_for() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            let hung_up = async {
                match is_hang_up_heeded().then(|| signal(SignalKind::hangup())) {
                    Some(Ok(mut hang_up)) => drop(hang_up.recv().await),
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
                () = hung_up => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}

/// Whether SIGHUP is not ignored, as `nohup` has it. Where that can't be known, it is left as it is.
#[cfg(unix)]
fn is_hang_up_heeded() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is the first.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 0)
}
