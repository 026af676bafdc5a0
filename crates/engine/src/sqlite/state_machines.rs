//! State machines, and definitions kept once.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{SqliteStore, at_most, micros, revisions, tags, time_of};
use crate::{
    engine::{MachineSettings, MachineType, StateMachineRecord, names},
    ports::{Created, Creation, DefinitionHash, Published, Put, StoreError},
};

const SELECT: &str =
    "SELECT arn, name, text, role_arn, created_at, type, settings, revision, updated_at, is_deleting FROM state_machines
     JOIN definitions ON hash = definition";
/// A machine that is being deleted is there until the last of its executions has ended.
const IS_THERE: &str = "(is_deleting = 0 OR EXISTS
     (SELECT 1 FROM executions WHERE state_machine_arn = state_machines.arn AND status = 'RUNNING'))";

/// What a definition is kept by.
pub(crate) fn hash_of(definition: &str) -> DefinitionHash {
    Sha256::digest(definition.as_bytes()).into()
}

impl SqliteStore {
    pub(super) async fn put_machine(
        &self,
        account: String,
        region: String,
        machine: StateMachineRecord,
        replace: bool,
    ) -> Result<Put, StoreError> {
        self.writer.write(move |connection| put(connection, &account, &region, machine, replace)).await
    }

    pub(super) async fn delete_machine(&self, arn: String) -> Result<bool, StoreError> {
        self.writer
            .write(move |connection| {
                for of_machine in [
                    "DELETE FROM state_machine_versions WHERE machine = ?1",
                    "DELETE FROM state_machine_aliases WHERE machine = ?1",
                    "DELETE FROM tags WHERE arn = ?1",
                ] {
                    connection.prepare_cached(of_machine)?.execute([&arn])?;
                }
                let marked = connection
                    .prepare_cached("UPDATE state_machines SET is_deleting = 1 WHERE arn = ?1")?
                    .execute([&arn])?;
                forget_deleted(connection, &arn)?;
                Ok(marked > 0)
            })
            .await
    }

    pub(super) async fn list_machines(
        &self,
        account: String,
        region: String,
        after: String,
        limit: usize,
    ) -> Result<Vec<StateMachineRecord>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = format!(
                    "{SELECT} WHERE arn > ?1 AND account = ?2 AND region = ?3 AND {IS_THERE} ORDER BY arn LIMIT ?4"
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let mut rows = statement.query(params![after, account, region, at_most(limit)])?;
                let mut machines = Vec::new();
                while let Some(row) = rows.next()? {
                    machines.push(read(row)?);
                }
                Ok(machines)
            })
            .await
    }
}

/// Makes a machine with its tags and its first version. The same request again is the same machine: whether and how it was published
/// belongs to that, and role and tags do not.
pub(super) fn create(
    connection: &Connection,
    machine: StateMachineRecord,
    creation: &Creation,
) -> Result<Created, StoreError> {
    let (arn, at) = (machine.arn.clone(), machine.created_at);
    forget_deleted(connection, &arn)?;
    if find(connection, &arn)?.is_some_and(|there| there.is_deleting) {
        return Ok(Created::Deleting);
    }
    let Some((account, region)) = names::account_and_region(&arn) else {
        return Err(StoreError::Damaged(format!("`{arn}` is no state machine's ARN")));
    };
    let machine = match put(connection, account, region, machine, false)? {
        Put::Other => return Ok(Created::Other),
        Put::Same(machine) => {
            let first = revisions::published_with(connection, &machine)?;
            let is_the_same = match &first {
                Some((_, description)) => creation.publish && *description == creation.version_description,
                None => !creation.publish,
            };
            let first = first.map(|(version, _)| version);
            return Ok(if is_the_same { Created::Machine(Box::new(machine), first) } else { Created::Other });
        }
        Put::Stored(machine) => machine,
    };
    tags::set(connection, &arn, &creation.tags, usize::MAX)?;
    let published = match creation.publish {
        true => revisions::publish(connection, &arn, None, creation.version_description.as_deref(), at)?,
        false => return Ok(Created::Machine(Box::new(machine), None)),
    };
    let Published::Version(version) = published else {
        return Err(StoreError::Damaged(format!("`{arn}` was made and could not be published")));
    };
    Ok(Created::Machine(Box::new(machine), Some(version)))
}

