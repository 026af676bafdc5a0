//! Jobs: a row for each that is awaited or to be stopped.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use execution::ScheduledTask;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{SqliteStore, executions::id_of, integer, micros, natural, schema::FORMAT, time_of};
use crate::ports::{Job, JobStore, NewJob, StoreError, Task};

/// When something is due that is to be done before all else.
const AT_ONCE: i64 = 0;

#[async_trait]
impl JobStore for SqliteStore {
    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, StoreError> {
        let told = self.unreadable_jobs.clone();
        self.readers.read(move |connection| list(connection, limit, &told)).await
    }

    async fn put_off_job(
        &self,
        number: u64,
        is_unwanted: bool,
        at: Timestamp,
        attempts: u32,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE jobs SET due_at = ?3, attempts = ?4 WHERE id = ?1 AND is_unwanted = ?2")?
                    .execute(params![integer(number)?, is_unwanted, micros(at), attempts])?;
                Ok(())
            })
            .await
    }

    async fn forget_job(&self, number: u64, is_unwanted: bool) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| {
                connection
                    .prepare_cached("DELETE FROM jobs WHERE id = ?1 AND is_unwanted = ?2")?
                    .execute(params![integer(number)?, is_unwanted])?;
                Ok(())
            })
            .await
    }

    async fn keep_unwanted_job(&self, task: Task, now: Timestamp) -> Result<(), StoreError> {
        let written = Written::new(&NewJob { task, begun_at: now, ask_at: now, execution: None })?;
        self.writer
            .write(move |connection| {
                let Some(execution) = id_of(connection, &written.execution_arn)? else { return Ok(()) };
                insert(connection, execution, &written)?;
                withdraw(connection, execution, &[written.event_id]).map(drop)
            })
            .await
    }
}

/// A job as it is written: made outside the writer's thread.
pub(super) struct Written {
    execution_arn: String,
    state_machine_arn: String,
    event_id: u64,
    scheduled: String,
    begun_at: i64,
    ask_at: i64,
    awaits: Option<String>,
}

impl Written {
    pub(super) fn new(job: &NewJob) -> Result<Written, StoreError> {
        Ok(Written {
            execution_arn: job.task.execution_arn.clone(),
            state_machine_arn: job.task.state_machine_arn.clone(),
            event_id: job.task.scheduled.event_id,
            scheduled: serde_json::to_string(&job.task.scheduled)?,
            begun_at: micros(job.begun_at),
            ask_at: micros(job.ask_at),
            awaits: job.execution.clone(),
        })
    }
}

/// Keeps a job, unless it is there. One that awaits an execution is due when that has ended.
pub(super) fn insert(connection: &Connection, execution: i64, job: &Written) -> Result<(), StoreError> {
    let due_at = match &job.awaits {
        Some(awaits) if runs(connection, awaits)? => None,
        Some(_) => Some(AT_ONCE),
        None => Some(job.ask_at),
    };
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO jobs (execution, event_id, execution_arn, state_machine_arn, format, scheduled, begun_at, due_at, awaits)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            execution,
            integer(job.event_id)?,
            job.execution_arn,
            job.state_machine_arn,
            FORMAT,
            job.scheduled,
            job.begun_at,
            due_at,
            job.awaits
        ])?;
    Ok(())
}

fn runs(connection: &Connection, arn: &str) -> Result<bool, StoreError> {
    let found = connection
        .prepare_cached("SELECT 1 FROM executions WHERE arn = ?1 AND status = 'RUNNING'")?
        .query_row([arn], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// The ends of these were told to those who wait for them.
pub(super) fn forget_told(connection: &Connection, execution: i64, event_ids: &[u64]) -> Result<(), StoreError> {
    for event_id in event_ids {
        connection
            .prepare_cached("DELETE FROM jobs WHERE execution = ?1 AND event_id = ?2 AND is_unwanted = 0")?
            .execute(params![execution, integer(*event_id)?])?;
    }
    Ok(())
}

/// Nobody waits for these any more; whether there are such jobs.
pub(super) fn withdraw(connection: &Connection, execution: i64, event_ids: &[u64]) -> Result<bool, StoreError> {
    let mut changed = 0;
    for event_id in event_ids {
        changed += connection
            .prepare_cached(
                "UPDATE jobs SET is_unwanted = 1, due_at = ?3, attempts = 0, awaits = NULL WHERE execution = ?1 AND event_id = ?2",
            )?
            .execute(params![execution, integer(*event_id)?, AT_ONCE])?;
    }
    Ok(changed > 0)
}

/// An execution has ended; whether a job waited for that.
pub(super) fn execution_ended(connection: &Connection, arn: &str) -> Result<bool, StoreError> {
    let changed =
        connection.prepare_cached("UPDATE jobs SET due_at = ?2 WHERE awaits = ?1")?.execute(params![arn, AT_ONCE])?;
    Ok(changed > 0)
}

/// Jobs that can't be read, by their numbers: each is told of once.
pub(super) type Unreadable = Arc<Mutex<HashSet<i64>>>;

/// What can't be read is left as it is, and keeps no other from being found.
fn list(connection: &Connection, limit: usize, told: &Unreadable) -> Result<Vec<Job>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, execution_arn, state_machine_arn, format, scheduled, begun_at, due_at, is_unwanted, attempts FROM jobs
         WHERE due_at NOT NULL ORDER BY due_at",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        match read(row) {
            Ok(job) => found.push(job),
            Err(error) => {
                let number = row.get(0)?;
                if told.lock().unwrap_or_else(PoisonError::into_inner).insert(number) {
                    tracing::error!(number, %error, "a job can't be read: nobody asks after it or stops it; it stays in the store as it is");
                }
            }
        }
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<Job, StoreError> {
    let format: i64 = row.get(3)?;
    if format != FORMAT {
        return Err(StoreError::Damaged(format!(
            "a job has format {format}, and this program reads {FORMAT}: use the newer program that wrote it"
        )));
    }
    let scheduled: ScheduledTask = serde_json::from_str(&row.get::<_, String>(4)?)?;
    Ok(Job {
        number: natural(row.get(0)?)?,
        task: Task { execution_arn: row.get(1)?, state_machine_arn: row.get(2)?, scheduled },
        begun_at: time_of(row.get(5)?)?,
        due_at: time_of(row.get(6)?)?,
        is_unwanted: row.get(7)?,
        attempts: row.get(8)?,
    })
}
