use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rusqlite::Connection;
use tempfile::tempdir;

use super::*;
use crate::{
    engine::{MachineSettings, MachineType, StateMachineRecord},
    ports::{
        Begun, CatalogueStore as _, Created, Creation, ExecutionKind, ExecutionStore as _, JobStore as _,
        MachineVersion, NewExecution, NewJob, Progress, Standing, Task,
    },
};

pub(super) fn new_execution(name: &str) -> NewExecution {
    NewExecution {
        arn: format!("arn:aws:states:eu-central-1:123456789012:execution:m:{name}"),
        name: name.to_owned(),
        state_machine_arn: "arn:aws:states:eu-central-1:123456789012:stateMachine:m".to_owned(),
        kind: ExecutionKind::Standard,
        version_arn: None,
        alias_arn: None,
        revision: None,
        definition: [0; 32],
        role_arn: String::new(),
        input: "{}".to_owned(),
        finding: None,
        map_run: None,
        started_at: Timestamp::UNIX_EPOCH,
    }
}

pub(super) fn progress() -> Progress {
    Progress {
        rows: Vec::new(),
        tokens: Vec::new(),
        offered: Vec::new(),
        jobs: Vec::new(),
        withdrawn: Vec::new(),
        told: Vec::new(),
        redrive: None,
        map_runs: Vec::new(),
        map_run_changes: Vec::new(),
        standing: Standing::Working,
        stands_as_before: false,
    }
}

pub(super) async fn insert(store: &SqliteStore, name: &str) -> Result<(), StoreError> {
    store.begin(new_execution(name), progress()).await.map(|_| ())
}

