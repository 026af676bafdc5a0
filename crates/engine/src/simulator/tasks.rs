//! Those who perform tasks: the executor, workers of activities, and people with tokens.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use detection::Finding;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    items, jobs,
    machines::{ACTIVITY, ASK, CALL, JOB, NESTED},
    world::{Answer, Token, World},
};
use crate::{
    Engine, TaskExecutor,
    engine::Refusal,
    ports::{ItemPage, ItemsToRead, JobStanding, Task, TaskOutcome},
};

/// What a script asks for: always the same.
pub(super) fn answer(script: &Value) -> Answer {
    let number = |name: &str| script[name].as_u64().unwrap_or_default();
    match number("Attempt") < number("Fails") {
        true => Answer::Error("Broken".to_owned(), format!("task {}", script["Id"])),
        false => Answer::Output(json!({"Task": script["Id"], "In": script["In"], "Variable": script["Variable"]})),
    }
}

/// What a task is to do.
pub(super) fn script(resource: &str, arguments: &Value) -> Value {
    if resource == JOB { arguments["Arguments"].clone() } else { arguments.clone() }
}

pub(super) struct WorldExecutor(pub(super) Arc<World>);

enum Fate {
    Answered,
    Lost,
    Throttled,
}

impl WorldExecutor {
    /// Takes note of a task, checks that it may be performed, and decides what becomes of it: how long it takes, and how it ends.
    fn begin(&self, task: &Task, script: &Value) -> (Duration, Fate) {
        let mut guard = self.0.state();
        let state = &mut *guard;
        let (arn, scheduled) = (&task.execution_arn, &task.scheduled);
        state.note(format_args!("perform {arn} {} {}", scheduled.event_id, scheduled.resource));
        let is_express = arn.contains(":express:");
        if is_express {
            state.ledger.express_performed.insert(arn.clone());
        } else if state.last_event(arn).is_none_or(|last| last < scheduled.event_id) {
            state.violation(format_args!("{arn}: task {} is performed before it is durable", scheduled.event_id));
        }
        let now = state.now();
        let performed = state.ledger.tasks.entry((arn.clone(), scheduled.event_id)).or_default();
        performed.times.push(now);
        let is_again = performed.times.len() > 1;
        let token = &scheduled.idempotency_token;
        let is_other = is_again && performed.idempotency_token != *token;
        performed.idempotency_token.clone_from(token);
        if is_other {
            state.violation(format_args!("{arn}: task {} has another idempotency token", scheduled.event_id));
        }
        state.count("tasks performed");
        if is_again {
            state.count("tasks performed again");
        }
        let flag = |name: &str| script[name].as_bool().unwrap_or_default();
        let (lost, slow, throttled) = match state.weather.is_calm {
            true => (0, 0, 0),
            false => state.weather.tasks,
        };
        let milliseconds = if state.random.chance(30) { 0 } else { state.random.between(1, 3000) };
        let time = Duration::from_millis(milliseconds);
        if flag("MayGetLost") && state.random.chance(lost) {
            state.count("fault: answer lost");
            return (time, Fate::Lost);
        }
        if flag("MayGetLost") && state.random.chance(slow) {
            state.count("fault: task too slow");
            return (Duration::from_secs(state.random.between(10, 90)), Fate::Answered);
        }
        if flag("MayFail") && state.random.chance(throttled) {
            state.count("fault: task throttled");
            return (time, Fate::Throttled);
        }
        (time, Fate::Answered)
    }

    pub(super) fn answered(&self, task: &Task, answer: Answer) -> TaskOutcome {
        let mut state = self.0.state();
        let key = (task.execution_arn.clone(), task.scheduled.event_id);
        state.ledger.tasks.entry(key).or_default().answers.push(answer.clone());
        match answer {
            Answer::Output(output) => TaskOutcome::Succeeded(output),
            Answer::Error(error, cause) => TaskOutcome::Failed { error, cause },
        }
    }
}

