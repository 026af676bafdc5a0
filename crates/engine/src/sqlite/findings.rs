//! Findings, and the port that they, events and exceptions go through.

use std::time::Duration;

use async_trait::async_trait;
use detection::{
    Decision, Event, Finding, FindingInput, Settings, Stage,
    decide::{Exception, Facts},
    finding::Occurrence,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::Value;

use super::{
    SqliteStore, at_most, events, exceptions, integer, micros, natural,
    schema::{FORMAT, check_format},
};
use crate::{
    Figures,
    ports::{ApplyError, CallKey, FindingFilter, FindingStore, StoreError, UnreadableEvent},
};

/// For how long fixes are counted, in minutes.
pub(super) const MINUTES_COUNTED: i64 = 60;

#[async_trait]
impl FindingStore for SqliteStore {
    async fn finding(&self, id: &str) -> Result<Option<Finding>, StoreError> {
        let id = id.to_owned();
        self.readers.read(move |connection| find(connection, &id)).await
    }

    async fn findings(
        &self,
        filter: &FindingFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Finding>, StoreError> {
        let (filter, after) = (filter.clone(), after.map(str::to_owned));
        self.readers.read(move |connection| list(connection, &filter, after.as_deref(), limit)).await
    }

    async fn apply(
        &self,
        finding_id: &str,
        key: &CallKey,
        input: &FindingInput,
        settings: &Settings,
    ) -> Result<Value, ApplyError> {
        let call = Call {
            finding_id: finding_id.to_owned(),
            key: key.clone(),
            input: input.clone(),
            settings: settings.clone(),
            now: self.clock.now(),
        };
        let (answer, changed) = self.writer.write(move |connection| call.apply(connection)).await?;
        changed.count(&self.figures);
        Ok(answer)
    }

    async fn event(&self, identity: &str) -> Result<Option<Event>, StoreError> {
        let identity = identity.to_owned();
        self.readers.read(move |connection| events::find(connection, &identity)).await
    }

    async fn keep_unreadable(&self, event: UnreadableEvent) -> Result<(), StoreError> {
        self.writer.write(move |connection| events::keep_unreadable(connection, &event)).await
    }

    async fn unreadable(&self, limit: usize, body_characters: usize) -> Result<Vec<UnreadableEvent>, StoreError> {
        self.readers.read(move |connection| events::unreadable(connection, limit, body_characters)).await
    }

    async fn unreadable_event(&self, id: &str) -> Result<Option<UnreadableEvent>, StoreError> {
        let id = id.to_owned();
        self.readers.read(move |connection| events::unreadable_event(connection, &id)).await
    }

    async fn forget_unreadable(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.writer.write(move |connection| events::forget_unreadable(connection, &id)).await
    }

    async fn add_exception(&self, exception: Exception) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.writer.write(move |connection| exceptions::add(connection, &exception, now)).await
    }
}

/// One call of [`FindingStore::apply`].
pub(super) struct Call {
    pub(super) finding_id: String,
    pub(super) key: CallKey,
    pub(super) input: FindingInput,
    pub(super) settings: Settings,
    pub(super) now: Timestamp,
}

impl Call {
    /// Within the writer's transaction, so that nothing comes between what is read, decided, counted and written.
    pub(super) fn apply(&self, connection: &Connection) -> Result<(Value, Changed), ApplyError> {
        // A question asked again has a new token, which the finding has to learn: `apply` itself knows that it was asked before.
        if !matches!(self.input, FindingInput::Asked { .. })
            && let Some(answer) = self.answered(connection)?
        {
            return Ok((answer, Changed::default()));
        }
        let finding =
            find(connection, &self.finding_id)?.ok_or_else(|| ApplyError::NoSuchFinding(self.finding_id.clone()))?;
        let facts = self.facts(connection, &finding)?;
        let change = finding.apply(&self.input, &self.key.caller, &self.settings, &facts, self.now)?;
        save(connection, &change.finding, Some(&finding))?;
        if change.decision == Some(Decision::Fix) {
            count_fix(connection, &finding, self.now)?;
        }
        if let FindingInput::Excepted { exception } = &self.input {
            exceptions::add(connection, exception, self.now)?;
        }
        self.remember(connection, &change.answer)?;
        let changed = Changed::between(&finding, &change.finding);
        Ok((change.answer, changed))
    }

    fn facts(&self, connection: &Connection, finding: &Finding) -> Result<Facts, StoreError> {
        Ok(Facts {
            exceptions: exceptions::in_force(connection, &finding.guardrail, &finding.account, self.now)?,
            fixes_in_the_last_hour: fixes_in_the_last_hour(connection, finding, self.now)?,
        })
    }

    fn answered(&self, connection: &Connection) -> Result<Option<Value>, StoreError> {
        let answer: Option<String> = connection
            .prepare_cached("SELECT answer FROM finding_calls WHERE finding = ?1 AND caller = ?2 AND call = ?3")?
            .query_row(params![self.finding_id, self.key.caller, self.key.call], |row| row.get(0))
            .optional()?;
        Ok(answer.map(|answer| serde_json::from_str(&answer)).transpose()?)
    }

    fn remember(&self, connection: &Connection, answer: &Value) -> Result<(), StoreError> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO finding_calls (finding, caller, call, answer) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![self.finding_id, self.key.caller, self.key.call, answer.to_string()])?;
        Ok(())
    }
}

