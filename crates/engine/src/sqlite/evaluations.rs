//! Invocations of AWS Config's custom rules, until they were answered.

use async_trait::async_trait;
use detection::{Event, Finding, incoming::RuleInvocation};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{SqliteStore, at_most, findings, integer, micros, natural, time_of};
use crate::ports::{EvaluationStore, PendingEvaluation, StoreError};

#[async_trait]
impl EvaluationStore for SqliteStore {
    async fn pending_evaluations(&self, now: Timestamp, limit: usize) -> Result<Vec<PendingEvaluation>, StoreError> {
        self.readers.read(move |connection| pending(connection, now, limit)).await
    }

    async fn put_off_evaluations(&self, numbers: Vec<(u64, u32)>, until: Timestamp) -> Result<(), StoreError> {
        let put_off = move |connection: &Connection| {
            let mut statement =
                connection.prepare_cached("UPDATE evaluations SET due_at = ?2, attempts = ?3 WHERE id = ?1")?;
            for (number, attempts) in numbers {
                statement.execute(params![integer(number)?, micros(until), attempts])?;
            }
            Ok(())
        };
        self.writer.write(put_off).await
    }

    async fn forget_evaluation(&self, number: u64) -> Result<(), StoreError> {
        let number = integer(number)?;
        let forget = move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM evaluations WHERE id = ?1")?.execute([number])?;
            Ok(())
        };
        self.writer.write(forget).await
    }
}

/// In the write that takes in an event: keeps that it has to be answered, where it is an invocation and has a finding.
pub(super) fn keep(
    connection: &Connection,
    event: &Event,
    finding: &Finding,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(invocation) = RuleInvocation::of(event) else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT INTO evaluations (finding, generation, invocation, received_at, due_at) VALUES (?1, ?2, ?3, ?4, ?4)",
        )?
        .execute(params![
            finding.id,
            integer(finding.generation)?,
            serde_json::to_string(&invocation)?,
            micros(now)
        ])?;
    Ok(())
}

fn pending(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<PendingEvaluation>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, finding, generation, invocation, received_at, attempts FROM evaluations WHERE due_at <= ?1
         ORDER BY due_at, id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![micros(now), at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (finding, invocation): (String, String) = (row.get(1)?, row.get(3)?);
        found.push(PendingEvaluation {
            number: natural(row.get(0)?)?,
            invocation: serde_json::from_str(&invocation)?,
            finding: findings::find(connection, &finding)?,
            generation: natural(row.get(2)?)?,
            received_at: time_of(row.get(4)?)?,
            attempts: row.get(5)?,
        });
    }
    Ok(found)
}