/// Forgets a machine that is being deleted, once no execution of it runs any more.
fn forget_deleted(connection: &Connection, arn: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached(&format!("DELETE FROM state_machines WHERE arn = ?1 AND NOT {IS_THERE}"))?
        .execute([arn])?;
    Ok(())
}

/// Whether there is one that is being deleted and of which no execution runs any more.
pub(super) fn has_deleted(connection: &Connection) -> Result<bool, StoreError> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM state_machines WHERE NOT {IS_THERE})");
    Ok(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
}

/// Forgets all such.
pub(super) fn forget_all_deleted(connection: &Connection) -> Result<(), StoreError> {
    connection.prepare_cached(&format!("DELETE FROM state_machines WHERE NOT {IS_THERE}"))?.execute([])?;
    Ok(())
}

pub(super) fn being_deleted(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = format!("SELECT arn FROM state_machines WHERE is_deleting = 1 AND {IS_THERE}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row.get(0)?);
    }
    Ok(found)
}

fn put(
    connection: &Connection,
    account: &str,
    region: &str,
    machine: StateMachineRecord,
    replace: bool,
) -> Result<Put, StoreError> {
    let there = find(connection, &machine.arn)?;
    let created_at = there.as_ref().map_or(machine.created_at, |there| there.created_at);
    if let Some(there) = there {
        // A create that names another role is the same create to AWS, and the role it names is ignored.
        let same = there.definition == machine.definition
            && there.machine_type == machine.machine_type
            && there.settings.effective() == machine.settings.effective()
            && !there.is_deleting;
        if same && (!replace || there.role_arn == machine.role_arn) {
            return Ok(Put::Same(there));
        }
        if !replace {
            return Ok(Put::Other);
        }
    }
    let hash = keep_texts(connection, &machine)?;
    connection
        .prepare_cached(
            "INSERT INTO state_machines (arn, account, region, name, definition, role_arn, created_at, type, settings, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (arn) DO UPDATE SET definition = ?5, role_arn = ?6, type = ?8, settings = ?9, updated_at = ?10, is_deleting = 0",
        )?
        .execute(params![
            machine.arn,
            account,
            region,
            machine.name,
            hash,
            machine.role_arn,
            micros(created_at),
            type_text(machine.machine_type),
            serde_json::to_string(&machine.settings)?,
            micros(machine.updated_at)
        ])?;
    Ok(Put::Stored(StateMachineRecord { created_at, ..machine }))
}

/// Keeps the definition, and the settings with the revision, each once by its hash; the definition's.
pub(super) fn keep_texts(connection: &Connection, machine: &StateMachineRecord) -> Result<DefinitionHash, StoreError> {
    let hash = hash_of(&machine.definition);
    connection
        .prepare_cached("INSERT OR IGNORE INTO definitions (hash, text) VALUES (?1, ?2)")?
        .execute(params![hash, machine.definition])?;
    let body = revision_body(machine)?;
    connection
        .prepare_cached("INSERT OR IGNORE INTO machine_revisions (hash, body) VALUES (?1, ?2)")?
        .execute(params![hash_of(&body), body])?;
    Ok(hash)
}

/// What an execution keeps of its machine beside the definition and the role.
#[derive(Serialize, Deserialize)]
struct Revision {
    settings: MachineSettings,
    revision_id: Option<String>,
    updated_at: i64,
}

fn revision_body(machine: &StateMachineRecord) -> Result<String, StoreError> {
    let updated_at = micros(machine.updated_at);
    let (settings, revision_id) = (machine.settings.clone(), machine.revision_id.clone());
    Ok(serde_json::to_string(&Revision { settings, revision_id, updated_at })?)
}

