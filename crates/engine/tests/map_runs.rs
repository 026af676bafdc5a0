//! Map runs on a real store: reading while children run, Express children, redrives, crashes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use detection::Finding;
use engine::{
    Engine, SystemClock, TaskExecutor,
    ports::{ExecutionFilter, ItemPage, ItemsToRead, MapRunRecord, Task, TaskOutcome},
};
use execution::{
    EventType, Status,
    map_run::{Item, MapRunStatus},
};
use serde_json::{Value, json};
use support::*;
use tokio::sync::{mpsc, watch};

/// Items of a page that the reader reads.
const PAGE: u64 = 3;

/// Reads numbers as items, and performs a task for each.
struct Reader {
    /// How many items there are.
    items: u64,
    /// Reading waits until so many pages may be read.
    pages: watch::Sender<u64>,
    /// From where each reading began.
    begun_from: Mutex<Vec<Option<Value>>>,
    /// How often each item's task was performed.
    performed: Mutex<BTreeMap<u64, usize>>,
    /// Items whose task fails, or never ends.
    failing: Mutex<BTreeSet<u64>>,
    stuck: Mutex<BTreeSet<u64>>,
}

impl Reader {
    fn new(items: u64) -> Arc<Reader> {
        Arc::new(Reader {
            items,
            pages: watch::Sender::new(u64::MAX),
            begun_from: Mutex::default(),
            performed: Mutex::default(),
            failing: Mutex::default(),
            stuck: Mutex::default(),
        })
    }

    fn performed(&self) -> BTreeMap<u64, usize> {
        self.performed.lock().unwrap().clone()
    }
}

#[async_trait]
impl TaskExecutor for Reader {
    async fn perform(&self, task: Task) -> TaskOutcome {
        let item = task.scheduled.arguments["Item"].as_u64().unwrap();
        *self.performed.lock().unwrap().entry(item).or_default() += 1;
        if self.stuck.lock().unwrap().contains(&item) {
            return std::future::pending().await;
        }
        match self.failing.lock().unwrap().contains(&item) {
            true => TaskOutcome::Failed { error: "Broken".into(), cause: "told to".into() },
            false => TaskOutcome::Succeeded(json!(item * 10)),
        }
    }

    async fn read_items(&self, items: ItemsToRead, pages: mpsc::Sender<ItemPage>) -> Result<(), String> {
        self.begun_from.lock().unwrap().push(items.from.clone());
        let mut allowed = self.pages.subscribe();
        let first = items.from.map_or(0, |from| from["Page"].as_u64().unwrap());
        for page in first.. {
            allowed.wait_for(|allowed| page < *allowed).await.unwrap();
            let numbers = (page * PAGE..self.items).take(usize::try_from(PAGE).unwrap());
            let item = |number| Item { value: json!(number), key: None, source: "S3://b/k".to_owned() };
            let items: Vec<Item> = numbers.map(item).collect();
            let position = json!({"Page": page});
            if items.is_empty() || pages.send(ItemPage { position, skip: 0, items }).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn tell_of_failure(&self, _finding: &Finding) -> Result<(), String> {
        Ok(())
    }
}

async fn engine(home: &Home, reader: &Arc<Reader>) -> Engine {
    Engine::start(home.store().await, reader.clone(), Arc::new(SystemClock), home.options.clone()).await.unwrap()
}

/// A Distributed Map over what the reader reads, with these fields more.
async fn map(engine: &Engine, execution_type: &str, fields: Value) -> String {
    let arguments = json!({"Item": "{% $states.input.Item %}"});
    let task =
        json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:x", "Arguments": arguments, "End": true});
    let mut map = json!({
        "Type": "Map", "End": true,
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Arguments": {"Bucket": "b", "Key": "k"},
                       "ReaderConfig": {"InputType": "JSON"}},
        "ItemSelector": {"Item": "{% $states.context.Map.Item.Value %}"},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": execution_type},
                          "StartAt": "T", "States": {"T": task}},
    });
    map.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    machine(engine, "m", json!({"M": map})).await
}

async fn run_of(engine: &Engine, execution_arn: &str) -> MapRunRecord {
    engine.list_map_runs(execution_arn, None, 10).await.unwrap().remove(0)
}

async fn until_run(engine: &Engine, execution_arn: &str, what: &str, check: impl Fn(&MapRunRecord) -> bool) {
    until(what, || async {
        let runs = engine.list_map_runs(execution_arn, None, 10).await.unwrap();
        runs.first().is_some_and(&check)
    })
    .await;
}

