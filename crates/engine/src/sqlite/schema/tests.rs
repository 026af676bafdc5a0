//! Files of every older version, with rows in all of their tables, are read after going forwards.

use std::{path::Path, sync::Arc};

use detection::{Event, Finding, Severity, Sighting, decide::Exception};
use execution::{
    EventDetails, EventType, HistoryEvent, Json, MapRunSpecification, Record,
    history::{DataDetails, ExecutionStarted},
    map_run::{ItemSource, Reading, Surroundings},
};
use jiff::Timestamp;
use rusqlite::params;
use serde_json::json;
use tempfile::tempdir;

use super::*;
use crate::{
    ExecutionStore, FindingStore,
    ports::{FindingFilter, MapRunStore, Standing},
    sqlite::{FILE, SqliteStore},
};

const MACHINE: &str = "arn:aws:states:eu-central-1:123456789012:stateMachine:m";
const EXECUTION: &str = "arn:aws:states:eu-central-1:123456789012:execution:m:";
const ACTIVITY: &str = "arn:aws:states:eu-central-1:123456789012:activity:a";
const MAP_RUN: &str = "arn:aws:states:eu-central-1:123456789012:mapRun:m/l:r";
const DEFINITION: &str = r#"{"StartAt":"S","States":{"S":{"Type":"Succeed"}}}"#;

fn sighted() -> Finding {
    let sighting = Sighting {
        guardrail: "g".into(),
        title: "t".into(),
        severity: Severity::High,
        resource_type: "AWS::S3::Bucket".into(),
        resource: "b".into(),
        account: "123456789012".into(),
        region: "eu-central-1".into(),
        event_id: "1".into(),
        event_time: Timestamp::UNIX_EPOCH,
        actor: None,
        rule: None,
    };
    Finding::sight(None, &sighting, "2026-01-02T03:04:05.678Z".parse().unwrap()).finding
}

fn event() -> Event {
    Event {
        id: "1".into(),
        source: "aws.s3".into(),
        detail_type: "d".into(),
        account: "123456789012".into(),
        region: "eu-central-1".into(),
        time: Timestamp::UNIX_EPOCH,
        resources: vec![],
        detail: json!({}),
    }
}

fn started() -> HistoryEvent {
    let details =
        ExecutionStarted { input: Json::new(json!({})), input_details: DataDetails::default(), role_arn: "r".into() };
    HistoryEvent {
        id: 1,
        previous_event_id: 0,
        timestamp: Timestamp::UNIX_EPOCH,
        kind: EventType::ExecutionStarted,
        details: Some(EventDetails::ExecutionStarted(details)),
    }
}

fn map_run() -> MapRunSpecification {
    MapRunSpecification {
        arn: MAP_RUN.into(),
        execution_arn: format!("{EXECUTION}waiting"),
        ..MapRunSpecification::default()
    }
}

