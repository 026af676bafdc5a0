//! How many executions of a playbook run at once: the others wait in the store, and begin in the order in which they came.
//!
//! An execution that waits for its turn is one that only waits, without a timer: nothing takes it up. The write that ends another lets
//! it begin, so that a crash leaves no turn unused. One that is stopped while it waits begins and ends at once.

use rusqlite::{Connection, OptionalExtension, params};

use super::natural;
use crate::ports::StoreError;

/// Says how many executions of a playbook may run at once from now on; the ARNs of those that begin because of it.
pub(super) fn limit(connection: &Connection, playbook: &str, most: u32) -> Result<Vec<String>, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO playbooks (id, concurrency) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET concurrency = ?2",
        )?
        .execute(params![playbook, most])?;
    admit(connection, playbook)
}

/// Whether an execution of a playbook would begin at once.
pub(super) fn has_room(connection: &Connection, playbook: &str) -> Result<bool, StoreError> {
    let waits = connection
        .prepare_cached("SELECT 1 FROM playbook_executions WHERE playbook = ?1 AND is_admitted = 0 LIMIT 1")?
        .exists([playbook])?;
    Ok(!waits && room(connection, playbook)? > 0)
}

/// An execution of a playbook is in the store.
pub(super) fn add(
    connection: &Connection,
    execution: i64,
    playbook: &str,
    is_admitted: bool,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO playbook_executions (execution, playbook, is_admitted) VALUES (?1, ?2, ?3)")?
        .execute(params![execution, playbook, is_admitted])?;
    Ok(())
}

/// An execution has ended; the ARNs of those that begin because of it.
pub(super) fn ended(connection: &Connection, execution: i64) -> Result<Vec<String>, StoreError> {
    let playbook: Option<String> = connection
        .prepare_cached("DELETE FROM playbook_executions WHERE execution = ?1 RETURNING playbook")?
        .query_row([execution], |row| row.get(0))
        .optional()?;
    playbook.map_or_else(|| Ok(Vec::new()), |playbook| admit(connection, &playbook))
}

fn admit(connection: &Connection, playbook: &str) -> Result<Vec<String>, StoreError> {
    let room = room(connection, playbook)?;
    let mut waiting = connection.prepare_cached(
        "SELECT execution, arn FROM playbook_executions JOIN executions ON id = execution
         WHERE playbook = ?1 AND is_admitted = 0 ORDER BY execution LIMIT ?2",
    )?;
    let admitted = waiting
        .query_map(params![playbook, room], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(i64, String)>, _>>()?;
    for (execution, _) in &admitted {
        connection
            .prepare_cached("UPDATE playbook_executions SET is_admitted = 1 WHERE execution = ?1")?
            .execute([execution])?;
        connection.prepare_cached("UPDATE executions SET waiting = 0 WHERE id = ?1")?.execute([execution])?;
    }
    Ok(admitted.into_iter().map(|(_, arn)| arn).collect())
}

/// How many more may begin.
fn room(connection: &Connection, playbook: &str) -> Result<i64, StoreError> {
    let most: Option<i64> = connection
        .prepare_cached("SELECT concurrency FROM playbooks WHERE id = ?1")?
        .query_row([playbook], |row| row.get(0))
        .optional()?;
    let most = most.ok_or_else(|| {
        StoreError::Damaged(format!("the playbook `{playbook}` has no limit in the store: say it before its events"))
    })?;
    let running: i64 = connection
        .prepare_cached("SELECT count(*) FROM playbook_executions WHERE playbook = ?1 AND is_admitted = 1")?
        .query_row([playbook], |row| row.get(0))?;
    Ok(most.saturating_sub(running).max(0))
}

/// How many executions of a playbook wait for their turn.
pub(super) fn waiting(connection: &Connection, playbook: &str) -> Result<u64, StoreError> {
    let waiting: i64 = connection
        .prepare_cached("SELECT count(*) FROM playbook_executions WHERE playbook = ?1 AND is_admitted = 0")?
        .query_row([playbook], |row| row.get(0))?;
    natural(waiting)
}
