//! A map run reads on: its next items become children, in one write with how far they were read.

use std::{sync::Arc, time::Duration};

use super::{
    super::Shared,
    reader::{Read, Reader},
};
use crate::ports::{MapRunRecord, StoreError};

/// How long a reader is waited for before the run looks around: it may have been stopped, or has room for children.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes what the reader has next, or a while of waiting for it.
pub(super) async fn read_on(shared: &Arc<Shared>, run: &MapRunRecord) -> Result<(), StoreError> {
    let number = run.number;
    let mut reader = match shared.map_runs.readers.take(number) {
        Some(reader) => reader,
        None => match shared.store.items_of_run(number).await? {
            Some(items) => Reader::open(shared, run, items).await?,
            None => {
                let arn = &run.specification.arn;
                return Err(StoreError::Damaged(format!("the map run `{arn}` is reading, and its items are gone")));
            }
        },
    };
    // If a write fails, the reader is not kept: it begins anew from what the store has.
    match tokio::time::timeout(PATIENCE, reader.next()).await {
        Err(_) => shared.map_runs.readers.keep(number, reader),
        Ok(Some(Read::Batch(batch))) => {
            shared.store.add_children(number, batch.children, batch.cursor, false).await?;
            shared.map_runs.readers.keep(number, reader);
        }
        Ok(Some(Read::Complete(batch))) => {
            shared.store.add_children(number, batch.children, batch.cursor, true).await?;
        }
        Ok(Some(Read::Failed(failure))) => shared.store.fail_map_run(number, failure).await?,
        Ok(None) => {
            return Err(StoreError::Damaged(
                "making a map run's inputs panicked; this is a bug: please report it".to_owned(),
            ));
        }
    }
    Ok(())
}
