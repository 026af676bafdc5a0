//! Retention: what is over goes once it is old enough, in small writes between those of others.
//!
//! What is too old is looked for by readers; the one writer deletes it by its keys, after looking once more whether it still may. A
//! write deletes at most [`ROWS_AT_ONCE`] rows and [`BYTES_AT_ONCE`] bytes, and is followed by a pause as long as it took: so nobody
//! waits for more than one of them, and at most half of the writer's time goes into this. The pages that become free are used again;
//! the file does not shrink.

mod by_age;
mod definitions;
mod executions;
mod findings;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use self::definitions::Suspects;
use super::SqliteStore;
use crate::{Clock, ports::StoreError};

/// Days for which closed executions are kept: AWS's number. <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
pub const DEFAULT_RETENTION_DAYS: u32 = 90;
/// Days for which resolved findings are kept unless said: whoever audits a year sees all of it.
pub const DEFAULT_FINDINGS_RETENTION_DAYS: u32 = 400;
/// Events are known again for so many days at least: a queue delivers a message for up to 14.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const EVENTS_DAYS_AT_LEAST: u32 = 15;

/// Rows deleted in one write.
const ROWS_AT_ONCE: usize = 200;
/// Bytes of journals and bodies deleted in one write, beyond its last row.
const BYTES_AT_ONCE: u64 = 1 << 20;
/// Between two writes at least.
const PAUSE_AT_LEAST: Duration = Duration::from_millis(5);
/// Rows looked at by a reader at once.
const PAGE: usize = 500;
/// Between two rounds.
const ROUND_EVERY: Duration = Duration::from_secs(3600);

/// For how long what is over is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Executions after their end, with all that belongs to them; events (15 days at least) and unreadable ones; in days, from 1.
    pub days: u32,
    /// Findings after they were resolved, and exceptions after they ended, in days, from 1.
    pub findings_days: u32,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { days: DEFAULT_RETENTION_DAYS, findings_days: DEFAULT_FINDINGS_RETENTION_DAYS }
    }
}

/// What a round has pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Executions, without those of map runs.
    pub executions: u64,
    /// Findings.
    pub findings: u64,
    /// Events.
    pub events: u64,
    /// Events that could not be read.
    pub unreadable_events: u64,
    /// Exceptions.
    pub exceptions: u64,
    /// Definitions that nothing refers to any more.
    pub definitions: u64,
}

/// Prunes a store.
pub struct Pruner {
    store: Arc<SqliteStore>,
    retention: Retention,
    suspects: Suspects,
}

impl Pruner {
    /// Of a store.
    pub fn new(store: Arc<SqliteStore>, retention: Retention) -> Pruner {
        Pruner { store, retention, suspects: Suspects::default() }
    }

    /// Prunes at once, and then every hour. Never ends. What fails is told, and tried again the next time.
    pub async fn run(mut self, clock: Arc<dyn Clock>) {
        loop {
            match self.round(clock.now()).await {
                Ok(pruned) if pruned == Pruned::default() => {}
                Ok(pruned) => tracing::info!(?pruned, "what was kept for long enough is pruned"),
                Err(error) => tracing::error!(%error, "what is too old can't be pruned; it is tried again in an hour"),
            }
            tokio::time::sleep(ROUND_EVERY).await;
        }
    }

    /// Prunes all that is too old at `now`.
    pub async fn round(&mut self, now: Timestamp) -> Result<Pruned, StoreError> {
        let Retention { days, findings_days } = self.retention;
        let store = &self.store;
        findings::prune_counters(store, now).await?;
        let executions = executions::prune(store, before(now, days)).await?;
        let events_before = before(now, days.max(EVENTS_DAYS_AT_LEAST));
        Ok(Pruned {
            executions,
            // After the executions, since a finding stays while one of its executions does.
            findings: findings::prune(store, before(now, findings_days)).await?,
            events: by_age::prune(store, by_age::EVENTS, events_before).await?,
            unreadable_events: by_age::prune(store, by_age::UNREADABLE_EVENTS, before(now, days)).await?,
            exceptions: by_age::prune(store, by_age::EXCEPTIONS, before(now, findings_days)).await?,
            definitions: self.suspects.prune(store, now).await?,
        })
    }
}

/// The moment so many days before another, in microseconds since 1970.
fn before(now: Timestamp, days: u32) -> i64 {
    let age = SignedDuration::from_hours(i64::from(days).saturating_mul(24));
    now.checked_sub(age).unwrap_or(Timestamp::MIN).as_microsecond()
}

/// The times and numbers of what is older than `before`, a page of them: after `after`, by a query of these three and of a limit.
async fn page(
    store: &SqliteStore,
    query: &'static str,
    before: i64,
    after: (i64, i64),
) -> Result<Vec<(i64, i64)>, StoreError> {
    let read = move |connection: &Connection| {
        let mut statement = connection.prepare_cached(query)?;
        let rows = statement
            .query_map(params![before, after.0, after.1, super::at_most(PAGE)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    store.readers.read(read).await
}

/// One of the writes, and the pause after it.
async fn write<T, F>(store: &SqliteStore, work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    let begun = std::time::Instant::now();
    let answer = store.writer.write(work).await;
    tokio::time::sleep(begun.elapsed().max(PAUSE_AT_LEAST)).await;
    answer
}

/// What a write may still delete.
struct Budget {
    rows: usize,
    bytes: u64,
}

impl Budget {
    fn new() -> Budget {
        Budget { rows: ROWS_AT_ONCE, bytes: BYTES_AT_ONCE }
    }

    fn is_spent(&self) -> bool {
        self.rows == 0 || self.bytes == 0
    }

    fn spend(&mut self, rows: usize, bytes: u64) {
        self.rows = self.rows.saturating_sub(rows);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Deletes by a statement whose ?1 is a key and whose last parameter is a LIMIT; whether nothing is left of it.
    fn delete(
        &mut self,
        connection: &Connection,
        sql: &str,
        keys: &[&dyn rusqlite::ToSql],
    ) -> Result<bool, StoreError> {
        let limit = super::at_most(self.rows);
        let mut parameters = keys.to_vec();
        parameters.push(&limit);
        let deleted = connection.prepare_cached(sql)?.execute(parameters.as_slice())?;
        let is_all = deleted < self.rows;
        self.spend(deleted, 0);
        Ok(is_all)
    }
}
