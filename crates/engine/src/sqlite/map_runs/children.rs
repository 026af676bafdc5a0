//! The children of map runs: Standard ones are executions, Express ones are kept by their start and their end.

use execution::{
    MapRunSpecification, Status,
    map_run::{ChildInput, results::Child},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    super::{executions, integer, micros, natural, schema::next_id, state_machines, time_of},
    NOT_REDRIVABLE, PENDING, PENDING_REDRIVE, child_of, count, read_specification, status_text,
};
use crate::ports::{ChildrenBegun, DefinitionHash, ExecutionKind, ExpressChild, NewExecution, Standing, StoreError};

/// Adds children that are still to begin; `next` is the number of the one after them.
pub(super) fn add(connection: &Connection, map_run: i64, next: u64, inputs: &[ChildInput]) -> Result<(), StoreError> {
    let added = u64::try_from(inputs.len()).unwrap_or(u64::MAX);
    let mut insert = connection
        .prepare_cached("INSERT INTO map_run_children (map_run, number, input, items) VALUES (?1, ?2, ?3, ?4)")?;
    let mut items = 0_u64;
    for (number, input) in (next.saturating_sub(added)..).zip(inputs) {
        items = items.saturating_add(input.items);
        insert.execute(params![map_run, integer(number)?, input.text, integer(input.items)?])?;
    }
    count(connection, map_run, PENDING, integer(added)?, integer(items)?)
}

/// Begins children: those that were redriven first. Their names are made of the run and their numbers, so none can be begun twice.
pub(super) fn begin(
    connection: &Connection,
    map_run: i64,
    limit: u64,
    now: Timestamp,
) -> Result<ChildrenBegun, StoreError> {
    let run = Run::read(connection, map_run)?;
    let mut left = integer(limit)?;
    let mut begun = ChildrenBegun { to_redrive: to_redrive(connection, map_run, left)?, ..ChildrenBegun::default() };
    left -= i64::try_from(begun.to_redrive.len()).unwrap_or(i64::MAX);
    for (id, number, attempt, input) in express_to_redrive(connection, map_run, left)? {
        let arn = run.specification.express_child_arn(number, natural(attempt)?);
        connection
            .prepare_cached(
                "UPDATE map_run_express_children SET status = ?2, attempt = ?3, arn = ?4, started_at = ?5, ended = NULL,
                     stopped_at = NULL WHERE id = ?1",
            )?
            .execute(params![id, status_text(Status::Running)?, attempt, arn, micros(now)])?;
        moved(connection, map_run, number, PENDING_REDRIVE, &status_text(Status::Running)?)?;
        begun.express.push(ExpressChild { number: natural(id)?, new: run.express(arn, number, input, now) });
        left -= 1;
    }
    for (number, input) in pending(connection, map_run, 0, left.max(0))? {
        if run.specification.is_express {
            begun.express.push(run.begin_express(connection, number, input, now)?);
        } else {
            begun.to_take_up.push(run.begin_standard(connection, number, input, now)?);
        }
        connection
            .prepare_cached("UPDATE map_run_children SET input = NULL WHERE map_run = ?1 AND number = ?2")?
            .execute(params![map_run, integer(number)?])?;
        moved(connection, map_run, number, PENDING, &status_text(Status::Running)?)?;
    }
    Ok(begun)
}

/// What the children of a run have in common.
struct Run {
    map_run: i64,
    specification: MapRunSpecification,
    definition: DefinitionHash,
}

impl Run {
    fn read(connection: &Connection, map_run: i64) -> Result<Run, StoreError> {
        let definition = connection
            .prepare_cached("SELECT definition FROM map_runs WHERE id = ?1")?
            .query_row([map_run], |row| row.get(0))?;
        Ok(Run { map_run, specification: read_specification(connection, map_run)?, definition })
    }

