use std::{ops::ControlFlow, sync::Arc};

use tempfile::tempdir;

use super::*;
use crate::sqlite::{
    SqliteStore,
    tests::{insert, stored},
};

fn copy_of(folder: &Path, file: &Path) -> Result<Option<BackupSummary>, StoreError> {
    backup(folder, file, &mut |_| ControlFlow::Continue(()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_holds_all_that_was_answered_before_it_and_nothing_in_part() {
    let folder = tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    for number in 0..200 {
        insert(&store, &format!("before-{number}")).await.unwrap();
    }
    // Others go on writing while it is copied.
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for number in 0.. {
            if insert(&writer, &format!("during-{number}")).await.is_err() {
                break;
            }
        }
    });
    let copy = tempdir().unwrap();
    let file = copy.path().join(FILE);
    let (from, to) = (folder.path().to_owned(), file.clone());
    let summary = tokio::task::spawn_blocking(move || copy_of(&from, &to)).await.unwrap().unwrap().unwrap();
    writing.abort();
    assert!(summary.rows_of("executions") >= 200, "{summary:?}");
    assert_eq!(summary.bytes, std::fs::metadata(&file).unwrap().len());
    let names = std::fs::read_dir(copy.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), [FILE], "it is one file");
    let copied = SqliteStore::open(copy.path()).unwrap();
    assert_eq!(u64::try_from(stored(&copied).await).unwrap(), summary.rows_of("executions"));
    insert(&copied, "goes on").await.unwrap();
    for number in 0..200 {
        let arn = format!("arn:aws:states:eu-central-1:123456789012:execution:m:before-{number}");
        assert!(crate::ExecutionStore::execution(&copied, &arn).await.unwrap().is_some(), "{arn}");
    }
}

#[tokio::test]
async fn nobody_has_to_run() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    insert(&store, "a").await.unwrap();
    drop(store);
    let file = folder.path().join("copy");
    let summary = copy_of(folder.path(), &file).unwrap().unwrap();
    assert_eq!(summary.rows_of("executions"), 1);
}

#[tokio::test]
async fn it_can_be_given_up() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    insert(&store, "a").await.unwrap();
    for give_up_at in 1..3 {
        let file = folder.path().join(format!("copy-{give_up_at}"));
        let mut told = 0;
        let given_up = backup(folder.path(), &file, &mut |_| {
            told += 1;
            if told == give_up_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(given_up, Ok(None));
    }
    insert(&store, "b").await.unwrap();
}

#[test]
fn what_is_no_store_is_named() {
    let folder = tempdir().unwrap();
    let error = copy_of(folder.path(), &folder.path().join("copy")).unwrap_err().to_string();
    assert!(error.contains("there is no store") && error.contains(&folder.path().display().to_string()), "{error}");
}

#[tokio::test]
async fn a_damaged_store_is_told_and_its_copy_not_taken_for_whole() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    for number in 0..100 {
        insert(&store, &format!("{number}{}", "x".repeat(1000))).await.unwrap();
    }
    let checkpoint = |connection: &Connection| {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    };
    checkpoint(&Connection::open(folder.path().join(FILE)).unwrap());
    let mut bytes = std::fs::read(folder.path().join(FILE)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xff);
    let damaged = tempdir().unwrap();
    std::fs::write(damaged.path().join(FILE), bytes).unwrap();
    let error = copy_of(damaged.path(), &damaged.path().join("copy")).unwrap_err();
    assert!(matches!(&error, StoreError::Damaged(text) if text.contains("restore a")), "{error}");
}

#[test]
fn the_stores_own_files_are_known_by_any_name() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    drop(SqliteStore::open(&store).unwrap());
    std::fs::hard_link(store.join(FILE), folder.path().join("linked")).unwrap();
    std::fs::write(store.join("mine"), "").unwrap();
    std::fs::create_dir(folder.path().join("other")).unwrap();
    for (path, expected) in [
        ("store/rectify.sqlite", true),
        ("other/../store/rectify.sqlite", true),
        ("store/Rectify.sqlite", true),
        ("store/rectify.sqlite-wal", true),
        ("store/rectify.sqlite-journal", true),
        ("store/lock", true),
        ("linked", true),
        ("store/mine", false),
        ("store/new", false),
        ("other/rectify.sqlite", false),
        ("nowhere/rectify.sqlite", false),
    ] {
        assert_eq!(is_of_store(&store, &folder.path().join(path)), expected, "{path}");
    }
}
