//! Crashes at every durable point, and a store that fails: nothing that was answered is lost, and everything ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use detection::{Event, Finding};
use engine::{
    Engine, ExecutionStore, SystemClock,
    engine::{ExecutionRecord, StateMachineRecord},
    ports::{
        ActivityTask, Begun, CatalogueStore, ChildrenBegun, DefinitionHash, Due, ExecutionFilter, ExpressChild,
        ItemsOfRun, Job, JobStore, MapRunEnd, MapRunRecord, MapRunStore, NewExecution, PlaybookStart, Progress, Put,
        Reactions, ReaderCursor, Receipt, Recorded, StoreError, Stored, Task, TokenHash,
    },
    sqlite::SqliteStore,
};
use execution::{
    Ended, HistoryEvent, MapRunFailure, Record, Status,
    map_run::{ChildInput, MapRunLimits, results::Child},
};
use jiff::Timestamp;
use serde_json::json;
use support::*;

/// What becomes of the write with a number, from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Fine,
    /// Nothing was written, and nobody is told that.
    Lost,
    /// It was written, but the one who asked never learns it.
    AnswerLost,
    /// Nothing was written, and the one who asked is told.
    Refused,
}

/// A store that fails as it is told, on the real one.
struct Faulty {
    store: Arc<dyn ExecutionStore>,
    writes: AtomicUsize,
    fate: Box<dyn Fn(usize) -> Fate + Send + Sync>,
}

impl Faulty {
    async fn write<T>(&self, work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        match (self.fate)(self.writes.fetch_add(1, Ordering::SeqCst)) {
            Fate::Fine => work.await,
            Fate::Lost => std::future::pending().await,
            Fate::AnswerLost => {
                let _ = work.await;
                std::future::pending().await
            }
            Fate::Refused => Err(StoreError::Unavailable("the disk is full".into())),
        }
    }
}

