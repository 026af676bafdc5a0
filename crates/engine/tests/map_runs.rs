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
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
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
    /// Readings under way.
    reading: AtomicUsize,
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
            reading: AtomicUsize::new(0),
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
        struct Under<'way>(&'way AtomicUsize);
        impl Drop for Under<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.reading.fetch_add(1, Ordering::SeqCst);
        let _under_way = Under(&self.reading);
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
    machine(engine, "m", json!({"M": map_state(execution_type, fields)})).await
}

fn map_state(execution_type: &str, fields: Value) -> Value {
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
    map
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

#[tokio::test]
async fn a_run_that_is_redriven_and_given_up_in_one_step_is_given_up() {
    let (home, reader) = (Home::new(), Reader::new(3));
    reader.stuck.lock().unwrap().extend(0..3);
    let engine = engine(&home, &reader).await;
    let branches = json!([
        {"StartAt": "M", "States": {"M": map_state("STANDARD", json!({}))}},
        {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Mine"}}},
    ]);
    let machine = machine(&engine, "m", json!({"P": {"Type": "Parallel", "End": true, "Branches": branches}})).await;
    let arn = engine.start_execution(&machine, None, "{}").await.unwrap().arn;
    assert_eq!(engine.wait_for_end(&arn).await.unwrap().error.as_deref(), Some("Mine"));
    for redrives in 0..3 {
        until_run(&engine, &arn, "its run is given up", |run| {
            (run.status, run.redrive_count) == (MapRunStatus::Aborted, redrives)
        })
        .await;
        engine.redrive_execution(&arn, None).await.unwrap();
    }
}

#[tokio::test]
async fn readers_that_are_slow_hold_up_no_other_run() {
    const MANY: usize = 40;
    let (home, reader) = (Home::new(), Reader::new(4));
    reader.pages.send_replace(0);
    let engine = engine(&home, &reader).await;
    let slow = map(&engine, "EXPRESS", json!({})).await;
    let items = json!({"Item": "{% $states.context.Map.Item.Value %}"});
    let mut quick = map_state("EXPRESS", json!({"ItemSelector": items, "Items": [1, 2]}));
    quick.as_object_mut().unwrap().remove("ItemReader");
    let quick = machine(&engine, "quick", json!({"M": quick})).await;
    let mut arns = Vec::new();
    let start = async |count: usize, arns: &mut Vec<String>| {
        for _ in 0..count {
            arns.push(engine.start_execution(&slow, None, "{}").await.unwrap().arn);
        }
    };
    start(MANY / 2, &mut arns).await;
    until("all of them read", || async { reader.reading.load(Ordering::SeqCst) == MANY / 2 }).await;
    let other = engine.start_execution(&quick, None, "{}").await.unwrap().arn;
    assert_eq!(engine.wait_for_end(&other).await.unwrap().output, Some(json!([10, 20])));

    // And more than may read at once.
    start(MANY / 2, &mut arns).await;
    let stopped = arns.pop().unwrap();
    engine.stop_execution(&stopped, None, None).await.unwrap();
    until_run(&engine, &stopped, "it stops", |run| run.status == MapRunStatus::Aborted).await;
    reader.pages.send_replace(u64::MAX);
    for arn in arns {
        assert_eq!(engine.wait_for_end(&arn).await.unwrap().output, Some(tens(4)));
    }
}

#[tokio::test]
async fn a_reading_that_hangs_ends_with_its_run() {
    let (home, reader) = (Home::new(), Reader::new(4));
    reader.pages.send_replace(1);
    let engine = engine(&home, &reader).await;
    let machine = map(&engine, "EXPRESS", json!({})).await;
    let arn = engine.start_execution(&machine, None, "{}").await.unwrap().arn;
    until_run(&engine, &arn, "a page is read", |run| run.standing.counts.succeeded.items == PAGE).await;
    assert_eq!(reader.reading.load(Ordering::SeqCst), 1);
    engine.stop_execution(&arn, None, None).await.unwrap();
    until("it reads no more", || async { reader.reading.load(Ordering::SeqCst) == 0 }).await;
}

#[tokio::test]
async fn express_children_begin_only_if_what_they_run_is_there() {
    let (home, reader) = (Home::new(), Reader::new(PAGE));
    reader.pages.send_replace(0);
    let engine = engine(&home, &reader).await;
    let machine = map(&engine, "EXPRESS", json!({})).await;
    let arn = engine.start_execution(&machine, None, "{}").await.unwrap().arn;
    until("it reads", || async { reader.reading.load(Ordering::SeqCst) == 1 }).await;
    let store = rusqlite::Connection::open(home.folder.path().join("rectify.sqlite")).unwrap();
    store
        .execute_batch(
            "PRAGMA foreign_keys = OFF; CREATE TABLE hidden AS SELECT * FROM definitions; DELETE FROM definitions",
        )
        .unwrap();
    reader.pages.send_replace(u64::MAX);
    until_run(&engine, &arn, "its children are there", |run| run.standing.counts.total().items == PAGE).await;
    assert_eq!(run_of(&engine, &arn).await.standing.counts.pending.items, PAGE, "and none has begun");
    store.execute_batch("INSERT INTO definitions SELECT * FROM hidden; DROP TABLE hidden").unwrap();
    assert_eq!(engine.wait_for_end(&arn).await.unwrap().output, Some(tens(PAGE)));
}
