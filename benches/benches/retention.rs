//! How long a commit waits while a million rows are pruned, beside how long it waits while nothing is.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends when it fails")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{
    Clock as _, ExecutionStore, SystemClock,
    ports::{ExecutionKind, NewExecution, Progress, Standing},
    sqlite::{Pruner, Retention, SqliteStore},
};
use rusqlite::Connection;

/// Executions that are pruned, each with its row, an ARN, three entries of indexes, a token and so many rows of its journal.
const EXECUTIONS: u32 = 143_000;
const JOURNAL_ROWS: u32 = 5;

fn fill(folder: &Path) {
    let connection = Connection::open(folder.join("rectify.sqlite")).unwrap();
    let sql = format!(
        "BEGIN;
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {EXECUTIONS})
         INSERT INTO executions (id, arn, name, state_machine_arn, definition, role_arn, input, status, ended, started_at, stopped_at, waiting)
             SELECT n, 'arn:aws:states:eu-central-1:123456789012:execution:m:' || lower(hex(randomblob(16))), n,
                 'arn:aws:states:eu-central-1:123456789012:stateMachine:m', zeroblob(32), 'r', '{{}}', 'SUCCEEDED', '{{}}', 0, 0, 0 FROM n;
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < {JOURNAL_ROWS})
         INSERT INTO journal SELECT id, n, 1, n, randomblob(500) FROM executions, n;
         INSERT INTO task_tokens SELECT randomblob(32), id, 1 FROM executions;
         COMMIT;
         PRAGMA wal_checkpoint(TRUNCATE);"
    );
    connection.execute_batch(&sql).unwrap();
}

async fn commit(store: &SqliteStore, number: usize) -> Duration {
    let new = NewExecution {
        arn: format!("arn:aws:states:eu-central-1:123456789012:execution:m:new-{number}"),
        name: format!("new-{number}"),
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
        started_at: SystemClock.now(),
    };
    let progress = Progress {
        rows: vec![],
        tokens: vec![],
        offered: vec![],
        withdrawn: vec![],
        told: vec![],
        redrive: None,
        map_runs: vec![],
        map_run_changes: vec![],
        jobs: vec![],
        stands_as_before: false,
        standing: Standing::Working,
    };
    let begun = Instant::now();
    store.begin(new, progress).await.unwrap();
    begun.elapsed()
}

fn print(what: &str, mut waits: Vec<Duration>, took: Duration) {
    waits.sort_unstable();
    let at = |share: usize| waits.get((waits.len() * share / 1000).min(waits.len() - 1)).copied().unwrap();
    let commits = waits.len();
    println!(
        "{what}: {commits} commits in {took:.1?}, waiting p50 {:.1?}, p99 {:.1?}, at most {:.1?}",
        at(500),
        at(990),
        at(1000)
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
        fill(folder.path());
        let begun = Instant::now();
        let mut waits = Vec::new();
        while begun.elapsed() < Duration::from_secs(10) {
            waits.push(commit(&store, waits.len()).await);
        }
        let first = waits.len();
        print("nothing is pruned", waits, begun.elapsed());

        let begun = Instant::now();
        let mut pruner = Pruner::new(store.clone(), Retention::default());
        let pruning = tokio::spawn(async move { pruner.round(SystemClock.now()).await.unwrap() });
        let mut waits = Vec::new();
        while !pruning.is_finished() {
            waits.push(commit(&store, first + waits.len()).await);
        }
        print("a million rows are pruned", waits, begun.elapsed());
        println!("{:?}", pruning.await.unwrap());
        for name in ["rectify.sqlite", "rectify.sqlite-wal"] {
            println!("{name}: {} MiB", std::fs::metadata(folder.path().join(name)).unwrap().len() >> 20);
        }
    });
}
