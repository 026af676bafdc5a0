//! A map run reads its items, and its children's inputs are made of them.

use std::sync::Arc;

use asl::{Kind, StateMachine};
use execution::{
    MapRunFailure, MapRunSpecification,
    map_run::{ChildInput, Inputs, Item, ItemSource},
};
use serde_json::Value;
use tokio::{runtime::Handle, sync::mpsc};

use super::super::Shared;
use crate::ports::{ItemsToRead, MapRunRecord, StoreError};

/// Pages of items that wait for their inputs to be made.
const PAGES_AHEAD: usize = 2;
/// Children added in one write, and the bytes of their inputs.
const CHILDREN_ADDED: usize = 512;
const BYTES_ADDED: usize = 4 << 20;
/// Items of one run, at most.
const ITEMS_MAX: u64 = 10_000_000;
/// What `Map.Item.Source` says of the state's own input.
const STATE_DATA: &str = "STATE_DATA";

/// Why a reading did not come to its end.
enum Trouble {
    /// The run fails.
    Run(MapRunFailure),
    /// The run tries again.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

/// Reads all items and keeps the children. No child has begun yet: what a reading that was broken off left is forgotten.
pub(super) async fn read(shared: &Arc<Shared>, run: MapRunRecord) -> Result<(), StoreError> {
    shared.store.forget_children(run.number).await?;
    let (hash, definition) = shared.store.map_run_definition(run.number).await?;
    let machine = shared.machines.of_definition(hash, &definition)?;
    let number = run.number;
    let (pages, items) = mpsc::channel(PAGES_AHEAD);
    let reading = fetch(shared, &run.specification, pages);
    // Expressions compute for as long as they do: not on the async runtime.
    let making = {
        let (shared, specification) = (shared.clone(), run.specification.clone());
        let work = move || make_children(&shared, number, &specification, &machine, items);
        tokio::task::spawn_blocking(work)
    };
    let (read, made) = tokio::join!(reading, making);
    let made = made.map_err(|_| {
        StoreError::Damaged("making a map run's inputs panicked; this is a bug: please report it".to_owned())
    })?;
    // What the making stumbled over came first: the reader may have been broken off by it.
    let failure = match (made, read) {
        (Err(Trouble::Store(error)), _) => return Err(error),
        (Err(Trouble::Run(failure)), _) | (Ok(()), Err(failure)) => failure,
        (Ok(()), Ok(())) => {
            let specification = MapRunSpecification { source: ItemSource::default(), ..run.specification };
            return shared.store.children_are_complete(number, specification).await;
        }
    };
    shared.store.forget_children(number).await?;
    shared.store.fail_map_run(number, failure).await
}

/// Fetches the items, page by page.
async fn fetch(
    shared: &Shared,
    specification: &MapRunSpecification,
    pages: mpsc::Sender<Vec<Item>>,
) -> Result<(), MapRunFailure> {
    match &specification.source {
        ItemSource::Items(items) => {
            let item = |value: &Value, key: Option<&String>| Item {
                value: value.clone(),
                key: key.cloned(),
                source: STATE_DATA.to_owned(),
            };
            let all = match items.value() {
                Value::Array(values) => values.iter().map(|value| item(value, None)).collect(),
                Value::Object(fields) => fields.iter().map(|(key, value)| item(value, Some(key))).collect(),
                _ => Vec::new(),
            };
            // Nobody takes it: then something went wrong there.
            let _ = pages.send(all).await;
            Ok(())
        }
        ItemSource::Reader(reading) if reading.max_items < 0 => {
            Err(MapRunFailure::of_reader("field MaxItems must be positive"))
        }
        ItemSource::Reader(reading) => {
            let state_machine_arn = specification.state_machine_arn.clone();
            let items = ItemsToRead { state_machine_arn, reading: reading.clone() };
            shared.executor.read_items(items, pages).await.map_err(MapRunFailure::of_reader)
        }
    }
}

fn make_children(
    shared: &Shared,
    number: u64,
    specification: &MapRunSpecification,
    machine: &StateMachine,
    mut pages: mpsc::Receiver<Vec<Item>>,
) -> Result<(), Trouble> {
    let selector = machine.find(&specification.state_name).and_then(|(_, state)| match &state.kind {
        Kind::Map(map) => map.item_selector.as_ref().map(|template| (template, state.query_language)),
        _ => None,
    });
    let most = match &specification.source {
        ItemSource::Reader(reading) => u64::try_from(reading.max_items).ok().filter(|most| *most > 0),
        ItemSource::Items(_) => None,
    };
    let mut inputs = Inputs::new(specification, selector);
    let mut children = Children { shared, number, next: 0, batch: Vec::new(), bytes: 0 };
    let mut count = 0_u64;
    while let Some(page) = pages.blocking_recv() {
        for item in page {
            if most == Some(count) {
                pages.close();
                break;
            }
            count += 1;
            if count > ITEMS_MAX {
                let text = format!("There are more than {ITEMS_MAX} items, and a map run takes no more: set MaxItems.");
                return Err(Trouble::Run(MapRunFailure::of_reader(text)));
            }
            children.add(inputs.push(item).map_err(Trouble::Run)?)?;
        }
    }
    children.add(inputs.finish().map_err(Trouble::Run)?)?;
    children.write()
}

/// Children on their way to the store.
struct Children<'shared> {
    shared: &'shared Shared,
    number: u64,
    next: u64,
    batch: Vec<ChildInput>,
    bytes: usize,
}

impl Children<'_> {
    fn add(&mut self, input: Option<ChildInput>) -> Result<(), Trouble> {
        let Some(input) = input else { return Ok(()) };
        self.bytes = self.bytes.saturating_add(input.text.len());
        self.batch.push(input);
        if self.batch.len() >= CHILDREN_ADDED || self.bytes >= BYTES_ADDED { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Trouble> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        Handle::current().block_on(self.shared.store.add_children(self.number, self.next, batch))?;
        self.next = self.next.saturating_add(count);
        self.bytes = 0;
        Ok(())
    }
}
