//! Executions: their rows, and the port that they are kept through.

use std::sync::Arc;

use async_trait::async_trait;
use detection::{Event, Finding};
use execution::{Ended, HistoryEvent, Status};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore, activities, alerts, at_most, concurrency, express, integer, jobs, journal, map_runs, micros, natural,
    receive,
    schema::next_id,
    state_machines::{self, definition},
    time_of,
};
use crate::{
    engine::{
        ExecutionRecord, StateMachineRecord,
        names::{self, Qualifier},
    },
    ports::{
        ActivityTask, Begun, CatalogueStore, Due, ExecutionKind, ExecutionStore, MapRunChange, NewExecution,
        PlaybookStart, Progress, Put, Reactions, Receipt, Recorded, Redrive, Standing, StoreError, Stored, TokenHash,
    },
};

pub(super) const SELECT: &str =
    "SELECT arn, name, state_machine_arn, input, status, ended, started_at, stopped_at, id, version_arn, alias_arn,
         redrive_count, redriven_at, redrive_token,
         coalesce((SELECT last_event FROM journal WHERE execution = id ORDER BY seq DESC LIMIT 1), 0),
         (SELECT r.arn FROM map_runs r WHERE r.id = executions.map_run),
         (SELECT c.items FROM map_run_children c WHERE c.map_run = executions.map_run AND c.number = executions.map_run_child),
         trace_header
     FROM executions";

#[async_trait]
impl ExecutionStore for SqliteStore {
    fn catalogue(&self) -> &dyn CatalogueStore {
        self
    }

    async fn put_state_machine(&self, machine: StateMachineRecord, replace: bool) -> Result<Put, StoreError> {
        let (account, region) = names::account_and_region(&machine.arn)
            .map(|(account, region)| (account.to_owned(), region.to_owned()))
            .ok_or_else(|| StoreError::Damaged(format!("`{}` is no state machine's ARN", machine.arn)))?;
        self.put_machine(account, region, machine, replace).await
    }

    async fn delete_state_machine(&self, arn: &str) -> Result<bool, StoreError> {
        self.delete_machine(arn.to_owned()).await
    }

    async fn state_machine(&self, arn: &str) -> Result<Option<StateMachineRecord>, StoreError> {
        let arn = arn.to_owned();
        self.readers.read(move |connection| state_machines::find(connection, &arn)).await
    }

