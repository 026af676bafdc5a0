//! Map runs: their rows, their children's inputs, and the counts of how the children stand.

use async_trait::async_trait;
use execution::{
    MapRunFailure, MapRunSpecification, Status,
    map_run::{ChildInput, Count, Counts, MapRunLimits, MapRunStatus, Phase, Standing, results::Child},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    SqliteStore, at_most,
    executions::{self, id_of, status_text},
    integer, micros, natural,
    schema::{FORMAT, check_format},
    state_machines, time_of,
};
use crate::{
    engine::ExecutionRecord,
    ports::{
        DefinitionHash, ExecutionKind, MapRunChild, MapRunEnd, MapRunRecord, MapRunStore, NewExecution,
        Standing as ExecutionStanding, StoreError,
    },
};

const SELECT: &str =
    "SELECT id, format, specification, phase, status, is_stopped, limits, failure, result, executions_written,
     items_written, is_told, stopped_at FROM map_runs";

/// The count of children that are still to begin.
const PENDING: &str = "PENDING";

/// A new run, serialized outside the writer's thread.
pub(super) struct Written {
    arn: String,
    specification: String,
    limits: String,
}

impl Written {
    pub(super) fn new(specification: &MapRunSpecification) -> Result<Written, StoreError> {
        Ok(Written {
            arn: specification.arn.clone(),
            specification: serde_json::to_string(specification)?,
            limits: serde_json::to_string(&specification.limits)?,
        })
    }
}

/// In the write that begins it.
pub(super) fn insert(connection: &Connection, execution: i64, run: &Written) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO map_runs (arn, execution, definition, format, specification, phase, status, is_stopped, limits,
                 executions_written, items_written, is_told)
             SELECT ?1, id, definition, ?3, ?4, ?5, ?6, 0, ?7, 0, 0, 0 FROM executions WHERE id = ?2",
        )?
        .execute(params![
            run.arn,
            execution,
            FORMAT,
            run.specification,
            text_of(&Phase::Reading)?,
            text_of(&MapRunStatus::Running)?,
            run.limits
        ])?;
    Ok(())
}

/// In the write that gives it up.
pub(super) fn stop(connection: &Connection, arn: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE map_runs SET is_stopped = 1 WHERE arn = ?1 AND phase != ?2")?
        .execute(params![arn, text_of(&Phase::Ended)?])?;
    Ok(())
}

/// In the write that ends an execution: counts it, where it is a child.
pub(super) fn count_end(connection: &Connection, execution: i64, status: &str) -> Result<(), StoreError> {
    let child: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT c.map_run, c.items FROM executions e
             JOIN map_run_children c ON c.map_run = e.map_run AND c.number = e.map_run_child WHERE e.id = ?1",
        )?
        .query_row([execution], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((map_run, items)) = child else { return Ok(()) };
    count(connection, map_run, &status_text(Status::Running)?, -1, -items)?;
    count(connection, map_run, status, 1, items)
}

fn count(connection: &Connection, map_run: i64, status: &str, executions: i64, items: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO map_run_counts (map_run, status, executions, items) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET executions = executions + ?3, items = items + ?4",
        )?
        .execute(params![map_run, status, executions, items])?;
    Ok(())
}

/// Of which run a child is, by the run's number.
pub(super) fn parent(connection: &Connection, map_run: i64) -> Result<MapRunChild, StoreError> {
    let specification = read_specification(connection, map_run)?;
    Ok(MapRunChild {
        arn: specification.arn,
        state_name: specification.state_name,
        is_express: specification.is_express,
    })
}

