//! Revisions of state machines, and the versions that are published of them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    at_most, integer, micros, natural,
    state_machines::{self, type_of, type_text},
    time_of,
};
use crate::{
    engine::StateMachineRecord,
    ports::{MachineChange, MachineVersion, Published, StoreError},
};

/// Versions of a machine, at most.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const VERSIONS: i64 = 1000;

pub(super) fn change(
    connection: &Connection,
    arn: &str,
    change: MachineChange,
) -> Result<Option<(StateMachineRecord, Option<Published>)>, StoreError> {
    let (publish_it, description, at) = (change.publish, change.version_description.clone(), change.at);
    let Some(machine) = replace(connection, arn, change)? else { return Ok(None) };
    let published = if publish_it { Some(publish(connection, arn, None, description.as_deref(), at)?) } else { None };
    Ok(Some((machine, published)))
}

fn replace(
    connection: &Connection,
    arn: &str,
    change: MachineChange,
) -> Result<Option<StateMachineRecord>, StoreError> {
    let Some(there) = state_machines::find(connection, arn)?.filter(|there| !there.is_deleting) else {
        return Ok(None);
    };
    let mut machine = there.clone();
    let MachineChange { definition, role_arn, settings, revision_id, at, .. } = change;
    machine.definition = definition.unwrap_or(machine.definition);
    machine.role_arn = role_arn.unwrap_or(machine.role_arn);
    machine.settings.logging_configuration = settings.logging_configuration.or(machine.settings.logging_configuration);
    machine.settings.tracing_configuration = settings.tracing_configuration.or(machine.settings.tracing_configuration);
    machine.settings.encryption_configuration =
        settings.encryption_configuration.or(machine.settings.encryption_configuration);
    let same = machine.definition == there.definition
        && machine.role_arn == there.role_arn
        && machine.settings.effective() == there.settings.effective();
    if same {
        return Ok(Some(there));
    }
    (machine.revision_id, machine.updated_at) = (Some(revision_id), at);
    let hash = state_machines::keep_texts(connection, &machine)?;
    connection
        .prepare_cached(
            "UPDATE state_machines SET definition = ?2, role_arn = ?3, settings = ?4, revision = ?5, updated_at = ?6 WHERE arn = ?1",
        )?
        .execute(params![
            arn,
            hash,
            machine.role_arn,
            serde_json::to_string(&machine.settings)?,
            machine.revision_id,
            micros(at)
        ])?;
    Ok(Some(machine))
}

pub(super) fn publish(
    connection: &Connection,
    arn: &str,
    revision_id: Option<&str>,
    description: Option<&str>,
    at: Timestamp,
) -> Result<Published, StoreError> {
    let Some(machine) = state_machines::find(connection, arn)? else { return Ok(Published::NoSuchMachine) };
    if revision_id.is_some_and(|asked| asked != machine.revision_id.as_deref().unwrap_or("INITIAL")) {
        return Ok(Published::OtherRevision(machine.revision_id));
    }
    let there = connection
        .prepare_cached(
            "SELECT version, created_at FROM state_machine_versions WHERE machine = ?1 AND revision IS ?2 ORDER BY version DESC LIMIT 1",
        )?
        .query_row(params![arn, machine.revision_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((number, created_at)) = there {
        return Ok(Published::Version(MachineVersion { number: natural(number)?, created_at: time_of(created_at)? }));
    }
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM state_machine_versions WHERE machine = ?1")?
        .query_row([arn], |row| row.get(0))?;
    if count >= VERSIONS {
        return Ok(Published::TooMany);
    }
    // A number is never given twice.
    let number: i64 = connection
        .prepare_cached(
            "UPDATE state_machines SET last_version = last_version + 1 WHERE arn = ?1 RETURNING last_version",
        )?
        .query_row([arn], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO state_machine_versions
                 (machine, version, definition, role_arn, type, settings, revision, updated_at, description, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            arn,
            number,
            state_machines::hash_of(&machine.definition),
            machine.role_arn,
            type_text(machine.machine_type),
            serde_json::to_string(&machine.settings)?,
            machine.revision_id,
            micros(machine.updated_at),
            description,
            micros(at)
        ])?;
    Ok(Published::Version(MachineVersion { number: natural(number)?, created_at: at }))
}

/// The version that was published in the write that made its machine, with its description.
pub(super) fn published_with(
    connection: &Connection,
    machine: &StateMachineRecord,
) -> Result<Option<(MachineVersion, Option<String>)>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT version, description FROM state_machine_versions WHERE machine = ?1 AND revision IS NULL AND created_at = ?2",
        )?
        .query_row(params![machine.arn, micros(machine.created_at)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, description)) = found else { return Ok(None) };
    Ok(Some((MachineVersion { number: natural(number)?, created_at: machine.created_at }, description)))
}

pub(super) fn version(
    connection: &Connection,
    arn: &str,
    number: u64,
) -> Result<Option<StateMachineRecord>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT text, role_arn, type, settings, revision, updated_at, description, created_at FROM state_machine_versions
         JOIN definitions ON hash = definition WHERE machine = ?1 AND version = ?2",
    )?;
    let mut rows = statement.query(params![arn, integer(number)?])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(StateMachineRecord {
        arn: arn.to_owned(),
        name: arn.rsplit(':').next().unwrap_or_default().to_owned(),
        definition: row.get(0)?,
        role_arn: row.get(1)?,
        machine_type: type_of(&row.get::<_, String>(2)?),
        settings: serde_json::from_str(&row.get::<_, String>(3)?)?,
        revision_id: row.get(4)?,
        updated_at: time_of(row.get(5)?)?,
        version: Some(number),
        description: row.get(6)?,
        created_at: time_of(row.get(7)?)?,
        is_deleting: false,
    }))
}

pub(super) fn versions(
    connection: &Connection,
    arn: &str,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<MachineVersion>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, created_at FROM state_machine_versions WHERE machine = ?1 AND version < ?2 ORDER BY version DESC LIMIT ?3",
    )?;
    let before = before.map_or(Ok(i64::MAX), integer)?;
    let mut rows = statement.query(params![arn, before, at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(MachineVersion { number: natural(row.get(0)?)?, created_at: time_of(row.get(1)?)? });
    }
    Ok(found)
}

pub(super) fn delete_version(connection: &Connection, arn: &str, number: u64) -> Result<Vec<String>, StoreError> {
    let version_arn = format!("{arn}:{number}");
    let mut statement = connection.prepare_cached(
        "SELECT name FROM state_machine_aliases WHERE machine = ?1 AND EXISTS
             (SELECT 1 FROM json_each(routing) WHERE json_extract(value, '$.stateMachineVersionArn') = ?2) ORDER BY name",
    )?;
    let mut rows = statement.query(params![arn, version_arn])?;
    let mut aliases = Vec::new();
    while let Some(row) = rows.next()? {
        aliases.push(row.get(0)?);
    }
    if aliases.is_empty() {
        connection
            .prepare_cached("DELETE FROM state_machine_versions WHERE machine = ?1 AND version = ?2")?
            .execute(params![arn, integer(number)?])?;
    }
    Ok(aliases)
}
