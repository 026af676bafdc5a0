//! Those who use the engine: they start, stop, redrive, watch and look, and send events, often twice and sometimes too late.

use std::{sync::Arc, time::Duration};

use detection::{Event, Severity, Sighting};
use execution::Status;
use jiff::SignedDuration;
use serde_json::json;

use super::{
    machines::{self, ACCOUNT, REGION, arn_of},
    oracle,
    world::{Start, World},
};
use crate::{Engine, engine::Refusal, ports::Responder};

/// Resources that events are about, and events of a run.
const RESOURCES: u64 = 2;
const EVENTS: u64 = 8;
/// Executions begun by name in a run.
const EXECUTIONS: usize = 3;

/// Does one thing, whichever.
pub(super) async fn act(world: Arc<World>) {
    let Some(engine) = world.engine() else { return };
    let action = world.state().random.between(0, 99);
    match action {
        0..=29 => start(&world, &engine).await,
        30..=39 => start_again(&world, &engine).await,
        40..=44 => stop(&world, &engine).await,
        45..=51 => redrive(&world, &engine).await,
        52..=61 => show(&world, &engine).await,
        62..=69 => watch(&world, &engine).await,
        70..=72 => no_token(&world, &engine).await,
        73..=82 => send_event(&world, &engine).await,
        83..=88 => express(&world, &engine).await,
        89..=91 => fill_disk(&world),
        92..=94 => jump(&world),
        _ => oracle::look(&world, &engine).await,
    }
}

fn is_store(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Store(_))
}

async fn start(world: &Arc<World>, engine: &Engine) {
    let (arn, start) = {
        let mut guard = world.state();
        let state = &mut *guard;
        let number = state.ledger.starts.len();
        if number >= EXECUTIONS {
            return;
        }
        let standard: Vec<usize> =
            (0..state.machines.len()).filter(|index| state.machines[*index].name.starts_with("any")).collect();
        let machine = state.random.pick(&standard);
        let name = format!("e{number}");
        let arn = execution_arn(&state.machines[machine].name, &name);
        let input = machines::input(&mut state.random);
        let start = Start { machine, name, inputs: vec![input], acknowledged: None, is_meddled: false };
        state.ledger.starts.insert(arn.clone(), start.clone());
        (arn, start)
    };
    begin(world, engine, &arn, &start, &start.inputs[0]).await;
}

fn execution_arn(machine: &str, name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:{name}")
}

/// The same start once more, or one of the same name with another input.
async fn start_again(world: &Arc<World>, engine: &Engine) {
    let Some((arn, start, input)) = ({
        let mut guard = world.state();
        let state = &mut *guard;
        let index = state.random.index(state.ledger.starts.len());
        state.ledger.starts.iter_mut().nth(index).map(|(arn, start)| {
            let input = match state.random.chance(30) {
                true => machines::input(&mut state.random),
                false => start.inputs[0].clone(),
            };
            start.inputs.push(input.clone());
            (arn.clone(), start.clone(), input)
        })
    }) else {
        return;
    };
    world.count("fault: start doubled");
    begin(world, engine, &arn, &start, &input).await;
}

