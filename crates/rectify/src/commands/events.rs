//! `rectify events …`: bodies that could not be read as events.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::Problem;
use crate::{
    client::Server,
    output::{self, Format},
};

/// Bodies that could not be read as events.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List them, the newest first
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        server: Server,
    },
    /// Show one whole
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Read one again, after what stood in the way was mended
    Retry {
        /// Its id
        id: String,
        #[command(flatten)]
        server: Server,
    },
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    match arguments.action {
        Action::List { format, server } => {
            let answer = server.ask("GET", "/api/events", None)?;
            let events = answer.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            output::rows(events, &["id", "received_at", "origin", "reason", "body"], format);
        }
        Action::Show { id, server } => {
            output::line(&format!("{:#}", server.ask("GET", &format!("/api/events/{id}"), None)?))
        }
        Action::Retry { id, server } => {
            let taken = server.ask("POST", &format!("/api/events/{id}/retry"), None)?;
            let unreadable = taken.get("unreadable").and_then(Value::as_array).is_some_and(|parts| !parts.is_empty());
            output::line(&taken.to_string());
            return Ok(if unreadable { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
    }
    Ok(ExitCode::SUCCESS)
}
