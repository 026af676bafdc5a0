//! Runs a machine step by step, and checks after each step that replaying the journal gives the same execution; and beside it the
//! same machine with a budget of one transition a step, which has to give the same history.

use std::collections::BTreeMap;

use asl::{Document, Format, StateMachine, parse::AnyResource};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    Command, Ended, Execution, ExecutionStart, HistoryEvent, IllegalInput, Input, MapRunSpecification, Moment, Record,
    ScheduledTask, Status, Step, Timer, journal,
    limits::{Budget, Limits, Quotas},
    replay,
    step::step_within,
};

pub(super) const EXECUTION_ARN: &str = "arn:aws:states:eu-west-1:123456789012:execution:machine:run";

/// A machine from its JSON text.
pub(super) fn machine(definition: &str) -> StateMachine {
    let document = Document::parse(definition, Format::Json).unwrap();
    asl::parse::parse(&document, &AnyResource).unwrap_or_else(|problems| panic!("{problems:#?}\n{definition}")).0
}

/// An execution in the making, and all that was asked for.
pub(super) struct Run {
    pub(super) machine: StateMachine,
    pub(super) execution: Execution,
    pub(super) journal: Vec<Record>,
    /// Asked for and neither answered nor taken back.
    pub(super) tasks: BTreeMap<u64, ScheduledTask>,
    pub(super) timers: BTreeMap<Timer, Timestamp>,
    /// Tasks that wait for their token, their worker or a timer.
    pub(super) submitted: BTreeMap<u64, ScheduledTask>,
    /// Map runs that were begun and have neither ended nor been stopped, by their ARNs.
    pub(super) map_runs: BTreeMap<String, MapRunSpecification>,
    pub(super) ended_map_runs: BTreeMap<String, MapRunSpecification>,
    /// Asked for and not yet told: to go on.
    pub(super) continues: bool,
    pub(super) now: Timestamp,
    budget: Budget,
    inputs: u64,
    /// Its expressions ask for randomness.
    is_random: bool,
    /// The same machine, cut wherever it can be.
    cut: Option<Box<Run>>,
}

const RANDOM: &[&str] = &["$uuid", "$random", "$shuffle", "States.UUID", "States.MathRandom", "DISTRIBUTED"];
/// A journal of fewer records is replayed after each step; a longer one only when all wait, since it takes its time.
const REPLAYED: usize = 500;

impl Run {
    pub(super) fn new(definition: &str) -> Run {
        let cut = Run::within(1, definition);
        Run { budget: Limits::AWS.step, cut: Some(Box::new(cut)), ..Run::within(1, definition) }
    }

    /// With a budget of so many transitions a step.
    pub(super) fn within(transitions: usize, definition: &str) -> Run {
        Run {
            machine: machine(definition),
            execution: Execution::new(),
            journal: Vec::new(),
            tasks: BTreeMap::new(),
            timers: BTreeMap::new(),
            submitted: BTreeMap::new(),
            map_runs: BTreeMap::new(),
            ended_map_runs: BTreeMap::new(),
            continues: false,
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            budget: Budget { transitions, ..Limits::AWS.step },
            inputs: 0,
            is_random: RANDOM.iter().any(|function| definition.contains(function)),
            cut: None,
        }
    }

    pub(super) fn start(definition: &str, input: &str) -> Run {
        let mut run = Run::new(definition);
        run.feed(start(input)).unwrap();
        run
    }

    /// Takes an input and goes on until all wait, cut and uncut; what the steps decided, uncut.
    pub(super) fn feed(&mut self, input: Input) -> Result<Step, IllegalInput> {
        let done = self.feed_one(input.clone());
        if let Some(mut cut) = self.cut.take() {
            cut.now = self.now;
            assert_eq!(cut.feed_one(input).is_ok(), done.is_ok());
            // What is random differs: it is numbered within a step.
            let same = if self.is_random { self.outline() == cut.outline() } else { self.events().eq(cut.events()) };
            assert!(same, "uncut {:#?}, cut {:#?}", self.outline(), cut.outline());
            self.cut = Some(cut);
        }
        done
    }

    fn feed_one(&mut self, input: Input) -> Result<Step, IllegalInput> {
        let mut done = self.step(input)?;
        while self.continues {
            let more = self.step(Input::Continue)?;
            done.records.extend(more.records);
            done.commands.extend(more.commands);
        }
        self.check();
        Ok(done)
    }