    fn begin_standard(
        &self,
        connection: &Connection,
        number: u64,
        input: String,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let arn = self.specification.child_arn(&self.specification.child_name(number));
        let new = self.child(arn.clone(), number, input, now);
        let id = executions::insert(connection, &new, &Standing::Working)?
            .ok_or_else(|| StoreError::Damaged(format!("the map run's child `{arn}` was begun before")))?;
        connection
            .prepare_cached("UPDATE executions SET map_run = ?2, map_run_child = ?3 WHERE id = ?1")?
            .execute(params![id, self.map_run, integer(number)?])?;
        Ok(arn)
    }

    fn begin_express(
        &self,
        connection: &Connection,
        number: u64,
        input: String,
        now: Timestamp,
    ) -> Result<ExpressChild, StoreError> {
        let arn = self.specification.express_child_arn(number, 0);
        connection
            .prepare_cached(concat!(
                "INSERT INTO map_run_express_children (id, map_run, number, attempt, arn, input, status, started_at)
                     VALUES (",
                next_id!("map_run_express_children"),
                ", ?1, ?2, 0, ?3, ?4, ?5, ?6)"
            ))?
            .execute(params![self.map_run, integer(number)?, arn, input, status_text(Status::Running)?, micros(now)])?;
        let id = natural(connection.last_insert_rowid())?;
        Ok(ExpressChild { number: id, new: self.express(arn, number, input, now) })
    }

    fn express(&self, arn: String, number: u64, input: String, now: Timestamp) -> NewExecution {
        let new = self.child(arn, number, input, now);
        NewExecution { kind: ExecutionKind::MapRunChild, map_run: Some(child_of(&self.specification)), ..new }
    }

    fn child(&self, arn: String, number: u64, input: String, now: Timestamp) -> NewExecution {
        NewExecution {
            arn,
            name: self.specification.child_name(number),
            state_machine_arn: self.specification.state_machine_arn.clone(),
            kind: ExecutionKind::Standard,
            version_arn: None,
            alias_arn: None,
            revision: None,
            definition: self.definition,
            role_arn: self.specification.role_arn.clone(),
            input,
            finding: None,
            map_run: None,
            started_at: now,
        }
    }
}

/// One child stands otherwise now.
fn moved(connection: &Connection, map_run: i64, number: u64, from: &str, to: &str) -> Result<(), StoreError> {
    let items: i64 = connection
        .prepare_cached("SELECT items FROM map_run_children WHERE map_run = ?1 AND number = ?2")?
        .query_row(params![map_run, integer(number)?], |row| row.get(0))?;
    count(connection, map_run, from, -1, -items)?;
    count(connection, map_run, to, 1, items)
}

/// The inputs of children that never began.
pub(super) fn pending(
    connection: &Connection,
    map_run: i64,
    from: i64,
    limit: i64,
) -> Result<Vec<(u64, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, input FROM map_run_children WHERE map_run = ?1 AND number >= ?2 AND input NOT NULL ORDER BY number LIMIT ?3",
    )?;
    numbered(statement.query(params![map_run, from, limit])?)
}

/// The ARNs of children that run.
pub(super) fn running(connection: &Connection, map_run: i64, limit: i64) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT map_run_child AS number, arn FROM executions WHERE map_run = ?1 AND status = ?2
         UNION ALL SELECT number, arn FROM map_run_express_children WHERE map_run = ?1 AND status = ?2 LIMIT ?3",
    )?;
    let found = numbered(statement.query(params![map_run, status_text(Status::Running)?, limit])?)?;
    Ok(found.into_iter().map(|(_, arn)| arn).collect())
}

