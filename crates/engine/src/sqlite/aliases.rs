//! Aliases of state machines.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{at_most, micros, time_of};
use crate::ports::{MachineAlias, Route, StoreError};

const SELECT: &str =
    "SELECT arn, machine, name, description, routing, created_at, updated_at FROM state_machine_aliases";

pub(super) fn put(
    connection: &Connection,
    alias: MachineAlias,
    limit: usize,
) -> Result<Option<MachineAlias>, StoreError> {
    if let Some(there) = find(connection, &alias.arn)? {
        return Ok(Some(there));
    }
    let inserted = connection
        .prepare_cached(
            "INSERT INTO state_machine_aliases (arn, machine, name, description, routing, created_at, updated_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE (SELECT count(*) FROM state_machine_aliases WHERE machine = ?2) < ?8",
        )?
        .execute(params![
            alias.arn,
            alias.machine_arn,
            alias.name,
            alias.description,
            serde_json::to_string(&alias.routing)?,
            micros(alias.created_at),
            micros(alias.updated_at),
            at_most(limit)
        ])?;
    Ok((inserted == 1).then_some(alias))
}

pub(super) fn change(
    connection: &Connection,
    arn: &str,
    description: Option<String>,
    routing: Option<Vec<Route>>,
    at: Timestamp,
) -> Result<Option<MachineAlias>, StoreError> {
    let Some(mut alias) = find(connection, arn)? else { return Ok(None) };
    alias.description = description.or(alias.description);
    alias.routing = routing.unwrap_or(alias.routing);
    alias.updated_at = at;
    connection
        .prepare_cached(
            "UPDATE state_machine_aliases SET description = ?2, routing = ?3, updated_at = ?4 WHERE arn = ?1",
        )?
        .execute(params![arn, alias.description, serde_json::to_string(&alias.routing)?, micros(at)])?;
    Ok(Some(alias))
}

pub(super) fn delete(connection: &Connection, arn: &str) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("DELETE FROM state_machine_aliases WHERE arn = ?1")?.execute([arn])? > 0)
}

pub(super) fn find(connection: &Connection, arn: &str) -> Result<Option<MachineAlias>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
    let mut rows = statement.query([arn])?;
    rows.next()?.map(read).transpose()
}

pub(super) fn list(
    connection: &Connection,
    machine: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<MachineAlias>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE machine = ?1 AND arn > ?2 ORDER BY arn LIMIT ?3"))?;
    let mut rows = statement.query(params![machine, after, at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<MachineAlias, StoreError> {
    Ok(MachineAlias {
        arn: row.get(0)?,
        machine_arn: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        routing: serde_json::from_str(&row.get::<_, String>(4)?)?,
        created_at: time_of(row.get(5)?)?,
        updated_at: time_of(row.get(6)?)?,
    })
}