fn tens(items: u64) -> Value {
    (0..items).map(|item| item * 10).collect()
}

#[tokio::test]
async fn children_begin_while_items_are_read() {
    for execution_type in ["STANDARD", "EXPRESS"] {
        let (home, reader) = (Home::new(), Reader::new(10));
        reader.pages.send_replace(1);
        let engine = engine(&home, &reader).await;
        let machine = map(&engine, execution_type, json!({})).await;
        let arn = engine.start_execution(&machine, None, "{}").await.unwrap().arn;
        until_run(&engine, &arn, "the first page's children end", |run| run.standing.counts.succeeded.items == PAGE)
            .await;
        reader.pages.send_replace(u64::MAX);
        let ended = engine.wait_for_end(&arn).await.unwrap();
        assert_eq!(ended.output, Some(tens(10)), "{ended:?}");
        assert_eq!(*reader.begun_from.lock().unwrap(), [None], "it is read once");
        assert_eq!(reader.performed(), (0..10).map(|item| (item, 1)).collect());
    }
}

#[tokio::test]
async fn a_crash_in_mid_reading_goes_on_from_the_cursor() {
    let batches = json!({"ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"b": 1}}, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P",
        "States": {"P": {"Type": "Pass", "Output": "{% [$states.input.Items.Item] %}", "End": true}}}});
    for (fields, expected) in [(json!({}), tens(10)), (batches, json!([[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]))] {
        let (home, reader) = (Home::new(), Reader::new(10));
        reader.pages.send_replace(2);
        let first = engine(&home, &reader).await;
        let machine = map(&first, "STANDARD", fields).await;
        let arn = first.start_execution(&machine, None, "{}").await.unwrap().arn;
        until_run(&first, &arn, "two pages are in children", |run| run.standing.counts.succeeded.items == 6).await;
        drop(first);
        reader.pages.send_replace(u64::MAX);
        let second = engine(&home, &reader).await;
        let ended = second.wait_for_end(&arn).await.unwrap();
        assert_eq!(ended.output, Some(expected));
        assert_eq!(*reader.begun_from.lock().unwrap(), [None, Some(json!({"Page": 1}))], "not from the beginning");
        assert!(reader.performed().values().all(|times| *times == 1), "{:?}", reader.performed());
    }
}

#[tokio::test]
async fn express_children_are_in_no_list_and_a_crash_begins_them_anew() {
    let (home, reader) = (Home::new(), Reader::new(5));
    reader.stuck.lock().unwrap().insert(3);
    let first = engine(&home, &reader).await;
    let machine = map(&first, "EXPRESS", json!({})).await;
    let arn = first.start_execution(&machine, None, "{}").await.unwrap().arn;
    until_run(&first, &arn, "all but one end", |run| run.standing.counts.succeeded.executions == 4).await;
    let run = run_of(&first, &arn).await;
    assert_eq!(run.standing.counts.running.executions, 1);
    let listed = first.list_executions_of_map_run(&run.specification.arn, ExecutionFilter::default(), None, 9).await;
    let refusal = listed.unwrap_err().to_string();
    assert!(refusal.contains("not supported by this type"), "{refusal}");
    let child = run.specification.express_child_arn(0, 0);
    assert!(child.contains(":express:m/"), "{child}");
    first.describe_execution(&child).await.unwrap_err();
    assert_eq!(first.list_executions(&machine, None, None, 9).await.unwrap().len(), 1);
    drop(first);
    reader.stuck.lock().unwrap().clear();
    let second = engine(&home, &reader).await;
    let ended = second.wait_for_end(&arn).await.unwrap();
    assert_eq!(ended.output, Some(tens(5)));
    assert_eq!(reader.performed(), [(0, 1), (1, 1), (2, 1), (3, 2), (4, 1)].into(), "only what had not ended");
}

