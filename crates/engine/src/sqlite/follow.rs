//! Following a journal while it grows.

use execution::Record;
use rusqlite::params;

use super::{SqliteStore, at_most, executions::id_of, integer, journal, natural};
use crate::ports::StoreError;

impl SqliteStore {
    /// The records of an execution's steps from number `from` on, of at most `limit` steps, and the number after the last of them. Empty,
    /// with `from` again, where there are none yet.
    pub async fn journal_from(&self, arn: &str, from: u64, limit: usize) -> Result<(Vec<Record>, u64), StoreError> {
        let arn = arn.to_owned();
        self.readers
            .read(move |connection| {
                let Some(id) = id_of(connection, &arn)? else { return Ok((Vec::new(), from)) };
                let mut statement = connection.prepare_cached(
                    "SELECT seq, format, records FROM journal WHERE execution = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
                )?;
                let mut rows = statement.query(params![id, integer(from)?, at_most(limit)])?;
                let (mut records, mut next) = (Vec::new(), from);
                while let Some(row) = rows.next()? {
                    next = natural(row.get(0)?)?.saturating_add(1);
                    records.extend(journal::parse(row.get(1)?, row.get_ref(2)?)?);
                }
                Ok((records, next))
            })
            .await
    }
}
