//! What guardrails leave alone.

use detection::decide::Exception;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    micros,
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
        check_format("an exception", row.get(0)?)?;
        found.push(serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}
