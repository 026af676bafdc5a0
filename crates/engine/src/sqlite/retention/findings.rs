//! Findings that were resolved long ago, rules' findings that nothing matched for as long, and counters that count no more.
//!
//! What a guardrail found stays while it is open, however old: it is a state of a resource. A rule's finding is something that happened,
//! and as many may be as there are actors. A finding is there for as long as one of its executions is: they are named by it and its
//! occurrence, and a finding that begins anew begins with the first.

use jiff::Timestamp;
use rusqlite::Connection;

use super::{Budget, page, write};
use crate::{
    ports::StoreError,
    sqlite::{
        SqliteStore,
        findings::{MINUTES_COUNTED, minute},
    },
};

const RESOLVED: &str = "
    SELECT updated_at, number FROM findings
    WHERE status = 'RESOLVED' AND updated_at < ?1 AND (updated_at, number) > (?2, ?3)
    ORDER BY updated_at, number LIMIT ?4";

const OF_RULES: &str = "
    SELECT updated_at, number FROM findings
    WHERE is_of_rule = 1 AND updated_at < ?1 AND (updated_at, number) > (?2, ?3)
    ORDER BY updated_at, number LIMIT ?4";

/// Whether the finding of number ?1 may go.
const MAY_GO: &str = "
    SELECT 1 FROM findings
    WHERE number = ?1 AND (status = 'RESOLVED' OR is_of_rule = 1) AND updated_at < ?2 AND json_extract(body, '$.under_way') IS NULL
      AND NOT EXISTS (SELECT 1 FROM executions WHERE executions.finding = findings.id)";

/// How many findings are gone.
pub(super) async fn prune(store: &SqliteStore, before: i64) -> Result<u64, StoreError> {
    Ok(prune_by(store, RESOLVED, before).await? + prune_by(store, OF_RULES, before).await?)
}

async fn prune_by(store: &SqliteStore, query: &'static str, before: i64) -> Result<u64, StoreError> {
    let (mut after, mut pruned) = ((i64::MIN, 0), 0);
    loop {
        let page = page(store, query, before, after).await?;
        let Some(last) = page.last() else { return Ok(pruned) };
        after = *last;
        let mut numbers: Vec<i64> = page.into_iter().map(|(_, number)| number).collect();
        while !numbers.is_empty() {
            let (gone, left) = write(store, move |connection| prune_some(connection, numbers, before)).await?;
            pruned += gone;
            numbers = left;
        }
    }
}

/// Counters of fixes that are older than what is counted. (A guardrail that goes on fixing forgets its own.)
pub(super) async fn prune_counters(store: &SqliteStore, now: Timestamp) -> Result<(), StoreError> {
    let until = minute(now).saturating_sub(MINUTES_COUNTED);
    let are_there = store.readers.read(move |connection| {
        Ok(connection.prepare_cached("SELECT 1 FROM fixes WHERE minute <= ?1 LIMIT 1")?.exists([until])?)
    });
    if !are_there.await? {
        return Ok(());
    }
    loop {
        let is_all = write(store, move |connection| {
            let old = "DELETE FROM fixes WHERE (guardrail, account, minute) IN
                     (SELECT guardrail, account, minute FROM fixes WHERE minute <= ?1 LIMIT ?2)";
            Budget::new().delete(connection, old, &[&until])
        });
        if is_all.await? {
            return Ok(());
        }
    }
}

/// Within a write: how many are gone, and which are still to go.
fn prune_some(connection: &Connection, numbers: Vec<i64>, before: i64) -> Result<(u64, Vec<i64>), StoreError> {
    let mut budget = Budget::new();
    let mut gone = 0;
    let mut numbers = numbers.into_iter();
    while let Some(number) = numbers.next() {
        if !connection.prepare_cached(MAY_GO)?.exists([number, before])? {
            continue;
        }
        let calls = "DELETE FROM finding_calls WHERE (finding, caller, call) IN (
                 SELECT finding, caller, call FROM finding_calls WHERE finding = (SELECT id FROM findings WHERE number = ?1) LIMIT ?2)";
        if budget.is_spent() || !budget.delete(connection, calls, &[&number])? {
            return Ok((gone, std::iter::once(number).chain(numbers).collect()));
        }
        connection.prepare_cached("DELETE FROM findings WHERE number = ?1")?.execute([number])?;
        budget.spend(1, 0);
        gone += 1;
    }
    Ok((gone, Vec::new()))
}