#[tokio::test]
async fn a_redrive_runs_again_only_what_had_not_succeeded() {
    for execution_type in ["STANDARD", "EXPRESS"] {
        let (home, reader) = (Home::new(), Reader::new(6));
        reader.failing.lock().unwrap().extend([1, 4]);
        let engine = engine(&home, &reader).await;
        let machine = map(&engine, execution_type, json!({"ToleratedFailureCount": 1, "MaxConcurrency": 1})).await;
        let arn = engine.start_execution(&machine, None, "{}").await.unwrap().arn;
        let ended = engine.wait_for_end(&arn).await.unwrap();
        assert_eq!(ended.error.as_deref(), Some("States.ExceedToleratedFailureThreshold"));
        let failed = run_of(&engine, &arn).await;
        assert_eq!(failed.status, MapRunStatus::Failed);
        assert_eq!((failed.standing.counts.failed.items, failed.standing.counts.pending.items), (2, 1));
        // It fails once more, and then no more.
        reader.failing.lock().unwrap().remove(&1);
        reader.failing.lock().unwrap().insert(5);
        engine.redrive_execution(&arn, None).await.unwrap();
        assert_eq!(engine.wait_for_end(&arn).await.unwrap().status, Status::Failed);
        reader.failing.lock().unwrap().clear();
        engine.redrive_execution(&arn, None).await.unwrap();
        let ended = engine.wait_for_end(&arn).await.unwrap();
        assert_eq!(ended.output, Some(tens(6)), "{ended:?}");
        assert_eq!(reader.performed(), [(0, 1), (1, 2), (2, 1), (3, 1), (4, 3), (5, 2)].into());
        let runs = engine.list_map_runs(&arn, None, 10).await.unwrap();
        assert_eq!(runs.len(), 1, "it is the same run");
        assert_eq!(
            (runs[0].redrive_count, runs[0].redriven_at.is_some(), runs[0].status),
            (2, true, MapRunStatus::Succeeded)
        );
        assert_eq!((runs[0].standing.counts.succeeded.items, runs[0].standing.counts.total().items), (6, 6));
        let history = engine.history(&arn, None, 100, false).await.unwrap();
        assert_eq!(history.iter().filter(|event| event.kind == EventType::MapRunRedriven).count(), 2);
        if execution_type == "STANDARD" {
            let list = async |filter| {
                let listed = engine.list_executions_of_map_run(&runs[0].specification.arn, filter, None, 99).await;
                listed.unwrap()
            };
            let redriven = list(ExecutionFilter { is_redriven: Some(true), ..Default::default() }).await;
            assert_eq!(redriven.len(), 3);
            assert_eq!(list(ExecutionFilter { is_redriven: Some(false), ..Default::default() }).await.len(), 3);
            let refusal = engine.redrive_execution(&redriven[0].arn, None).await.unwrap_err().to_string();
            assert!(refusal.contains("by its Map Run"), "{refusal}");
        }
    }
}

#[tokio::test]
async fn a_run_that_was_stopped_is_redriven_once_its_children_have_stopped() {
    for execution_type in ["STANDARD", "EXPRESS"] {
        let (home, reader) = (Home::new(), Reader::new(4));
        reader.stuck.lock().unwrap().extend([1, 2]);
        let engine = engine(&home, &reader).await;
        let machine = map(&engine, execution_type, json!({})).await;
        let arn = engine.start_execution(&machine, None, "{}").await.unwrap().arn;
        until_run(&engine, &arn, "two end", |run| run.standing.counts.succeeded.items == 2).await;
        engine.stop_execution(&arn, None, None).await.unwrap();
        // At once: its children may be stopping still.
        reader.stuck.lock().unwrap().clear();
        engine.redrive_execution(&arn, None).await.unwrap();
        assert_eq!(engine.wait_for_end(&arn).await.unwrap().output, Some(tens(4)), "{execution_type}");
        let run = run_of(&engine, &arn).await;
        assert_eq!((run.status, run.redrive_count), (MapRunStatus::Succeeded, 1));
        assert_eq!(run.standing.counts.succeeded.items, 4);
    }
}

#[tokio::test]
async fn what_can_t_be_read_is_refused_before_it_runs() {
    let (home, reader) = (Home::new(), Reader::new(1));
    let engine = engine(&home, &reader).await;
    let definition = json!({"StartAt": "M", "States": {"M": {
        "Type": "Map", "End": true,
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"},
                       "ReaderConfig": {"InputType": "PARQUET"}},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P",
                          "States": {"P": {"Type": "Pass", "End": true}}}}}});
    let refused = engine.put_state_machine(ACCOUNT, REGION, "m", &definition.to_string(), ROLE).await;
    let refusal = refused.unwrap_err().to_string();
    assert!(refusal.contains("PARQUET is not read here"), "{refusal}");
}
