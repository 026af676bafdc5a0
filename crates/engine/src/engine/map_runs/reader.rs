//! The readers of map runs: what is in memory of them. One that is not here begins anew from its run's cursor.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use asl::{Kind, StateMachine};
use execution::{
    MapRunFailure, MapRunSpecification,
    map_run::{ChildInput, Inputs, Item, ItemSource},
};
use serde_json::Value;
use tokio::sync::{
    OwnedSemaphorePermit,
    mpsc::{self, error::TryRecvError},
};

use super::super::{Shared, limit::Limit, message::Arn};
use crate::ports::{ItemPage, ItemsOfRun, ItemsToRead, MapRunRecord, ReaderCursor, StoreError};

/// Readers at once: each holds a thread and a few pages. Where one more is wanted, one that has something ready goes: it was waited for
/// to be asked, and not the other way round.
const READERS: usize = 32;
/// Pages of items, and batches of children, that wait to be taken.
const PAGES_AHEAD: usize = 1;
/// Items of a page that the state's own input makes.
const PAGE_ITEMS: usize = 256;
/// Children of one batch, which is one write, and the bytes of their inputs.
const BATCH_CHILDREN: usize = 512;
const BATCH_BYTES: usize = 4 << 20;
/// Items of one run, at most.
const ITEMS_MAX: u64 = 10_000_000;
/// What `Map.Item.Source` says of the state's own input.
const STATE_DATA: &str = "STATE_DATA";

/// Those that wait to be asked for more, and a limit of all.
pub(super) struct Readers {
    limit: Limit,
    kept: Mutex<VecDeque<(u64, Reader)>>,
}

impl Default for Readers {
    fn default() -> Readers {
        Readers { limit: Limit::new("map_run_readers_at_once", READERS), kept: Mutex::default() }
    }
}

impl Readers {
    /// A place for one more reader, if there is one: each run that gets none asks again.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.limit.try_acquire().or_else(|| {
            let mut readers = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let at = readers.iter().position(|(_, reader)| !reader.batches.is_empty())?;
            drop(readers.remove(at));
            self.limit.try_acquire()
        })
    }

    /// The reader of a run, by the run's number, if it is here.
    pub(super) fn take(&self, run: u64) -> Option<Reader> {
        let mut readers = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = readers.iter().position(|(its, _)| *its == run)?;
        readers.remove(at).map(|(_, reader)| reader)
    }

    /// Keeps a reader until it is asked for more.
    pub(super) fn keep(&self, run: u64, reader: Reader) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push_back((run, reader));
    }

    /// A run reads no more.
    pub(super) fn close(&self, run: u64) {
        drop(self.take(run));
    }
}

/// Children that were made, and how far the items were read with them.
pub(super) struct Batch {
    pub(super) children: Vec<ChildInput>,
    pub(super) cursor: ReaderCursor,
}

/// What a reader says next.
pub(super) enum Read {
    /// More children.
    Batch(Batch),
    /// That these were the last.
    Complete(Batch),
    /// That there is something wrong with the items.
    Failed(MapRunFailure),
}

/// A run's items on their way to be children. It ends once it is dropped.
pub(super) struct Reader {
    batches: mpsc::Receiver<Read>,
    _place: OwnedSemaphorePermit,
}

/// Wakes a run whose reader has said something, or will say no more.
struct Waker {
    engine: Weak<Shared>,
    run: Arn,
}

impl Waker {
    fn wake(&self) {
        if let Some(shared) = self.engine.upgrade() {
            shared.map_runs.wake(self.run.clone());
        }
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.wake();
    }
}

