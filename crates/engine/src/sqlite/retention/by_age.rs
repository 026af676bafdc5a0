//! Tables whose rows go by their own age alone.

use rusqlite::params;

use super::{BYTES_AT_ONCE, PAGE, ROWS_AT_ONCE, write};
use crate::{
    ports::StoreError,
    sqlite::{SqliteStore, at_most, natural},
};

/// Such a table.
#[derive(Clone, Copy)]
pub(super) struct Table {
    name: &'static str,
    time: &'static str,
}

pub(super) const EVENTS: Table = Table { name: "events", time: "received_at" };
pub(super) const UNREADABLE_EVENTS: Table = Table { name: "unreadable_events", time: "received_at" };
pub(super) const EXCEPTIONS: Table = Table { name: "exceptions", time: "until" };

/// How many rows are gone. All are looked at: a clock that was wrong for a while leaves old rows behind young ones.
pub(super) async fn prune(store: &SqliteStore, table: Table, before: i64) -> Result<u64, StoreError> {
    let Table { name, time } = table;
    let (mut after, mut pruned) = (i64::MIN, 0);
    loop {
        let page: Vec<(i64, bool, u64)> = store
            .readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT rowid, {time} < ?2, octet_length(body) FROM {name} WHERE rowid > ?1 ORDER BY rowid LIMIT ?3"
                ))?;
                let mut rows = statement.query(params![after, before, at_most(PAGE)])?;
                let mut page = Vec::new();
                while let Some(row) = rows.next()? {
                    page.push((row.get(0)?, row.get(1)?, natural(row.get(2)?)?));
                }
                Ok(page)
            })
            .await?;
        let Some((last, ..)) = page.last().copied() else { return Ok(pruned) };
        after = last;
        let old: Vec<(i64, u64)> =
            page.into_iter().filter(|(_, is_old, _)| *is_old).map(|(row, _, bytes)| (row, bytes)).collect();
        for rows in by_bytes(old) {
            pruned += write(store, move |connection| {
                let sql = format!("DELETE FROM {name} WHERE rowid = ?1 AND {time} < ?2");
                let mut statement = connection.prepare_cached(&sql)?;
                let mut deleted = 0;
                for row in rows {
                    deleted += u64::try_from(statement.execute([row, before])?).unwrap_or(0);
                }
                Ok(deleted)
            })
            .await?;
        }
    }
}

/// Rows in groups, each of as many rows and about as many bytes as a write may delete.
fn by_bytes(rows: Vec<(i64, u64)>) -> Vec<Vec<i64>> {
    let (mut groups, mut bytes) = (Vec::<Vec<i64>>::new(), u64::MAX);
    for (row, more) in rows {
        bytes = bytes.saturating_add(more);
        match groups.last_mut() {
            Some(group) if bytes <= BYTES_AT_ONCE && group.len() < ROWS_AT_ONCE => group.push(row),
            _ => {
                bytes = more;
                groups.push(vec![row]);
            }
        }
    }
    groups
}