#[async_trait]
impl ExecutionStore for Faulty {
    fn catalogue(&self) -> &dyn CatalogueStore {
        self.store.catalogue()
    }
    async fn put_state_machine(&self, machine: StateMachineRecord, replace: bool) -> Result<Put, StoreError> {
        self.store.put_state_machine(machine, replace).await
    }
    async fn delete_state_machine(&self, arn: &str) -> Result<bool, StoreError> {
        self.store.delete_state_machine(arn).await
    }
    async fn state_machine(&self, arn: &str) -> Result<Option<StateMachineRecord>, StoreError> {
        self.store.state_machine(arn).await
    }
    async fn state_machines(
        &self,
        account: &str,
        region: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StateMachineRecord>, StoreError> {
        self.store.state_machines(account, region, after, limit).await
    }
    async fn begin(&self, new: NewExecution, progress: Progress) -> Result<Begun, StoreError> {
        self.write(self.store.begin(new, progress)).await
    }
    async fn record(&self, number: u64, progress: Progress) -> Result<Recorded, StoreError> {
        self.write(self.store.record(number, progress)).await
    }
    async fn receive(
        &self,
        event: &Event,
        reactions: Reactions,
        now: Timestamp,
    ) -> Result<(Receipt, Vec<(u64, String)>), StoreError> {
        self.write(self.store.receive(event, reactions, now)).await
    }
    async fn start_playbook(&self, start: PlaybookStart, now: Timestamp) -> Result<Option<String>, StoreError> {
        self.write(self.store.start_playbook(start, now)).await
    }
    async fn limit_playbook(&self, playbook: &str, concurrency: u32) -> Result<Vec<String>, StoreError> {
        self.write(self.store.limit_playbook(playbook, concurrency)).await
    }
    async fn playbook_waiting(&self, playbook: &str) -> Result<u64, StoreError> {
        self.store.playbook_waiting(playbook).await
    }
    async fn keep_express(&self, new: NewExecution) -> Result<u64, StoreError> {
        self.write(self.store.keep_express(new)).await
    }
    async fn forget_express(&self, number: u64) -> Result<(), StoreError> {
        self.write(self.store.forget_express(number)).await
    }
    async fn express_starts(
        &self,
        after: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<(u64, NewExecution, String)>, StoreError> {
        self.store.express_starts(after, until, limit).await
    }
    async fn last_express(&self) -> Result<u64, StoreError> {
        self.store.last_express().await
    }
    async fn load(&self, arn: &str, even_if_ended: bool) -> Result<Option<Stored>, StoreError> {
        self.store.load(arn, even_if_ended).await
    }
    async fn with_work(&self, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.store.with_work(after, limit).await
    }
    async fn count_at_work(&self, most: usize) -> Result<usize, StoreError> {
        self.store.count_at_work(most).await
    }
    async fn waiting(&self, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.store.waiting(after, limit).await
    }
    async fn execution(&self, arn: &str) -> Result<Option<ExecutionRecord>, StoreError> {
        self.store.execution(arn).await
    }
    async fn machine_of_execution(&self, arn: &str) -> Result<Option<StateMachineRecord>, StoreError> {
        self.store.machine_of_execution(arn).await
    }
    async fn executions(
        &self,
        state_machine_arn: &str,
        status: Option<Status>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ExecutionRecord>, StoreError> {
        self.store.executions(state_machine_arn, status, after, limit).await
    }
    async fn history(
        &self,
        arn: &str,
        after: Option<u64>,
        limit: usize,
        reverse: bool,
    ) -> Result<Option<Vec<HistoryEvent>>, StoreError> {
        self.store.history(arn, after, limit, reverse).await
    }
    async fn task_of_token(&self, hash: TokenHash) -> Result<Option<(String, u64)>, StoreError> {
        self.store.task_of_token(hash).await
    }
    async fn activity_tasks(&self, activity: &str, limit: usize) -> Result<Vec<ActivityTask>, StoreError> {
        self.store.activity_tasks(activity, limit).await
    }
    async fn forget_activity_task(&self, number: u64) -> Result<(), StoreError> {
        self.write(self.store.forget_activity_task(number)).await
    }
    async fn alerts(&self, limit: usize) -> Result<Vec<(u64, Finding)>, StoreError> {
        self.store.alerts(limit).await
    }
    async fn alert_told(&self, number: u64) -> Result<(), StoreError> {
        self.store.alert_told(number).await
    }
}

#[async_trait]
impl JobStore for Faulty {
    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.store.jobs(limit).await
    }
    async fn put_off_job(
        &self,
        number: u64,
        is_unwanted: bool,
        at: Timestamp,
        attempts: u32,
    ) -> Result<(), StoreError> {
        self.write(self.store.put_off_job(number, is_unwanted, at, attempts)).await
    }
    async fn forget_job(&self, number: u64, is_unwanted: bool) -> Result<(), StoreError> {
        self.write(self.store.forget_job(number, is_unwanted)).await
    }
    async fn keep_unwanted_job(&self, task: Task, now: Timestamp) -> Result<(), StoreError> {
        self.write(self.store.keep_unwanted_job(task, now)).await
    }
}

#[async_trait]
impl MapRunStore for Faulty {
    async fn map_run(&self, arn: &str) -> Result<Option<MapRunRecord>, StoreError> {
        self.store.map_run(arn).await
    }
    async fn map_run_definition(&self, number: u64) -> Result<(DefinitionHash, String), StoreError> {
        self.store.map_run_definition(number).await
    }
    async fn map_runs(
        &self,
        execution_arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<MapRunRecord>, StoreError> {
        self.store.map_runs(execution_arn, after, limit).await
    }
    async fn map_runs_with_work(&self, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.store.map_runs_with_work(after, limit).await
    }
    async fn items_of_run(&self, number: u64) -> Result<Option<ItemsOfRun>, StoreError> {
        self.store.items_of_run(number).await
    }
    async fn add_children(
        &self,
        number: u64,
        inputs: Vec<ChildInput>,
        cursor: ReaderCursor,
        is_complete: bool,
    ) -> Result<(), StoreError> {
        self.write(self.store.add_children(number, inputs, cursor, is_complete)).await
    }
    async fn begin_children(&self, number: u64, limit: u64, now: Timestamp) -> Result<ChildrenBegun, StoreError> {
        self.write(self.store.begin_children(number, limit, now)).await
    }
    async fn child_is_not_redrivable(&self, arn: &str) -> Result<(), StoreError> {
        self.write(self.store.child_is_not_redrivable(arn)).await
    }
    async fn express_children(&self, after: u64, limit: usize) -> Result<Vec<(ExpressChild, String)>, StoreError> {
        self.store.express_children(after, limit).await
    }
    async fn end_express_child(&self, number: u64, ended: Ended, at: Timestamp) -> Result<(), StoreError> {
        self.write(self.store.end_express_child(number, ended, at)).await
    }
    async fn running_children(&self, number: u64, limit: usize) -> Result<Vec<String>, StoreError> {
        self.store.running_children(number, limit).await
    }
    async fn ended_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, Child)>, StoreError> {
        self.store.ended_children(number, from, limit).await
    }
    async fn pending_children(&self, number: u64, from: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.store.pending_children(number, from, limit).await
    }
    async fn fail_map_run(&self, number: u64, failure: MapRunFailure) -> Result<(), StoreError> {
        self.write(self.store.fail_map_run(number, failure)).await
    }
    async fn end_map_run(&self, number: u64, end: MapRunEnd) -> Result<(), StoreError> {
        self.write(self.store.end_map_run(number, end)).await
    }
    async fn map_run_is_told(&self, number: u64) -> Result<(), StoreError> {
        self.write(self.store.map_run_is_told(number)).await
    }
    async fn update_map_run(&self, arn: &str, limits: MapRunLimits) -> Result<bool, StoreError> {
        self.write(self.store.update_map_run(arn, limits)).await
    }
    async fn executions_of_map_run(
        &self,
        arn: &str,
        filter: ExecutionFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<ExecutionRecord>>, StoreError> {
        self.store.executions_of_map_run(arn, filter, after, limit).await
    }
}

async fn engine_on(
    home: &Home,
    store: &Arc<SqliteStore>,
    fate: impl Fn(usize) -> Fate + Send + Sync + 'static,
) -> (Engine, Arc<Faulty>) {
    let faulty = Arc::new(Faulty { store: store.executions(), writes: AtomicUsize::new(0), fate: Box::new(fate) });
    let engine = Engine::start_on(
        faulty.clone(),
        store.findings(),
        home.executor.clone(),
        Arc::new(SystemClock),
        home.options.clone(),
    )
    .await
    .unwrap();
    (engine, faulty)
}

/// Answers whatever question is open, until the execution has ended.
async fn answer_until_the_end(home: &Home, engine: &Engine, arn: &str) -> Ended {
    let end = engine.wait_for_end(arn);
    let answers = async {
        let mut nth = 0;
        loop {
            let token = home.executor.token(nth).await;
            while engine
                .send_task_success(&token, json!("yes"))
                .await
                .is_err_and(|refusal| refusal.to_string().contains("disk"))
            {}
            nth += 1;
        }
    };
    tokio::select! {
        ended = tokio::time::timeout(Duration::from_secs(20), end) => ended.expect("it ends").unwrap(),
        () = answers => unreachable!(),
    }
}

/// The engine is dropped at the write with this number, which was lost or whose answer was; a new one has to bring the execution to
/// the same end.
async fn crash(at: usize, fate: Fate) -> bool {
    let home = Home::new();
    let store = home.store().await;
    let (engine, faulty) = engine_on(&home, &store, move |write| if write < at { Fate::Fine } else { fate }).await;
    let machine = machine(&engine, "m", everything()).await;
    let begun = tokio::spawn({
        let (engine, machine) = (engine.clone(), machine.clone());
        async move { engine.start_execution(&machine, Some("e"), "{}").await.unwrap() }
    });
    let arn = "arn:aws:states:eu-central-1:123456789012:execution:m:e";
    let answered = tokio::spawn({
        let (engine, executor) = (engine.clone(), home.executor.clone());
        async move {
            let token = executor.token(0).await;
            engine.send_task_success(&token, json!("yes")).await
        }
    });
    let mut crashed = true;
    for round in 0.. {
        if faulty.writes.load(Ordering::SeqCst) > at {
            // Long enough for what comes after it, if anything wrongly did.
            tokio::time::sleep(Duration::from_millis(30)).await;
            break;
        }
        if answered.is_finished() && begun.is_finished() && round > 100 {
            crashed = false;
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (was_begun, was_answered) = (begun.is_finished(), answered.is_finished());
    begun.abort();
    answered.abort();
    drop(engine);
    drop(faulty);
    drop(store);

    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    match engine.describe_execution(arn).await {
        Ok(_) => {}
        Err(_) => {
            assert!(!was_begun, "{at} {fate:?}: what was answered is lost");
            engine.start_execution(&machine, Some("e"), "{}").await.unwrap();
        }
    }
    let ended = answer_until_the_end(&home, &engine, arn).await;
    assert_eq!(ended.output, Some(json!({"Answer": "yes"})), "{at} {fate:?}, answered: {was_answered}");
    for action in ["listBuckets", "getObject", "createBucket", "invoke.waitForTaskToken"] {
        assert!(home.executor.count(action) >= 1, "{action}");
    }
    assert!(home.executor.count("createBucket") <= 2, "one crash performs a task once more at most");
    let begun = home.executor.begun("runTask.sync");
    assert!((1..=2).contains(&begun), "one crash begins a job once more at most: {begun}");
    check_replay(&store, arn, &everything()).await;
    crashed
}

/// The journal replays to what the store says.
async fn check_replay(store: &Arc<SqliteStore>, arn: &str, states: &serde_json::Value) {
    let definition = json!({"StartAt": "Look", "QueryLanguage": "JSONata", "States": states}).to_string();
    let document = asl::Document::parse(&definition, asl::Format::Json).unwrap();
    let (machine, _) = asl::parse::parse(&document, &asl::parse::AnyResource).unwrap();
    let records: Vec<Record> = store.journal(arn).await.unwrap();
    let replayed = execution::replay(&machine, &records).unwrap();
    let stored = store.executions().execution(arn).await.unwrap().unwrap();
    assert_eq!(replayed.ended(), stored.ended.as_ref());
    assert_eq!(replayed.outstanding().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_write_loses_nothing() {
    for fate in [Fate::Lost, Fate::AnswerLost] {
        let mut at = 0;
        while crash(at, fate).await {
            at += 1;
            assert!(at < 30, "the execution does not come to its end");
        }
        assert!(at >= 8, "only {at} writes: the machine has more durable points");
    }
}

/// A Distributed Map over three items, its run crashed at the write with this number; whether it came so far.
async fn crash_of_map_run(at: usize, fate: Fate, execution_type: &str) -> bool {
    let home = Home::new();
    let store = home.store().await;
    let (engine, faulty) = engine_on(&home, &store, move |write| if write < at { Fate::Fine } else { fate }).await;
    let states = json!({"M": {"Type": "Map", "MaxConcurrency": 2, "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": execution_type}, "StartAt": "T",
        "States": {"T": {"Type": "Task", "Resource": task("getObject"), "End": true}}}}});
    let machine = machine(&engine, "m", states).await;
    let begun = tokio::spawn({
        let (engine, machine) = (engine.clone(), machine.clone());
        async move { engine.start_execution(&machine, Some("e"), "[1, 2, 3]").await }
    });
    let arn = "arn:aws:states:eu-central-1:123456789012:execution:m:e";
    let (mut crashed, mut rounds) = (true, 0);
    while faulty.writes.load(Ordering::SeqCst) <= at {
        let is_over = engine.describe_execution(arn).await.is_ok_and(|execution| execution.ended.is_some());
        // What comes after the end, comes soon.
        rounds += usize::from(is_over);
        if rounds > 20 {
            crashed = false;
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    begun.abort();
    drop((engine, faulty, store));

    let engine = home.engine().await;
    if engine.describe_execution(arn).await.is_err() {
        engine.start_execution(&machine, Some("e"), "[1, 2, 3]").await.unwrap();
    }
    let ended =
        tokio::time::timeout(Duration::from_secs(30), engine.wait_for_end(arn)).await.expect("it ends").unwrap();
    assert_eq!(ended.output, Some(json!([1, 2, 3])), "{at} {fate:?}");
    let runs = engine.list_map_runs(arn, None, 10).await.unwrap();
    assert_eq!(runs.len(), 1, "{at} {fate:?}: a run is begun once");
    if execution_type == "STANDARD" {
        let filter = ExecutionFilter::default();
        let children = engine.list_executions_of_map_run(&runs[0].specification.arn, filter, None, 10).await.unwrap();
        assert_eq!(children.len(), 3, "{at} {fate:?}: no item is lost, and none is begun twice");
    }
    let counts = runs[0].standing.counts;
    assert_eq!((counts.succeeded.items, counts.total().items), (3, 3), "{at} {fate:?}");
    crashed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_run_goes_on_after_a_crash_at_any_write() {
    for (fate, execution_type) in [
        (Fate::Lost, "STANDARD"),
        (Fate::AnswerLost, "STANDARD"),
        (Fate::Lost, "EXPRESS"),
        (Fate::AnswerLost, "EXPRESS"),
    ] {
        let mut at = 0;
        while crash_of_map_run(at, fate, execution_type).await {
            at += 1;
            assert!(at < 60, "the map run does not come to its end");
        }
        assert!(at >= 10, "only {at} writes: a map run has more durable points");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_now_and_then_is_survived_without_a_restart() {
    for (modulus, rest) in [(2, 0), (2, 1), (3, 2)] {
        let home = Home::new();
        let store = home.store().await;
        let (engine, _faulty) =
            engine_on(&home, &store, move |write| if write % modulus == rest { Fate::Refused } else { Fate::Fine })
                .await;
        let machine = machine(&engine, "m", everything()).await;
        let mut execution = engine.start_execution(&machine, Some("e"), "{}").await;
        if execution.is_err() {
            execution = engine.start_execution(&machine, Some("e"), "{}").await;
        }
        let arn = execution.unwrap().arn;
        let ended = answer_until_the_end(&home, &engine, &arn).await;
        assert_eq!(ended.output, Some(json!({"Answer": "yes"})));
        assert_eq!(home.executor.begun("runTask.sync"), 1, "a job is begun once");
        for action in ["createBucket", "getObject"] {
            assert_eq!(
                home.executor.count(action),
                1,
                "an answer that could not be written is kept, not asked for again"
            );
        }
        check_replay(&store, &arn, &everything()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_executions_are_taken_up_after_a_crash() {
    let home = Home::new();
    let store = home.store().await;
    let engine = home.engine_on(store.clone()).await;
    let machine = machine(&engine, "m", json!({
        "W": {"Type": "Wait", "Seconds": 1, "Next": "T"}, "T": {"Type": "Task", "Resource": task("getObject"), "Arguments": 1, "End": true}
    })).await;
    let mut arns = Vec::new();
    for i in 0..300 {
        arns.push(engine.start_execution(&machine, Some(&format!("e{i}")), "{}").await.unwrap().arn);
    }
    drop(engine);
    drop(store);
    let engine = home.engine().await;
    for arn in arns {
        let ended = tokio::time::timeout(Duration::from_secs(20), engine.wait_for_end(&arn)).await.unwrap().unwrap();
        assert_eq!(ended.status, Status::Succeeded);
    }
}

#[tokio::test]
async fn an_execution_that_only_decides_goes_on_after_a_crash() {
    let home = Home::new();
    let engine = home.engine().await;
    let arn = loop_of(&engine, "loop", json!({})).await;
    let execution = engine.start_execution(&arn, None, "400").await.unwrap();
    assert_eq!(execution.status, Status::Running);
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(engine);
    let engine = home.engine().await;
    let before = engine.history(&execution.arn, None, 100_000, false).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), engine.wait_for_end(&execution.arn)).await;
    assert_eq!(ended.unwrap().unwrap().status, Status::Succeeded);
    let after = engine.history(&execution.arn, None, 100_000, false).await.unwrap();
    assert!(before.len() > 2 && before.len() < after.len() && after.starts_with(&before));
}
