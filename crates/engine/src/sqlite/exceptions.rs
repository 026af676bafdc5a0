//! What guardrails leave alone.

use std::path::Path;

use detection::decide::Exception;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, params};

use super::{
    FILE, LOCKED_TIMEOUT, micros,
    schema::{FORMAT, check_format},
};
use crate::ports::StoreError;

/// Exceptions in force at once: a decision reads those that may concern it.
const LIMIT: i64 = 10_000;

pub(super) fn add(connection: &Connection, exception: &Exception, now: Timestamp) -> Result<(), StoreError> {
    let in_force: i64 = connection
        .prepare_cached("SELECT count(*) FROM exceptions WHERE until > ?1")?
        .query_row([micros(now)], |row| row.get(0))?;
    if in_force >= LIMIT {
        return Err(StoreError::Unavailable(format!(
            "there are {in_force} exceptions in force, and at most {LIMIT} are kept: except accounts or guardrails instead of resources"
        )));
    }
    connection
        .prepare_cached(
            "INSERT INTO exceptions (guardrail, resource, account, until, format, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            exception.guardrail,
            exception.resource,
            exception.account,
            micros(exception.until),
            FORMAT,
            serde_json::to_string(exception)?
        ])?;
    Ok(())
}

/// All exceptions in force in the store of a folder, which is only read: whether `serve` runs does not matter.
pub fn exceptions(folder: &Path, now: Timestamp) -> Result<Vec<Exception>, StoreError> {
    let path = folder.join(FILE);
    if !path.is_file() {
        let text = format!("there is no store in `{}`: name the folder that `serve` was given", folder.display());
        return Err(StoreError::Unavailable(text));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)?;
    connection.busy_timeout(LOCKED_TIMEOUT)?;
    let mut statement =
        connection.prepare("SELECT format, body FROM exceptions WHERE until > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = statement.query(params![micros(now), LIMIT])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &rusqlite::Row<'_>) -> Result<Exception, StoreError> {
    check_format("an exception", row.get(0)?)?;
    Ok(serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?)
}

/// Those that have not ended and may concern a guardrail in an account.
pub(super) fn in_force(
    connection: &Connection,
    guardrail: &str,
    account: &str,
    now: Timestamp,
) -> Result<Vec<Exception>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT format, body FROM exceptions
         WHERE until > ?1 AND (guardrail IS NULL OR guardrail = ?2) AND (account IS NULL OR account = ?3) ORDER BY id",
    )?;
    let mut rows = statement.query(params![micros(now), guardrail, account])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}
