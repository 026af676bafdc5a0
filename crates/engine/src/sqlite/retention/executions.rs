//! Executions that ended long ago, with their journals, tokens, activity tasks, jobs, map runs and the children of these.
//!
//! A child of a map run goes with the execution at the root, since a redrive of that one would need it; and a root stays while a map
//! run below it goes on, or nobody has heard of its failure.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Budget, page, write};
use crate::{
    ports::StoreError,
    sqlite::{SqliteStore, at_most, natural},
};

/// Roots that ended before ?1, after the one that ended at ?2 with the number ?3.
const ROOTS: &str = "
    SELECT stopped_at, id FROM executions
    WHERE map_run IS NULL AND stopped_at < ?1 AND (stopped_at, id) > (?2, ?3)
      AND NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.execution = executions.id)
      AND id NOT IN (
          WITH RECURSIVE busy (execution) AS (
              SELECT execution FROM map_runs WHERE is_told = 0
              UNION
              SELECT map_runs.execution FROM busy JOIN executions child ON child.id = busy.execution
                  JOIN map_runs ON map_runs.id = child.map_run
          )
          SELECT execution FROM busy
      )
    ORDER BY stopped_at, id LIMIT ?4";

/// The tables whose rows belong to an execution by their column `execution`, beside its journal and its map runs; each with what tells
/// its rows apart.
pub(super) const OF_EXECUTION: &[(&str, &str)] =
    &[("task_tokens", "hash"), ("activity_tasks", "id"), ("jobs", "id"), ("playbook_executions", "execution")];
/// The same, to a map run by their column `map_run`, beside its child executions.
pub(super) const OF_MAP_RUN: &[(&str, &str)] =
    &[("map_run_children", "number"), ("map_run_counts", "status"), ("map_run_express_children", "id")];

/// Executions that can't go, in one round: beyond it the store itself is at fault.
const STUCK_AT_MOST: usize = 100;

/// What became of an execution in a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing is left of it.
    Gone,
    /// The budget is spent; the rest goes in the next write.
    Part,
    /// It may not go now.
    Kept,
}

