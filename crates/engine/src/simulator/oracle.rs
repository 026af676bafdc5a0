//! What has to be true, at any moment and in the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use asl::{Kind, StateMachine};
use detection::Finding;
use execution::{Ended, EventDetails, EventType, HistoryEvent, Record, Status, replay};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    clients::GUARDRAIL,
    machines::{ACCOUNT, REGION},
    reference,
    world::{Answer, State, World},
};
use crate::{Engine, engine::Memory, ports::Stored, sqlite::SqliteStore};

/// How long after the event that ended a task it may still begin to be performed, in milliseconds: the event has its time from before
/// it was written.
const SLACK: i64 = 500;
/// How late a timer may be, in milliseconds: a failed load or write is tried again for the last time as long after the weather got calm.
const OVERDUE: i64 = 12_000;

/// Compares what is idle in memory with what replaying the journal gives, at that moment.
pub(super) async fn look(world: &Arc<World>, engine: &Engine) {
    let looking = world.clone();
    let look = move |memory: Memory| {
        let mut state = looking.state();
        for (arn, machine, execution) in memory.idle {
            state.count("live executions compared with their journals");
            let stored = SqliteStore::load_simulated(&state.store, &arn).expect("the store is readable");
            let replayed = stored.map(|stored| replay(&machine, &stored.records));
            match replayed {
                Some(Ok(replayed)) if replayed == execution => {}
                Some(Ok(_)) => state.violation(format_args!("{arn}: live and replayed differ")),
                Some(Err(error)) => state.violation(format_args!("{arn}: can't be replayed: {error}")),
                None => state.violation(format_args!("{arn}: is in memory and not in the store")),
            }
        }
    };
    engine.look(Arc::new(look)).await;
}

/// No timer is overdue where nothing goes wrong and there is room: the store is looked at, so what is in memory only does not matter.
pub(super) fn check_timers(state: &mut State) {
    if state.has_jumped {
        return;
    }
    let before = (state.now().as_millisecond() - OVERDUE) * 1000;
    let overdue: Vec<String> = {
        let query =
            "SELECT arn FROM executions WHERE status = 'RUNNING' AND waiting = 1 AND next_timer_at < ?1 ORDER BY id";
        let mut statement = state.store.prepare_cached(query).expect("it is SQL");
        let rows = statement.query_map([before], |row| row.get(0)).expect("the store is readable");
        rows.collect::<Result<_, _>>().expect("the store is readable")
    };
    for arn in overdue {
        state.violation(format_args!("{arn}: its timer is overdue"));
    }
}

/// What is not finished, by what is committed.
pub(super) fn unfinished(state: &State, with_express: bool) -> Vec<String> {
    let queries = [
        "SELECT 'runs: ' || arn FROM executions WHERE status = 'RUNNING'",
        "SELECT 'map run not told: ' || arn FROM map_runs WHERE is_told = 0",
        "SELECT 'alert: ' || finding FROM alerts",
        "SELECT 'job: ' || execution_arn || ' ' || event_id FROM jobs",
    ];
    // One whose end was not written is begun anew by the next process, and not before.
    let express = with_express.then_some("SELECT 'Express: ' || arn FROM express_executions");
    let rows = |query| {
        let mut statement = state.store.prepare_cached(query).expect("the store is readable");
        let rows = statement.query_map([], |row| row.get(0)).expect("the store is readable");
        rows.collect::<Result<Vec<String>, _>>().expect("the store is readable")
    };
    queries.into_iter().chain(express).flat_map(rows).collect()
}

/// Nothing is left in memory once all has ended.
pub(super) async fn check_rest(world: &Arc<World>, engine: &Engine) {
    let looking = world.clone();
    engine
        .look(Arc::new(move |memory: Memory| {
            let Memory { slots, timers, watchers, .. } = memory;
            if slots + timers + watchers > 0 {
                let text = format_args!("in the end {slots} executions, {timers} timers, {watchers} watchers are left");
                looking.violation(text);
            }
        }))
        .await;
    for held in engine.held() {
        world.violation(format_args!("in the end there is held: {held}"));
    }
    // What could not be forgotten stays claimed, so that this process hands it out no more.
    let forgotten_not: u32 = world
        .state()
        .store
        .query_row("SELECT count(*) FROM activity_tasks", [], |row| row.get(0))
        .expect("the store is readable");
    let claimed = engine.claimed();
    if claimed > usize::try_from(forgotten_not).unwrap_or(0) {
        world.violation(format_args!("in the end {claimed} activity tasks are claimed, and {forgotten_not} are kept"));
    }
    let watching = world.state().ledger.watching;
    if watching > 0 {
        world.violation(format_args!("{watching} wait for the ends of executions, in vain"));
    }
}