fn read_specification(connection: &Connection, map_run: i64) -> Result<MapRunSpecification, StoreError> {
    let found: Option<(i64, String)> = connection
        .prepare_cached("SELECT format, specification FROM map_runs WHERE id = ?1")?
        .query_row([map_run], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (format, text) =
        found.ok_or_else(|| StoreError::Damaged("an execution's map run is missing from the store".to_owned()))?;
    check_format("a map run", format)?;
    Ok(serde_json::from_str(&text)?)
}

#[async_trait]
impl MapRunStore for SqliteStore {
    async fn map_run(&self, arn: &str) -> Result<Option<MapRunRecord>, StoreError> {
        let arn = arn.to_owned();
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
                let mut rows = statement.query([arn])?;
                rows.next()?.map(|row| read(connection, row)).transpose()
            })
            .await
    }

    async fn map_run_definition(&self, number: u64) -> Result<(DefinitionHash, String), StoreError> {
        self.readers
            .read(move |connection| {
                let hash: DefinitionHash = connection
                    .prepare_cached("SELECT definition FROM map_runs WHERE id = ?1")?
                    .query_row([integer(number)?], |row| row.get(0))?;
                Ok((hash, state_machines::definition(connection, &hash)?))
            })
            .await
    }

    async fn map_runs(
        &self,
        execution_arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<MapRunRecord>, StoreError> {
        let (execution_arn, after) = (execution_arn.to_owned(), after.map(str::to_owned));
        self.readers
            .read(move |connection| {
                let below = match after {
                    Some(after) => number_of(connection, &after)?.unwrap_or(0),
                    None => i64::MAX,
                };
                let mut statement = connection.prepare_cached(&format!(
                    "{SELECT} WHERE execution = (SELECT id FROM executions WHERE arn = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3"
                ))?;
                let mut rows = statement.query(params![execution_arn, below, at_most(limit)])?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(read(connection, row)?);
                }
                Ok(found)
            })
            .await
    }

    async fn map_runs_with_work(&self, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, arn FROM map_runs WHERE is_told = 0 AND id > ?1 ORDER BY id LIMIT ?2",
                )?;
                numbered(statement.query(params![integer(after)?, at_most(limit)])?)
            })
            .await
    }

    async fn forget_children(&self, number: u64) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| {
                let id = integer(number)?;
                connection.prepare_cached("DELETE FROM map_run_children WHERE map_run = ?1")?.execute([id])?;
                connection.prepare_cached("DELETE FROM map_run_counts WHERE map_run = ?1")?.execute([id])?;
                Ok(())
            })
            .await
    }

    async fn add_children(&self, number: u64, first: u64, inputs: Vec<ChildInput>) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| {
                let id = integer(number)?;
                let mut insert = connection.prepare_cached(
                    "INSERT INTO map_run_children (map_run, number, input, items) VALUES (?1, ?2, ?3, ?4)",
                )?;
                let mut items = 0_u64;
                for (child, input) in (first..).zip(&inputs) {
                    items = items.saturating_add(input.items);
                    insert.execute(params![id, integer(child)?, input.text, integer(input.items)?])?;
                }
                count(connection, id, PENDING, i64::try_from(inputs.len()).unwrap_or(i64::MAX), integer(items)?)
            })
            .await
    }

    async fn children_are_complete(&self, number: u64, specification: MapRunSpecification) -> Result<(), StoreError> {
        let text = serde_json::to_string(&specification)?;
        self.writer
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE map_runs SET phase = ?2, specification = ?3 WHERE id = ?1 AND phase = ?4")?
                    .execute(params![integer(number)?, text_of(&Phase::Running)?, text, text_of(&Phase::Reading)?])?;
                Ok(())
            })
            .await
    }

    async fn begin_children(&self, number: u64, limit: u64, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.writer.write(move |connection| begin(connection, integer(number)?, limit, now)).await
    }

    async fn running_children(&self, number: u64, limit: usize) -> Result<Vec<String>, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, arn FROM executions WHERE map_run = ?1 AND status = ?2 ORDER BY map_run_child LIMIT ?3",
                )?;
                let running = status_text(Status::Running)?;
                let found = numbered(statement.query(params![integer(number)?, running, at_most(limit)])?)?;
                Ok(found.into_iter().map(|(_, arn)| arn).collect())
            })
            .await
    }

    async fn ended_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, Child)>, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT map_run_child, arn, name, input, ended, started_at, stopped_at FROM executions
                     WHERE map_run = ?1 AND map_run_child >= ?2 AND ended NOT NULL ORDER BY map_run_child LIMIT ?3",
                )?;
                let mut rows = statement.query(params![integer(number)?, integer(from)?, at_most(limit)])?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    let child = Child {
                        arn: row.get(1)?,
                        name: row.get(2)?,
                        input: row.get(3)?,
                        ended: serde_json::from_str(&row.get::<_, String>(4)?)?,
                        started_at: time_of(row.get(5)?)?,
                        stopped_at: time_of(row.get(6)?)?,
                    };
                    found.push((natural(row.get(0)?)?, child));
                }
                Ok(found)
            })
            .await
    }

    async fn pending_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.readers.read(move |connection| pending(connection, integer(number)?, integer(from)?, at_most(limit))).await
    }

    async fn fail_map_run(&self, number: u64, failure: MapRunFailure) -> Result<(), StoreError> {
        let failure = serde_json::to_string(&failure)?;
        self.writer
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE map_runs SET failure = ?2 WHERE id = ?1 AND phase != ?3")?
                    .execute(params![integer(number)?, failure, text_of(&Phase::Ended)?])?;
                Ok(())
            })
            .await
    }

    async fn end_map_run(&self, number: u64, end: MapRunEnd) -> Result<(), StoreError> {
        let failure = end.failure.as_ref().map(serde_json::to_string).transpose()?;
        let result = end.result.as_ref().map(serde_json::to_string).transpose()?;
        self.writer
            .write(move |connection| {
                connection
                    .prepare_cached(
                        "UPDATE map_runs SET phase = ?2, status = ?3, failure = ?4, result = ?5, executions_written = ?6,
                             items_written = ?7, stopped_at = ?8 WHERE id = ?1",
                    )?
                    .execute(params![
                        integer(number)?,
                        text_of(&Phase::Ended)?,
                        text_of(&end.status)?,
                        failure,
                        result,
                        integer(end.results_written.executions)?,
                        integer(end.results_written.items)?,
                        micros(end.at)
                    ])?;
                Ok(())
            })
            .await
    }

    async fn map_run_is_told(&self, number: u64) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE map_runs SET is_told = 1 WHERE id = ?1")?
                    .execute([integer(number)?])?;
                Ok(())
            })
            .await
    }

    async fn update_map_run(&self, arn: &str, limits: MapRunLimits) -> Result<bool, StoreError> {
        let (arn, limits) = (arn.to_owned(), serde_json::to_string(&limits)?);
        self.writer
            .write(move |connection| {
                let changed = connection
                    .prepare_cached("UPDATE map_runs SET limits = ?2 WHERE arn = ?1 AND phase != ?3")?
                    .execute(params![arn, limits, text_of(&Phase::Ended)?])?;
                Ok(changed == 1)
            })
            .await
    }

    async fn executions_of_map_run(
        &self,
        arn: &str,
        status: Option<Status>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<ExecutionRecord>>, StoreError> {
        let (arn, after) = (arn.to_owned(), after.map(str::to_owned));
        self.readers
            .read(move |connection| {
                let Some(map_run) = number_of(connection, &arn)? else { return Ok(None) };
                let below = match after {
                    Some(after) => id_of(connection, &after)?.unwrap_or(0),
                    None => i64::MAX,
                };
                let status = status.map(status_text).transpose()?;
                let mut statement = connection.prepare_cached(&format!(
                    "{} WHERE map_run = ?1 AND id < ?2 AND (?3 IS NULL OR status = ?3) ORDER BY id DESC LIMIT ?4",
                    executions::SELECT
                ))?;
                let mut rows = statement.query(params![map_run, below, status, at_most(limit)])?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(executions::read(row)?);
                }
                Ok(Some(found))
            })
            .await
    }
}

