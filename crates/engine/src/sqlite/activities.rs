//! Activities, and the tasks that wait for their workers.

use rusqlite::{Connection, Row, params};

use super::{at_most, integer, micros, natural, tags, time_of};
use crate::{
    engine::names,
    ports::{Activity, ActivityTask, StoreError},
};

const SELECT: &str = "SELECT arn, name, created_at, encryption FROM activities";

/// Its tags are set if it was not there.
pub(super) fn put(
    connection: &Connection,
    activity: Activity,
    tags: &[(String, String)],
    limit: usize,
) -> Result<Option<Activity>, StoreError> {
    if let Some(there) = find(connection, &activity.arn)? {
        return Ok(Some(there));
    }
    let (account, region) = names::account_and_region(&activity.arn)
        .ok_or_else(|| StoreError::Damaged(format!("`{}` is no activity's ARN", activity.arn)))?;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO activities (arn, account, region, name, created_at, encryption) SELECT ?1, ?2, ?3, ?4, ?5, ?7
             WHERE (SELECT count(*) FROM activities WHERE account = ?2 AND region = ?3) < ?6",
        )?
        .execute(params![
            activity.arn,
            account,
            region,
            activity.name,
            micros(activity.created_at),
            at_most(limit),
            activity.encryption.as_ref().map(ToString::to_string)
        ])?;
    if inserted == 1 {
        tags::set(connection, &activity.arn, tags, usize::MAX)?;
    }
    Ok((inserted == 1).then_some(activity))
}

pub(super) fn delete(connection: &Connection, arn: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM activities WHERE arn = ?1")?.execute([arn])?;
    connection.prepare_cached("DELETE FROM tags WHERE arn = ?1")?.execute([arn])?;
    Ok(())
}

pub(super) fn find(connection: &Connection, arn: &str) -> Result<Option<Activity>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
    let mut rows = statement.query([arn])?;
    rows.next()?.map(read).transpose()
}

pub(super) fn list(
    connection: &Connection,
    account: &str,
    region: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<Activity>, StoreError> {
    let sql = format!("{SELECT} WHERE arn > ?1 AND account = ?2 AND region = ?3 ORDER BY arn LIMIT ?4");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![after, account, region, at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<Activity, StoreError> {
    let encryption: Option<String> = row.get(3)?;
    Ok(Activity {
        arn: row.get(0)?,
        name: row.get(1)?,
        created_at: time_of(row.get(2)?)?,
        encryption: encryption.map(|text| serde_json::from_str(&text)).transpose()?,
    })
}

/// Has tasks of an execution wait for workers, and others no longer.
pub(super) fn change_tasks(
    connection: &Connection,
    execution: i64,
    offered: &[(String, u64)],
    withdrawn: &[u64],
) -> Result<(), StoreError> {
    for (activity, event_id) in offered {
        connection
            .prepare_cached("INSERT INTO activity_tasks (activity, execution, event_id) VALUES (?1, ?2, ?3)")?
            .execute(params![activity, execution, integer(*event_id)?])?;
    }
    for event_id in withdrawn {
        connection
            .prepare_cached("DELETE FROM activity_tasks WHERE execution = ?1 AND event_id = ?2")?
            .execute(params![execution, integer(*event_id)?])?;
    }
    Ok(())
}

pub(super) fn tasks(connection: &Connection, activity: &str, limit: usize) -> Result<Vec<ActivityTask>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT activity_tasks.id, arn, event_id FROM activity_tasks JOIN executions ON executions.id = execution
         WHERE activity = ?1 ORDER BY activity_tasks.id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![activity, at_most(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, event_id) = (natural(row.get(0)?)?, natural(row.get(2)?)?);
        found.push(ActivityTask { number, execution_arn: row.get(1)?, event_id });
    }
    Ok(found)
}

pub(super) fn forget_task(connection: &Connection, number: u64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM activity_tasks WHERE id = ?1")?.execute([integer(number)?])?;
    Ok(())
}