/// What is counted of a change, once it is durable.
#[derive(Default)]
pub(super) struct Changed {
    guardrail: String,
    /// How long it took from the event to the proven fix.
    fixed_after: Option<Duration>,
    has_failed: bool,
}

impl Changed {
    fn between(before: &Finding, after: &Finding) -> Changed {
        let fixed_after = after.current().and_then(|occurrence| {
            let is_same = |one: &&Occurrence| one.number == occurrence.number;
            let was_proved = before.occurrences.iter().find(is_same).is_none_or(|before| before.proved_at.is_some());
            let proved_at = occurrence.proved_at.filter(|_| !was_proved)?;
            // The event's time is its source's word: a clock before ours makes no time of it.
            Some(Duration::try_from(proved_at.duration_since(occurrence.event_at)).unwrap_or_default())
        });
        let has_failed = after.stage == Stage::Failed && before.under_way.is_some() && after.under_way.is_none();
        Changed { guardrail: after.guardrail.clone(), fixed_after, has_failed }
    }

    fn count(&self, figures: &Figures) {
        if let Some(fixed_after) = self.fixed_after {
            figures.findings_fixed.of(&self.guardrail).increment();
            figures.detection_to_fix.observe(fixed_after);
        }
        if self.has_failed {
            figures.findings_failed.of(&self.guardrail).increment();
        }
    }
}

/// One finding.
pub(super) fn find(connection: &Connection, id: &str) -> Result<Option<Finding>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT format, body FROM findings WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(read).transpose()
}

/// One row that begins with `format, body`.
pub(super) fn read(row: &Row<'_>) -> Result<Finding, StoreError> {
    check_format("a finding", row.get(0)?)?;
    Ok(serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?)
}

/// Writes a finding on the condition that it still is as it was read: new, or of that version.
pub(super) fn save(connection: &Connection, finding: &Finding, read: Option<&Finding>) -> Result<(), StoreError> {
    let (status, stage) = (text_of(&finding.status)?, text_of(&finding.stage)?);
    let (version, body) = (integer(finding.version)?, serde_json::to_string(finding)?);
    let updated_at = micros(finding.updated_at);
    let changed = match read {
        None => connection
            .prepare_cached(
                "INSERT OR IGNORE INTO findings (id, guardrail, status, stage, version, format, body, updated_at, is_of_rule)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                finding.id,
                finding.guardrail,
                status,
                stage,
                version,
                FORMAT,
                body,
                updated_at,
                finding.rule.is_some()
            ])?,
        Some(read) => connection
            .prepare_cached(
                "UPDATE findings SET status = ?2, stage = ?3, version = ?4, format = ?5, body = ?6, updated_at = ?8
                 WHERE id = ?1 AND version = ?7",
            )?
            .execute(params![finding.id, status, stage, version, FORMAT, body, integer(read.version)?, updated_at])?,
    };
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::Damaged(format!("the finding `{}` changed while it was being changed", finding.id)))
    }
}

fn list(
    connection: &Connection,
    filter: &FindingFilter,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Finding>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT format, body FROM findings
         WHERE number < coalesce((SELECT number FROM findings WHERE id = ?1), CASE WHEN ?1 IS NULL THEN 9223372036854775807 ELSE 0 END)
           AND (?2 IS NULL OR guardrail = ?2) AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR stage = ?4)
         ORDER BY number DESC LIMIT ?5",
    )?;
    let status = filter.status.as_ref().map(text_of).transpose()?;
    let stage = filter.stage.as_ref().map(text_of).transpose()?;
    let mut rows = statement.query(params![after, filter.guardrail, status, stage, at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn minute(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

fn count_fix(connection: &Connection, finding: &Finding, now: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO fixes (guardrail, account, minute, count) VALUES (?1, ?2, ?3, 1)
             ON CONFLICT (guardrail, account, minute) DO UPDATE SET count = count + 1",
        )?
        .execute(params![finding.guardrail, finding.account, minute(now)])?;
    connection
        .prepare_cached("DELETE FROM fixes WHERE guardrail = ?1 AND account = ?2 AND minute <= ?3")?
        .execute(params![finding.guardrail, finding.account, minute(now) - MINUTES_COUNTED])?;
    Ok(())
}

fn fixes_in_the_last_hour(connection: &Connection, finding: &Finding, now: Timestamp) -> Result<u64, StoreError> {
    let count: i64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(count), 0) FROM fixes WHERE guardrail = ?1 AND account = ?2 AND minute > ?3",
        )?
        .query_row(params![finding.guardrail, finding.account, minute(now) - MINUTES_COUNTED], |row| row.get(0))?;
    natural(count)
}

fn text_of(value: &impl Serialize) -> Result<String, StoreError> {
    match serde_json::to_value(value)? {
        Value::String(text) => Ok(text),
        other => Err(StoreError::Damaged(format!("`{other}` is no text"))),
    }
}