pub(super) async fn stored(store: &SqliteStore) -> usize {
    store.with_work(0, 1_000_000).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writes_share_few_commits() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let writes = (0..1000).map(|i| {
        let store = store.clone();
        tokio::spawn(async move { insert(&store, &format!("e{i}")).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    let counts = store.counts();
    assert_eq!((stored(&store).await, counts.writes), (1000, 1000));
    assert!(counts.commits < 200, "{counts:?}");
}

#[tokio::test]
async fn a_deleted_machine_is_there_while_an_execution_runs() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let machine = || StateMachineRecord {
        arn: new_execution("a").state_machine_arn,
        name: "m".to_owned(),
        definition: "{}".to_owned(),
        role_arn: String::new(),
        machine_type: MachineType::Standard,
        settings: MachineSettings::default(),
        revision_id: None,
        updated_at: Timestamp::UNIX_EPOCH,
        version: None,
        description: None,
        created_at: Timestamp::UNIX_EPOCH,
        is_deleting: false,
    };
    let arn = machine().arn;
    let creation = || Creation { publish: true, ..Creation::default() };
    let created = store.create_machine(machine(), creation()).await.unwrap();
    assert!(matches!(created, Created::Machine(_, Some(MachineVersion { number: 1, .. }))), "{created:?}");
    let Begun::New(number) = store.begin(new_execution("a"), progress()).await.unwrap() else { panic!() };
    assert!(store.delete_state_machine(&arn).await.unwrap());
    assert!(store.state_machine(&arn).await.unwrap().unwrap().is_deleting);
    assert_eq!(store.machines_being_deleted().await.unwrap(), std::slice::from_ref(&arn));
    assert!(store.versions(&arn, None, 9).await.unwrap().is_empty());
    assert!(matches!(store.create_machine(machine(), creation()).await.unwrap(), Created::Deleting));
    let ended = execution::Ended { status: execution::Status::Aborted, output: None, error: None, cause: None };
    let standing = Standing::Ended { ended, at: Timestamp::UNIX_EPOCH };
    store.record(number, Progress { standing, ..progress() }).await.unwrap();
    assert!(store.state_machine(&arn).await.unwrap().is_none());
    assert!(store.machines_being_deleted().await.unwrap().is_empty());
    let created = store.create_machine(machine(), Creation::default()).await.unwrap();
    assert!(matches!(created, Created::Machine(_, None)), "{created:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_store() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    insert(&store, "a").await.unwrap();
    for name in [FILE, "rectify.sqlite-wal", "rectify.sqlite-shm", LOCK_FILE] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn every_commit_is_told_of_before_and_after_it() {
    let folder = tempdir().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    // As another connection sees the store at that moment.
    let file = folder.path().join(FILE);
    let durable = move || {
        let connection = Connection::open(&file).unwrap();
        connection.query_row("SELECT count(*) FROM executions", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let observer = Box::new(move |moment| tell.send((moment, durable())).unwrap());
    let store = SqliteStore::open_observed(folder.path(), observer).unwrap();
    insert(&store, "a").await.unwrap();
    insert(&store, "b").await.unwrap();
    let moments = [
        (CommitMoment::Before(1), 0),
        (CommitMoment::After(1), 1),
        (CommitMoment::Before(2), 1),
        (CommitMoment::After(2), 2),
    ];
    assert_eq!(told.try_iter().collect::<Vec<_>>(), moments);
}

#[tokio::test]
async fn a_write_that_fails_is_undone_alone() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let fails = store.writer.write(|connection| {
        connection.execute("INSERT INTO alerts VALUES (1, 'half done')", [])?;
        connection.execute("INSERT INTO alerts VALUES (1, 'twice')", [])?;
        Ok::<(), StoreError>(())
    });
    let panics = store.writer.write(|connection| -> Result<(), StoreError> {
        connection.execute("INSERT INTO alerts VALUES (2, 'half done')", [])?;
        panic!("on purpose");
    });
    let (first, fails, panics, last) = tokio::join!(insert(&store, "a"), fails, panics, insert(&store, "b"));
    assert!(matches!(fails, Err(StoreError::Damaged(text)) if text.contains("UNIQUE")));
    assert!(matches!(panics, Err(StoreError::Damaged(text)) if text.contains("panicked")));
    assert_eq!((first, last, stored(&store).await), (Ok(()), Ok(()), 2));
    let left: i64 = store
        .readers
        .read(|connection| Ok(connection.query_row("SELECT count(*) FROM alerts", [], |row| row.get(0))?))
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn where_a_repeatable_write_fails_the_others_of_its_group_are_done_once() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    // Holds the writer up until all others are queued: they are one group.
    let (release, released) = std::sync::mpsc::channel();
    let holds = store.writer.write(move |_| {
        released.recv().unwrap();
        Ok::<(), StoreError>(())
    });
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let fails = store.writer.write_repeatable(move |connection| {
        counted.fetch_add(1, Ordering::SeqCst);
        connection.execute("INSERT INTO alerts VALUES (1, 'half done')", [])?;
        connection.execute("INSERT INTO alerts VALUES (1, 'twice')", [])?;
        Ok::<(), StoreError>(())
    });
    let refuses = store.writer.write_repeatable(|_| Err::<(), _>(StoreError::Damaged("nothing written".to_owned())));
    let releases = async { release.send(()).unwrap() };
    let (_, first, fails, refuses, last, ()) =
        tokio::join!(holds, insert(&store, "a"), fails, refuses, insert(&store, "b"), releases);
    assert!(matches!(fails, Err(StoreError::Damaged(text)) if text.contains("UNIQUE")));
    assert_eq!(refuses, Err(StoreError::Damaged("nothing written".to_owned())));
    assert_eq!((first, last, stored(&store).await), (Ok(()), Ok(()), 2));
    assert_eq!((runs.load(Ordering::SeqCst), store.counts().writes), (2, 5));
}

#[tokio::test]
async fn the_same_arn_is_begun_once() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    assert!(matches!(store.begin(new_execution("a"), progress()).await, Ok(Begun::New(_))));
    assert!(matches!(store.begin(new_execution("a"), progress()).await, Ok(Begun::Exists(_))));
}

async fn set_page_limit(store: &SqliteStore, pages: u32) {
    let limited = store.writer.write(move |connection| {
        Ok::<u32, StoreError>(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0))?)
    });
    assert_eq!(limited.await.unwrap(), pages);
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    insert(&store, "before").await.unwrap();
    set_page_limit(&store, 90).await;
    let mut refused = None;
    for i in 0..10_000 {
        if let Err(error) = insert(&store, &format!("{i}{}", "x".repeat(2000))).await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.expect("a write is refused");
    assert!(matches!(&refused, StoreError::Unavailable(text) if text.contains("make room")), "{refused}");
    let before = stored(&store).await;
    assert!(insert(&store, &"y".repeat(20_000)).await.is_err(), "there is no room yet");
    assert_eq!(stored(&store).await, before, "what was refused was not kept");
    set_page_limit(&store, 1_000_000).await;
    insert(&store, "after").await.unwrap();
    assert_eq!(stored(&store).await, before + 1);
}

#[tokio::test]
async fn a_store_locked_by_another_program_is_told_and_survived() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let other = Connection::open(folder.path().join(FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = insert(&store, "a").await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("another program")), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    insert(&store, "a").await.unwrap();
}

#[tokio::test]
async fn a_read_only_store_is_told() {
    let folder = tempdir().unwrap();
    drop(SqliteStore::open(folder.path()).unwrap());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(folder.path().join(FILE), flags).unwrap();
    let error = StoreError::from(connection.execute("DELETE FROM alerts", []).unwrap_err());
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("writable")), "{error}");
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let text = SqliteStore::open(folder.path()).unwrap_err().to_string();
    assert!(
        text.contains(&format!("in use by another process (pid {})", std::process::id()))
            && text.contains(&folder.path().display().to_string()),
        "{text}"
    );
    drop(store);
    for _ in 0..1000 {
        if SqliteStore::open(folder.path()).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the lock outlives the store");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.as_path(), Path::new("/proc/rectify")] {
        let error = SqliteStore::open(path).unwrap_err();
        assert!(
            matches!(&error, StoreError::Unavailable(text) if text.contains(&path.display().to_string())),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_store_or_a_newer_one_is_refused() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "this is a text, and a longer one than any header would be ".repeat(20))
        .unwrap();
    assert!(
        matches!(SqliteStore::open(folder.path()), Err(StoreError::Damaged(text)) if text.contains("restore a backup"))
    );

    let folder = tempdir().unwrap();
    Connection::open(folder.path().join(FILE)).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    let error = SqliteStore::open(folder.path()).unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged(text) if text.contains("schema has version 1000") && text.contains("restore a backup")),
        "{error}"
    );
}

#[tokio::test]
async fn what_was_answered_is_there_after_opening_again() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    insert(&store, "a").await.unwrap();
    // A copy of the files as they are now is what a crash would leave.
    let copy = tempdir().unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "rectify.sqlite-shm" {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    let crashed = SqliteStore::open(copy.path()).unwrap();
    assert_eq!(stored(&crashed).await, 1);
}

#[tokio::test]
async fn a_page_of_what_has_work_is_full_whatever_one_of_them_waits_for() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    for (name, tasks) in [("a", 3), ("b", 1), ("c", 1)] {
        let offered = (1..=tasks).map(|event_id| ("an activity that is not there".to_owned(), event_id)).collect();
        let standing = Standing::Waiting { next_timer_at: None };
        store.begin(new_execution(name), Progress { offered, standing, ..progress() }).await.unwrap();
    }
    let page = store.with_work(0, 2).await.unwrap();
    assert_eq!(page.len(), 2, "one that is not full is the last");
    assert_eq!(store.with_work(page.last().unwrap().0, 2).await.unwrap().len(), 1);
}

