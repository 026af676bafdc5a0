//! Sees the ends of Standard executions that were started over the API: a thread reads the server's store, a few thousand times a
//! second. A client would ask DescribeExecution again and again, and the server's answers would be measured with it.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

const PAUSE: Duration = Duration::from_micros(200);

type Waiting = Mutex<HashMap<String, oneshot::Sender<String>>>;

/// Watches a store until it is dropped.
#[derive(Clone)]
pub struct Ends(Arc<Waiting>);

impl Ends {
    pub fn of(store: PathBuf) -> Ends {
        let waiting = Arc::new(Waiting::default());
        let seen = Arc::downgrade(&waiting);
        std::thread::spawn(move || watch(&store.join("rectify.sqlite"), &seen));
        Ends(waiting)
    }

    /// Is told the status of the execution of this name once it has ended, durably. To be asked before it is started.
    pub fn expect(&self, name: &str) -> oneshot::Receiver<String> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap().insert(name.to_owned(), sender);
        receiver
    }
}

fn watch(file: &std::path::Path, waiting: &Weak<Waiting>) {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    // All up to here have ended; and of those after it, these.
    let (mut low, mut ended) = (0_i64, BTreeSet::new());
    while let Some(waiting) = waiting.upgrade() {
        if !waiting.lock().unwrap().is_empty() {
            let mut statement = connection
                .prepare_cached("SELECT id, name, status FROM executions WHERE id > ?1 AND status != 'RUNNING'")
                .unwrap();
            let mut rows = statement.query([low]).unwrap();
            let mut found = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                if ended.insert(row.get::<_, i64>(0).unwrap()) {
                    found.push((row.get::<_, String>(1).unwrap(), row.get::<_, String>(2).unwrap()));
                }
            }
            drop(rows);
            while ended.remove(&(low + 1)) {
                low += 1;
            }
            let mut waiting = waiting.lock().unwrap();
            for (name, status) in found {
                if let Some(waiter) = waiting.remove(&name) {
                    let _ = waiter.send(status);
                }
            }
        }
        drop(waiting);
        std::thread::sleep(PAUSE);
    }
}