/// Children become executions. Their names are made of the run and their numbers, so none can be begun twice.
fn begin(connection: &Connection, map_run: i64, limit: u64, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let specification = read_specification(connection, map_run)?;
    let definition: DefinitionHash = connection
        .prepare_cached("SELECT definition FROM map_runs WHERE id = ?1")?
        .query_row([map_run], |row| row.get(0))?;
    let running = status_text(Status::Running)?;
    let mut begun = Vec::new();
    for (number, input) in pending(connection, map_run, 0, integer(limit)?)? {
        let name = specification.child_name(number);
        let arn = specification.child_arn(&name);
        let new = NewExecution {
            arn: arn.clone(),
            name,
            state_machine_arn: specification.state_machine_arn.clone(),
            kind: ExecutionKind::Standard,
            version_arn: None,
            alias_arn: None,
            revision: None,
            definition,
            role_arn: specification.role_arn.clone(),
            input,
            finding: None,
            map_run: None,
            started_at: now,
        };
        let id = executions::insert(connection, &new, &ExecutionStanding::Working)?
            .ok_or_else(|| StoreError::Damaged(format!("the map run's child `{arn}` was begun before")))?;
        let number = integer(number)?;
        connection
            .prepare_cached("UPDATE executions SET map_run = ?2, map_run_child = ?3 WHERE id = ?1")?
            .execute(params![id, map_run, number])?;
        let items: i64 = connection
            .prepare_cached(
                "UPDATE map_run_children SET input = NULL WHERE map_run = ?1 AND number = ?2 RETURNING items",
            )?
            .query_row(params![map_run, number], |row| row.get(0))?;
        count(connection, map_run, PENDING, -1, -items)?;
        count(connection, map_run, &running, 1, items)?;
        begun.push(arn);
    }
    Ok(begun)
}

