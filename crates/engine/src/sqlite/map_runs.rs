//! Map runs: their rows, their children's inputs, and the counts of how the children stand.

mod children;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use execution::{
    Ended, MapRunFailure, MapRunSpecification, Status,
    map_run::{
        ChildInput, Count, Counts, ItemSource, MapRunLimits, MapRunRedrive, MapRunStatus, Phase, Standing,
        results::Child,
    },
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    SqliteStore, at_most,
    executions::{self, id_of, status_text},
    integer, micros, natural,
    schema::{FORMAT, check_format, next_id},
    state_machines, time_of,
};
use crate::{
    engine::ExecutionRecord,
    ports::{
        ChildrenBegun, DefinitionHash, ExecutionFilter, ExpressChild, ItemsOfRun, MapRunChild, MapRunEnd, MapRunRecord,
        MapRunStore, ReaderCursor, StoreError,
    },
};

const SELECT: &str =
    "SELECT id, format, specification, phase, status, is_stopped, limits, failure, result, executions_written,
     items_written, is_told, stopped_at, redrive_count, redriven_at FROM map_runs";

/// The count of children that are still to begin.
const PENDING: &str = "PENDING";
/// The status and the count of children that ended badly and are to go on.
const PENDING_REDRIVE: &str = "PENDING_REDRIVE";
/// The status and the count of children that ended badly and can't go on; they are counted by how they ended as well.
const NOT_REDRIVABLE: &str = "NOT_REDRIVABLE";

/// A new run, serialized outside the writer's thread.
pub(super) struct Written {
    arn: String,
    specification: String,
    items: String,
    limits: String,
}

impl Written {
    pub(super) fn new(specification: &MapRunSpecification) -> Result<Written, StoreError> {
        // The items and what is beside them may be long, and only the reading needs them.
        let small = MapRunSpecification { source: ItemSource::default(), surroundings: None, ..specification.clone() };
        Ok(Written {
            arn: specification.arn.clone(),
            specification: serde_json::to_string(&small)?,
            items: serde_json::to_string(&(&specification.source, &specification.surroundings))?,
            limits: serde_json::to_string(&specification.limits)?,
        })
    }
}

/// In the write that begins it.
pub(super) fn insert(connection: &Connection, execution: i64, run: &Written) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            concat!(
                "INSERT INTO map_runs (id, arn, execution, definition, format, specification, phase, status, is_stopped, limits,
                     executions_written, items_written, is_told, items)
                 SELECT ",
                next_id!("map_runs"),
                ", ?1, id, definition, ?3, ?4, ?5, ?6, 0, ?7, 0, 0, 0, ?8 FROM executions WHERE id = ?2"
            ),
        )?
        .execute(params![
            run.arn,
            execution,
            FORMAT,
            run.specification,
            text_of(&Phase::Reading)?,
            text_of(&MapRunStatus::Running)?,
            run.limits,
            run.items
        ])?;
    Ok(())
}

/// In the write that gives it up: it does not go on either, should it have been redriven while it was still ending.
pub(super) fn stop(connection: &Connection, arn: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE map_runs SET is_stopped = 1, is_redriven = 0 WHERE arn = ?1 AND phase != ?2")?
        .execute(params![arn, text_of(&Phase::Ended)?])?;
    Ok(())
}

/// In the write that redrives the execution that waited for it: it goes on at once, or as soon as it has ended.
pub(super) fn redrive(connection: &Connection, redrive: &MapRunRedrive) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE map_runs SET is_redriven = 1, redrive_count = ?2, redriven_at = ?3,
                 specification = json_set(specification, '$.event_id', ?4) WHERE arn = ?1",
        )?
        .execute(params![redrive.arn, integer(redrive.count)?, micros(redrive.at), integer(redrive.event_id)?])?;
    match number_of(connection, &redrive.arn)? {
        Some(map_run) => go_on(connection, map_run),
        None => Err(StoreError::Damaged(format!("the map run `{}` is missing from the store", redrive.arn))),
    }
}

/// A run that has ended and was redriven begins anew, with what had not succeeded of it.
fn go_on(connection: &Connection, map_run: i64) -> Result<(), StoreError> {
    let gone_on = connection
        .prepare_cached(
            "UPDATE map_runs SET phase = CASE WHEN items IS NULL THEN ?2 ELSE ?3 END, status = ?4, is_stopped = 0, failure = NULL,
                 result = NULL, executions_written = 0, items_written = 0, is_told = 0, stopped_at = NULL, is_redriven = 0
             WHERE id = ?1 AND is_redriven = 1 AND phase = ?5",
        )?
        .execute(params![
            map_run,
            text_of(&Phase::Running)?,
            text_of(&Phase::Reading)?,
            text_of(&MapRunStatus::Running)?,
            text_of(&Phase::Ended)?
        ])?;
    if gone_on == 1 { children::await_redrive(connection, map_run) } else { Ok(()) }
}

/// In the write that redrives an execution: counts it, where it is a child.
pub(super) fn count_redrive(connection: &Connection, execution: i64) -> Result<(), StoreError> {
    children::count_redrive(connection, execution)
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
    Ok(child_of(&read_specification(connection, map_run)?))
}