impl Reader {
    /// Reads on from the cursor.
    pub(super) async fn open(
        shared: &Arc<Shared>,
        run: &MapRunRecord,
        of: ItemsOfRun,
        place: OwnedSemaphorePermit,
    ) -> Result<Reader, StoreError> {
        let (hash, definition) = shared.store.map_run_definition(run.number).await?;
        let machine = shared.machines.of_definition(hash, &definition)?;
        let ItemsOfRun { source, surroundings, cursor } = of;
        let specification = MapRunSpecification { source, surroundings, ..run.specification.clone() };
        let (pages, items) = mpsc::channel(PAGES_AHEAD);
        let (made, batches) = mpsc::channel(PAGES_AHEAD);
        let waker = Waker { engine: Arc::downgrade(shared), run: run.specification.arn.as_str().into() };
        let mut fetching = tokio::spawn(fetch(shared.clone(), specification.clone(), cursor.clone(), pages));
        // Expressions compute for as long as they do: not on the async runtime. The thread ends once nobody listens to it.
        let threads = shared.threads;
        tokio::spawn(threads.block_on(async move {
            let mut maker = Maker::new(&specification, cursor, made, &waker);
            let mut outcome = maker.take_all(&machine, items).await;
            if outcome.is_ok() {
                let fetched = tokio::select! {
                    biased;
                    () = maker.batches.closed() => return fetching.abort(),
                    fetched = &mut fetching => fetched,
                };
                outcome = fetched.unwrap_or_else(|_| {
                    Err(MapRunFailure::of_reader("reading the items panicked; this is a bug: please report it"))
                });
            } else {
                // What the making stumbled over came first.
                fetching.abort();
            }
            maker.end(outcome).await;
        }));
        Ok(Reader { batches, _place: place })
    }

    /// What comes next, if it is there already; disconnected if its thread panicked.
    pub(super) fn next(&mut self) -> Result<Read, TryRecvError> {
        self.batches.try_recv()
    }
}

/// Fetches the items, page by page.
async fn fetch(
    shared: Arc<Shared>,
    specification: MapRunSpecification,
    cursor: ReaderCursor,
    pages: mpsc::Sender<ItemPage>,
) -> Result<(), MapRunFailure> {
    match specification.source {
        ItemSource::Items(items) => {
            let item = |value: &Value, key: Option<&String>| Item {
                value: value.clone(),
                key: key.cloned(),
                source: STATE_DATA.to_owned(),
            };
            let mut all: Box<dyn Iterator<Item = Item> + Send> = match items.value() {
                Value::Array(values) => Box::new(values.iter().map(|value| item(value, None))),
                Value::Object(fields) => Box::new(fields.iter().map(|(key, value)| item(value, Some(key)))),
                _ => Box::new(std::iter::empty()),
            };
            let mut skip = 0;
            loop {
                let items: Vec<Item> = all.by_ref().take(PAGE_ITEMS).collect();
                let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
                // Nobody takes it: then something went wrong there.
                if items.is_empty() || pages.send(ItemPage { position: Value::Null, skip, items }).await.is_err() {
                    return Ok(());
                }
                skip = skip.saturating_add(count);
            }
        }
        ItemSource::Reader(reading) if reading.max_items < 0 => {
            Err(MapRunFailure::of_reader("field MaxItems must be positive"))
        }
        ItemSource::Reader(reading) => {
            let from = Some(cursor.position).filter(|position| !position.is_null());
            let items = ItemsToRead { state_machine_arn: specification.state_machine_arn, reading, from };
            shared.executor.read_items(items, pages).await.map_err(MapRunFailure::of_reader)
        }
    }
}

/// Makes children of items.
struct Maker<'run> {
    specification: &'run MapRunSpecification,
    waker: &'run Waker,
    batches: mpsc::Sender<Read>,
    /// How far everything is that was handed over.
    cursor: ReaderCursor,
    /// The first item of each page that may still be needed to say how far it is, with the page's position and what it skips.
    pages: VecDeque<(u64, Value, u64)>,
    children: Vec<ChildInput>,
    bytes: usize,
}

