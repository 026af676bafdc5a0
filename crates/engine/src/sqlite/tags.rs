//! Tags, by the ARN of what they are on.

use rusqlite::{Connection, params};

use crate::ports::StoreError;

/// Whether there are no more than `limit` afterwards; else nothing is set.
pub(super) fn set(
    connection: &Connection,
    arn: &str,
    tags: &[(String, String)],
    limit: usize,
) -> Result<bool, StoreError> {
    let mut there = list(connection, arn)?;
    there.retain(|(key, _)| tags.iter().all(|(set, _)| set != key));
    if there.len().saturating_add(tags.len()) > limit {
        return Ok(false);
    }
    for (key, value) in tags {
        connection
            .prepare_cached("INSERT OR REPLACE INTO tags (arn, key, value) VALUES (?1, ?2, ?3)")?
            .execute(params![arn, key, value])?;
    }
    Ok(true)
}

pub(super) fn remove(connection: &Connection, arn: &str, keys: &[String]) -> Result<(), StoreError> {
    for key in keys {
        connection.prepare_cached("DELETE FROM tags WHERE arn = ?1 AND key = ?2")?.execute(params![arn, key])?;
    }
    Ok(())
}

pub(super) fn list(connection: &Connection, arn: &str) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM tags WHERE arn = ?1 ORDER BY key")?;
    let mut rows = statement.query([arn])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, row.get(1)?));
    }
    Ok(found)
}
