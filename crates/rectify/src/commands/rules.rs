//! `rectify rules`: the rules that a running `serve` has in force.

use std::process::ExitCode;

use serde_json::Value;

use super::Problem;
use crate::{
    client::Server,
    output::{self, Format},
};

/// List the rules in force.
///
/// Exit status: 0, or 1 where a file of the folder can't be used (it is told, and which rule still holds as it was).
#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    server: Server,
}

const COLUMNS: [&str; 8] = ["id", "severity", "kind", "enabled", "guardrail", "playbook", "file", "title"];

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    let answer = arguments.server.ask("GET", "/api/rules", None)?;
    let listed = |name: &str| answer.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    output::rows(listed("rules"), &COLUMNS, arguments.format);
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut problems = 0;
    let wrong = listed("rules").iter().map(|rule| (rule, "problem"));
    for (row, name) in wrong.chain(listed("refused").iter().map(|refused| (refused, "reason"))) {
        if let Some(reason) = text(row, name) {
            problems += 1;
            output::problem(&format!("{}: {reason}", text(row, "file").unwrap_or_default()));
        }
    }
    Ok(if problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