    /// Takes one step, and checks what must hold after every step.
    pub(super) fn step(&mut self, input: Input) -> Result<Step, IllegalInput> {
        self.inputs += u64::from(input != Input::Continue);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.inputs.to_be_bytes());
        self.answered(&input);
        // A time with nanoseconds, as a clock gives it.
        let now = self.now + jiff::SignedDuration::from_nanos(123_456);
        let moment = Moment { now, seed };
        let done = step_within(self.budget, &self.machine, &mut self.execution, input, moment)?;
        let read = journal::read(&journal::write(done.records.clone()).unwrap()).unwrap();
        assert_eq!(read, done.records, "a record is read as it was written");
        self.journal.extend(read);
        self.asked(&done.commands);
        // Where nothing is ready any more, nobody has to go on.
        self.continues &= self.execution.outstanding().any(|command| command == Command::Continue);
        if self.journal.len() < REPLAYED {
            self.check();
        }
        Ok(done)
    }

    /// What an input answers is no longer asked for.
    fn answered(&mut self, input: &Input) {
        match input {
            Input::TaskSucceeded { event_id, .. } | Input::TaskFailed { event_id, .. } => {
                self.tasks.remove(event_id);
                self.submitted.remove(event_id);
            }
            Input::TaskSubmitted { event_id, .. } => self.handed_over(*event_id, ":states:::"),
            Input::ActivityStarted { event_id, .. } => self.handed_over(*event_id, ":activity:"),
            Input::TimerFired { timer } => _ = self.timers.remove(timer),
            Input::MapRunEnded { event_id, .. } => {
                let ended = self.map_runs.extract_if(.., |_, run| run.event_id == *event_id);
                self.ended_map_runs.extend(ended);
            }
            Input::Continue => self.continues = false,
            Input::ActivityScheduleFailed { .. }
            | Input::Redrive
            | Input::StartExecution(_)
            | Input::TaskHeartbeat { .. }
            | Input::StopExecution { .. } => {}
        }
    }

    /// What does not fit the kind of a task changes nothing.
    fn handed_over(&mut self, event_id: u64, kind: &str) {
        if self.tasks.get(&event_id).is_some_and(|task| task.resource.contains(kind) && task.submitted.is_none())
            && let Some(task) = self.tasks.remove(&event_id)
            // The end of a job is asked for instead.
            && !task.resource.contains(".sync")
        {
            self.submitted.insert(event_id, task);
        }
    }

    fn asked(&mut self, commands: &[Command]) {
        for command in commands {
            match command {
                Command::ScheduleTask(task) => {
                    assert!(self.tasks.insert(task.event_id, (**task).clone()).is_none(), "{command:?} twice");
                }
                Command::CancelTask { event_id } => {
                    let task = self.tasks.remove(event_id).or_else(|| self.submitted.remove(event_id));
                    assert!(task.is_some(), "{command:?}, but it was not asked for");
                }
                // Asked for again, it is put off.
                Command::StartTimer { timer, at } => _ = self.timers.insert(*timer, *at),
                Command::CancelTimer { timer } => {
                    assert!(self.timers.remove(timer).is_some(), "{command:?}, but it was not asked for");
                }
                Command::HandOver(task) => assert_eq!(self.submitted.get(&task.event_id), Some(&**task)),
                // A map run is kept by itself: it is never outstanding.
                Command::StartMapRun(run) => {
                    assert!(self.map_runs.insert(run.arn.clone(), (**run).clone()).is_none(), "{command:?} twice");
                }
                Command::StopMapRun { arn } => {
                    let run = self.map_runs.remove(arn);
                    self.ended_map_runs.insert(arn.clone(), run.unwrap_or_else(|| panic!("{command:?} was not begun")));
                }
                Command::RedriveMapRun(redrive) => {
                    let run = self.ended_map_runs.remove(&redrive.arn);
                    let run = run.unwrap_or_else(|| panic!("{command:?}, but it runs or was not begun"));
                    self.map_runs.insert(run.arn.clone(), MapRunSpecification { event_id: redrive.event_id, ..run });
                }
                Command::Continue => {
                    assert!(!self.continues, "{command:?} twice");
                    self.continues = true;
                }
                Command::CompleteExecution(ended) => {
                    assert_eq!(Some(ended), self.execution.ended());
                    assert!(self.tasks.is_empty() && self.timers.is_empty() && self.submitted.is_empty());
                    assert!(self.map_runs.is_empty(), "a map run is left behind");
                }
            }
        }
    }

    fn check(&self) {
        let replayed = replay(&self.machine, &self.journal).unwrap();
        assert_eq!(replayed, self.execution, "replay gives what is live");
        let outstanding: Vec<Command> = self.execution.outstanding().collect();
        assert_eq!(outstanding, replayed.outstanding().collect::<Vec<_>>());
        let tasks = self.tasks.values().cloned().map(|task| Command::ScheduleTask(Box::new(task)));
        let timers = self.timers.iter().map(|(timer, at)| Command::StartTimer { timer: *timer, at: *at });
        let goes_on = self.continues.then_some(Command::Continue);
        let asked: Vec<Command> = tasks.chain(timers).chain(goes_on).collect();
        assert_eq!(outstanding.len(), asked.len(), "outstanding {outstanding:?}, asked for {asked:?}");
        assert!(
            outstanding.iter().all(|command| asked.contains(command)),
            "outstanding {outstanding:?}, asked for {asked:?}"
        );
        // Whoever keeps jobs and the tasks of activities asks for their ends.
        let works = self.tasks.values().any(|task| task.activity().is_none() && task.submitted.is_none());
        assert_eq!(self.execution.only_waits(), !works && !self.continues);
        for (index, event) in self.events().enumerate() {
            assert_eq!(event.id, u64::try_from(index).unwrap() + 1);
            assert!(event.previous_event_id < event.id);
        }
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &HistoryEvent> {
        self.journal.iter().filter_map(|record| match record {
            Record::Event(event) => Some(&**event),
            Record::Fact(_) => None,
        })
    }

    /// The next task that is to be performed.
    pub(super) fn task(&self) -> &ScheduledTask {
        self.tasks.values().next().unwrap_or_else(|| panic!("no task: {:#?}", self.execution))
    }

    pub(super) fn succeed(&mut self, output: Value) {
        let event_id = self.task().event_id;
        self.feed(Input::TaskSucceeded { event_id, output }).unwrap();
    }

    pub(super) fn fail(&mut self, error: &str) {
        let event_id = self.task().event_id;
        self.feed(Input::TaskFailed { event_id, error: Some(error.to_owned()), cause: Some("why".to_owned()) })
            .unwrap();
    }

    /// Lets the time pass until the next timer.
    pub(super) fn fire(&mut self) -> Timer {
        let (timer, at) = self.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at)).unwrap();
        self.now = self.now.max(at);
        self.feed(Input::TimerFired { timer }).unwrap();
        timer
    }

    pub(super) fn ended(&self) -> &Ended {
        self.execution.ended().unwrap_or_else(|| panic!("still running: {:#?}", self.execution))
    }

    /// Runs to the end: tasks are answered, timers fire.
    pub(super) fn finish(mut self, mut answer: impl FnMut(&ScheduledTask) -> Answer) -> Run {
        for _ in 0..1_000 {
            if self.execution.status() != Status::Running {
                return self;
            }
            match self.tasks.values().next().map(|task| (task.event_id, answer(task))) {
                None => _ = self.fire(),
                Some((event_id, Answer::Output(output))) => {
                    self.feed(Input::TaskSucceeded { event_id, output }).unwrap();
                }
                Some((event_id, Answer::Error(error))) => {
                    let input =
                        Input::TaskFailed { event_id, error: Some(error.to_owned()), cause: Some("why".to_owned()) };
                    self.feed(input).unwrap();
                }
            }
        }
        panic!("it goes on and on");
    }

    /// Each event as `id after previous: Type State`.
    pub(super) fn outline(&self) -> Vec<String> {
        let line = |event: &HistoryEvent| {
            let value = serde_json::to_value(event).unwrap();
            let details = value.as_object().unwrap().iter().find(|(key, _)| key.ends_with("EventDetails"));
            let details = details.map(|(_, details)| details.clone()).unwrap_or_default();
            let index = details["index"].as_u64().map(|index| format!(" {index}"));
            let name = details["name"].as_str().map(|name| format!(" {name}"));
            let kind = value["type"].as_str().unwrap();
            format!(
                "{} after {}: {kind}{}{}",
                event.id,
                event.previous_event_id,
                name.unwrap_or_default(),
                index.unwrap_or_default()
            )
        };
        self.events().map(line).collect()
    }
}

/// How a task ends.
pub(super) enum Answer {
    Output(Value),
    Error(&'static str),
}

pub(super) fn start(input: &str) -> Input {
    Input::StartExecution(Box::new(ExecutionStart {
        execution_arn: EXECUTION_ARN.to_owned(),
        name: "run".to_owned(),
        state_machine_arn: "arn:aws:states:eu-west-1:123456789012:stateMachine:machine".to_owned(),
        state_machine_name: "machine".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/runner".to_owned(),
        express: false,
        input: input.to_owned(),
        quotas: Quotas::AWS,
    }))
}