/// A file as an older program left it, by its own statements.
fn write(folder: &Path, version: usize) {
    let connection = Connection::open(folder.join(FILE)).unwrap();
    for migration in &MIGRATIONS[..version] {
        connection.execute_batch(migration).unwrap();
    }
    connection.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
    let execute = |sql: &str, values: &[&dyn rusqlite::ToSql]| connection.execute(sql, values).unwrap();
    if version >= 1 {
        let hash = super::super::hash_of(DEFINITION);
        execute("INSERT INTO definitions VALUES (?1, ?2)", params![hash, DEFINITION]);
        execute(
            "INSERT INTO state_machines (arn, account, region, name, definition, role_arn, created_at)
             VALUES (?1, '123456789012', 'eu-central-1', 'm', ?2, 'r', 1000)",
            params![MACHINE, hash],
        );
        let ended = r#"{"status":"SUCCEEDED","output":{"a":1},"error":null,"cause":null}"#;
        for (name, status, ended, stopped_at, waiting, next) in [
            ("ended", "SUCCEEDED", Some(ended), Some(2000), 0, None),
            ("waiting", "RUNNING", None, None, 1, Some(3000)),
        ] {
            let arn = format!("{EXECUTION}{name}");
            execute(
                "INSERT INTO executions (arn, name, state_machine_arn, definition, role_arn, input, status, ended, started_at, stopped_at, waiting, next_timer_at)
                 VALUES (?1, ?2, ?3, ?4, 'r', '{}', ?5, ?6, 1000, ?7, ?8, ?9)",
                params![arn, name, MACHINE, hash, status, ended, stopped_at, waiting, next],
            );
            let records = execution::journal::write(vec![Record::Event(Box::new(started()))]).unwrap();
            execute(
                "INSERT INTO journal VALUES (?1, 0, 1, 1, ?2)",
                params![
                    connection.query_row("SELECT max(id) FROM executions", [], |row| row.get::<_, i64>(0)).unwrap(),
                    String::from_utf8(records).unwrap()
                ],
            );
        }
        execute("INSERT INTO task_tokens VALUES (?1, 2, 1)", params![[7_u8; 32]]);
        let (finding, event) = (sighted(), event());
        execute(
            "INSERT INTO findings (id, guardrail, status, stage, version, format, body) VALUES (?1, 'g', 'NEW', 'inspecting', ?2, 1, ?3)",
            params![finding.id, i64::try_from(finding.version).unwrap(), serde_json::to_string(&finding).unwrap()],
        );
        execute("INSERT INTO alerts VALUES (1, ?1)", params![finding.id]);
        execute("INSERT INTO finding_calls VALUES (?1, 'c', 'd', '{}')", params![finding.id]);
        execute("INSERT INTO fixes VALUES ('g', '123456789012', 1, 1)", &[]);
        execute(
            "INSERT INTO events VALUES (?1, 1, 1000, ?2)",
            params![event.identity(), serde_json::to_string(&event).unwrap()],
        );
        execute(
            "INSERT INTO unreadable_events (name, origin, body, reason, received_at) VALUES ('u', 'o', 'b', 'r', 1000)",
            &[],
        );
        let (exception, until) = exception();
        execute(
            "INSERT INTO exceptions (guardrail, until, format, body) VALUES ('g', ?1, 1, ?2)",
            params![until.as_microsecond(), serde_json::to_string(&exception).unwrap()],
        );
    }
    if version >= 2 {
        let hash = super::super::hash_of(DEFINITION);
        execute(
            "INSERT INTO state_machine_versions VALUES (?1, 1, ?2, 'r', 'STANDARD', '{}', NULL, 1000, 'd', 1000)",
            params![MACHINE, hash],
        );
        let routing = format!(r#"[{{"stateMachineVersionArn":"{MACHINE}:1","weight":100}}]"#);
        execute(
            "INSERT INTO state_machine_aliases VALUES (?1, ?2, 'prod', NULL, ?3, 1000, 1000)",
            params![format!("{MACHINE}:prod"), MACHINE, routing],
        );
        execute("INSERT INTO tags VALUES (?1, 'k', 'v')", params![MACHINE]);
        execute(
            "INSERT INTO activities (arn, account, region, name, created_at) VALUES (?1, '123456789012', 'eu-central-1', 'a', 1000)",
            params![ACTIVITY],
        );
        execute("INSERT INTO activity_tasks (activity, execution, event_id) VALUES (?1, 2, 1)", params![ACTIVITY]);
        execute(
            "INSERT INTO express_executions (arn, name, state_machine_arn, definition, role_arn, input, started_at) VALUES ('x', 'x', ?1, ?2, 'r', '{}', 1000)",
            params![MACHINE, hash],
        );
    }
    if version >= 3 {
        let (hash, run) = (super::super::hash_of(DEFINITION), map_run());
        execute(
            "INSERT INTO map_runs (arn, execution, definition, format, specification, phase, status, is_stopped, limits, executions_written, items_written, is_told)
             VALUES (?1, 2, ?2, 1, ?3, 'RUNNING', 'RUNNING', 0, ?4, 0, 0, 0)",
            params![MAP_RUN, hash, serde_json::to_string(&run).unwrap(), serde_json::to_string(&run.limits).unwrap()],
        );
        execute("INSERT INTO map_run_children (map_run, number, input, items) VALUES (1, 0, '{}', 1)", &[]);
        execute("INSERT INTO map_run_counts VALUES (1, 'PENDING', 1, 1)", &[]);
    }
}

fn exception() -> (Exception, Timestamp) {
    let until = "2100-01-01T00:00:00Z".parse().unwrap();
    let (guardrail, resource, account) = (Some("g".into()), None, None);
    (Exception { guardrail, resource, account, reason: "r".into(), author: "a".into(), until }, until)
}

#[tokio::test]
async fn a_file_of_every_older_version_goes_forwards_with_all_of_its_rows() {
    for version in 0..=MIGRATIONS.len() {
        let folder = tempdir().unwrap();
        write(folder.path(), version);
        let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
        let connection = Connection::open(folder.path().join(FILE)).unwrap();
        let now: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(now, i64::try_from(MIGRATIONS.len()).unwrap(), "of version {version}");
        if version >= 1 {
            check_first(&store, &connection).await;
        }
        if version >= 2 {
            check_second(&store).await;
        }
        if version >= 3 {
            check_third(&store).await;
        }
    }
}

async fn check_first(store: &Arc<SqliteStore>, connection: &Connection) {
    let machine = store.state_machine(MACHINE).await.unwrap().unwrap();
    assert_eq!(
        (machine.definition.as_str(), machine.created_at, machine.updated_at),
        (DEFINITION, machine.created_at, machine.created_at)
    );
    for name in ["ended", "waiting"] {
        let arn = format!("{EXECUTION}{name}");
        let record = store.execution(&arn).await.unwrap().unwrap();
        assert_eq!((record.input.as_str(), record.last_event_id, record.redrive_count), ("{}", 1, 0));
        assert_eq!(store.history(&arn, None, 10, false).await.unwrap().unwrap(), [started()]);
        let stored = store.load(&arn, true).await.unwrap().unwrap();
        assert_eq!((stored.records.len(), stored.next_seq, stored.definition.as_str()), (1, 1, DEFINITION));
        assert_eq!(matches!(stored.standing, Standing::Ended { .. }), name == "ended");
        let of_execution = store.machine_of_execution(&arn).await.unwrap().unwrap();
        assert_eq!(of_execution.definition, DEFINITION);
    }
    assert_eq!(store.waiting(None, 10).await.unwrap().len(), 1);
    assert_eq!(store.task_of_token([7; 32]).await.unwrap(), Some((format!("{EXECUTION}waiting"), 1)));
    let finding = sighted();
    assert_eq!(FindingStore::finding(store.as_ref(), &finding.id).await.unwrap(), Some(finding.clone()));
    assert_eq!(
        FindingStore::findings(store.as_ref(), &FindingFilter::default(), None, 10).await.unwrap(),
        std::slice::from_ref(&finding)
    );
    assert_eq!(store.alerts(10).await.unwrap(), [(1, finding)]);
    assert_eq!(store.event(event().identity()).await.unwrap(), Some(event()));
    assert_eq!(store.unreadable(10, 10).await.unwrap().len(), 1);
    let in_force = crate::sqlite::exceptions::in_force(connection, "g", "123456789012", Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(in_force, [exception().0]);
    let updated_at: Option<i64> =
        connection.query_row("SELECT updated_at FROM findings", [], |row| row.get(0)).unwrap();
    let second = "2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap().as_microsecond();
    assert_eq!(updated_at.map(|at| at - at % 1_000_000), updated_at.map(|_| second));
}

async fn check_second(store: &Arc<SqliteStore>) {
    let catalogue = store.catalogue();
    assert_eq!(catalogue.version(MACHINE, 1).await.unwrap().unwrap().definition, DEFINITION);
    assert!(catalogue.alias(&format!("{MACHINE}:prod")).await.unwrap().is_some());
    assert_eq!(catalogue.tags(MACHINE).await.unwrap(), [("k".to_owned(), "v".to_owned())]);
    assert!(catalogue.activity(ACTIVITY).await.unwrap().is_some());
    assert_eq!(store.activity_tasks(ACTIVITY, 10).await.unwrap().len(), 1);
    assert_eq!(store.express_starts(0, 10, 10).await.unwrap().len(), 1);
}

async fn check_third(store: &Arc<SqliteStore>) {
    let run = store.map_run(MAP_RUN).await.unwrap().unwrap();
    assert_eq!((run.specification, run.standing.counts.pending.executions), (map_run(), 1));
    assert_eq!(store.pending_children(run.number, 0, 10).await.unwrap(), [(0, "{}".to_owned())]);
    assert_eq!(store.map_runs_with_work(0, 10).await.unwrap().len(), 1);
}

#[test]
fn a_migration_that_fails_or_is_broken_off_leaves_the_file_whole() {
    for (version, migration) in MIGRATIONS.iter().enumerate() {
        let folder = tempdir().unwrap();
        write(folder.path(), version);
        let path = folder.path().join(FILE);
        let tables = |path: &Path| -> Vec<String> {
            let connection = Connection::open(path).unwrap();
            let mut statement =
                connection.prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let before = tables(&path);
        // What a process leaves that is killed right before it would commit.
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        // Pages go to the log before the commit, as in a large migration.
        connection.pragma_update(None, "cache_size", 1).unwrap();
        connection.execute_batch("BEGIN").unwrap();
        connection.execute_batch(migration).unwrap();
        connection.pragma_update(None, "user_version", i64::try_from(version + 1).unwrap()).unwrap();
        let killed = tempdir().unwrap();
        for name in [FILE, "rectify.sqlite-wal"] {
            std::fs::copy(folder.path().join(name), killed.path().join(name)).unwrap();
        }
        drop(connection);
        assert_eq!(tables(&killed.path().join(FILE)), before, "of version {version}");
        SqliteStore::open(killed.path()).unwrap();

        // And one that has no room.
        let mut connection = Connection::open(&path).unwrap();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.query_row(&format!("PRAGMA max_page_count = {}", pages.max(1)), [], |_| Ok(())).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("make room")), "{error}");
        // Migrations before it may have needed no room: they are done, each whole.
        let reached: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        drop(connection);
        let reached = usize::try_from(reached).unwrap();
        assert!((version..MIGRATIONS.len()).contains(&reached), "of version {version}");
        let like = tempdir().unwrap();
        write(like.path(), reached);
        assert_eq!(tables(&path), tables(&like.path().join(FILE)), "of version {version}");
        SqliteStore::open(folder.path()).unwrap();
    }
}

#[tokio::test]
async fn a_row_of_a_newer_format_is_refused_in_every_table() {
    let folder = tempdir().unwrap();
    write(folder.path(), 3);
    let store = SqliteStore::open(folder.path()).unwrap();
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    for table in ["journal", "findings", "events", "exceptions", "map_runs"] {
        connection.execute(&format!("UPDATE {table} SET format = 2"), []).unwrap();
    }
    let finding = sighted();
    let errors = [
        store.history(&format!("{EXECUTION}ended"), None, 10, false).await.unwrap_err(),
        FindingStore::finding(&store, &finding.id).await.unwrap_err(),
        FindingStore::findings(&store, &FindingFilter::default(), None, 10).await.unwrap_err(),
        store.event(event().identity()).await.unwrap_err(),
        super::super::exceptions::in_force(&connection, "g", "123456789012", Timestamp::UNIX_EPOCH).unwrap_err(),
        store.map_run(MAP_RUN).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().contains("has format 2, and this program reads 1: use the newer program"), "{error}");
    }
}