/// Starts that nobody has answered yet are repeated after a crash.
pub(super) async fn repeat_starts(world: &Arc<World>) {
    let Some(engine) = world.engine() else { return };
    loop {
        let unanswered: Vec<(String, Start)> = {
            let state = world.state();
            let starts = state.ledger.starts.iter();
            starts
                .filter(|(_, start)| start.acknowledged.is_none())
                .map(|(arn, start)| (arn.clone(), start.clone()))
                .collect()
        };
        if unanswered.is_empty() {
            return;
        }
        for (arn, start) in unanswered {
            world.count("starts repeated");
            begin(world, &engine, &arn, &start, &start.inputs[0]).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn begin(world: &World, engine: &Engine, arn: &str, start: &Start, input: &str) {
    let machine = world.state().machines[start.machine].name.clone();
    world.note(format_args!("start {arn}"));
    match engine.start_execution(&arn_of(&machine), Some(&start.name), input).await {
        Ok(record) => {
            let mut guard = world.state();
            let state = &mut *guard;
            state.count("starts acknowledged");
            let known = state.ledger.starts.get_mut(arn).expect("it is known");
            let other = known.acknowledged.clone().filter(|acknowledged| *acknowledged != record.input);
            known.acknowledged = Some(record.input.clone());
            if record.input != input || other.is_some() {
                state.violation(format_args!(
                    "{arn}: acknowledged with {} and {other:?}, asked with {input}",
                    record.input
                ));
            }
            if state.last_event(arn).is_none() {
                state.violation(format_args!("{arn}: acknowledged before it is durable"));
            }
        }
        Err(Refusal::ExecutionAlreadyExists(_)) => match engine.describe_execution(arn).await {
            Ok(record) => {
                let mut state = world.state();
                state.count("starts refused, for there is another");
                state.ledger.starts.get_mut(arn).expect("it is known").acknowledged = Some(record.input);
            }
            Err(refusal) if is_store(&refusal) => {}
            Err(refusal) => world.violation(format_args!("{arn}: exists already, and does not: {refusal}")),
        },
        Err(refusal) if is_store(&refusal) => {}
        Err(refusal) => world.violation(format_args!("{arn}: its start is refused: {refusal}")),
    }
}

/// One of the executions that were started, or of those that began otherwise.
fn any_execution(world: &World) -> Option<String> {
    one_of(world, "executions")
}

/// One that ended badly, most often one that had a map run.
fn any_failed(world: &World) -> Option<String> {
    let failed = "(SELECT * FROM executions WHERE status IN ('FAILED', 'TIMED_OUT', 'ABORTED') AND map_run IS NULL)";
    let with_map_run = format!("(SELECT * FROM {failed} WHERE id IN (SELECT execution FROM map_runs))");
    one_of(world, &with_map_run).or_else(|| one_of(world, failed))
}

fn one_of(world: &World, executions: &str) -> Option<String> {
    let mut state = world.state();
    let chance = state.random.next();
    let mut statement = state
        .store
        .prepare_cached(&format!(
            "SELECT arn FROM {executions} ORDER BY id LIMIT 1 OFFSET ?1 % max((SELECT count(*) FROM {executions}), 1)",
        ))
        .expect("the store is readable");
    statement.query_row([u32::try_from(chance >> 32).unwrap_or_default()], |row| row.get(0)).ok()
}

fn meddle(world: &World, arn: &str) {
    let mut state = world.state();
    let starts = &mut state.ledger.starts;
    // A nested execution, or a map run's child, is a part of another: whose is not looked up.
    let is_of_another = !starts.contains_key(arn);
    starts
        .iter_mut()
        .filter(|(start, _)| is_of_another || *start == arn)
        .for_each(|(_, start)| start.is_meddled = true);
}

async fn stop(world: &Arc<World>, engine: &Engine) {
    let Some(arn) = any_execution(world) else { return };
    meddle(world, &arn);
    world.note(format_args!("stop {arn}"));
    let stopped = engine.stop_execution(&arn, Some("Stopped".to_owned()), None).await;
    world.note(format_args!("stop {arn}: {stopped:?}"));
    match stopped {
        Ok(_) => {
            world.count("executions stopped");
            let mut state = world.state();
            let is_running = state.store.query_row(
                "SELECT status = 'RUNNING' AND redrive_count = 0 FROM executions WHERE arn = ?1",
                [&arn],
                |row| row.get::<_, bool>(0),
            );
            if is_running == Ok(true) {
                state.violation(format_args!("{arn}: its stop was acknowledged, and it runs"));
            }
        }
        Err(refusal) if is_store(&refusal) => {}
        Err(refusal) => world.violation(format_args!("{arn}: its stop is refused: {refusal}")),
    }
}

async fn redrive(world: &Arc<World>, engine: &Engine) {
    let Some(arn) = any_failed(world) else { return };
    let has_token = world.state().random.chance(50);
    let token = has_token.then_some("again");
    let is_ended = matches!(engine.describe_execution(&arn).await, Ok(record) if
        !matches!(record.status, Status::Running | Status::Succeeded) && engine.not_redrivable(&record).is_none());
    if !is_ended {
        return;
    }
    meddle(world, &arn);
    world.note(format_args!("redrive {arn}"));
    let first = engine.redrive_execution(&arn, token).await;
    match &first {
        Ok(_) => world.count("executions redriven"),
        Err(Refusal::ExecutionNotRedrivable(_) | Refusal::Store(_)) => {}
        Err(refusal) => world.violation(format_args!("{arn}: its redrive is refused: {refusal}")),
    }
    if let (Ok(at), Some(token)) = (first, token) {
        world.count("fault: redrive doubled");
        match engine.redrive_execution(&arn, Some(token)).await {
            Ok(again) if again != at => {
                let known = engine.describe_execution(&arn).await.ok().map(|record| record.redrive_tokens);
                if known.iter().flatten().any(|(known, _)| known == token) {
                    world.violation(format_args!("{arn}: the same redrive was at {at} and at {again}"));
                }
            }
            Ok(_) | Err(Refusal::Store(_) | Refusal::ExecutionNotRedrivable(_)) => {}
            Err(refusal) => world.violation(format_args!("{arn}: its doubled redrive is refused: {refusal}")),
        }
    }
}

async fn show(world: &Arc<World>, engine: &Engine) {
    let Some(arn) = any_execution(world) else { return };
    let Ok(history) = engine.history(&arn, None, 100_000, false).await else { return };
    world.count("histories shown");
    let mut state = world.state();
    if let Some(shown) = state.ledger.shown.get(&arn)
        && !history.starts_with(shown)
    {
        state.violation(format_args!("{arn}: what its history showed before is no longer shown"));
    }
    state.ledger.shown.insert(arn, history);
}

async fn watch(world: &Arc<World>, engine: &Engine) {
    let Some(arn) = any_execution(world) else { return };
    world.state().ledger.watching += 1;
    let ended = engine.wait_for_end(&arn).await;
    let mut state = world.state();
    state.ledger.watching -= 1;
    match ended {
        Ok(ended) => {
            state.count("watchers told");
            state.ledger.told.push((arn, ended));
        }
        // The engine is not stopping: whoever hears that was forgotten.
        Err(refusal) if is_store(&refusal) && !refusal.to_string().contains("is stopping") => {}
        Err(refusal) => state.violation(format_args!("{arn}: can't be watched: {refusal}")),
    }
}

async fn no_token(world: &World, engine: &Engine) {
    world.count("fault: unknown token");
    match engine.send_task_success("nobody's", json!(1)).await {
        Err(Refusal::InvalidToken(_) | Refusal::Store(_)) => {}
        other => world.violation(format_args!("an unknown token is answered {other:?}")),
    }
}

/// An event, often one that was sent before.
async fn send_event(world: &Arc<World>, engine: &Engine) {
    let number = world.state().random.between(0, EVENTS - 1);
    receive(world, engine, number).await;
}

async fn receive(world: &World, engine: &Engine, number: u64) {
    let id = format!("event-{number}");
    let resource = format!("bucket-{}", number % RESOURCES);
    let event = event(world, &id);
    let responder = responder(&event, &resource);
    let was_acknowledged = {
        let mut state = world.state();
        let was_acknowledged = state.ledger.events.get(&id).is_some_and(|(_, acknowledged)| *acknowledged);
        if was_acknowledged {
            state.count("fault: event doubled");
        }
        state.ledger.events.entry(id.clone()).or_insert((resource.clone(), false));
        state.ledger.responses.entry(resource.clone()).or_default().1 += 1;
        state.note(format_args!("receive {id}"));
        was_acknowledged
    };
    match engine.receive(&event, vec![responder]).await {
        Ok(receipt) => {
            let mut state = world.state();
            state.count("events acknowledged");
            let responses = state.ledger.responses.entry(resource.clone()).or_default();
            responses.1 -= 1;
            responses.0 += u64::try_from(receipt.started).unwrap_or(0);
            state.ledger.events.insert(id.clone(), (resource, true));
            if was_acknowledged && !receipt.duplicate {
                state.violation(format_args!("{id} was acknowledged, and is new again"));
            }
        }
        Err(error) => world.note(format_args!("{id} is not acknowledged: {error}")),
    }
}

/// Events that were not acknowledged come again, until they are.
pub(super) async fn repeat_events(world: &Arc<World>) {
    let Some(engine) = world.engine() else { return };
    loop {
        let unanswered: Vec<String> = {
            let state = world.state();
            state.ledger.events.iter().filter(|(_, (_, done))| !done).map(|(id, _)| id.clone()).collect()
        };
        if unanswered.is_empty() {
            return;
        }
        for id in unanswered {
            world.count("fault: event late");
            let number = id.trim_start_matches("event-").parse().expect("it ends in its number");
            receive(world, &engine, number).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn event(world: &World, id: &str) -> Event {
    Event {
        id: id.to_owned(),
        source: "aws.s3".to_owned(),
        detail_type: "AWS API Call via CloudTrail".to_owned(),
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        time: world.state().now(),
        resources: vec![],
        detail: json!({"eventID": id, "eventName": "PutBucketAcl"}),
    }
}

fn responder(event: &Event, resource: &str) -> Responder {
    Responder {
        sighting: Sighting {
            guardrail: GUARDRAIL.to_owned(),
            title: "A bucket is open".to_owned(),
            severity: Severity::High,
            resource_type: "AWS::S3::Bucket".to_owned(),
            resource: resource.to_owned(),
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            event_id: event.id.clone(),
            event_time: event.time,
            actor: None,
            rule: None,
        },
        state_machine_arn: arn_of("response"),
    }
}

pub(super) const GUARDRAIL: &str = "simulated";

/// A synchronous or an asynchronous execution of the Express machine.
async fn express(world: &Arc<World>, engine: &Engine) {
    let (is_synchronous, input) = {
        let mut state = world.state();
        (state.random.chance(50), machines::input(&mut state.random))
    };
    let machine = arn_of("express");
    if is_synchronous {
        match engine.start_sync_execution(&machine, None, &input).await {
            Ok(done) => {
                world.count("synchronous executions");
                oracle::check_express(world, &input, &done.ended);
            }
            Err(Refusal::Store(_) | Refusal::Throttling(_)) => {}
            Err(refusal) => world.violation(format_args!("a synchronous execution is refused: {refusal}")),
        }
        return;
    }
    match engine.start_execution(&machine, None, &input).await {
        Ok(record) => {
            world.count("asynchronous executions");
            world.state().ledger.express.insert(record.arn);
        }
        Err(Refusal::Store(_) | Refusal::ExecutionLimitExceeded(_)) => {}
        Err(refusal) => world.violation(format_args!("an asynchronous execution is refused: {refusal}")),
    }
}

fn fill_disk(world: &World) {
    let mut state = world.state();
    let seconds = state.random.between(1, 15);
    state.weather.full_until = Some(state.elapsed() + Duration::from_secs(seconds));
    state.note(format_args!("the disk is full for {seconds} s"));
}

fn jump(world: &World) {
    let mut state = world.state();
    if !state.weather.jumps {
        return;
    }
    let seconds = state.random.between(1, 120);
    let by = SignedDuration::from_secs(i64::try_from(seconds).expect("it is small"));
    let (what, by) = match state.random.chance(50) {
        true => ("fault: clock set forwards", by),
        false => ("fault: clock set back", -by),
    };
    state.count(what);
    state.jump(by);
    state.note(format_args!("the clock jumps by {by:#}"));
}
