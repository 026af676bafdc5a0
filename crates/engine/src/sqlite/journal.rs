//! Journals: one row a step, keyed by execution and step, never rewritten.

use execution::{HistoryEvent, Record};
use rusqlite::{Connection, params};

use super::{SqliteStore, executions::id_of, integer, natural, schema::FORMAT};
use crate::ports::{JournalRow, StoreError};

impl SqliteStore {
    /// All records of an execution, of one that has ended too: what [`execution::replay()`] takes.
    pub async fn journal(&self, arn: &str) -> Result<Vec<Record>, StoreError> {
        let arn = arn.to_owned();
        self.readers
            .read(move |connection| {
                let Some(id) = id_of(connection, &arn)? else { return Ok(Vec::new()) };
                records(connection, id).map(|(records, _)| records)
            })
            .await
    }
}

/// A row as it is written: made outside the writer's thread, where serializing costs nobody else anything.
pub(super) struct Written {
    seq: i64,
    last_event: i64,
    records: String,
}

impl Written {
    pub(super) fn new(row: &JournalRow) -> Result<Written, StoreError> {
        Ok(Written {
            seq: integer(row.seq)?,
            last_event: integer(row.last_event)?,
            records: serde_json::to_string(&row.records)?,
        })
    }
}

pub(super) fn append(connection: &Connection, execution: i64, rows: &[Written]) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO journal (execution, seq, format, last_event, records) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for row in rows {
        insert.execute(params![execution, row.seq, FORMAT, row.last_event, row.records])?;
    }
    Ok(())
}

/// All records of an execution, and the `seq` of its next row.
pub(super) fn records(connection: &Connection, execution: i64) -> Result<(Vec<Record>, u64), StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT seq, format, records FROM journal WHERE execution = ?1 ORDER BY seq")?;
    let mut rows = statement.query([execution])?;
    let mut records = Vec::new();
    let mut next_seq = 0;
    while let Some(row) = rows.next()? {
        next_seq = natural(row.get(0)?)? + 1;
        records.extend(parse(row.get(1)?, row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok((records, next_seq))
}

/// History events with ids above `after`, or below it, reversed.
pub(super) fn events(
    connection: &Connection,
    execution: i64,
    after: Option<u64>,
    limit: usize,
    reverse: bool,
) -> Result<Vec<HistoryEvent>, StoreError> {
    // A row's events end at its `last_event`. Forwards, the first row that reaches beyond `after` is where to begin. Backwards, a row
    // may begin below `after` and end above it: the rows from the first that ends at or above `after` - 1 downwards will do.
    let (sql, from) = if reverse {
        let below = after.map_or(i64::MAX, |after| i64::try_from(after).unwrap_or(i64::MAX).saturating_sub(1));
        (
            "SELECT format, records FROM journal WHERE execution = ?1 AND seq <= coalesce(
                 (SELECT min(seq) FROM journal WHERE execution = ?1 AND last_event >= ?2), 9223372036854775807)
             ORDER BY seq DESC",
            below,
        )
    } else {
        (
            "SELECT format, records FROM journal WHERE execution = ?1 AND last_event > ?2 ORDER BY seq",
            integer(after.unwrap_or(0))?,
        )
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![execution, from])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let mut of_row: Vec<HistoryEvent> =
            parse(row.get(0)?, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?
                .into_iter()
                .filter_map(|record| match record {
                    Record::Event(event) => Some(*event),
                    Record::Fact(_) => None,
                })
                .filter(|event| after.is_none_or(|after| if reverse { event.id < after } else { event.id > after }))
                .collect();
        if reverse {
            of_row.reverse();
        }
        events.extend(of_row);
        if events.len() >= limit {
            break;
        }
    }
    events.truncate(limit);
    Ok(events)
}

fn parse(format: i64, records: &str) -> Result<Vec<Record>, StoreError> {
    if format != FORMAT {
        return Err(StoreError::Damaged(format!(
            "a journal row has format {format}, and this program reads {FORMAT}: use the newer program that wrote it"
        )));
    }
    Ok(serde_json::from_str(records)?)
}
