//! The same machine, without an engine: a plain loop around `execution::step` in which every task is answered at once. What its answers
//! determine has to come out of the engine too, whatever happened there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use asl::{Document, Format, Kind, StateMachine, parse::AnyResource};
use execution::{
    Command, Ended, Execution, ExecutionStart, Input, MapRunSpecification, Moment, Quotas, ScheduledTask, Status,
    Timer,
    map_run::{Inputs, Item, ItemSource},
    step,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    items, jobs,
    machines::{Machine, NESTED, ROLE, arn_of},
    tasks,
    world::Answer,
};

/// Steps after which an execution is taken for endless.
const STEPS: usize = 10_000;

pub(super) fn parse(definition: &Value) -> StateMachine {
    let document = Document::parse(&definition.to_string(), Format::Json).expect("it is JSON");
    asl::parse::parse(&document, &AnyResource).unwrap_or_else(|problems| panic!("{problems:#?}\n{definition:#}")).0
}

/// How an execution of a determined machine ends.
pub(super) fn run(machines: &[Machine], machine: &Machine, input: &str) -> Ended {
    let start = ExecutionStart {
        execution_arn: format!("{}:reference", arn_of(&machine.name).replace(":stateMachine:", ":execution:")),
        name: "reference".to_owned(),
        state_machine_arn: arn_of(&machine.name),
        state_machine_name: machine.name.clone(),
        role_arn: ROLE.to_owned(),
        express: machine.is_express,
        input: input.to_owned(),
        quotas: Quotas::AWS,
    };
    Reference { machines, machine: machine.parsed(), timers: BTreeSet::new(), at: BTreeMap::new() }.run(start)
}

struct Reference<'m> {
    machines: &'m [Machine],
    machine: &'m StateMachine,
    timers: BTreeSet<(Timestamp, Timer)>,
    at: BTreeMap<Timer, Timestamp>,
}

impl Reference<'_> {
    fn run(mut self, start: ExecutionStart) -> Ended {
        let mut execution = Execution::new();
        let mut now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("it is a time");
        let mut inputs = VecDeque::from([Input::StartExecution(Box::new(start))]);
        for number in 0..STEPS {
            let input = match inputs.pop_front() {
                Some(input) => input,
                None => {
                    let (at, timer) = self.timers.pop_first().expect("it waits for something");
                    self.at.remove(&timer);
                    now = now.max(at);
                    Input::TimerFired { timer }
                }
            };
            let mut seed = [0; 32];
            seed.iter_mut().zip(number.to_be_bytes()).for_each(|(byte, of_number)| *byte = of_number);
            let moment = Moment { now, seed };
            let step = step(self.machine, &mut execution, input, moment).expect("it takes what it asked for");
            for command in step.commands {
                self.obey(command, &mut inputs);
            }
            if let Some(ended) = execution.ended() {
                return ended.clone();
            }
        }
        panic!("an execution is endless")
    }

    fn obey(&mut self, command: Command, inputs: &mut VecDeque<Input>) {
        match command {
            Command::ScheduleTask(task) => inputs.extend(self.answer(&task)),
            Command::StartTimer { timer, at } => {
                self.forget(timer);
                self.at.insert(timer, at);
                self.timers.insert((at, timer));
            }
            Command::CancelTimer { timer } => self.forget(timer),
            Command::Continue => inputs.push_back(Input::Continue),
            Command::StartMapRun(run) => {
                inputs.push_back(Input::MapRunEnded { event_id: run.event_id, outcome: Ok(self.map_run(&run)) });
            }
            Command::CancelTask { .. }
            | Command::HandOver(_)
            | Command::StopMapRun { .. }
            | Command::RedriveMapRun(_)
            | Command::CompleteExecution(_) => {}
        }
    }

    fn forget(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.timers.remove(&(at, timer));
        }
    }

    fn answer(&self, task: &ScheduledTask) -> Vec<Input> {
        let event_id = task.event_id;
        if task.activity().is_none() && task.resource.ends_with(".sync") && task.submitted.is_none() {
            return vec![Input::TaskSubmitted { event_id, output: json!({"JobRunId": "j"}) }];
        }
        let answer = match task.resource.as_str() {
            NESTED if task.submitted.is_none() => return vec![Input::TaskSubmitted { event_id, output: json!({}) }],
            NESTED => {
                let nested = self.machines.iter().find(|machine| machine.name == "nested").expect("there is one");
                let ended = run(self.machines, nested, &task.arguments["Input"].to_string());
                jobs::nested(ended.status, ended.output.as_ref())
            }
            resource => tasks::answer(&tasks::script(resource, &task.arguments)),
        };
        let begun = task.activity().map(|_| Input::ActivityStarted { event_id, worker_name: None });
        let ended = match answer {
            Answer::Output(output) => Input::TaskSucceeded { event_id, output },
            Answer::Error(error, cause) => Input::TaskFailed { event_id, error: Some(error), cause: Some(cause) },
        };
        begun.into_iter().chain([ended]).collect()
    }

    /// The result of a map run, all of whose children succeed.
    fn map_run(&self, run: &MapRunSpecification) -> Value {
        let Some(Kind::Map(map)) = self.machine.find(&run.state_name).map(|(_, state)| &state.kind) else {
            panic!("a map run is of a Map")
        };
        let language = self.machine.find(&run.state_name).map(|(_, state)| state.query_language);
        let processor = StateMachine {
            comment: None,
            query_language: self.machine.query_language,
            timeout_seconds: None,
            flow: (*map.processor).clone(),
        };
        let items: Vec<Item> = match &run.source {
            ItemSource::Items(items) => {
                let item = |value: &Value| Item { value: value.clone(), key: None, source: "STATE_DATA".to_owned() };
                items.value().as_array().into_iter().flatten().map(item).collect()
            }
            ItemSource::Reader(reading) => items::all(reading),
        };
        let mut inputs = Inputs::new(run, map.item_selector.as_ref().zip(language), 0);
        let mut children: Vec<_> =
            items.into_iter().filter_map(|item| inputs.push(item).expect("it can be made")).collect();
        children.extend(inputs.finish().expect("it can be made"));
        let outputs = children.into_iter().map(|child| {
            let input = child.text;
            let start = ExecutionStart {
                execution_arn: run.arn.clone(),
                name: "child".to_owned(),
                state_machine_arn: run.state_machine_arn.clone(),
                state_machine_name: run.state_name.clone(),
                role_arn: run.role_arn.clone(),
                express: run.is_express,
                input,
                quotas: Quotas::AWS,
            };
            let child = Reference {
                machines: self.machines,
                machine: &processor,
                timers: BTreeSet::new(),
                at: BTreeMap::new(),
            };
            let ended = child.run(start);
            assert_eq!(ended.status, Status::Succeeded, "a child of a determined machine succeeds: {ended:?}");
            ended.output.unwrap_or_default()
        });
        Value::Array(outputs.collect())
    }
}