#[async_trait]
impl TaskExecutor for WorldExecutor {
    async fn perform(&self, task: Task) -> TaskOutcome {
        let script = script(&task.scheduled.resource, &task.scheduled.arguments);
        let (time, fate) = self.begin(&task, &script);
        if task.scheduled.resource == NESTED {
            tokio::time::sleep(time).await;
            return self.begin_nested(&task).await;
        }
        if let Some(token) = &task.scheduled.task_token {
            give(&self.0, token, &task.execution_arn, task.scheduled.event_id, &script);
        }
        tokio::time::sleep(time).await;
        let is_job = task.scheduled.resource == JOB;
        match fate {
            // It began, and never ends.
            Fate::Lost if is_job => self.begin_job(&task, true),
            // Whoever calls a service waits for it only so long; what is cut off then is not known to have happened.
            Fate::Lost if task.scheduled.resource != CALL => {
                tokio::time::sleep(Duration::from_secs(100)).await;
                self.answered(&task, Answer::Error("Broken".to_owned(), "no answer".to_owned()))
            }
            Fate::Lost => std::future::pending().await,
            Fate::Throttled => self.answered(&task, Answer::Error("Throttled".to_owned(), "slow down".to_owned())),
            Fate::Answered if task.scheduled.resource == ASK => TaskOutcome::Submitted(json!({"MessageId": "m"})),
            Fate::Answered if is_job => self.begin_job(&task, false),
            Fate::Answered => self.answered(&task, answer(&script)),
        }
    }

    async fn ask_job(&self, task: Task) -> JobStanding {
        self.0.pause(0, 300).await;
        match jobs::nested_execution(&task) {
            Some(nested) => self.ask_nested(&task, &nested).await,
            None => self.ask_service(&task),
        }
    }

    fn awaited_execution(&self, task: &Task) -> Option<String> {
        jobs::nested_execution(task)
    }

    async fn stop_job(&self, task: Task) -> Result<(), String> {
        self.stop(&task).await
    }

    async fn read_items(&self, items: ItemsToRead, pages: mpsc::Sender<ItemPage>) -> Result<(), String> {
        items::read(&self.0, items, pages).await
    }

    async fn tell_of_failure(&self, finding: &Finding) -> Result<(), String> {
        self.0.pause(0, 500).await;
        let mut state = self.0.state();
        if !state.weather.is_calm && state.random.chance(30) {
            state.count("fault: an alert was not heard");
            return Err("nobody listens".to_owned());
        }
        *state.ledger.alerts.entry(finding.id.clone()).or_default() += 1;
        state.count("alerts");
        Ok(())
    }
}

/// Somebody is given a token, and answers it some time.
pub(super) fn give(world: &Arc<World>, token: &str, arn: &str, event_id: u64, script: &Value) {
    let mut state = world.state();
    let is_new = !state.ledger.tokens.contains_key(token);
    let script = script.clone();
    state.ledger.tokens.entry(token.to_owned()).or_insert_with(|| Token {
        arn: arn.to_owned(),
        event_id,
        script,
        taken: None,
        is_settled: false,
    });
    drop(state);
    if is_new {
        tokio::spawn(answer_token(world.clone(), token.to_owned()));
    }
}

/// Answers a token, perhaps twice, perhaps too late, perhaps never where nobody relies on it.
pub(super) async fn answer_token(world: Arc<World>, token: String) {
    let (engine, known, plan) = {
        let mut state = world.state();
        let Some(engine) = state.engine.clone() else { return };
        let known = state.ledger.tokens[&token].clone();
        let may_get_lost = known.script["MayGetLost"].as_bool().unwrap_or_default() && !state.weather.is_calm;
        let lost = state.weather.tasks.0;
        let is_lost = may_get_lost && state.random.chance(lost);
        let seconds = match state.random.between(0, 9) {
            0 | 1 => 0,
            2..=7 => state.random.between(1, 20),
            _ => state.random.between(30, 100),
        };
        (engine, known, (is_lost, seconds, state.random.chance(25), state.random.chance(10)))
    };
    let (is_lost, seconds, is_doubled, beats) = plan;
    if is_lost {
        world.count("fault: token never answered");
        return;
    }
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if beats {
            world.count("heartbeats");
            match engine.send_task_heartbeat(&token).await {
                Ok(()) | Err(Refusal::TaskTimedOut(_) | Refusal::Store(_)) => {}
                Err(refusal) => world.violation(format_args!("{}: a heartbeat is refused: {refusal}", known.arn)),
            }
        }
    }
    if is_doubled {
        world.count("fault: token answered twice");
        tokio::spawn(send(world.clone(), engine.clone(), token.clone(), known.clone()));
    }
    send(world, engine, token, known).await;
}

