//! Events, and bodies that were none.

use detection::Event;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    at_most, micros,
    schema::{FORMAT, check_format},
    time_of,
};
use crate::ports::{StoreError, UnreadableEvent};

/// What is kept of a body that could not be read, in bytes.
const BODY_LIMIT: usize = 1 << 20;
/// How many such bodies are kept; beyond it, the oldest goes.
const UNREADABLE_LIMIT: i64 = 100_000;

/// Keeps an event; `false` if one of its identity is there already.
pub(super) fn insert(connection: &Connection, event: &Event, now: Timestamp) -> Result<bool, StoreError> {
    let inserted = connection
        .prepare_cached("INSERT OR IGNORE INTO events (identity, format, received_at, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![event.identity(), FORMAT, micros(now), serde_json::to_string(event)?])?;
    Ok(inserted == 1)
}

pub(super) fn find(connection: &Connection, identity: &str) -> Result<Option<Event>, StoreError> {
    let found: Option<(i64, String)> = connection
        .prepare_cached("SELECT format, body FROM events WHERE identity = ?1")?
        .query_row([identity], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((format, body)) = found else { return Ok(None) };
    check_format("an event", format)?;
    Ok(Some(serde_json::from_str(&body)?))
}

/// Keeps a body that could not be read. The same id again (a redelivery after a crash) changes nothing.
pub(super) fn keep_unreadable(connection: &Connection, event: &UnreadableEvent) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO unreadable_events (name, origin, body, reason, received_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![event.id, event.origin, cut(&event.body), event.reason, micros(event.received_at)])?;
    let kept: i64 =
        connection.prepare_cached("SELECT count(*) FROM unreadable_events")?.query_row([], |row| row.get(0))?;
    if kept > UNREADABLE_LIMIT {
        let dropped = connection
            .prepare_cached(
                "DELETE FROM unreadable_events WHERE id IN (SELECT id FROM unreadable_events ORDER BY id LIMIT ?1)",
            )?
            .execute([kept - UNREADABLE_LIMIT])?;
        tracing::warn!(dropped, limit = UNREADABLE_LIMIT, "too many unreadable events: the oldest are forgotten");
    }
    Ok(())
}

/// A body within the limit, cut between two characters, with a note that it was.
fn cut(body: &str) -> String {
    if body.len() <= BODY_LIMIT {
        return body.to_owned();
    }
    let end = (0..=BODY_LIMIT).rev().find(|end| body.is_char_boundary(*end)).unwrap_or(0);
    format!("{}\n[cut: {end} of {} bytes are kept]", body.get(..end).unwrap_or_default(), body.len())
}

pub(super) fn unreadable(
    connection: &Connection,
    limit: usize,
    body_characters: usize,
) -> Result<Vec<UnreadableEvent>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, origin, substr(body, 1, ?2), reason, received_at FROM unreadable_events ORDER BY id DESC LIMIT ?1",
    )?;
    let mut rows = statement.query([at_most(limit), at_most(body_characters)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_row(row)?);
    }
    Ok(found)
}

pub(super) fn unreadable_event(connection: &Connection, id: &str) -> Result<Option<UnreadableEvent>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT name, origin, body, reason, received_at FROM unreadable_events WHERE name = ?1")?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(from_row).transpose()
}

fn from_row(row: &Row<'_>) -> Result<UnreadableEvent, StoreError> {
    Ok(UnreadableEvent {
        id: row.get(0)?,
        origin: row.get(1)?,
        body: row.get(2)?,
        reason: row.get(3)?,
        received_at: time_of(row.get(4)?)?,
    })
}

pub(super) fn forget_unreadable(connection: &Connection, id: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM unreadable_events WHERE name = ?1")?.execute([id])?;
    Ok(())
}