/// Everything that can be said once all has ended; the number of everything that happened.
pub(super) fn check_end(world: &World) -> u64 {
    let mut guard = world.state();
    let state = &mut *guard;
    let arns: Vec<String> = {
        let mut statement = state.store.prepare("SELECT arn FROM executions ORDER BY id").expect("it is SQL");
        let rows = statement.query_map([], |row| row.get(0)).expect("the store is readable");
        rows.collect::<Result<_, _>>().expect("the store is readable")
    };
    let mut machines = BTreeMap::new();
    let mut ends = BTreeMap::new();
    for arn in &arns {
        let stored = SqliteStore::load_simulated(&state.store, arn).expect("the store is readable");
        let stored = stored.expect("it is there");
        let ended = check_execution(state, arn, &stored, &mut machines);
        ends.insert(arn.clone(), ended);
    }
    check_starts(state, &ends);
    check_told(state, &ends);
    check_findings(state);
    check_map_runs(state);
    for arn in state.ledger.express.difference(&state.ledger.express_performed).cloned().collect::<Vec<_>>() {
        state.violation(format_args!("{arn}: was acknowledged, and nothing of it was done"));
    }
    for (arn, event_id) in state.ledger.tasks.keys().cloned().collect::<Vec<_>>() {
        if !arn.contains(":express:") && !ends.contains_key(&arn) {
            state.violation(format_args!("{arn}: task {event_id} was performed, and the execution is not there"));
        }
    }
    trace(state)
}

/// Each child of a map run is counted once, as what it is, and has ended; one that succeeded has them all.
fn check_map_runs(state: &mut State) {
    let query = "SELECT arn, status, redrive_count,
            (SELECT max(number) + 1 FROM map_run_children WHERE map_run = id), (SELECT count(*) FROM map_run_children WHERE map_run = id),
            (SELECT coalesce(sum(executions), 0) FROM map_run_counts WHERE map_run = id),
            (SELECT coalesce(sum(executions), 0) FROM map_run_counts WHERE map_run = id AND status = 'SUCCEEDED'),
            (SELECT count(*) FROM executions WHERE map_run = map_runs.id)
                + (SELECT count(*) FROM map_run_express_children WHERE map_run = map_runs.id),
            (SELECT count(*) FROM executions WHERE map_run = map_runs.id AND status = 'SUCCEEDED')
                + (SELECT count(*) FROM map_run_express_children WHERE map_run = map_runs.id AND status = 'SUCCEEDED')
        FROM map_runs ORDER BY id";
    let rows: Vec<(String, String, u32, [Option<u32>; 6])> = {
        let mut statement = state.store.prepare(query).expect("it is SQL");
        let rows = statement.query_map([], |row| {
            let number = |index| row.get::<_, Option<u32>>(index);
            let counts = [number(3)?, number(4)?, number(5)?, number(6)?, number(7)?, number(8)?];
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, counts))
        });
        rows.expect("the store is readable").collect::<Result<_, _>>().expect("the store is readable")
    };
    for (arn, status, redrives, [numbers, made, counted, succeeded, begun, begun_succeeded]) in rows {
        state.count("map runs");
        if redrives > 0 {
            state.count("map runs redriven");
        }
        let is_succeeded = status == "SUCCEEDED";
        if numbers.unwrap_or(0) != made.unwrap_or(0) || made != counted || succeeded != begun_succeeded {
            state.violation(format_args!(
                "{arn}: children have {numbers:?} numbers, {made:?} were made, {counted:?} counted, {succeeded:?} of them SUCCEEDED, \
                 and {begun_succeeded:?} did"
            ));
        }
        if is_succeeded && begun != made {
            state.violation(format_args!("{arn}: {status}, with {made:?} children, of which {begun:?} began"));
        }
    }
}