/// What the settings and revisions of all machines and versions, as they are now, are kept by.
pub(super) fn current_revisions(connection: &Connection) -> Result<HashSet<DefinitionHash>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT settings, revision, coalesce(updated_at, created_at) FROM state_machines
         UNION ALL SELECT settings, revision, updated_at FROM state_machine_versions",
    )?;
    let mut rows = statement.query([])?;
    let mut hashes = HashSet::new();
    while let Some(row) = rows.next()? {
        let settings = serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        let revision = Revision { settings, revision_id: row.get(1)?, updated_at: row.get(2)? };
        hashes.insert(hash_of(&serde_json::to_string(&revision)?));
    }
    Ok(hashes)
}

/// What a machine's settings and revision are kept by.
pub(crate) fn revision_hash(machine: &StateMachineRecord) -> Option<DefinitionHash> {
    revision_body(machine).ok().map(|body| hash_of(&body))
}

/// The machine of an execution, as it was when that began; of one begun by an older program, with no settings.
pub(super) fn of_execution(connection: &Connection, arn: &str) -> Result<Option<StateMachineRecord>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT state_machine_arn, text, role_arn, started_at, version_arn, body FROM executions
             JOIN definitions ON definitions.hash = definition LEFT JOIN machine_revisions ON machine_revisions.hash = revision
             WHERE arn = ?1",
        )?
        .query_row([arn], |row| {
            let (machine, text, role): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((machine, text, role, row.get::<_, i64>(3)?, row.get::<_, Option<String>>(4)?, row.get::<_, Option<String>>(5)?))
        })
        .optional()?;
    let Some((machine, definition, role_arn, started_at, version_arn, body)) = found else { return Ok(None) };
    let revision = match body {
        Some(body) => serde_json::from_str(&body)?,
        None => Revision { settings: MachineSettings::default(), revision_id: None, updated_at: started_at },
    };
    let updated_at = time_of(revision.updated_at)?;
    Ok(Some(StateMachineRecord {
        name: machine.rsplit(':').next().unwrap_or_default().to_owned(),
        arn: machine,
        definition,
        role_arn,
        machine_type: MachineType::Standard,
        settings: revision.settings,
        revision_id: revision.revision_id,
        updated_at,
        version: version_arn.and_then(|arn| arn.rsplit(':').next()?.parse().ok()),
        description: None,
        created_at: updated_at,
        is_deleting: false,
    }))
}

/// One state machine.
pub(super) fn find(connection: &Connection, arn: &str) -> Result<Option<StateMachineRecord>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1 AND {IS_THERE}"))?;
    let mut rows = statement.query([arn])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<StateMachineRecord, StoreError> {
    let created_at = time_of(row.get(4)?)?;
    let updated_at: Option<i64> = row.get(8)?;
    Ok(StateMachineRecord {
        arn: row.get(0)?,
        name: row.get(1)?,
        definition: row.get(2)?,
        role_arn: row.get(3)?,
        machine_type: type_of(&row.get::<_, String>(5)?),
        settings: serde_json::from_str(&row.get::<_, String>(6)?)?,
        revision_id: row.get(7)?,
        updated_at: updated_at.map(time_of).transpose()?.unwrap_or(created_at),
        version: None,
        description: None,
        created_at,
        is_deleting: row.get(9)?,
    })
}

pub(super) fn type_text(machine_type: MachineType) -> &'static str {
    match machine_type {
        MachineType::Standard => "STANDARD",
        MachineType::Express => "EXPRESS",
    }
}

pub(super) fn type_of(text: &str) -> MachineType {
    match text {
        "EXPRESS" => MachineType::Express,
        _ => MachineType::Standard,
    }
}

/// A definition's text.
pub(super) fn definition(connection: &Connection, hash: &DefinitionHash) -> Result<String, StoreError> {
    connection
        .prepare_cached("SELECT text FROM definitions WHERE hash = ?1")?
        .query_row([hash], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::Damaged("an execution's definition is missing from the store".to_owned()))
}
