//! Journals: one row a step, never rewritten.
//!
//! Rows are kept in the order in which they were written, and found by an index of execution and step: the rows of a commit share
//! pages whichever executions they are of. Kept in the order of the index, each would be a page of its own to write and sync.
//!
//! The records are JSON, each long text in it once; a long row is kept compressed with zstd, as a BLOB: ten Pass states shrink
//! from 7 kB to less than 1 kB, and what a group commit writes and syncs with it.

use std::{cell::RefCell, io::Read};

use execution::{HistoryEvent, Record};
use rusqlite::{
    Connection, params,
    types::{Value, ValueRef},
};
use zstd::bulk::Compressor;

use super::{
    SqliteStore,
    executions::id_of,
    integer, natural,
    schema::{FORMAT, check_format},
};
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
    records: Value,
}

/// Shorter ones are not worth compressing, in bytes.
const COMPRESS_FROM: usize = 2048;
/// zstd's fastest level that is not negative.
const COMPRESSION_LEVEL: i32 = 1;
/// What a row may unfold to, in bytes: far above what a step can record.
const UNFOLDED_LIMIT: u64 = 1 << 30;

impl Written {
    pub(super) fn new(row: JournalRow) -> Result<Written, StoreError> {
        Ok(Written {
            seq: integer(row.seq)?,
            last_event: integer(row.last_event)?,
            records: fold(execution::journal::write(row.records)?)?,
        })
    }
}

thread_local! {
    // Kept, as making one asks the processor what it can do, which takes longer in a virtual machine than compressing a row.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

fn fold(records: Vec<u8>) -> Result<Value, StoreError> {
    if records.len() < COMPRESS_FROM {
        // Text shows in tools; JSON is UTF-8.
        return Ok(String::from_utf8(records).map_or_else(|error| Value::Blob(error.into_bytes()), Value::Text));
    }
    let fold = |kept: &RefCell<Option<Compressor<'static>>>| {
        let mut kept = kept.borrow_mut();
        match &mut *kept {
            Some(compressor) => compressor.compress(&records),
            none => none.insert(Compressor::new(COMPRESSION_LEVEL)?).compress(&records),
        }
    };
    COMPRESSOR
        .with(fold)
        .map(Value::Blob)
        .map_err(|error| StoreError::Damaged(format!("a journal row can't be compressed: {error}")))
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
        records.extend(parse(row.get(1)?, row.get_ref(2)?)?);
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
        let mut of_row: Vec<HistoryEvent> = parse(row.get(0)?, row.get_ref(1)?)?
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

pub(super) fn parse(format: i64, records: ValueRef<'_>) -> Result<Vec<Record>, StoreError> {
    check_format("a journal row", format)?;
    match records {
        ValueRef::Blob(folded) => {
            let mut unfolded = Vec::new();
            zstd::stream::read::Decoder::new(folded)
                .and_then(|decoder| decoder.take(UNFOLDED_LIMIT).read_to_end(&mut unfolded))
                .map_err(|error| StoreError::Damaged(format!("a journal row can't be unfolded: {error}")))?;
            Ok(execution::journal::read(&unfolded)?)
        }
        text => Ok(execution::journal::read(text.as_bytes().map_err(rusqlite::Error::from)?)?),
    }
}