fn child_of(specification: &MapRunSpecification) -> MapRunChild {
    MapRunChild {
        arn: specification.arn.clone(),
        state_name: specification.state_name.clone(),
        is_express: specification.is_express,
    }
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
                children::numbered(statement.query(params![integer(after)?, at_most(limit)])?)
            })
            .await
    }

    async fn items_of_run(&self, number: u64) -> Result<Option<ItemsOfRun>, StoreError> {
        self.readers
            .read(move |connection| {
                let (items, cursor): (Option<String>, Option<String>) = connection
                    .prepare_cached("SELECT items, cursor FROM map_runs WHERE id = ?1")?
                    .query_row([integer(number)?], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let Some(items) = items else { return Ok(None) };
                let (source, surroundings) = serde_json::from_str(&items)?;
                let cursor = cursor.map(|cursor| serde_json::from_str(&cursor)).transpose()?.unwrap_or_default();
                Ok(Some(ItemsOfRun { source, surroundings, cursor }))
            })
            .await
    }

    async fn add_children(
        &self,
        number: u64,
        inputs: Vec<ChildInput>,
        cursor: ReaderCursor,
        is_complete: bool,
    ) -> Result<(), StoreError> {
        let written = serde_json::to_string(&cursor)?;
        self.writer
            .write(move |connection| {
                let id = integer(number)?;
                children::add(connection, id, cursor.children, &inputs)?;
                let sets = match is_complete {
                    true => "phase = ?3, items = NULL, cursor = NULL",
                    false => "phase = phase, cursor = ?3",
                };
                let value = if is_complete { text_of(&Phase::Running)? } else { written.clone() };
                let changed = connection
                    .prepare_cached(&format!("UPDATE map_runs SET {sets} WHERE id = ?1 AND phase = ?2"))?
                    .execute(params![id, text_of(&Phase::Reading)?, value])?;
                match changed {
                    1 => Ok(()),
                    _ => Err(StoreError::Damaged(format!("children were added to the map run {id}, which reads none"))),
                }
            })
            .await
    }

    async fn begin_children(&self, number: u64, limit: u64, now: Timestamp) -> Result<ChildrenBegun, StoreError> {
        self.writer.write(move |connection| children::begin(connection, integer(number)?, limit, now)).await
    }

    async fn child_is_not_redrivable(&self, arn: &str) -> Result<(), StoreError> {
        let arn = arn.to_owned();
        self.writer.write(move |connection| children::is_not_redrivable(connection, &arn)).await
    }

    async fn express_children(&self, after: u64, limit: usize) -> Result<Vec<(ExpressChild, String)>, StoreError> {
        self.readers.read(move |connection| children::express(connection, after, limit)).await
    }

    async fn end_express_child(&self, number: u64, ended: Ended, at: Timestamp) -> Result<(), StoreError> {
        let text = serde_json::to_string(&ended)?;
        self.writer
            .write(move |connection| children::end_express(connection, integer(number)?, ended.status, &text, at))
            .await
    }

    async fn running_children(&self, number: u64, limit: usize) -> Result<Vec<String>, StoreError> {
        self.readers.read(move |connection| children::running(connection, integer(number)?, at_most(limit))).await
    }

    async fn ended_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, Child)>, StoreError> {
        self.readers
            .read(move |connection| children::ended(connection, integer(number)?, integer(from)?, at_most(limit)))
            .await
    }

    async fn pending_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.readers
            .read(move |connection| children::pending(connection, integer(number)?, integer(from)?, at_most(limit)))
            .await
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
                go_on(connection, integer(number)?)
            })
            .await
    }

    async fn map_run_is_told(&self, number: u64) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE map_runs SET is_told = 1 WHERE id = ?1 AND phase = 'ENDED'")?
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
        filter: ExecutionFilter,
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
                let status = filter.status.map(status_text).transpose()?;
                let mut statement = connection.prepare_cached(&format!(
                    "{} WHERE map_run = ?1 AND id < ?2 AND (?3 IS NULL OR status = ?3) AND (?5 IS NULL OR (redrive_count > 0) = ?5)
                         AND (NOT ?6 OR map_run_child IN (SELECT number FROM map_run_children w WHERE w.map_run = ?1 AND w.status = ?7))
                     ORDER BY id DESC LIMIT ?4",
                    executions::SELECT
                ))?;
                let mut rows = statement.query(params![
                    map_run,
                    below,
                    status,
                    at_most(limit),
                    filter.is_redriven,
                    filter.is_pending_redrive,
                    PENDING_REDRIVE
                ])?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(executions::read(row)?);
                }
                Ok(Some(found))
            })
            .await
    }
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
        redrive_count: natural(row.get(13)?)?,
        redriven_at: row.get::<_, Option<i64>>(14)?.map(time_of).transpose()?,
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
            PENDING_REDRIVE => counts.pending_redrive = count,
            NOT_REDRIVABLE => counts.failures_not_redrivable = count,
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
