//! Follows an execution by its journal, page by page.

use std::{io, time::Duration};

use engine::{Engine, sqlite::SqliteStore};
use execution::{EventType, Record, map_run::MapRunStatus};
use jiff::Timestamp;
use serde_json::json;

use super::{Format, states::States};
use crate::{commands::Problem, output};

/// How often the journal is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the counts of map runs are.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// Rows of the journal read at once: what is shown takes no more memory than these.
const PAGE: usize = 100;
/// Map runs whose counts are shown: the newest ones.
const MAP_RUNS: usize = 10;

/// Shows what an execution does.
pub struct Follower<'a> {
    engine: &'a Engine,
    store: &'a SqliteStore,
    arn: &'a str,
    format: Format,
    states: States,
    /// The first row of the journal that was not shown.
    next_row: u64,
    /// Map runs that have begun and not ended.
    map_runs: u64,
    counted_at: Timestamp,
    counts: String,
    /// Why standard output takes no more. The execution goes on.
    unwritten: Option<io::Error>,
}

impl<'a> Follower<'a> {
    /// Of an execution, from its beginning.
    pub fn new(engine: &'a Engine, store: &'a SqliteStore, arn: &'a str, format: Format) -> Follower<'a> {
        Follower {
            engine,
            store,
            arn,
            format,
            states: States::new(output::has_colours()),
            next_row: 0,
            map_runs: 0,
            counted_at: Timestamp::UNIX_EPOCH,
            counts: String::new(),
            unwritten: None,
        }
    }

    /// Prints a line, unless one could not be printed. That is told, but where only the reader has gone (`| head`).
    pub fn print(&mut self, text: &str) {
        if self.unwritten.is_some() {
            return;
        }
        if let Err(error) = output::write_line(text) {
            if error.kind() != io::ErrorKind::BrokenPipe {
                output::problem(&format!("{}; the execution does not depend on it", output::unwritten(&error)));
            }
            self.unwritten = Some(error);
        }
    }

    /// Whether something that somebody wants to read could not be printed.
    pub fn has_lost_output(&self) -> bool {
        self.unwritten.as_ref().is_some_and(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// After a short while, shows what is new.
    pub async fn look(&mut self) -> Result<(), Problem> {
        tokio::time::sleep(LOOK_EVERY).await;
        self.show().await
    }

    /// Shows what is new.
    pub async fn show(&mut self) -> Result<(), Problem> {
        loop {
            let page = self.store.journal_from(self.arn, self.next_row, PAGE).await.map_err(Problem::new)?;
            let (records, next_row) = page;
            if next_row == self.next_row {
                break;
            }
            self.next_row = next_row;
            for record in &records {
                self.tell(record);
            }
        }
        let now = Timestamp::now();
        if self.map_runs > 0 && now.duration_since(self.counted_at).unsigned_abs() >= COUNT_EVERY {
            self.counted_at = now;
            self.count(now).await?;
        }
        Ok(())
    }

    fn tell(&mut self, record: &Record) {
        if let Record::Event(event) = record {
            match event.kind {
                EventType::MapRunStarted => self.map_runs = self.map_runs.saturating_add(1),
                EventType::MapRunSucceeded | EventType::MapRunFailed | EventType::MapRunAborted => {
                    self.map_runs = self.map_runs.saturating_sub(1);
                }
                _ => {}
            }
            if self.format == Format::Jsonl {
                self.print(&json!(event).to_string());
            }
        }
        if let Some(line) = self.states.line(record) {
            output::problem(&line);
        }
    }

    /// Shows how the children of map runs stand, where that changed.
    async fn count(&mut self, now: Timestamp) -> Result<(), Problem> {
        let runs = self.engine.list_map_runs(self.arn, None, MAP_RUNS).await.map_err(Problem::new)?;
        let running = runs.iter().filter(|run| {
            // One that is still reading its items has no children.
            run.status == MapRunStatus::Running && run.standing.counts.total().executions > 0
        });
        let lines = running.map(|run| {
            let counts = &run.standing.counts;
            format!(
                "map run {}: {} pending, {} running, {} succeeded, {} failed",
                run.specification.name(),
                counts.pending.executions,
                counts.running.executions,
                counts.succeeded.executions,
                counts.failed.executions
            )
        });
        let lines: Vec<String> = lines.collect();
        let counts = lines.join("; ");
        if !counts.is_empty() && counts != self.counts {
            output::problem(&self.states.of_map_run(now, &counts));
            self.counts = counts;
        }
        Ok(())
    }
}
