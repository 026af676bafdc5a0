//! How much of what there is: for who watches the store.

use jiff::Timestamp;
use rusqlite::Connection;

use super::{SqliteStore, natural, time_of};
use crate::ports::StoreError;

/// How many executions are looked at, at most: what is beyond is not counted.
const LOOKED_AT: i64 = 1_000_000;

/// What is in the store now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// How many findings there are, by guardrail and stage.
    pub findings: Vec<(String, String, u64)>,
    /// Executions that have something to do, or wait for a task's answer; a million at most.
    pub working: u64,
    /// Of these, those that have not begun: they wait for room, or for their turn.
    pub pending: u64,
    /// Since when the oldest of those waits.
    pub oldest_pending: Option<Timestamp>,
    /// Executions that wait for a time or a deadline; a million at most.
    pub waiting: u64,
    /// Bodies kept that could not be read as events.
    pub unreadable: u64,
    /// The size of the database, in bytes.
    pub size_bytes: u64,
}

impl SqliteStore {
    /// What is in the store now. Findings are counted as they change, the rest by narrow indexes.
    pub async fn levels(&self) -> Result<Levels, StoreError> {
        self.readers.read(read).await
    }
}

fn read(connection: &Connection) -> Result<Levels, StoreError> {
    let number = |sql: &str| natural(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?);
    let mut levels = Levels {
        waiting: natural(
            connection
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM executions
                     WHERE status = 'RUNNING' AND waiting = 1 AND next_timer_at NOT NULL LIMIT ?1)",
                )?
                .query_row([LOOKED_AT], |row| row.get(0))?,
        )?,
        unreadable: number("SELECT count(*) FROM unreadable_events")?,
        size_bytes: number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?,
        ..Levels::default()
    };
    let (working, pending, oldest): (i64, i64, Option<i64>) = connection
        .prepare_cached(
            "SELECT count(*), count(since), min(since) FROM (
                 SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM journal WHERE execution = id) THEN started_at END AS since
                 FROM executions WHERE status = 'RUNNING' AND waiting = 0 LIMIT ?1)",
        )?
        .query_row([LOOKED_AT], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    levels.working = natural(working)?;
    levels.pending = natural(pending)?;
    levels.oldest_pending = oldest.map(time_of).transpose()?;
    let mut statement = connection.prepare_cached(
        "SELECT guardrail, stage, findings FROM finding_counts WHERE findings > 0 ORDER BY guardrail, stage",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        levels.findings.push((row.get(0)?, row.get(1)?, natural(row.get(2)?)?));
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rusqlite::params;
    use tempfile::tempdir;

    use super::*;

    fn insert(connection: &Connection, id: &str, guardrail: &str, stage: &str) {
        let sql = "INSERT INTO findings (id, guardrail, status, stage, version, format, body) VALUES (?1, ?2, 'NEW', ?3, 1, 1, '{}')";
        connection.execute(sql, params![id, guardrail, stage]).unwrap();
    }

    #[tokio::test]
    async fn findings_are_counted_as_they_change() {
        let folder = tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
        let change = |change: fn(&Connection)| {
            let store = store.clone();
            async move {
                let write = move |connection: &Connection| {
                    change(connection);
                    Ok::<_, StoreError>(())
                };
                store.writer.write(write).await.unwrap();
                store.levels().await.unwrap().findings
            }
        };
        let counts = |rows: &[(&str, &str, u64)]| {
            rows.iter()
                .map(|(guardrail, stage, count)| ((*guardrail).into(), (*stage).into(), *count))
                .collect::<Vec<_>>()
        };
        let added = change(|connection| {
            insert(connection, "1", "a", "inspecting");
            insert(connection, "2", "a", "inspecting");
            insert(connection, "3", "b", "fixed");
        });
        assert_eq!(added.await, counts(&[("a", "inspecting", 2), ("b", "fixed", 1)]));
        let changed = change(|connection| {
            connection.execute("UPDATE findings SET stage = 'fixed' WHERE id = '1'", []).unwrap();
            connection.execute("UPDATE findings SET stage = 'fixed', version = 2 WHERE id = '3'", []).unwrap();
        });
        assert_eq!(changed.await, counts(&[("a", "fixed", 1), ("a", "inspecting", 1), ("b", "fixed", 1)]));
        let gone = change(|connection| {
            connection.execute("DELETE FROM findings WHERE id <> '1'", []).unwrap();
        });
        assert_eq!(gone.await, counts(&[("a", "fixed", 1)]));
        let levels = store.levels().await.unwrap();
        assert!(levels.size_bytes > 0);
        assert_eq!((levels.working, levels.pending, levels.oldest_pending, levels.waiting), (0, 0, None, 0));
    }
}