fn pending(connection: &Connection, map_run: i64, from: i64, limit: i64) -> Result<Vec<(u64, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, input FROM map_run_children WHERE map_run = ?1 AND number >= ?2 AND input NOT NULL ORDER BY number LIMIT ?3",
    )?;
    numbered(statement.query(params![map_run, from, limit])?)
}

fn numbered(mut rows: rusqlite::Rows<'_>) -> Result<Vec<(u64, String)>, StoreError> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((natural(row.get(0)?)?, row.get(1)?));
    }
    Ok(found)
}

fn number_of(connection: &Connection, arn: &str) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT id FROM map_runs WHERE arn = ?1")?
        .query_row([arn], |row| row.get(0))
        .optional()?)
}

fn read(connection: &Connection, row: &Row<'_>) -> Result<MapRunRecord, StoreError> {
    let (id, format): (i64, i64) = (row.get(0)?, row.get(1)?);
    check_format("a map run", format)?;
    let optional = |column: usize| row.get::<_, Option<String>>(column);
    Ok(MapRunRecord {
        number: natural(id)?,
        specification: serde_json::from_str(&row.get::<_, String>(2)?)?,
        standing: Standing {
            phase: of_text(row.get(3)?)?,
            limits: serde_json::from_str(&row.get::<_, String>(6)?)?,
            is_stopped: row.get(5)?,
            failure: optional(7)?.map(|failure| serde_json::from_str(&failure)).transpose()?,
            counts: counts(connection, id)?,
        },
        status: of_text(row.get(4)?)?,
        result: optional(8)?.map(|result| serde_json::from_str(&result)).transpose()?,
        results_written: Count { executions: natural(row.get(9)?)?, items: natural(row.get(10)?)? },
        is_told: row.get(11)?,
        stopped_at: row.get::<_, Option<i64>>(12)?.map(time_of).transpose()?,
    })
}

fn counts(connection: &Connection, map_run: i64) -> Result<Counts, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT status, executions, items FROM map_run_counts WHERE map_run = ?1")?;
    let mut rows = statement.query([map_run])?;
    let mut counts = Counts::default();
    while let Some(row) = rows.next()? {
        let status: String = row.get(0)?;
        let count = Count { executions: natural(row.get(1)?)?, items: natural(row.get(2)?)? };
        match status.as_str() {
            PENDING => counts.pending = count,
            _ => *counts.of(of_text(status)?) = count,
        }
    }
    Ok(counts)
}

/// An enumeration's value as text.
fn text_of(value: &impl Serialize) -> Result<String, StoreError> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(text) => Ok(text),
        other => Err(StoreError::Damaged(format!("`{other}` is no text"))),
    }
}

fn of_text<T: DeserializeOwned>(text: String) -> Result<T, StoreError> {
    Ok(serde_json::from_value(serde_json::Value::String(text))?)
}
