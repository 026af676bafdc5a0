//! Read-only connections, used from threads that may block.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::ports::StoreError;

/// Readers at once; more wait.
const READERS: usize = 4;

pub(super) struct Pool {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    #[cfg(feature = "simulator")]
    disk: Option<Arc<dyn super::writer::simulated::Disk>>,
}

impl Pool {
    pub(super) fn open(path: &Path) -> Result<Pool, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connections = (0..READERS)
            .map(|_| {
                let connection = Connection::open_with_flags(path, flags)?;
                connection.set_prepared_statement_cache_capacity(super::STATEMENTS_KEPT);
                Ok(connection)
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        Ok(Pool {
            free: Arc::new(Mutex::new(connections)),
            permits: Arc::new(Semaphore::new(READERS)),
            #[cfg(feature = "simulator")]
            disk: None,
        })
    }

    /// One reader in the runtime's one thread, on a disk that fails as it is told.
    #[cfg(feature = "simulator")]
    pub(super) fn simulate(connection: Connection, disk: Arc<dyn super::writer::simulated::Disk>) -> Pool {
        connection.set_prepared_statement_cache_capacity(super::STATEMENTS_KEPT);
        Pool { free: Arc::new(Mutex::new(vec![connection])), permits: Arc::new(Semaphore::new(1)), disk: Some(disk) }
    }

    /// Reads what was committed before the call.
    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let gone = || StoreError::Unavailable("the store's readers have ended: restart the program".to_owned());
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| gone())?;
        let free = self.free.clone();
        #[cfg(feature = "simulator")]
        if let Some(disk) = &self.disk {
            disk.read().await?;
            let free = free.lock().unwrap_or_else(PoisonError::into_inner);
            return query(free.first().ok_or_else(gone)?);
        }
        tokio::task::spawn_blocking(move || {
            let connection = free.lock().unwrap_or_else(PoisonError::into_inner).pop().ok_or_else(gone)?;
            let answer = query(&connection);
            free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(permit);
            answer
        })
        .await
        .unwrap_or_else(|_| Err(gone()))
    }
}