    async fn state_machines(
        &self,
        account: &str,
        region: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StateMachineRecord>, StoreError> {
        self.list_machines(account.to_owned(), region.to_owned(), after.unwrap_or_default().to_owned(), limit).await
    }

    async fn begin(&self, new: NewExecution, progress: Progress) -> Result<Begun, StoreError> {
        let progress = WrittenProgress::new(progress)?;
        self.writer
            .write_repeatable(move |connection| {
                let Some(id) = insert_row(connection, &new, &progress.columns)? else {
                    let there = find(connection, &new.arn)?;
                    return there.map(|there| Begun::Exists(Box::new(there))).ok_or_else(|| vanished(&new.arn));
                };
                append(connection, id, &progress)?;
                if let Standing::Ended { ended, at } = &progress.standing {
                    alerts::note(connection, id, &new.arn, new.finding.as_deref(), ended, *at)?;
                }
                Ok(Begun::New(natural(id)?))
            })
            .await
    }

    async fn record(&self, number: u64, progress: Progress) -> Result<Recorded, StoreError> {
        let progress = WrittenProgress::new(progress)?;
        self.writer
            .write_repeatable(move |connection| {
                let id = integer(number)?;
                let jobs_changed = append(connection, id, &progress)?;
                let mut recorded = match progress.stands_as_before {
                    true => Recorded::default(),
                    false => update(connection, id, &progress)?,
                };
                recorded.jobs_changed |= jobs_changed;
                Ok(recorded)
            })
            .await
    }

    async fn receive(
        &self,
        event: &Event,
        reactions: Reactions,
        now: Timestamp,
    ) -> Result<(Receipt, Vec<(u64, String)>), StoreError> {
        let event = Arc::new(event.clone());
        let received =
            self.writer.write(move |connection| receive::receive(connection, &event, &reactions, now)).await?;
        received.opened.iter().for_each(|guardrail| self.figures.findings_opened.of(guardrail).increment());
        Ok((received.receipt, received.started))
    }

    async fn start_playbook(&self, start: PlaybookStart, now: Timestamp) -> Result<Option<String>, StoreError> {
        let begun = self.writer.write(move |connection| receive::start(connection, &start, now)).await?;
        Ok(begun.map(|(_, arn)| arn))
    }

    async fn limit_playbook(&self, playbook: &str, concurrency: u32) -> Result<Vec<String>, StoreError> {
        let playbook = playbook.to_owned();
        self.writer.write(move |connection| concurrency::limit(connection, &playbook, concurrency)).await
    }

    async fn playbook_waiting(&self, playbook: &str) -> Result<u64, StoreError> {
        let playbook = playbook.to_owned();
        self.readers.read(move |connection| concurrency::waiting(connection, &playbook)).await
    }

    async fn keep_express(&self, new: NewExecution) -> Result<u64, StoreError> {
        self.writer.write_repeatable(move |connection| express::keep(connection, &new)).await
    }

    async fn forget_express(&self, number: u64) -> Result<(), StoreError> {
        self.writer.write_repeatable(move |connection| express::forget(connection, number)).await
    }

    async fn express_starts(
        &self,
        after: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<(u64, NewExecution, String)>, StoreError> {
        self.readers.read(move |connection| express::starts(connection, after, until, limit)).await
    }

    async fn last_express(&self) -> Result<u64, StoreError> {
        self.readers.read(express::last).await
    }

    async fn load(&self, arn: &str, even_if_ended: bool) -> Result<Option<Stored>, StoreError> {
        let arn = arn.to_owned();
        self.readers.read(move |connection| load(connection, &arn, even_if_ended)).await
    }

    async fn with_work(&self, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.readers
            .read(move |connection| {
                // What waits for a worker of an activity that is not there has to be told so.
                let mut statement = connection.prepare_cached(
                    "SELECT * FROM (SELECT id, arn FROM executions WHERE status = 'RUNNING' AND waiting = 0 AND id > ?1 ORDER BY id LIMIT ?2)
                     UNION
                     SELECT * FROM (
                         SELECT DISTINCT e.id, e.arn FROM activity_tasks t JOIN executions e ON e.id = t.execution
                         WHERE t.execution > ?1 AND e.status = 'RUNNING' AND t.activity NOT IN (SELECT arn FROM activities)
                         ORDER BY t.execution LIMIT ?2)
                     ORDER BY 1 LIMIT ?2",
                )?;
                let mut rows = statement.query(params![integer(after)?, at_most(limit)])?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push((natural(row.get(0)?)?, row.get(1)?));
                }
                Ok(found)
            })
            .await
    }

    async fn count_at_work(&self, most: usize) -> Result<usize, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM executions WHERE status = 'RUNNING' AND waiting = 0 LIMIT ?1)",
                )?;
                let count = natural(statement.query_row(params![at_most(most)], |row| row.get(0))?)?;
                Ok(usize::try_from(count).unwrap_or(usize::MAX))
            })
            .await
    }

    async fn waiting(&self, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError> {
        let (after_at, after_id) = match after {
            Some(after) => (micros(after.at), integer(after.number)?),
            None => (i64::MIN, 0),
        };
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT next_timer_at, id, arn FROM executions
                     WHERE status = 'RUNNING' AND waiting = 1 AND next_timer_at NOT NULL AND (next_timer_at, id) > (?1, ?2)
                     ORDER BY next_timer_at, id LIMIT ?3",
                )?;
                let mut rows = statement.query(params![after_at, after_id, at_most(limit)])?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(Due { at: time_of(row.get(0)?)?, number: natural(row.get(1)?)?, arn: row.get(2)? });
                }
                Ok(found)
            })
            .await
    }

    async fn execution(&self, arn: &str) -> Result<Option<ExecutionRecord>, StoreError> {
        let arn = arn.to_owned();
        self.readers.read(move |connection| find(connection, &arn)).await
    }

    async fn machine_of_execution(&self, arn: &str) -> Result<Option<StateMachineRecord>, StoreError> {
        let arn = arn.to_owned();
        self.readers.read(move |connection| state_machines::of_execution(connection, &arn)).await
    }

    async fn executions(
        &self,
        state_machine_arn: &str,
        status: Option<Status>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ExecutionRecord>, StoreError> {
        let (machine, after) = (state_machine_arn.to_owned(), after.map(str::to_owned));
        self.readers.read(move |connection| list(connection, &machine, status, after.as_deref(), limit)).await
    }

    async fn history(
        &self,
        arn: &str,
        after: Option<u64>,
        limit: usize,
        reverse: bool,
    ) -> Result<Option<Vec<HistoryEvent>>, StoreError> {
        let arn = arn.to_owned();
        self.readers
            .read(move |connection| {
                let Some(id) = id_of(connection, &arn)? else { return Ok(None) };
                journal::events(connection, id, after, limit, reverse).map(Some)
            })
            .await
    }

    async fn task_of_token(&self, hash: TokenHash) -> Result<Option<(String, u64)>, StoreError> {
        self.readers
            .read(move |connection| {
                let found = connection
                    .prepare_cached(
                        "SELECT arn, event_id FROM task_tokens JOIN executions ON id = execution WHERE hash = ?1",
                    )?
                    .query_row([hash], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                found.map(|(arn, event_id)| Ok((arn, natural(event_id)?))).transpose()
            })
            .await
    }

    async fn activity_tasks(&self, activity: &str, limit: usize) -> Result<Vec<ActivityTask>, StoreError> {
        let activity = activity.to_owned();
        self.readers.read(move |connection| activities::tasks(connection, &activity, limit)).await
    }

    async fn forget_activity_task(&self, number: u64) -> Result<(), StoreError> {
        self.writer.write(move |connection| activities::forget_task(connection, number)).await
    }

    async fn alerts(&self, limit: usize) -> Result<Vec<(u64, Finding)>, StoreError> {
        self.readers.read(move |connection| alerts::pending(connection, limit)).await
    }

    async fn alert_told(&self, number: u64) -> Result<(), StoreError> {
        self.writer.write(move |connection| alerts::told(connection, integer(number)?)).await
    }
}

/// What is written of a [`Progress`], made outside the writer's thread.
struct WrittenProgress {
    rows: Vec<journal::Written>,
    tokens: Vec<(TokenHash, u64)>,
    offered: Vec<(String, u64)>,
    jobs: Vec<jobs::Written>,
    withdrawn: Vec<u64>,
    told: Vec<u64>,
    redrive: Option<Redrive>,
    map_runs: Vec<map_runs::Written>,
    map_run_changes: Vec<MapRunChange>,
    standing: Standing,
    columns: Columns,
    stands_as_before: bool,
}

impl WrittenProgress {
    fn new(progress: Progress) -> Result<WrittenProgress, StoreError> {
        let map_runs = progress.map_runs.iter().map(map_runs::Written::new).collect::<Result<_, _>>()?;
        let jobs = progress.jobs.iter().map(jobs::Written::new).collect::<Result<_, _>>()?;
        let Progress {
            rows,
            tokens,
            offered,
            withdrawn,
            told,
            redrive,
            map_run_changes,
            standing,
            stands_as_before,
            ..
        } = progress;
        let rows = rows.into_iter().map(journal::Written::new).collect::<Result<_, _>>()?;
        let columns = columns(&standing)?;
        Ok(WrittenProgress {
            rows,
            tokens,
            offered,
            jobs,
            withdrawn,
            told,
            redrive,
            map_runs,
            map_run_changes,
            standing,
            columns,
            stands_as_before,
        })
    }
}

/// Adds what some steps said; whether there is now something to do about a job.
fn append(connection: &Connection, id: i64, progress: &WrittenProgress) -> Result<bool, StoreError> {
    journal::append(connection, id, &progress.rows)?;
    for (hash, event_id) in &progress.tokens {
        connection
            .prepare_cached("INSERT INTO task_tokens (hash, execution, event_id) VALUES (?1, ?2, ?3)")?
            .execute(params![hash, id, integer(*event_id)?])?;
    }
    if let Some(redrive) = &progress.redrive {
        note_redrive(connection, id, redrive)?;
        map_runs::count_redrive(connection, id)?;
    }
    activities::change_tasks(connection, id, &progress.offered, &progress.withdrawn)?;
    progress.map_runs.iter().try_for_each(|run| map_runs::insert(connection, id, run))?;
    for change in &progress.map_run_changes {
        match change {
            MapRunChange::Stopped(arn) => map_runs::stop(connection, arn)?,
            MapRunChange::Redriven(redrive) => map_runs::redrive(connection, redrive)?,
        }
    }
    progress.jobs.iter().try_for_each(|job| jobs::insert(connection, id, job))?;
    jobs::forget_told(connection, id, &progress.told)?;
    Ok(jobs::withdraw(connection, id, &progress.withdrawn)? || !progress.jobs.is_empty())
}

/// The client tokens that are kept of an execution: AWS answers so many again.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html> (`clientToken`)
const REDRIVE_TOKENS: usize = 10;

fn note_redrive(connection: &Connection, id: i64, redrive: &Redrive) -> Result<(), StoreError> {
    let Redrive { count, at, client_token } = redrive;
    let before: Option<Option<String>> = connection
        .prepare_cached("SELECT redrive_token FROM executions WHERE id = ?1 AND arn NOT LIKE 'pruned:%'")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let before = before.ok_or_else(pruned)?;
    let mut tokens = before.as_deref().map(redrive_tokens).unwrap_or_default();
    tokens.extend(client_token.iter().map(|token| (token.clone(), *at)));
    tokens.drain(..tokens.len().saturating_sub(REDRIVE_TOKENS));
    connection
        .prepare_cached("UPDATE executions SET redrive_count = ?2, redriven_at = ?3, redrive_token = ?4 WHERE id = ?1")?
        .execute(params![id, integer(*count)?, micros(*at), serde_json::to_string(&tokens)?])?;
    Ok(())
}

/// Of a store that an older program wrote, which kept one token as it was, none.
fn redrive_tokens(text: &str) -> Vec<(String, Timestamp)> {
    serde_json::from_str(text).unwrap_or_default()
}

/// The columns that a [`Standing`] sets: status, ended, stopped_at, waiting, next_timer_at.
type Columns = (String, Option<String>, Option<i64>, bool, Option<i64>);

fn columns(standing: &Standing) -> Result<Columns, StoreError> {
    Ok(match standing {
        Standing::Working => (status_text(Status::Running)?, None, None, false, None),
        Standing::Waiting { next_timer_at } => {
            (status_text(Status::Running)?, None, None, true, next_timer_at.map(micros))
        }
        Standing::Ended { ended, at } => {
            (status_text(ended.status)?, Some(serde_json::to_string(ended)?), Some(micros(*at)), false, None)
        }
    })
}

/// Adds an execution's row; `None` if its ARN is taken.
pub(super) fn insert(
    connection: &Connection,
    new: &NewExecution,
    standing: &Standing,
) -> Result<Option<i64>, StoreError> {
    insert_row(connection, new, &columns(standing)?)
}

fn insert_row(connection: &Connection, new: &NewExecution, columns: &Columns) -> Result<Option<i64>, StoreError> {
    let (status, ended, stopped_at, waiting, next_timer_at) = columns;
    let inserted = connection
        .prepare_cached(
            concat!(
                "INSERT OR IGNORE INTO executions (id, arn, name, state_machine_arn, definition, role_arn, input, finding, started_at,
                     status, ended, stopped_at, waiting, next_timer_at, version_arn, alias_arn, revision)
                 VALUES (",
                next_id!("executions"),
                ", ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
            ),
        )?
        .execute(params![
            new.arn,
            new.name,
            new.state_machine_arn,
            new.definition,
            new.role_arn,
            new.input,
            new.finding,
            micros(new.started_at),
            status,
            ended,
            stopped_at,
            waiting,
            next_timer_at,
            new.version_arn,
            new.alias_arn,
            new.revision
        ])?;
    Ok((inserted == 1).then(|| connection.last_insert_rowid()))
}

/// Keeps how an execution stands; whether its end is the end of a job, and whose turn it is then.
fn update(connection: &Connection, id: i64, progress: &WrittenProgress) -> Result<Recorded, StoreError> {
    let (status, ended, stopped_at, waiting, next_timer_at) = &progress.columns;
    let changed = connection
        .prepare_cached(
            "UPDATE executions SET status = ?2, ended = ?3, stopped_at = ?4, waiting = ?5, next_timer_at = ?6
             WHERE id = ?1 AND arn NOT LIKE 'pruned:%'",
        )?
        .execute(params![id, status, ended, stopped_at, waiting, next_timer_at])?;
    if changed == 0 {
        return Err(pruned());
    }
    if let Standing::Ended { ended, at } = &progress.standing {
        let (arn, finding): (String, Option<String>) = connection
            .prepare_cached("SELECT arn, finding FROM executions WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        alerts::note(connection, id, &arn, finding.as_deref(), ended, *at)?;
        map_runs::count_end(connection, id, status)?;
        let jobs_changed = jobs::execution_ended(connection, &arn)?;
        return Ok(Recorded { jobs_changed, admitted: concurrency::ended(connection, id)? });
    }
    Ok(Recorded::default())
}

/// Of an execution that was pruned, or is gone in part, while it was being redriven: nothing of this step is kept.
fn pruned() -> StoreError {
    StoreError::Unavailable("the execution was pruned meanwhile: it is over".to_owned())
}

fn vanished(arn: &str) -> StoreError {
    StoreError::Damaged(format!("the execution `{arn}` is and is not in the store"))
}

pub(super) fn load(connection: &Connection, arn: &str, even_if_ended: bool) -> Result<Option<Stored>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT id, name, state_machine_arn, definition, role_arn, input, finding, started_at, waiting, next_timer_at,
                 version_arn, alias_arn, ended, stopped_at, revision, map_run
             FROM executions WHERE arn = ?1 AND (?2 OR status = 'RUNNING')",
        )?
        .query_row(params![arn, even_if_ended], |row| {
            let new = NewExecution {
                arn: arn.to_owned(),
                name: row.get(1)?,
                state_machine_arn: row.get(2)?,
                kind: ExecutionKind::Standard,
                version_arn: row.get(10)?,
                alias_arn: row.get(11)?,
                revision: row.get(14)?,
                definition: row.get(3)?,
                role_arn: row.get(4)?,
                input: row.get(5)?,
                finding: row.get(6)?,
                map_run: None,
                started_at: Timestamp::UNIX_EPOCH,
            };
            let waiting = (row.get::<_, bool>(8)?, row.get::<_, Option<i64>>(9)?);
            let ended = (row.get::<_, Option<String>>(12)?, row.get::<_, Option<i64>>(13)?);
            let map_run = row.get::<_, Option<i64>>(15)?;
            Ok((row.get::<_, i64>(0)?, new, row.get::<_, i64>(7)?, waiting, ended, map_run))
        })
        .optional()?;
    let Some((id, mut new, started_at, waiting, ended, map_run)) = found else { return Ok(None) };
    new.map_run = map_run.map(|map_run| map_runs::parent(connection, map_run)).transpose()?;
    new.started_at = time_of(started_at)?;
    let (records, next_seq) = journal::records(connection, id)?;
    let definition = definition(connection, &new.definition)?;
    let standing = match (ended, waiting) {
        ((Some(ended), Some(at)), _) => Standing::Ended { ended: serde_json::from_str(&ended)?, at: time_of(at)? },
        (_, (true, next_timer_at)) => Standing::Waiting { next_timer_at: next_timer_at.map(time_of).transpose()? },
        (_, (false, _)) => Standing::Working,
    };
    Ok(Some(Stored { number: natural(id)?, new, definition, records, next_seq, standing }))
}