fn job(new: &NewExecution, event_id: u64) -> NewJob {
    NewJob {
        task: Task {
            execution_arn: new.arn.clone(),
            state_machine_arn: new.state_machine_arn.clone(),
            scheduled: execution::ScheduledTask {
                event_id,
                state_name: "S".to_owned(),
                resource: "arn:aws:states:::glue:startJobRun.sync".to_owned(),
                arguments: serde_json::Value::Null,
                role_arn: None,
                task_token: None,
                timeout_seconds: None,
                heartbeat_seconds: None,
                submitted: Some(serde_json::Value::Null),
                idempotency_token: String::new(),
            },
        },
        begun_at: Timestamp::UNIX_EPOCH,
        ask_at: Timestamp::UNIX_EPOCH,
        execution: None,
    }
}

async fn jobs_of(store: &SqliteStore) -> Vec<(u64, bool)> {
    let found = store.jobs(10).await.unwrap();
    found.iter().map(|job| (job.task.scheduled.event_id, job.is_unwanted)).collect()
}

#[tokio::test]
async fn the_write_that_takes_the_end_of_a_job_forgets_it() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let new = new_execution("a");
    let begun = store.begin(new.clone(), Progress { jobs: vec![job(&new, 3), job(&new, 4)], ..progress() }).await;
    let Begun::New(number) = begun.unwrap() else { panic!("it is new") };
    let took = |told: Vec<u64>, withdrawn: Vec<u64>| Progress { told, withdrawn, ..progress() };
    store.record(number, took(vec![3], vec![])).await.unwrap();
    assert_eq!(jobs_of(&store).await, [(4, false)]);
    store.record(number, took(vec![], vec![4])).await.unwrap();
    store.record(number, took(vec![4], vec![])).await.unwrap();
    assert_eq!(jobs_of(&store).await, [(4, true)], "one that is to be stopped stays");
}

#[tokio::test]
async fn a_job_that_cannot_be_read_hides_no_other() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let new = new_execution("a");
    store
        .begin(new.clone(), Progress { jobs: vec![job(&new, 3), job(&new, 4), job(&new, 5)], ..progress() })
        .await
        .unwrap();
    let newer = |connection: &Connection| Ok(connection.execute("UPDATE jobs SET format = 99 WHERE event_id = 3", [])?);
    store
        .writer
        .write(newer)
        .await
        .map(|changed: usize| assert_eq!(changed, 1))
        .map_err(|error: StoreError| error)
        .unwrap();
    for _ in 0..2 {
        let found = store.jobs(2).await.unwrap();
        assert_eq!(found.iter().map(|job| job.task.scheduled.event_id).collect::<Vec<_>>(), [4, 5]);
    }
    assert_eq!(store.unreadable_jobs.lock().unwrap().len(), 1);
}
