//! A map run reads its items, and its children's inputs are made of them.

use std::sync::Arc;

use asl::{Kind, StateMachine};
use execution::{
    MapRunFailure, MapRunSpecification,
    map_run::{ChildInput, Inputs, Item, ItemSource},
};
use serde_json::Value;
use tokio::sync::mpsc;

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

/// Reads all items and keeps the children. No child has begun yet: what a reading that was broken off left is forgotten.
pub(super) async fn read(shared: &Arc<Shared>, run: MapRunRecord) -> Result<(), StoreError> {
    shared.store.forget_children(run.number).await?;
    let (hash, definition) = shared.store.map_run_definition(run.number).await?;
    let machine = shared.machines.of_definition(hash, &definition)?;
    let number = run.number;
    let (pages, items) = mpsc::channel(PAGES_AHEAD);
    let (batches, children) = mpsc::channel(PAGES_AHEAD);
    let reading = fetch(shared, &run.specification, pages);
    // Expressions compute for as long as they do: not on the async runtime. The thread ends once nobody listens to it.
    let specification = run.specification.clone();
    let making = shared.threads.block_on(make_children(specification, machine, items, batches));
    let (read, made, written) = tokio::join!(reading, making, write(shared, number, children));
    let made = made.map_err(|_| {
        StoreError::Damaged("making a map run's inputs panicked; this is a bug: please report it".to_owned())
    })?;
    written?;
    // What the making stumbled over came first: the reader was broken off by it.
    match made.and(read) {
        Ok(()) => {
            let specification = MapRunSpecification { source: ItemSource::default(), ..run.specification };
            shared.store.children_are_complete(number, specification).await
        }
        Err(failure) => {
            shared.store.forget_children(number).await?;
            shared.store.fail_map_run(number, failure).await
        }
    }
}

/// Keeps the children, batch by batch.
async fn write(shared: &Shared, number: u64, mut batches: mpsc::Receiver<Vec<ChildInput>>) -> Result<(), StoreError> {
    let mut next = 0_u64;
    while let Some(batch) = batches.recv().await {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        shared.store.add_children(number, next, batch).await?;
        next = next.saturating_add(count);
    }
    Ok(())
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

async fn make_children(
    specification: MapRunSpecification,
    machine: Arc<StateMachine>,
    mut pages: mpsc::Receiver<Vec<Item>>,
    batches: mpsc::Sender<Vec<ChildInput>>,
) -> Result<(), MapRunFailure> {
    let selector = machine.find(&specification.state_name).and_then(|(_, state)| match &state.kind {
        Kind::Map(map) => map.item_selector.as_ref().map(|template| (template, state.query_language)),
        _ => None,
    });
    let most = match &specification.source {
        ItemSource::Reader(reading) => u64::try_from(reading.max_items).ok().filter(|most| *most > 0),
        ItemSource::Items(_) => None,
    };
    let mut inputs = Inputs::new(&specification, selector);
    let mut children = Children { batches, batch: Vec::new(), bytes: 0 };
    let mut count = 0_u64;
    while let Some(page) = pages.recv().await {
        for item in page {
            if most == Some(count) {
                pages.close();
                break;
            }
            count += 1;
            if count > ITEMS_MAX {
                let text = format!("There are more than {ITEMS_MAX} items, and a map run takes no more: set MaxItems.");
                return Err(MapRunFailure::of_reader(text));
            }
            children.add(inputs.push(item)?).await;
        }
    }
    children.add(inputs.finish()?).await;
    children.send().await;
    Ok(())
}

/// Children on their way to the store. Where nobody takes them, the store has failed: the reading begins anew.
struct Children {
    batches: mpsc::Sender<Vec<ChildInput>>,
    batch: Vec<ChildInput>,
    bytes: usize,
}

impl Children {
    async fn add(&mut self, input: Option<ChildInput>) {
        let Some(input) = input else { return };
        self.bytes = self.bytes.saturating_add(input.text.len());
        self.batch.push(input);
        if self.batch.len() >= CHILDREN_ADDED || self.bytes >= BYTES_ADDED {
            self.send().await;
        }
    }

    async fn send(&mut self) {
        if !self.batch.is_empty() {
            let _ = self.batches.send(std::mem::take(&mut self.batch)).await;
            self.bytes = 0;
        }
    }
}