/// Children that have ended, by number.
pub(super) fn ended(
    connection: &Connection,
    map_run: i64,
    from: i64,
    limit: i64,
) -> Result<Vec<(u64, Child)>, StoreError> {
    let specification = read_specification(connection, map_run)?;
    let mut statement = connection.prepare_cached(match specification.is_express {
        // As older programs kept Express children.
        true => {
            "SELECT map_run_child AS number, arn, input, ended, started_at, stopped_at, 0 FROM executions
             WHERE map_run = ?1 AND map_run_child >= ?2 AND ended NOT NULL
             UNION ALL SELECT number, arn, input, ended, started_at, stopped_at, 0 FROM map_run_express_children
             WHERE map_run = ?1 AND number >= ?2 AND ended NOT NULL ORDER BY number LIMIT ?3"
        }
        false => {
            "SELECT map_run_child, arn, input, ended, started_at, stopped_at, redrive_count FROM executions
             WHERE map_run = ?1 AND map_run_child >= ?2 AND ended NOT NULL ORDER BY map_run_child LIMIT ?3"
        }
    })?;
    let mut rows = statement.query(params![map_run, from, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number = natural(row.get(0)?)?;
        let child = Child {
            arn: row.get(1)?,
            name: specification.child_name(number),
            input: row.get(2)?,
            redrive_count: natural(row.get(6)?)?,
            ended: serde_json::from_str(&row.get::<_, String>(3)?)?,
            started_at: time_of(row.get(4)?)?,
            stopped_at: time_of(row.get(5)?)?,
        };
        found.push((number, child));
    }
    Ok(found)
}

pub(super) fn numbered(mut rows: rusqlite::Rows<'_>) -> Result<Vec<(u64, String)>, StoreError> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((natural(row.get(0)?)?, row.get(1)?));
    }
    Ok(found)
}

// --- Redrive ---

/// All children of a run that ended badly wait for their redrive.
pub(super) fn await_redrive(connection: &Connection, map_run: i64) -> Result<(), StoreError> {
    let bad = [Status::Failed, Status::TimedOut, Status::Aborted];
    for status in bad {
        let status = status_text(status)?;
        connection
            .prepare_cached(
                "UPDATE map_run_children SET status = ?3 WHERE map_run = ?1 AND status IS NULL AND number IN
                     (SELECT map_run_child FROM executions WHERE map_run = ?1 AND status = ?2)",
            )?
            .execute(params![map_run, status, PENDING_REDRIVE])?;
        connection
            .prepare_cached("UPDATE map_run_express_children SET status = ?3 WHERE map_run = ?1 AND status = ?2")?
            .execute(params![map_run, status, PENDING_REDRIVE])?;
    }
    // What could not be redriven before stays as it ended.
    let mut counted = connection.prepare_cached(
        "SELECT e.status, count(*), coalesce(sum(c.items), 0) FROM map_run_children c
         JOIN executions e ON e.map_run = c.map_run AND e.map_run_child = c.number
         WHERE c.map_run = ?1 AND c.status = ?2 GROUP BY e.status",
    )?;
    let mut rows = counted.query(params![map_run, NOT_REDRIVABLE])?;
    let mut stay = Vec::new();
    while let Some(row) = rows.next()? {
        stay.push((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    }
    for status in bad {
        let status = status_text(status)?;
        let (executions, items) = counted_as(connection, map_run, &status)?;
        let (stay_executions, stay_items) =
            stay.iter().find(|(its, ..)| *its == status).map_or((0, 0), |(_, executions, items)| (*executions, *items));
        let (executions, items) = (executions - stay_executions, items - stay_items);
        count(connection, map_run, &status, -executions, -items)?;
        count(connection, map_run, PENDING_REDRIVE, executions, items)?;
    }
    Ok(())
}

fn counted_as(connection: &Connection, map_run: i64, status: &str) -> Result<(i64, i64), StoreError> {
    let found = connection
        .prepare_cached("SELECT executions, items FROM map_run_counts WHERE map_run = ?1 AND status = ?2")?
        .query_row(params![map_run, status], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or((0, 0)))
}

/// The ARNs of Standard children that wait for their redrive.
fn to_redrive(connection: &Connection, map_run: i64, limit: i64) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT c.number, e.arn FROM map_run_children c JOIN executions e ON e.map_run = c.map_run AND e.map_run_child = c.number
         WHERE c.map_run = ?1 AND c.status = 'PENDING_REDRIVE' ORDER BY c.number LIMIT ?2",
    )?;
    let found = numbered(statement.query(params![map_run, limit])?)?;
    Ok(found.into_iter().map(|(_, arn)| arn).collect())
}

