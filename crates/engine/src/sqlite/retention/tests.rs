use rusqlite::params;
use tempfile::tempdir;

use super::*;
use crate::sqlite::{FILE, tests::insert};

fn count(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

async fn prune(store: &Arc<SqliteStore>, days_from_epoch: i64) -> Pruned {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days_from_epoch);
    Pruner::new(store.clone(), Retention::default()).round(now).await.unwrap()
}

/// Writes rows as another connection.
fn filled(folder: &std::path::Path, sql: &str) -> Connection {
    let connection = Connection::open(folder.join(FILE)).unwrap();
    connection.execute_batch(sql).unwrap();
    connection
}

/// `count` executions that ended on day 0, each with so many journal rows of so many bytes.
fn closed(executions: usize, rows: usize, bytes: usize) -> String {
    format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {executions})
         INSERT INTO executions (id, arn, name, state_machine_arn, definition, role_arn, input, status, ended, started_at, stopped_at, waiting)
             SELECT n, 'arn:' || n, n, 'm', zeroblob(32), 'r', '{{}}', 'FAILED', '{{}}', 0, 0, 0 FROM n;
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < {rows})
         INSERT INTO journal SELECT id, n, 1, n, zeroblob({bytes}) FROM executions, n;"
    )
}

#[tokio::test]
async fn writes_are_small_and_what_is_long_goes_in_parts() {
    // (executions, rows of each, bytes of a row, writes at least)
    for (executions, rows, bytes, writes) in
        [(1, 3_000, 10, 15), (1_000, 2, 10, 15), (1, 20, 1 << 20, 20), (3, 199, 1, 3)]
    {
        let folder = tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
        let connection = filled(folder.path(), &closed(executions, rows, bytes));
        let before = store.counts().writes;
        assert_eq!(prune(&store, 91).await.executions, u64::try_from(executions).unwrap());
        let took = store.counts().writes - before;
        assert!(
            took >= writes && took <= 4 * writes + 2,
            "{took} writes for {executions} of {rows} rows of {bytes} bytes"
        );
        assert_eq!((count(&connection, "executions"), count(&connection, "journal")), (0, 0));
    }
}

/// A new table with rows of executions or map runs has to be named where these are pruned.
#[test]
fn every_table_that_belongs_to_an_execution_or_a_map_run_is_pruned_with_it() {
    let folder = tempdir().unwrap();
    let _store = SqliteStore::open(folder.path()).unwrap();
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    for (column, by_itself, listed) in [
        ("execution", ["alerts", "journal", "map_runs"].as_slice(), executions::OF_EXECUTION),
        ("map_run", ["executions"].as_slice(), executions::OF_MAP_RUN),
    ] {
        let mut owned = connection
            .prepare("SELECT t.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = ?1")
            .unwrap();
        let owned = owned.query_map([column], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        let mut owned: Vec<String> = owned.filter(|name| !by_itself.contains(&name.as_str())).collect();
        let mut listed: Vec<&str> = listed.iter().map(|(table, _)| *table).collect();
        owned.sort_unstable();
        listed.sort_unstable();
        assert_eq!(owned, listed, "by their column `{column}`");
    }
}

#[tokio::test]
async fn an_execution_that_is_gone_in_part_is_not_found_and_its_name_is_free() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let connection = filled(folder.path(), &closed(1, 3_000, 10));
    let part = store.writer.write(|connection| executions::prune_some(connection, vec![1], 1));
    assert_eq!(part.await.unwrap(), (0, vec![1]));
    assert!(crate::ExecutionStore::execution(store.as_ref(), "arn:1").await.unwrap().is_none());
    assert_eq!(
        crate::ExecutionStore::load(store.as_ref(), "arn:1", true).await.unwrap().map(|stored| stored.number),
        None
    );
    insert(&store, "1").await.unwrap();
    // A crash here: the next round goes on.
    assert_eq!(prune(&store, 91).await.executions, 1);
    assert_eq!((count(&connection, "executions"), count(&connection, "journal")), (1, 0));
}

#[tokio::test]
async fn a_step_of_an_execution_that_is_gone_is_not_kept() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let connection = filled(folder.path(), &closed(1, 1, 10));
    assert_eq!(prune(&store, 91).await.executions, 1);
    let step = crate::ports::Progress {
        rows: vec![crate::ports::JournalRow { seq: 1, last_event: 1, records: vec![] }],
        ..super::super::tests::progress()
    };
    let error = crate::ExecutionStore::record(store.as_ref(), 1, step).await.unwrap_err();
    assert!(error.to_string().contains("pruned"), "{error}");
    assert_eq!(count(&connection, "journal"), 0);
}

#[tokio::test]
async fn a_redrive_of_an_execution_that_is_gone_in_part_is_not_kept() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let connection = filled(folder.path(), &closed(1, 3_000, 10));
    store.writer.write(|connection| executions::prune_some(connection, vec![1], 1)).await.unwrap();
    let rows = count(&connection, "journal");
    let redrive = crate::ports::Redrive { count: 1, at: Timestamp::UNIX_EPOCH, client_token: None };
    for redrive in [None, Some(redrive)] {
        let step = crate::ports::Progress {
            rows: vec![crate::ports::JournalRow { seq: 9_000, last_event: 1, records: vec![] }],
            redrive,
            ..super::super::tests::progress()
        };
        let error = crate::ExecutionStore::record(store.as_ref(), 1, step).await.unwrap_err();
        assert!(error.to_string().contains("pruned"), "{error}");
    }
    assert_eq!(count(&connection, "journal"), rows);
    assert_eq!(prune(&store, 91).await.executions, 1);
}

