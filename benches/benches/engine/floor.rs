//! What SQLite's group commit allows: a writer thread that does nothing but the inserts of the executions, of the same sizes and in the
//! store's own tables, for as many clients, in groups as they queue. An execution of several durable steps is as many commits, one
//! after another.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use engine::sqlite::SqliteStore;
use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};

use crate::{
    load::{Ask, Measured, load},
    process::Process,
};

/// An execution as a store has it.
#[derive(Clone)]
pub struct Sample {
    machine: String,
    input: String,
    ended: String,
    /// The journal's rows: each is a commit.
    rows: Vec<Vec<u8>>,
}

impl Sample {
    /// The newest that has ended.
    pub fn of(folder: &Path) -> Sample {
        let connection = Connection::open(folder.join("rectify.sqlite")).unwrap();
        let (id, machine, input, ended) = connection
            .query_row(
                "SELECT id, state_machine_arn, input, ended FROM executions WHERE status = 'SUCCEEDED' ORDER BY id DESC LIMIT 1",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .unwrap();
        let mut statement =
            connection.prepare("SELECT CAST(records AS BLOB) FROM journal WHERE execution = ?1 ORDER BY seq").unwrap();
        let rows = statement.query_map([id], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        Sample { machine, input, ended, rows }
    }

    pub fn journal_bytes(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    pub fn commits(&self) -> usize {
        self.rows.len()
    }
}

/// One row or two; answered with the execution's number once they are committed.
struct Job {
    number: u64,
    execution: Option<i64>,
    row: usize,
    reply: oneshot::Sender<i64>,
}

struct Client {
    jobs: mpsc::Sender<Job>,
    rows: usize,
}

#[async_trait]
impl Ask for Client {
    async fn ask(&mut self, number: u64) {
        let mut execution = None;
        for row in 0..self.rows {
            let (reply, answer) = oneshot::channel();
            assert!(self.jobs.send(Job { number, execution, row, reply }).await.is_ok(), "the writer runs");
            execution = Some(answer.await.expect("the writer answers"));
        }
    }
}

/// The same rows, and nothing else.
pub async fn floor(sample: &Sample, clients: u32, time: Duration) -> Measured {
    let folder = tempfile::tempdir_in(".").unwrap();
    drop(SqliteStore::open(folder.path()).unwrap());
    let (jobs, mut queue) = mpsc::channel::<Job>(4096);
    let (path, of) = (folder.path().join("rectify.sqlite"), sample.clone());
    let writer = std::thread::spawn(move || {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "synchronous", "full").unwrap();
        connection.pragma_update(None, "cache_size", -(16 << 10)).unwrap();
        connection.query_row("PRAGMA wal_autocheckpoint = 4000", [], |_| Ok(())).unwrap();
        while let Some(first) = queue.blocking_recv() {
            let mut group = vec![first];
            while group.len() < 1024
                && let Ok(job) = queue.try_recv()
            {
                group.push(job);
            }
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            let written: Vec<_> = group.into_iter().map(|job| (write(&connection, &of, &job), job.reply)).collect();
            connection.execute_batch("COMMIT").unwrap();
            for (execution, reply) in written {
                let _ = reply.send(execution);
            }
        }
    });
    let asking = (0..clients).map(|_| Client { jobs: jobs.clone(), rows: sample.rows.len() }).collect();
    drop(jobs);
    let measured = load(asking, None, time, &Process::own()).await;
    writer.join().unwrap();
    measured
}

fn write(connection: &Connection, sample: &Sample, job: &Job) -> i64 {
    let execution = job.execution.unwrap_or_else(|| {
        // As scattered as the UUIDs that executions are named by.
        let name = format!("{:016x}-floor-of-the-store-", job.number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        connection
            .prepare_cached(
                "INSERT INTO executions (arn, name, state_machine_arn, definition, role_arn, input, started_at, status, ended, stopped_at, waiting)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'SUCCEEDED', ?8, ?7, 0)",
            )
            .unwrap()
            .execute(params![
                format!("{}:{name}", sample.machine.replace(":stateMachine:", ":execution:")),
                name,
                sample.machine,
                [0_u8; 32],
                "arn:aws:iam::123456789012:role/r",
                sample.input,
                1_700_000_000_000_000_i64,
                sample.ended
            ])
            .unwrap();
        connection.last_insert_rowid()
    });
    let records = sample.rows.get(job.row).unwrap();
    connection
        .prepare_cached("INSERT INTO journal (execution, seq, format, last_event, records) VALUES (?1, ?2, 1, 22, ?3)")
        .unwrap()
        .execute(params![execution, i64::try_from(job.row).unwrap(), records])
        .unwrap();
    execution
}