/// The row of an ARN.
pub(super) fn id_of(connection: &Connection, arn: &str) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT id FROM executions WHERE arn = ?1")?
        .query_row([arn], |row| row.get(0))
        .optional()?)
}

/// One execution.
pub(super) fn find(connection: &Connection, arn: &str) -> Result<Option<ExecutionRecord>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
    let mut rows = statement.query([arn])?;
    rows.next()?.map(read).transpose()
}

fn list(
    connection: &Connection,
    machine: &str,
    status: Option<Status>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<ExecutionRecord>, StoreError> {
    let below = match after {
        Some(after) => id_of(connection, after)?.unwrap_or(0),
        None => i64::MAX,
    };
    let status = status.map(status_text).transpose()?;
    let by = match names::qualified(machine) {
        Some((_, Qualifier::Version(_))) => "version_arn",
        Some((_, Qualifier::Alias(_))) => "alias_arn",
        None => "state_machine_arn",
    };
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE {by} = ?1 AND id < ?2 AND (?3 IS NULL OR status = ?3) ORDER BY id DESC LIMIT ?4"
    ))?;
    let mut rows = statement.query(params![machine, below, status, at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// One row of a SELECT.
pub(super) fn read(row: &Row<'_>) -> Result<ExecutionRecord, StoreError> {
    let ended: Option<String> = row.get(5)?;
    let stopped_at: Option<i64> = row.get(7)?;
    let redriven_at: Option<i64> = row.get(12)?;
    Ok(ExecutionRecord {
        arn: row.get(0)?,
        name: row.get(1)?,
        state_machine_arn: row.get(2)?,
        version_arn: row.get(9)?,
        alias_arn: row.get(10)?,
        redrive_count: natural(row.get(11)?)?,
        redriven_at: redriven_at.map(time_of).transpose()?,
        redrive_tokens: row.get::<_, Option<String>>(13)?.map(|text| redrive_tokens(&text)).unwrap_or_default(),
        last_event_id: natural(row.get(14)?)?,
        input: row.get(3)?,
        status: serde_json::from_value(serde_json::Value::String(row.get(4)?))?,
        ended: ended.map(|ended| serde_json::from_str::<Ended>(&ended)).transpose()?,
        started_at: time_of(row.get(6)?)?,
        stopped_at: stopped_at.map(time_of).transpose()?,
        map_run_arn: row.get(15)?,
        item_count: row.get::<_, Option<i64>>(16)?.map(natural).transpose()?,
        trace_header: row.get(17)?,
    })
}

pub(super) fn status_text(status: Status) -> Result<String, StoreError> {
    match serde_json::to_value(status)? {
        serde_json::Value::String(text) => Ok(text),
        other => Err(StoreError::Damaged(format!("`{other}` is no status"))),
    }
}