/// How many roots are gone.
pub(super) async fn prune(store: &SqliteStore, before: i64) -> Result<u64, StoreError> {
    let (mut after, mut pruned, mut stuck) = ((i64::MIN, 0), 0, 0);
    loop {
        let page = page(store, ROOTS, before, after).await?;
        let Some(last) = page.last() else { return Ok(pruned) };
        after = *last;
        let mut groups = vec![page.into_iter().map(|(_, id)| id).collect::<Vec<i64>>()];
        while let Some(roots) = groups.pop() {
            let these = roots.clone();
            match write(store, move |connection| prune_some(connection, these, before)).await {
                Ok((gone, left)) => {
                    pruned += gone;
                    groups.extend((!left.is_empty()).then_some(left));
                }
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                // Each by itself: the others are not kept because of one.
                Err(_) if roots.len() > 1 => groups.extend(roots.into_iter().rev().map(|root| vec![root])),
                Err(error) if stuck < STUCK_AT_MOST => {
                    stuck += 1;
                    tracing::error!(?roots, %error, "an execution can't be pruned; it is tried again in an hour");
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Within a write: how many roots are gone, and which are still to go.
pub(super) fn prune_some(connection: &Connection, roots: Vec<i64>, before: i64) -> Result<(u64, Vec<i64>), StoreError> {
    let mut budget = Budget::new();
    let mut gone = 0;
    let mut roots = roots.into_iter();
    while let Some(root) = roots.next() {
        match prune_root(connection, root, before, &mut budget)? {
            Outcome::Gone => gone += 1,
            Outcome::Kept => {}
            Outcome::Part => return Ok((gone, std::iter::once(root).chain(roots).collect())),
        }
        if budget.is_spent() {
            break;
        }
    }
    Ok((gone, roots.collect()))
}

fn prune_root(connection: &Connection, id: i64, before: i64, budget: &mut Budget) -> Result<Outcome, StoreError> {
    // Since it was looked for, it may have been redriven.
    let is_old = connection
        .prepare_cached("SELECT 1 FROM executions WHERE id = ?1 AND status != 'RUNNING' AND stopped_at < ?2")?
        .exists([id, before])?;
    if !is_old {
        return Ok(Outcome::Kept);
    }
    let calls = "DELETE FROM finding_calls WHERE (finding, caller, call) IN (
             SELECT finding, caller, call FROM finding_calls
             WHERE finding = (SELECT finding FROM executions WHERE id = ?1) AND caller = (SELECT arn FROM executions WHERE id = ?1)
             LIMIT ?2)";
    if !budget.delete(connection, calls, &[&id])? {
        return Ok(Outcome::Part);
    }
    let outcome = prune_tree(connection, id, budget)?;
    if outcome == Outcome::Part {
        // Nobody is to find it with half of its history, and its name is free.
        connection
            .prepare_cached(
                "UPDATE executions SET arn = 'pruned:' || id, state_machine_arn = '', version_arn = NULL, alias_arn = NULL
                 WHERE id = ?1 AND arn NOT LIKE 'pruned:%'",
            )?
            .execute([id])?;
    }
    Ok(outcome)
}

/// Leaves first, its own row last: whatever is left of it is found again.
fn prune_tree(connection: &Connection, id: i64, budget: &mut Budget) -> Result<Outcome, StoreError> {
    let run_of = "SELECT id, is_told FROM map_runs WHERE execution = ?1 ORDER BY id LIMIT 1";
    while let Some((run, is_told)) = first(connection, run_of, id)? {
        if is_told == 0 {
            return Ok(Outcome::Kept);
        }
        let child_of =
            "SELECT id, status = 'RUNNING' FROM executions WHERE map_run = ?1 ORDER BY map_run_child LIMIT 1";
        while let Some((child, is_running)) = first(connection, child_of, run)? {
            if is_running != 0 {
                return Ok(Outcome::Kept);
            }
            let outcome = prune_tree(connection, child, budget)?;
            if outcome != Outcome::Gone || budget.is_spent() {
                return Ok(if outcome == Outcome::Kept { outcome } else { Outcome::Part });
            }
        }
        if !prune_owned(connection, "map_run", OF_MAP_RUN, run, budget)? {
            return Ok(Outcome::Part);
        }
        connection.prepare_cached("DELETE FROM map_runs WHERE id = ?1")?.execute([run])?;
        budget.spend(1, 0);
    }
    if !prune_journal(connection, id, budget)? || !prune_owned(connection, "execution", OF_EXECUTION, id, budget)? {
        return Ok(Outcome::Part);
    }
    connection.prepare_cached("DELETE FROM executions WHERE id = ?1")?.execute([id])?;
    budget.spend(1, 0);
    Ok(Outcome::Gone)
}

/// Whether nothing is left of what belongs to an execution or a map run.
fn prune_owned(
    connection: &Connection,
    owner: &str,
    tables: &[(&str, &str)],
    id: i64,
    budget: &mut Budget,
) -> Result<bool, StoreError> {
    for (table, key) in tables {
        let rows = format!(
            "DELETE FROM {table} WHERE {owner} = ?1 AND {key} IN (SELECT {key} FROM {table} WHERE {owner} = ?1 LIMIT ?2)"
        );
        if budget.is_spent() || !budget.delete(connection, &rows, &[&id])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether nothing is left of a journal.
fn prune_journal(connection: &Connection, id: i64, budget: &mut Budget) -> Result<bool, StoreError> {
    let mut rows = connection
        .prepare_cached("SELECT seq, octet_length(records) FROM journal WHERE execution = ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = rows.query(params![id, at_most(budget.rows.saturating_add(1))])?;
    let mut until = None;
    let mut is_all = true;
    while let Some(row) = rows.next()? {
        if budget.is_spent() {
            is_all = false;
            break;
        }
        until = Some(row.get::<_, i64>(0)?);
        budget.spend(1, natural(row.get(1)?)?);
    }
    if let Some(until) = until {
        connection.prepare_cached("DELETE FROM journal WHERE execution = ?1 AND seq <= ?2")?.execute([id, until])?;
    }
    Ok(is_all)
}

fn first(connection: &Connection, sql: &str, key: i64) -> Result<Option<(i64, i64)>, StoreError> {
    Ok(connection.prepare_cached(sql)?.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}
