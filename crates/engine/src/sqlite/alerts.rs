//! Findings failed by their executions, until somebody has been told.

use detection::{Finding, FindingInput, Settings, decide::Risk};
use execution::{Ended, Status};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    at_most,
    findings::{self, Call},
    natural,
};
use crate::ports::{ApplyError, CallKey, StoreError};

/// In the write that ends an execution: if it ended badly while responding to a finding, fails the finding and notes that somebody has
/// to be told.
pub(super) fn note(
    connection: &Connection,
    execution: i64,
    execution_arn: &str,
    finding: Option<&str>,
    ended: &Ended,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(finding) = finding else { return Ok(()) };
    let status = match ended.status {
        Status::Running | Status::Succeeded => return Ok(()),
        Status::Failed => "FAILED",
        Status::TimedOut => "TIMED_OUT",
        Status::Aborted => "ABORTED",
    };
    let call = Call {
        finding_id: finding.to_owned(),
        key: CallKey { caller: execution_arn.to_owned(), call: "the execution's end".to_owned() },
        input: FindingInput::ExecutionFailed {
            status: status.to_owned(),
            error: ended.error.clone().unwrap_or_default(),
            cause: ended.cause.clone().unwrap_or_default(),
        },
        // A failure is no decision: nothing of the settings is looked at.
        settings: Settings::of_risk(Risk::Disruptive),
        now,
    };
    match call.apply(connection) {
        Ok(_) => {}
        Err(ApplyError::Store(error)) => return Err(error),
        // The finding can't be failed, but somebody is told all the same.
        Err(error) => tracing::warn!(finding, execution_arn, %error, "a failed execution did not fail its finding"),
    }
    connection
        .prepare_cached("INSERT OR IGNORE INTO alerts (execution, finding) VALUES (?1, ?2)")?
        .execute(params![execution, finding])?;
    Ok(())
}

pub(super) fn pending(connection: &Connection, limit: usize) -> Result<Vec<(u64, Finding)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT execution, finding FROM alerts ORDER BY execution LIMIT ?1")?;
    let mut rows = statement.query([at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(1)?;
        match findings::find(connection, &id)? {
            Some(finding) => found.push((natural(row.get(0)?)?, finding)),
            None => tracing::error!(finding = id, "an alert's finding is missing from the store"),
        }
    }
    Ok(found)
}

pub(super) fn told(connection: &Connection, execution: i64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM alerts WHERE execution = ?1")?.execute([execution])?;
    Ok(())
}
