//! The starts of asynchronous executions of Express machines, until they have ended.

use rusqlite::{Connection, params};

use super::{at_most, integer, micros, natural, time_of};
use crate::ports::{ExecutionKind, NewExecution, StoreError};

pub(super) fn keep(connection: &Connection, new: &NewExecution) -> Result<u64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO express_executions (arn, name, state_machine_arn, version_arn, alias_arn, definition, role_arn, input, started_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            new.arn,
            new.name,
            new.state_machine_arn,
            new.version_arn,
            new.alias_arn,
            new.definition,
            new.role_arn,
            new.input,
            micros(new.started_at)
        ])?;
    natural(connection.last_insert_rowid())
}

pub(super) fn forget(connection: &Connection, number: u64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM express_executions WHERE id = ?1")?.execute([integer(number)?])?;
    Ok(())
}

pub(super) fn last(connection: &Connection) -> Result<u64, StoreError> {
    natural(connection.query_row("SELECT coalesce(max(id), 0) FROM express_executions", [], |row| row.get(0))?)
}

pub(super) fn starts(
    connection: &Connection,
    after: u64,
    until: u64,
    limit: usize,
) -> Result<Vec<(u64, NewExecution, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, arn, name, state_machine_arn, version_arn, alias_arn, definition, role_arn, input, started_at, text
         FROM express_executions JOIN definitions ON hash = definition WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![integer(after)?, integer(until)?, at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let new = NewExecution {
            arn: row.get(1)?,
            name: row.get(2)?,
            state_machine_arn: row.get(3)?,
            kind: ExecutionKind::Asynchronous,
            version_arn: row.get(4)?,
            alias_arn: row.get(5)?,
            revision: None,
            definition: row.get(6)?,
            role_arn: row.get(7)?,
            input: row.get(8)?,
            finding: None,
            map_run: None,
            started_at: time_of(row.get(9)?)?,
        };
        found.push((natural(row.get(0)?)?, new, row.get(10)?));
    }
    Ok(found)
}