#[tokio::test]
async fn the_number_of_what_is_gone_is_not_used_again() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let connection = filled(folder.path(), &closed(7, 1, 10));
    connection.execute("DELETE FROM executions WHERE id = 3", []).unwrap();
    assert_eq!(prune(&store, 91).await.executions, 6);
    for number in [8, 9] {
        insert(&store, &number.to_string()).await.unwrap();
        assert_eq!(connection.query_row("SELECT max(id) FROM executions", [], |row| row.get(0)), Ok(number));
        connection.execute("DELETE FROM executions", []).unwrap();
    }
}

#[tokio::test]
async fn one_execution_that_cannot_go_does_not_keep_the_others() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let stuck =
        "CREATE TRIGGER stuck BEFORE DELETE ON executions WHEN OLD.id = 4 BEGIN SELECT raise(ABORT, 'stuck'); END";
    let connection = filled(folder.path(), &format!("{}; {stuck}", closed(9, 1, 10)));
    assert_eq!(prune(&store, 91).await.executions, 8);
    assert_eq!(
        connection.query_row("SELECT group_concat(id) FROM executions", [], |row| row.get(0)),
        Ok("4".to_owned())
    );
}

#[tokio::test]
async fn each_kind_of_row_goes_at_its_own_age() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let day = |day: i64| day * 24 * 3600 * 1_000_000;
    let connection = filled(folder.path(), "INSERT INTO fixes VALUES ('g', 'a', 1, 1)");
    for (number, received_at) in [day(0), day(50), day(4000), day(1)].into_iter().enumerate() {
        connection
            .execute("INSERT INTO events VALUES (?1, 1, ?2, 'b')", params![format!("e{number}"), received_at])
            .unwrap();
        let unreadable =
            "INSERT INTO unreadable_events (name, origin, body, reason, received_at) VALUES (?1, 'o', 'b', 'r', ?2)";
        connection.execute(unreadable, params![format!("u{number}"), received_at]).unwrap();
        connection.execute("INSERT INTO exceptions (until, format, body) VALUES (?1, 1, '{}')", [received_at]).unwrap();
    }
    let mut left = Vec::new();
    for days in [89, 92, 141, 402, 4401] {
        prune(&store, days).await;
        left.push(["events", "unreadable_events", "exceptions", "fixes"].map(|table| count(&connection, table)));
    }
    // What was received in the future, by a clock that was wrong, holds nothing up.
    assert_eq!(left, [[4, 4, 4, 0], [2, 2, 4, 0], [1, 1, 4, 0], [1, 1, 2, 0], [0, 0, 0, 0]]);
}

#[tokio::test]
async fn events_are_known_for_as_long_as_a_queue_may_bring_them_again() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let connection = filled(folder.path(), "INSERT INTO events VALUES ('e', 1, 0, 'b')");
    let mut pruner = Pruner::new(store, Retention { days: 1, findings_days: 1 });
    for (hours, left) in [(14 * 24 + 1, 1), (15 * 24 + 1, 0)] {
        pruner.round(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)).await.unwrap();
        assert_eq!(count(&connection, "events"), left);
    }
}

#[tokio::test]
async fn pages_are_used_again_and_the_log_stays_bounded() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let length = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    drop(filled(folder.path(), &closed(200, 2, 100_000)));
    assert_eq!(prune(&store, 91).await.executions, 200);
    let connection = filled(folder.path(), &closed(150, 2, 100_000));
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let first = length(FILE);
    for _ in 0..3 {
        assert_eq!(prune(&store, 91).await.executions, 150);
        connection.execute_batch(&closed(150, 2, 100_000)).unwrap();
    }
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    assert!(length(FILE) <= first + first / 10, "{first} bytes grew to {}", length(FILE));
    assert!(length("rectify.sqlite-wal") <= 128 << 20);
}

#[tokio::test]
async fn events_of_a_clock_that_was_ahead_keep_no_others() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let day = 86_400_000_000_i64;
    let connection = filled(
        folder.path(),
        &format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {})
             INSERT INTO events (identity, format, received_at, body) SELECT 'ahead' || n, 0, {}, 'b' FROM n;
             INSERT INTO events (identity, format, received_at, body) VALUES ('old', 0, 0, 'b'), ('young', 0, {}, 'b');",
            PAGE + 1,
            1000 * day,
            90 * day
        ),
    );
    assert_eq!(prune(&store, 91).await, Pruned { events: 1, ..Pruned::default() });
    assert_eq!(count(&connection, "events WHERE identity = 'old'"), 0);
    assert_eq!(count(&connection, "events WHERE identity = 'young'"), 1);
}

/// What counts is when an execution ended.
#[tokio::test]
async fn an_execution_that_began_long_ago_and_ended_lately_stays() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let connection = filled(folder.path(), &closed(2, 1, 10));
    let day = 86_400_000_000_i64;
    connection.execute("UPDATE executions SET stopped_at = ?1 WHERE id = 2", [90 * day]).unwrap();
    assert_eq!(prune(&store, 91).await.executions, 1);
    assert_eq!(count(&connection, "executions WHERE id = 2"), 1);
    assert_eq!(prune(&store, 179).await.executions, 0);
    assert_eq!(prune(&store, 181).await.executions, 1);
}
