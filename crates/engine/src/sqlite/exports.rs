//! Findings on their way to others.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{SqliteStore, at_most, findings, integer, micros, natural, time_of};
use crate::ports::{ExportOutcome, ExportStanding, ExportStore, PendingExport, StoreError};

#[async_trait]
impl ExportStore for SqliteStore {
    async fn pending_exports(&self, now: Timestamp, limit: usize) -> Result<Vec<PendingExport>, StoreError> {
        self.readers.read(move |connection| pending(connection, now, limit)).await
    }

    async fn note_exports(&self, outcomes: Vec<ExportOutcome>) -> Result<(), StoreError> {
        self.writer.write(move |connection| outcomes.iter().try_for_each(|outcome| note(connection, outcome))).await
    }

    async fn export_standing(&self, finding_id: &str) -> Result<ExportStanding, StoreError> {
        let id = finding_id.to_owned();
        self.readers.read(move |connection| standing(connection, &id)).await
    }
}

fn pending(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<PendingExport>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT format, body, export_attempts FROM findings WHERE version > exported_version AND export_due_at <= ?1
         ORDER BY export_due_at, number LIMIT ?2",
    )?;
    let mut rows = statement.query(params![micros(now), at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let attempts = u32::try_from(natural(row.get(2)?)?).unwrap_or(u32::MAX);
        found.push(PendingExport { finding: findings::read(row)?, attempts });
    }
    Ok(found)
}

/// A finding may be gone, or (after a backup was restored) be of an earlier version: what was taken is never counted back.
fn note(connection: &Connection, outcome: &ExportOutcome) -> Result<(), StoreError> {
    match &outcome.refused {
        None => connection
            .prepare_cached(
                "UPDATE findings SET exported_version = max(exported_version, ?2), export_attempts = 0, export_due_at = 0,
                 export_error = NULL WHERE id = ?1",
            )?
            .execute(params![outcome.finding, integer(outcome.version)?])?,
        Some((error, due_at)) => connection
            .prepare_cached(
                "UPDATE findings SET export_attempts = export_attempts + 1, export_due_at = ?2, export_error = ?3 WHERE id = ?1",
            )?
            .execute(params![outcome.finding, micros(*due_at), error])?,
    };
    Ok(())
}

fn standing(connection: &Connection, id: &str) -> Result<ExportStanding, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT exported_version, export_attempts, export_error, export_due_at FROM findings WHERE id = ?1",
        )?
        .query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?, row.get::<_, i64>(3)?)))
        .optional()?;
    let Some((version, attempts, error, due_at)) = row else { return Ok(ExportStanding::default()) };
    Ok(ExportStanding {
        exported_version: natural(version)?,
        attempts: u32::try_from(natural(attempts)?).unwrap_or(u32::MAX),
        error,
        due_at: (due_at > 0).then(|| time_of(due_at)).transpose()?,
    })
}

#[cfg(test)]
mod tests;