/// The same of Express children: row, number, the attempt that comes, input.
fn express_to_redrive(
    connection: &Connection,
    map_run: i64,
    limit: i64,
) -> Result<Vec<(i64, u64, i64, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, number, attempt + 1, input FROM map_run_express_children WHERE map_run = ?1 AND status = ?2
         ORDER BY number LIMIT ?3",
    )?;
    let mut rows = statement.query(params![map_run, PENDING_REDRIVE, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, natural(row.get(1)?)?, row.get(2)?, row.get(3)?));
    }
    Ok(found)
}

/// The run and the number of an execution that is a child and waits for its redrive.
fn waiting_for_redrive(connection: &Connection, execution: i64) -> Result<Option<(i64, u64)>, StoreError> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT c.map_run, c.number FROM executions e
             JOIN map_run_children c ON c.map_run = e.map_run AND c.number = e.map_run_child
             WHERE e.id = ?1 AND c.status = ?2",
        )?
        .query_row(params![execution, PENDING_REDRIVE], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.map(|(map_run, number)| Ok((map_run, natural(number)?))).transpose()
}

fn set_status(connection: &Connection, map_run: i64, number: u64, status: Option<&str>) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE map_run_children SET status = ?3 WHERE map_run = ?1 AND number = ?2")?
        .execute(params![map_run, integer(number)?, status])?;
    Ok(())
}

pub(super) fn count_redrive(connection: &Connection, execution: i64) -> Result<(), StoreError> {
    let Some((map_run, number)) = waiting_for_redrive(connection, execution)? else { return Ok(()) };
    set_status(connection, map_run, number, None)?;
    moved(connection, map_run, number, PENDING_REDRIVE, &status_text(Status::Running)?)
}

pub(super) fn is_not_redrivable(connection: &Connection, arn: &str) -> Result<(), StoreError> {
    let found: Option<(i64, String)> = connection
        .prepare_cached("SELECT id, status FROM executions WHERE arn = ?1")?
        .query_row([arn], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((execution, status)) = found else { return Ok(()) };
    let Some((map_run, number)) = waiting_for_redrive(connection, execution)? else { return Ok(()) };
    set_status(connection, map_run, number, Some(NOT_REDRIVABLE))?;
    moved(connection, map_run, number, PENDING_REDRIVE, &status)?;
    let items: i64 = connection
        .prepare_cached("SELECT items FROM map_run_children WHERE map_run = ?1 AND number = ?2")?
        .query_row(params![map_run, integer(number)?], |row| row.get(0))?;
    count(connection, map_run, NOT_REDRIVABLE, 1, items)
}

// --- Express ---

/// Those that run, each with its definition's text.
pub(super) fn express(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(ExpressChild, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, map_run, number, arn, input, started_at FROM map_run_express_children
         WHERE status = 'RUNNING' AND id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let read = |row: &Row<'_>| -> rusqlite::Result<(i64, i64, i64, String, String, i64)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    };
    let rows = statement.query_map(params![integer(after)?, super::at_most(limit)], read)?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut found = Vec::new();
    for (id, map_run, number, arn, input, started_at) in rows {
        let run = Run::read(connection, map_run)?;
        let new = run.express(arn, natural(number)?, input, time_of(started_at)?);
        let definition = state_machines::definition(connection, &run.definition)?;
        found.push((ExpressChild { number: natural(id)?, new }, definition));
    }
    Ok(found)
}

pub(super) fn end_express(
    connection: &Connection,
    id: i64,
    status: Status,
    ended: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (status, running) = (status_text(status)?, status_text(Status::Running)?);
    let found: Option<(i64, i64)> = connection
        .prepare_cached(
            "UPDATE map_run_express_children SET status = ?2, ended = ?3, stopped_at = ?4 WHERE id = ?1 AND status = ?5
             RETURNING map_run, number",
        )?
        .query_row(params![id, status, ended, micros(at), running], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // Told twice, it is counted once.
    let Some((map_run, number)) = found else { return Ok(()) };
    moved(connection, map_run, natural(number)?, &running, &status)
}