/// The trace, with the journals.
fn trace(state: &mut State) -> u64 {
    let rows: Vec<Vec<u8>> = {
        let mut statement = state
            .store
            .prepare("SELECT CAST(records AS BLOB) FROM journal ORDER BY execution, seq")
            .expect("it is SQL");
        let rows = statement.query_map([], |row| row.get(0)).expect("the store is readable");
        rows.collect::<Result<_, _>>().expect("the store is readable")
    };
    state.trace_hash(&rows.concat())
}

/// What a child runs is in its parent's definition.
fn machine_of<'m>(stored: &Stored, machines: &'m mut BTreeMap<(String, String), StateMachine>) -> &'m StateMachine {
    let state_name = stored.new.map_run.as_ref().map(|child| child.state_name.clone()).unwrap_or_default();
    let key = (stored.definition.clone(), state_name.clone());
    machines.entry(key).or_insert_with(|| {
        let definition: Value = serde_json::from_str(&stored.definition).expect("it is JSON");
        let machine = reference::parse(&definition);
        let Some(child) = &stored.new.map_run else { return machine };
        let Some(Kind::Map(map)) = machine.find(&child.state_name).map(|(_, state)| &state.kind) else {
            panic!("a map run is of a Map")
        };
        StateMachine {
            comment: None,
            query_language: machine.query_language,
            timeout_seconds: None,
            flow: (*map.processor).clone(),
        }
    })
}

fn check_execution(
    state: &mut State,
    arn: &str,
    stored: &Stored,
    machines: &mut BTreeMap<(String, String), StateMachine>,
) -> Option<Ended> {
    let history: Vec<HistoryEvent> = stored
        .records
        .iter()
        .filter_map(|record| match record {
            Record::Event(event) => Some((**event).clone()),
            Record::Fact(_) => None,
        })
        .collect();
    let ended = match &stored.standing {
        crate::ports::Standing::Ended { ended, .. } => Some(ended.clone()),
        _ => None,
    };
    match replay(machine_of(stored, machines), &stored.records) {
        Ok(replayed) if replayed.ended() == ended.as_ref() => {}
        Ok(replayed) => {
            let replayed = replayed.ended().map(|ended| ended.status);
            state.violation(format_args!("{arn}: replayed, it is {replayed:?}, and in the store {ended:?}"));
        }
        Err(error) => state.violation(format_args!("{arn}: can't be replayed: {error}")),
    }
    if let Some(shown) = state.ledger.shown.get(arn)
        && !history.starts_with(shown)
    {
        state.violation(format_args!("{arn}: what its history showed is not in its end"));
    }
    check_history(state, arn, &history);
    check_tasks(state, arn, &history);
    ended
}

/// Ids are dense, what comes before is before, time goes on, and nothing comes after the end but a redrive.
fn check_history(state: &mut State, arn: &str, history: &[HistoryEvent]) {
    let mut before: Option<&HistoryEvent> = None;
    for (id, event) in (1..).zip(history) {
        if event.id != id || event.previous_event_id >= id {
            state.violation(format_args!("{arn}: event {id} has id {} after {}", event.id, event.previous_event_id));
        }
        if let Some(before) = before {
            if !state.has_jumped && before.timestamp > event.timestamp {
                state.violation(format_args!("{arn}: event {id} is older than the one before"));
            }
            if before.kind.is_end() != (event.kind == EventType::ExecutionRedriven) {
                state.violation(format_args!("{arn}: {:?} comes after {:?}", event.kind, before.kind));
            }
        }
        before = Some(event);
    }
    if !before.is_some_and(|last| last.kind.is_end()) {
        state.violation(format_args!("{arn}: its history does not end"));
    }
}

/// How a task ended, by its history.
fn end_of(event: &HistoryEvent) -> Option<Option<Answer>> {
    let error = |error: &Option<String>, cause: &Option<String>| {
        Some(Answer::Error(error.clone().unwrap_or_default(), cause.clone().unwrap_or_default()))
    };
    match event.details.as_ref() {
        Some(EventDetails::TaskSucceeded(details)) => Some(Some(Answer::Output(details.output.value().clone()))),
        Some(EventDetails::ActivitySucceeded(details)) => Some(Some(Answer::Output(details.output.value().clone()))),
        Some(EventDetails::TaskFailed(details)) => Some(error(&details.error, &details.cause)),
        Some(EventDetails::ActivityFailed(details)) => Some(error(&details.error, &details.cause)),
        Some(EventDetails::TaskTimedOut(_) | EventDetails::ActivityTimedOut(_)) => Some(None),
        _ => None,
    }
}

