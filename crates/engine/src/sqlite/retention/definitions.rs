//! Definitions and revisions of state machines that nothing refers to any more.
//!
//! Executions are not indexed by them, so once a day all are looked through, and only if there is something that no machine, version or
//! map run refers to. What is referred to by nothing is a suspect, and goes when it is one again a day later: a start that was under way
//! when its machine was changed has been written by then.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::{PAGE, write};
use crate::{
    ports::{DefinitionHash, StoreError},
    sqlite::{SqliteStore, at_most, state_machines::current_revisions},
};

/// How often is looked.
const LOOK_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Deleted in one write.
const AT_ONCE: usize = 50;
/// Executions looked at by a reader at once.
const EXECUTIONS_AT_ONCE: usize = 10 * PAGE;

/// What nothing referred to, when it was last looked.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    looked_at: Option<Timestamp>,
    found: Unreferenced,
}

#[derive(Clone, Debug, Default)]
struct Unreferenced {
    definitions: HashSet<DefinitionHash>,
    revisions: HashSet<DefinitionHash>,
}

impl Unreferenced {
    fn is_empty(&self) -> bool {
        self.definitions.is_empty() && self.revisions.is_empty()
    }
}

impl Suspects {
    /// How many definitions are gone.
    pub(super) async fn prune(&mut self, store: &SqliteStore, now: Timestamp) -> Result<u64, StoreError> {
        if self.looked_at.is_some_and(|at| now.duration_since(at) < LOOK_EVERY) {
            return Ok(0);
        }
        let mut found = store.readers.read(without_machines).await?;
        let mut after = 0;
        while !found.is_empty() {
            let (last, left) =
                store.readers.read(move |connection| without_executions(connection, found, after)).await?;
            found = left;
            match last {
                Some(last) => after = last,
                None => break,
            }
        }
        let again = Unreferenced {
            definitions: found.definitions.intersection(&self.found.definitions).copied().collect(),
            revisions: found.revisions.intersection(&self.found.revisions).copied().collect(),
        };
        (self.looked_at, self.found) = (Some(now), found);
        let mut pruned = 0;
        for hashes in chunks(again.definitions) {
            pruned +=
                write(store, move |connection| delete(connection, "definitions", "definition", &hashes, after)).await?;
        }
        for hashes in chunks(again.revisions) {
            write(store, move |connection| delete(connection, "machine_revisions", "revision", &hashes, after)).await?;
        }
        Ok(pruned)
    }
}

fn chunks(hashes: HashSet<DefinitionHash>) -> Vec<Vec<DefinitionHash>> {
    let hashes: Vec<_> = hashes.into_iter().collect();
    hashes.chunks(AT_ONCE).map(<[_]>::to_vec).collect()
}

/// What no machine, version, map run or start of an Express execution refers to.
fn without_machines(connection: &Connection) -> Result<Unreferenced, StoreError> {
    let hashes = |sql: &str| -> Result<HashSet<DefinitionHash>, StoreError> {
        Ok(connection.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    };
    let definitions = hashes(
        "SELECT hash FROM definitions EXCEPT SELECT definition FROM state_machines EXCEPT SELECT definition FROM state_machine_versions
         EXCEPT SELECT definition FROM map_runs EXCEPT SELECT definition FROM express_executions",
    )?;
    let current = current_revisions(connection)?;
    let mut revisions = hashes("SELECT hash FROM machine_revisions")?;
    revisions.retain(|hash| !current.contains(hash));
    Ok(Unreferenced { definitions, revisions })
}

/// Takes out what a page of executions refers to; the last of the page, unless it was empty.
fn without_executions(
    connection: &Connection,
    mut found: Unreferenced,
    after: i64,
) -> Result<(Option<i64>, Unreferenced), StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, definition, revision FROM executions WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = statement.query(params![after, at_most(EXECUTIONS_AT_ONCE)])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        found.definitions.remove(&row.get::<_, DefinitionHash>(1)?);
        if let Some(revision) = row.get::<_, Option<DefinitionHash>>(2)? {
            found.revisions.remove(&revision);
        }
    }
    Ok((last, found))
}

/// Within a write: deletes what nothing has come to refer to since executions were looked through, up to the one numbered `until`.
fn delete(
    connection: &Connection,
    table: &str,
    column: &str,
    hashes: &[DefinitionHash],
    until: i64,
) -> Result<u64, StoreError> {
    let referenced = without_machines(connection)?;
    let suspects = if table == "definitions" { referenced.definitions } else { referenced.revisions };
    let new = format!("SELECT 1 FROM executions WHERE id > ?1 AND {column} = ?2");
    let mut deleted = 0;
    for hash in hashes.iter().filter(|hash| suspects.contains(*hash)) {
        if !connection.prepare_cached(&new)?.exists(params![until, hash])? {
            let sql = format!("DELETE FROM {table} WHERE hash = ?1");
            deleted += u64::try_from(connection.prepare_cached(&sql)?.execute([hash])?).unwrap_or(0);
        }
    }
    Ok(deleted)
}
