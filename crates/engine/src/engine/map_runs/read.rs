//! A map run reads on: its next items become children, in one write with how far they were read.

use std::sync::Arc;

use tokio::sync::mpsc::error::TryRecvError;

use super::{
    super::Shared,
    reader::{Read, Reader},
    wake_later,
};
use crate::ports::{MapRunRecord, StoreError};

/// Takes what the reader has next; whether it had something. If not, the run is woken once it has: nobody waits here for a slow reader.
pub(super) async fn read_on(shared: &Arc<Shared>, run: &MapRunRecord) -> Result<bool, StoreError> {
    let (number, readers) = (run.number, &shared.map_runs.readers);
    let mut reader = match readers.take(number) {
        Some(reader) => reader,
        None => match open(shared, run).await? {
            Some(reader) => reader,
            None => {
                wake_later(shared, run.specification.arn.as_str().into());
                return Ok(false);
            }
        },
    };
    // If a write fails, the reader is not kept: it begins anew from what the store has.
    match reader.next() {
        Err(TryRecvError::Empty) => {
            readers.keep(number, reader);
            return Ok(false);
        }
        Ok(Read::Batch(batch)) => {
            shared.store.add_children(number, batch.children, batch.cursor, false).await?;
            readers.keep(number, reader);
        }
        Ok(Read::Complete(batch)) => shared.store.add_children(number, batch.children, batch.cursor, true).await?,
        Ok(Read::Failed(failure)) => shared.store.fail_map_run(number, failure).await?,
        Err(TryRecvError::Disconnected) => {
            return Err(StoreError::Damaged(
                "making a map run's inputs panicked; this is a bug: please report it".to_owned(),
            ));
        }
    }
    Ok(true)
}

/// A new reader, if there may be one more.
async fn open(shared: &Arc<Shared>, run: &MapRunRecord) -> Result<Option<Reader>, StoreError> {
    let Some(place) = shared.map_runs.readers.place() else { return Ok(None) };
    match shared.store.items_of_run(run.number).await? {
        Some(items) => Reader::open(shared, run, items, place).await.map(Some),
        None => {
            let arn = &run.specification.arn;
            Err(StoreError::Damaged(format!("the map run `{arn}` is reading, and its items are gone")))
        }
    }
}