/// Each task was performed, what the history says of it was answered by somebody, what was acknowledged is what the history says, and
/// nothing was performed long after it was over.
fn check_tasks(state: &mut State, arn: &str, history: &[HistoryEvent]) {
    let mut ends: BTreeMap<u64, (Option<Answer>, Timestamp)> = BTreeMap::new();
    for event in history {
        let Some(end) = end_of(event) else { continue };
        let Some(scheduled) = scheduled(history, event) else {
            state.violation(format_args!("{arn}: event {} ends no task", event.id));
            continue;
        };
        if ends.insert(scheduled.id, (end.clone(), event.timestamp)).is_some() {
            state.violation(format_args!("{arn}: task {} ended twice", scheduled.id));
        }
        let performed = state.ledger.tasks.get(&(arn.to_owned(), scheduled.id));
        if let Some(answer) = end
            && !performed.is_some_and(|performed| performed.answers.contains(&answer))
        {
            state.violation(format_args!("{arn}: task {} ended with what nobody answered: {answer:?}", scheduled.id));
        }
    }
    let over = history.last().filter(|last| last.kind.is_end()).map(|last| last.timestamp);
    let is_redriven = history.iter().any(|event| event.kind == EventType::ExecutionRedriven);
    if !state.has_jumped && !is_redriven {
        let late = state.ledger.tasks.range((arn.to_owned(), 0)..=(arn.to_owned(), u64::MAX)).find_map(
            |((_, id), performed)| {
                let over = ends.get(id).map(|(_, at)| *at).or(over)?;
                let last = performed.times.last()?;
                (last.as_millisecond() > over.as_millisecond() + SLACK).then_some((*id, *last, over))
            },
        );
        if let Some((id, last, over)) = late {
            state.violation(format_args!("{arn}: task {id} is performed at {last}, and was over at {over}"));
        }
    }
    check_jobs(state, arn, history, &ends);
    let taken: Vec<(u64, Answer)> = state
        .ledger
        .tokens
        .values()
        .filter(|token| token.arn == arn)
        .filter_map(|token| Some((token.event_id, token.taken.clone()?)))
        .collect();
    for (event_id, answer) in taken {
        if ends.get(&event_id).is_none_or(|(end, _)| end.as_ref() != Some(&answer)) {
            state.violation(format_args!(
                "{arn}: the token of task {event_id} was taken, and its history does not say so"
            ));
        }
    }
}

/// Each job that was begun either ended, and its task with it; or it was stopped. One that the history does not tell of may have been
/// forgotten, where the process crashed or could not write.
fn check_jobs(
    state: &mut State,
    arn: &str,
    history: &[HistoryEvent],
    ends: &BTreeMap<u64, (Option<Answer>, Timestamp)>,
) {
    let submitted: BTreeSet<u64> = history
        .iter()
        .filter(|event| event.kind == EventType::TaskSubmitted)
        .filter_map(|event| scheduled(history, event))
        .map(|event| event.id)
        .collect();
    let can_forget = state.counts.keys().any(|what| {
        ["fault: crash", "fault: write", "fault: one write", "fault: disk"].iter().any(|fault| what.starts_with(fault))
    });
    let jobs: Vec<(u64, bool)> = state
        .ledger
        .jobs
        .range((arn.to_owned(), 0)..=(arn.to_owned(), u64::MAX))
        .map(|((_, id), job)| (*id, job.is_stopped))
        .collect();
    for (id, is_stopped) in jobs {
        let has_ended = ends.get(&id).is_some_and(|(answer, _)| answer.is_some());
        if has_ended && is_stopped {
            state.violation(format_args!("{arn}: the job of task {id} was stopped, and its end was waited for"));
        }
        if !has_ended && !is_stopped && (submitted.contains(&id) || !can_forget) {
            state.violation(format_args!("{arn}: nobody waits for the job of task {id}, and it was not stopped"));
        }
        if !has_ended && is_stopped {
            state.count("jobs stopped for good");
        }
    }
}