async fn send(world: Arc<World>, engine: Engine, token: String, known: Token) {
    loop {
        let answer = answer(&known.script);
        {
            let mut state = world.state();
            let key = (known.arn.clone(), known.event_id);
            state.ledger.tasks.entry(key).or_default().answers.push(answer.clone());
        }
        let outcome = match answer.clone() {
            Answer::Output(output) => engine.send_task_success(&token, output).await,
            Answer::Error(error, cause) => engine.send_task_failure(&token, Some(error), Some(cause)).await,
        };
        if settle(&world, &token, &known, outcome, answer) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// Whether the token needs no more answer.
fn settle(world: &World, token: &str, known: &Token, outcome: Result<(), Refusal>, answer: Answer) -> bool {
    let mut guard = world.state();
    let state = &mut *guard;
    let there = state.ledger.tokens.get_mut(token).expect("it was given");
    match outcome {
        Ok(()) if there.taken.is_some() => {
            let arn = &known.arn;
            state.violation(format_args!("{arn}: the token of {} was taken twice", known.event_id));
        }
        Ok(()) => {
            there.taken = Some(answer);
            there.is_settled = true;
            state.note(format_args!("token of {} {} is taken", known.arn, known.event_id));
            state.count("tokens taken");
        }
        Err(Refusal::TaskTimedOut(_)) => {
            there.is_settled = true;
            state.count("tokens answered too late");
        }
        Err(Refusal::Store(_)) => return false,
        Err(refusal) => state.violation(format_args!("{}: a token is refused: {refusal}", known.arn)),
    }
    true
}

/// A worker of the activity. It goes away now and then while it asks.
pub(super) async fn work(world: Arc<World>) {
    loop {
        let Some(engine) = world.engine() else { return };
        let gives_up_after = world.state().random.between(0, 90_000);
        let asked = engine.get_activity_task(ACTIVITY, Some("w"));
        match tokio::time::timeout(Duration::from_millis(gives_up_after), asked).await {
            Ok(Ok(Some(task))) => {
                world.count("activity tasks handed over");
                let (arn, event_id) = match owner(&world, &task.task_token) {
                    Some(owner) => owner,
                    None => {
                        world.violation(format_args!("an activity task's token is not in the store"));
                        continue;
                    }
                };
                world.note(format_args!("worker has {arn} {event_id}"));
                give(&world, &task.task_token, &arn, event_id, &task.input);
            }
            Ok(Ok(None)) => {}
            Ok(Err(Refusal::Store(_))) => world.pause(100, 1000).await,
            Ok(Err(refusal)) => {
                world.violation(format_args!("GetActivityTask is refused: {refusal}"));
                world.pause(1000, 2000).await;
            }
            Err(_) => {
                world.count("fault: activity worker went away");
                world.pause(0, 3000).await;
            }
        }
    }
}

/// Whose a token is, by what is committed.
fn owner(world: &World, token: &str) -> Option<(String, u64)> {
    let state = world.state();
    let hash = crate::engine::hash_of_token(token);
    let mut statement = state
        .store
        .prepare_cached("SELECT arn, event_id FROM task_tokens JOIN executions ON id = execution WHERE hash = ?1")
        .expect("the store is readable");
    statement.query_row([hash], |row| Ok((row.get(0)?, row.get::<_, u32>(1)?.into()))).ok()
}