impl<'run> Maker<'run> {
    fn new(
        specification: &'run MapRunSpecification,
        cursor: ReaderCursor,
        batches: mpsc::Sender<Read>,
        waker: &'run Waker,
    ) -> Maker<'run> {
        Maker { specification, waker, batches, cursor, pages: VecDeque::new(), children: Vec::new(), bytes: 0 }
    }

    async fn take_all(
        &mut self,
        machine: &StateMachine,
        mut pages: mpsc::Receiver<ItemPage>,
    ) -> Result<(), MapRunFailure> {
        let selector = machine.find(&self.specification.state_name).and_then(|(_, state)| match &state.kind {
            Kind::Map(map) => map.item_selector.as_ref().map(|template| (template, state.query_language)),
            _ => None,
        });
        let most = match &self.specification.source {
            ItemSource::Reader(reading) => u64::try_from(reading.max_items).ok().filter(|most| *most > 0),
            ItemSource::Items(_) => None,
        };
        let read_before = self.cursor.items;
        let mut count = read_before.saturating_sub(self.cursor.skip);
        let mut inputs = Inputs::new(self.specification, selector, read_before);
        'pages: while let Some(ItemPage { position, skip, items }) = self.page(&mut pages).await {
            self.pages.push_back((count, position, skip));
            for item in items {
                if count < read_before {
                    count += 1;
                    continue;
                }
                if most.is_some_and(|most| count >= most) {
                    pages.close();
                    break 'pages;
                }
                count += 1;
                if count > ITEMS_MAX {
                    let text =
                        format!("There are more than {ITEMS_MAX} items, and a map run takes no more: set MaxItems.");
                    return Err(MapRunFailure::of_reader(text));
                }
                if let Some(child) = inputs.push(item)? {
                    self.add(child).await;
                }
                if self.batches.is_closed() {
                    return Ok(());
                }
            }
            // What a page makes is not held back: its children can begin.
            self.send().await;
        }
        if self.batches.is_closed() {
            return Ok(());
        }
        if let Some(child) = inputs.finish()? {
            self.add(child).await;
        }
        Ok(())
    }

    /// The next page; none any more once nobody listens, however long the fetching hangs.
    async fn page(&self, pages: &mut mpsc::Receiver<ItemPage>) -> Option<ItemPage> {
        tokio::select! {
            biased;
            () = self.batches.closed() => None,
            page = pages.recv() => page,
        }
    }

    async fn add(&mut self, child: ChildInput) {
        self.cursor.items = self.cursor.items.saturating_add(child.items);
        self.cursor.children = self.cursor.children.saturating_add(1);
        self.bytes = self.bytes.saturating_add(child.text.len());
        self.children.push(child);
        if self.children.len() >= BATCH_CHILDREN || self.bytes >= BATCH_BYTES {
            self.send().await;
        }
    }

    async fn send(&mut self) {
        if !self.children.is_empty() {
            let batch = self.batch();
            self.say(Read::Batch(batch)).await;
        }
    }

    /// The children so far, and how far the items were read with them.
    fn batch(&mut self) -> Batch {
        let items = self.cursor.items;
        while self.pages.get(1).is_some_and(|(first, ..)| *first <= items) {
            self.pages.pop_front();
        }
        if let Some((first, position, skip)) = self.pages.front() {
            self.cursor.position = position.clone();
            self.cursor.skip = skip.saturating_add(items.saturating_sub(*first));
        }
        self.bytes = 0;
        Batch { children: std::mem::take(&mut self.children), cursor: self.cursor.clone() }
    }

    async fn end(mut self, outcome: Result<(), MapRunFailure>) {
        let last = self.batch();
        match outcome {
            Ok(()) => self.say(Read::Complete(last)).await,
            Err(failure) => self.say(Read::Failed(failure)).await,
        }
    }

    async fn say(&self, read: Read) {
        // Nobody listens: the reader was dropped, and begins anew from the cursor.
        let _ = self.batches.send(read).await;
        self.waker.wake();
    }
}