/// The event by which a task was scheduled, from one of it that came later.
fn scheduled<'h>(history: &'h [HistoryEvent], event: &HistoryEvent) -> Option<&'h HistoryEvent> {
    let by_id = |id: u64| usize::try_from(id).ok().and_then(|id| history.get(id.wrapping_sub(1)));
    let mut before = by_id(event.previous_event_id)?;
    while !matches!(before.kind, EventType::TaskScheduled | EventType::ActivityScheduled) {
        before = by_id(before.previous_event_id)?;
    }
    Some(before)
}

/// Each acknowledged start is there and has ended, as the reference ends where the answers alone decide.
fn check_starts(state: &mut State, ends: &BTreeMap<String, Option<Ended>>) {
    for (arn, start) in state.ledger.starts.clone() {
        let Some(input) = &start.acknowledged else { continue };
        let Some(Some(ended)) = ends.get(&arn) else {
            state.violation(format_args!("{arn}: its start was acknowledged, and it has no end"));
            continue;
        };
        let machine = &state.machines[start.machine];
        if machine.is_determined && !start.is_meddled {
            let expected = reference::run(&state.machines, machine, input);
            state.count("ends compared with the reference");
            if *ended != expected {
                state.violation(format_args!("{arn}: ended {ended:?}, and the reference {expected:?}"));
            }
        }
    }
}

pub(super) fn check_express(world: &World, input: &str, ended: &Ended) {
    let mut state = world.state();
    let machine = state.machines.iter().find(|machine| machine.is_express).expect("there is one");
    let expected = reference::run(&state.machines, machine, input);
    state.count("ends compared with the reference");
    if *ended != expected && ended.status != Status::TimedOut {
        state.violation(format_args!("an Express execution ended {ended:?}, and the reference {expected:?}"));
    }
}

/// Whoever waited was told the end; of one that was redriven, an end that it had.
fn check_told(state: &mut State, ends: &BTreeMap<String, Option<Ended>>) {
    for (arn, told) in std::mem::take(&mut state.ledger.told) {
        let is_redriven: bool = state
            .store
            .query_row("SELECT redrive_count > 0 FROM executions WHERE arn = ?1", [&arn], |row| row.get(0))
            .unwrap_or(false);
        if !is_redriven && ends.get(&arn) != Some(&Some(told.clone())) {
            state.violation(format_args!("{arn}: a watcher was told {told:?}"));
        }
    }
}

/// No acknowledged event is lost, and each that found no response under way began one, with an occurrence of its own.
fn check_findings(state: &mut State) {
    for (resource, (began, lost)) in state.ledger.responses.clone() {
        let id = Finding::id_of(GUARDRAIL, ACCOUNT, REGION, &resource);
        let of_resource = |state: &State, acknowledged: bool| {
            let events = state.ledger.events.values();
            events.filter(|(of, done)| *of == resource && (*done || !acknowledged)).count() as u64
        };
        let finding =
            state.store.query_row("SELECT body FROM findings WHERE id = ?1", [&id], |row| row.get::<_, String>(0));
        let finding: Option<Finding> =
            finding.ok().map(|body| serde_json::from_str(&body).expect("the store wrote it"));
        let (least, most) = (of_resource(state, true), of_resource(state, false));
        let (generation, occurrence) =
            finding.as_ref().map_or((0, 0), |finding| (finding.generation, finding.occurrence));
        if generation < least || generation > most {
            state.violation(format_args!("{resource}: {least} to {most} events, and generation {generation}"));
        }
        if occurrence < began || occurrence > began + lost {
            state
                .violation(format_args!("{resource}: {began} responses ({lost} unknown), and occurrence {occurrence}"));
        }
        let failed: u64 = state
            .store
            .query_row(
                "SELECT count(*) FROM executions WHERE finding = ?1 AND status != 'SUCCEEDED' AND redrive_count = 0",
                [&id],
                |row| row.get::<_, u32>(0),
            )
            .expect("the store is readable")
            .into();
        let told = state.ledger.alerts.get(&id).copied().unwrap_or_default();
        if told < failed {
            state.violation(format_args!("{resource}: {failed} responses failed, and somebody was told {told} times"));
        }
    }
}