#[test]
fn a_map_run_that_an_older_program_left_reading_has_its_items() {
    let mut connection = Connection::open_in_memory().unwrap();
    let of_map_runs = |migration: &&str| migration.contains("map_run_express_children");
    let version = MIGRATIONS.iter().position(of_map_runs).unwrap();
    MIGRATIONS.iter().take(version).for_each(|migration| connection.execute_batch(migration).unwrap());
    connection.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
    let reading = Reading { config: json!({"MaxItems": 1.5e300}), max_items: 7, ..Reading::default() };
    let surroundings = Surroundings {
        input: Json::new(json!([1])),
        context: json!({"State": {"Name": "M"}}),
        variables: serde_json::Map::new(),
        now: Timestamp::UNIX_EPOCH,
        seed: [3; 32],
    };
    let source = ItemSource::Reader(reading);
    let written = MapRunSpecification {
        source: source.clone(),
        surroundings: Some(surroundings.clone()),
        ..MapRunSpecification::default()
    };
    connection
        .execute(
            "INSERT INTO map_runs (arn, execution, definition, format, specification, phase, status, is_stopped, limits,
                 executions_written, items_written, is_told) VALUES ('a', 1, x'', 1, ?1, 'READING', 'RUNNING', 0, '{}', 0, 0, 0)",
            [serde_json::to_string(&written).unwrap()],
        )
        .unwrap();
    connection
        .execute("INSERT INTO map_run_children (map_run, number, input, items) VALUES (1, 0, '1', 1)", [])
        .unwrap();
    migrate(&mut connection).unwrap();
    let items: String = connection.query_row("SELECT items FROM map_runs", [], |row| row.get(0)).unwrap();
    let found: (ItemSource, Option<Surroundings>) = serde_json::from_str(&items).unwrap();
    assert_eq!(found, (source, Some(surroundings)));
    let children: i64 = connection.query_row("SELECT count(*) FROM map_run_children", [], |row| row.get(0)).unwrap();
    assert_eq!(children, 0, "the reading that was broken off begins anew");
}
