//! Drives the paths of an execution within one step.

use std::sync::Arc;

use asl::{Kind, State, StateMachine};
use jiff::Timestamp;
use query::{Moment, Scope};
use serde_json::{Map, Value};

use crate::{
    Command, EventDetails, EventType, Execution, Fact, HistoryEvent, IllegalInput, Json, Record, Step,
    context::{self, Item},
    data_flow::Assigned,
    failure::{self, Failure},
    flow,
    history::{DataDetails, ErrorDetails, OutputDetails, StateEntered, StateExited},
    inspection::{InspectionData, Mock},
    inspector::Inspector,
    journal,
    limits::Budget,
    path::{Path, PathId, Position, ROOT},
    random,
    ready::Queue,
    record::{Ready, Work},
    state, time,
};

/// One step in the making.
pub(crate) struct Driver<'machine, 'execution> {
    machine: &'machine StateMachine,
    pub(crate) execution: &'execution mut Execution,
    pub(crate) moment: Moment,
    step: Step,
    ready: Queue,
    /// What is left of it.
    budget: Budget,
    /// The context object, once something has asked for it.
    context: Option<Value>,
    /// Counts evaluations, so that each has randomness of its own.
    evaluations: u64,
    /// The first record of this step that could not be applied.
    broken: Option<String>,
    /// There is room for no more than the event of the end.
    history_is_full: bool,
    /// Of a state that is only tested: it is told what happens to the state's data.
    pub(crate) inspector: Option<&'execution mut Inspector>,
}

/// The way out of a state.
#[derive(Debug)]
pub(crate) struct Exit<'machine> {
    /// Its output.
    pub(crate) output: Json,
    /// Variables.
    pub(crate) assigned: Option<Assigned>,
    /// The next state; `None` ends the path.
    pub(crate) next: Option<&'machine str>,
}

/// What a state does once it has been entered.
#[derive(Debug)]
pub(crate) enum Outcome<'machine> {
    /// It is left.
    Leave(Exit<'machine>),
    /// It waits for something, or its branches go on.
    Wait,
}

/// What an expression of a state can see, beside variables and the context object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'view> {
    /// `$`.
    pub(crate) root: &'view Value,
    /// `$states.input`.
    pub(crate) input: &'view Value,
    /// `$states.result`.
    pub(crate) result: Option<&'view Value>,
    /// `$states.errorOutput`.
    pub(crate) error_output: Option<&'view Value>,
    /// The context object's `Map.Item`, where it is not that of the iteration around.
    pub(crate) item: Option<Item<'view>>,
    /// The context object's `Task.Token`.
    pub(crate) token: Option<&'view str>,
}

static NULL: Value = Value::Null;

impl<'view> View<'view> {
    /// `$states.input`, and no `$`.
    pub(crate) fn of(input: &'view Value) -> View<'view> {
        View { root: &NULL, input, result: None, error_output: None, item: None, token: None }
    }

    /// The effective input of a state: as `$` in JSONPath, as `$states.input` in JSONata.
    pub(crate) fn of_state(state: &State, effective: &'view Value) -> View<'view> {
        match state.query_language {
            query::Language::JsonPath => View { root: effective, ..View::of(effective) },
            query::Language::Jsonata => View::of(effective),
        }
    }
}

impl<'machine, 'execution> Driver<'machine, 'execution> {
    pub(crate) fn new(
        machine: &'machine StateMachine,
        execution: &'execution mut Execution,
        moment: Moment,
        budget: Budget,
    ) -> Driver<'machine, 'execution> {
        // Events have milliseconds: what is decided now must be what is read from the journal later.
        let moment = Moment { now: time::to_milliseconds(moment.now), ..moment };
        Driver {
            machine,
            ready: Queue::of(&execution.ready),
            execution,
            moment,
            step: Step::default(),
            budget,
            context: None,
            evaluations: 0,
            broken: None,
            history_is_full: false,
            inspector: None,
        }
    }

    /// Tells an inspector of the one state that is run.
    pub(crate) fn inspected_by(self, inspector: &'execution mut Inspector) -> Driver<'machine, 'execution> {
        Driver { inspector: Some(inspector), ..self }
    }

    /// Keeps data of a state that is tested.
    pub(crate) fn inspect(&mut self, keep: impl FnOnce(&mut InspectionData)) {
        if let Some(inspector) = &mut self.inspector {
            keep(&mut inspector.data);
        }
    }

    /// What a Parallel or Map that is tested is taken to have done; `None` where its branches are to run.
    pub(crate) fn mocked(&self) -> Option<Result<Json, Failure>> {
        Some(match &self.inspector.as_ref()?.mock {
            Some(Mock::Result(result)) => Ok(result.clone()),
            Some(Mock::Error { error, cause }) => Err(Failure::given(Some(error.clone()), cause.clone())),
            None => Err(Failure::runtime("A Map or Parallel is tested with a mock.".to_owned())),
        })
    }

    /// What a state that is tested begins with.
    pub(crate) fn set_up(&mut self, variables: Map<String, Value>, context: impl FnOnce(&Execution) -> Value) {
        if let Some(inspector) = &mut self.inspector {
            inspector.context = context(self.execution);
            if let Some(path) = self.execution.paths.get_mut(&ROOT) {
                path.variables = Arc::new(variables);
            }
        }
    }

    /// Runs on until every path waits or has ended, or the budget is spent.
    pub(crate) fn run(&mut self) {
        while !self.is_over()
            && !self.is_spent()
            && let Some((Ready { path, work }, kept)) = self.ready.pop()
        {
            if kept {
                self.bare_fact(Fact::Taken);
            }
            self.spend_transition();
            match work {
                Work::Enter { state, input } => self.enter(path, &state, input),
                Work::Iterate => self.iterate(path),
                Work::Again => self.again(path),
            }
        }
    }

    /// What was decided. What is ready still is kept; where no `Continue` is under way, one is asked for.
    pub(crate) fn finish(mut self, asks_to_go_on: bool) -> Result<Step, IllegalInput> {
        if self.history_is_full {
            self.fail_for_history();
        }
        if !self.is_over() && !self.ready.is_empty() {
            self.ready.to_keep().into_iter().for_each(|fact| self.bare_fact(fact));
            if asks_to_go_on {
                self.command(Command::Continue);
            }
        }
        match self.broken {
            None => Ok(self.step),
            Some(reason) => Err(IllegalInput::Inconsistent(reason)),
        }
    }

    fn is_over(&self) -> bool {
        self.broken.is_some() || self.history_is_full || self.execution.ended.is_some()
    }

    /// Whether the step has to end, once what it is at is done.
    pub(crate) fn is_spent(&self) -> bool {
        self.budget.transitions == 0 || self.budget.bytes == 0
    }

    fn spend_transition(&mut self) {
        self.budget.transitions = self.budget.transitions.saturating_sub(1);
    }

    fn spend_bytes(&mut self, bytes: usize) {
        self.budget.bytes = self.budget.bytes.saturating_sub(bytes);
    }

    fn fail_for_history(&mut self) {
        self.history_is_full = false;
        let cause = format!(
            "The execution reached the maximum number of history events ({}).",
            self.execution.quotas().history_events
        );
        let failure = Failure::given(Some(failure::RUNTIME.to_owned()), Some(cause));
        let details = EventDetails::ExecutionFailed(failure.details());
        self.end(EventType::ExecutionFailed, self.execution.last_event_id, details);
    }

    // --- Records and commands ---

    pub(crate) fn machine(&self) -> &'machine StateMachine {
        self.machine
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.step.commands.push(command);
    }

    /// A fault of this program: the step will say so.
    fn break_off(&mut self, reason: String) {
        self.broken.get_or_insert(reason);
    }

    fn record(&mut self, record: Record) {
        let is_end = matches!(&record, Record::Event(event) if event.kind.is_end());
        let express = self.execution.start.as_ref().is_some_and(|start| start.express);
        let most = self.execution.quotas().history_events;
        let is_last = !express && self.execution.last_event_id >= most.saturating_sub(1);
        if matches!(record, Record::Event(_)) && is_last && !is_end {
            self.history_is_full = true;
        }
        let begins_anew = matches!(&record, Record::Event(event) if event.kind == EventType::ExecutionRedriven);
        if self.is_over() && !begins_anew {
            return;
        }
        if let Err(reason) = self.execution.apply(&record) {
            self.break_off(reason);
        }
        self.spend_bytes(journal::payload(&record).map_or(0, |payload| payload.text().len()));
        self.step.records.push(record);
    }

    /// Makes the records that follow those of this path.
    fn switch_to(&mut self, path: PathId) {
        if self.execution.cursor != path {
            self.record(Record::Fact(Fact::Path(path)));
        }
    }

    /// Writes down a fact about a path.
    pub(crate) fn fact(&mut self, path: PathId, fact: Fact) {
        self.switch_to(path);
        self.record(Record::Fact(fact));
    }

    /// Writes down a fact that is of no path, or says itself of which.
    pub(crate) fn bare_fact(&mut self, fact: Fact) {
        self.record(Record::Fact(fact));
    }

    /// Writes down the next event of a path; its id.
    pub(crate) fn event(&mut self, path: PathId, kind: EventType, details: impl Into<Option<EventDetails>>) -> u64 {
        let previous = self.execution.paths.get(&path).map_or(0, |path| path.previous);
        self.event_after(path, previous, kind, details.into())
    }

    /// The same, with a `previousEventId` that is not the path's.
    pub(crate) fn event_after(
        &mut self,
        path: PathId,
        previous_event_id: u64,
        kind: EventType,
        details: Option<EventDetails>,
    ) -> u64 {
        self.switch_to(path);
        let id = self.execution.last_event_id + 1;
        let event = HistoryEvent { id, previous_event_id, timestamp: self.moment.now, kind, details };
        self.record(Record::Event(Box::new(event)));
        id
    }

    // --- What is known of a path ---

    pub(crate) fn path(&self, path: PathId) -> Option<&Path> {
        self.execution.paths.get(&path)
    }

    pub(crate) fn position(&self, path: PathId) -> Option<&Position> {
        self.path(path)?.position.as_ref()
    }

    /// The state that a path is in.
    pub(crate) fn state(&self, path: PathId) -> Option<&'machine State> {
        flow::state_of_path(self.machine, self.execution, path)
    }

    /// The raw input of a path's state.
    pub(crate) fn input(&self, path: PathId) -> Json {
        self.position(path).map_or_else(|| Json::new(Value::Null), |position| position.input.clone())
    }

    // --- Expressions ---

    /// The context object and the variables that a path's state sees.
    pub(crate) fn surroundings(&mut self, path: PathId, state: &State) -> (Value, Map<String, Value>) {
        let mut context = context::of_execution(self.execution);
        context::set_state(&mut context, self.execution, path, state, None, None);
        (context, self.execution.paths.get(&path).map(|path| (*path.variables).clone()).unwrap_or_default())
    }

    /// Evaluates an expression of a path's state.
    pub(crate) fn query<T>(
        &mut self,
        path: PathId,
        state: &State,
        view: View<'_>,
        expression: impl FnOnce(&Scope<'_>) -> Result<T, query::Error>,
    ) -> Result<T, query::Error> {
        self.evaluations += 1;
        let moment = random::evaluation(&self.moment, self.evaluations);
        let context = self.context.get_or_insert_with(|| match &self.inspector {
            Some(inspector) => inspector.context.clone(),
            None => context::of_execution(self.execution),
        });
        match &self.inspector {
            Some(inspector) if inspector.is_context_given => context::set_item(context, view.item),
            inspector => {
                let item = view.item.or_else(|| inspector.as_ref()?.item());
                context::set_state(context, self.execution, path, state, item, view.token);
            }
        }
        let none = Map::new();
        let variables = self.execution.paths.get(&path).map_or(&none, |path| &path.variables);
        expression(&Scope {
            root: view.root,
            input: view.input,
            result: view.result,
            error_output: view.error_output,
            context,
            variables,
            moment: &moment,
        })
    }

    /// The same; what goes wrong is a failure of the field.
    pub(crate) fn evaluate<T>(
        &mut self,
        path: PathId,
        state: &State,
        view: View<'_>,
        field: &str,
        expression: impl FnOnce(&Scope<'_>) -> Result<T, query::Error>,
    ) -> Result<T, Failure> {
        self.query(path, state, view, expression).map_err(|error| Failure::of_query(error, field))
    }

    // --- The way of a path ---

    /// A path goes on with a state, before the others that are ready.
    pub(crate) fn go_to(&mut self, path: PathId, state: &str, input: Json) {
        self.ready.push_first(path, Work::Enter { state: state.to_owned(), input });
    }

    /// A new path goes on with a state, after the others that are ready.
    pub(crate) fn go_later_to(&mut self, path: PathId, state: &str, input: Json) {
        self.spend_transition();
        self.spend_bytes(input.text().len());
        self.ready.push_last(path, Work::Enter { state: state.to_owned(), input });
    }

    /// The Map that a path is in begins more iterations, before the others that are ready.
    pub(crate) fn iterate_first(&mut self, path: PathId) {
        if !self.ready.contains(path, &Work::Iterate) {
            self.ready.push_first(path, Work::Iterate);
        }
    }

    /// A path that was brought back goes on with this, after the others that are ready.
    pub(crate) fn later(&mut self, path: PathId, work: Work) {
        self.ready.push_last(path, work);
    }

    /// A path is given up: what it was about to enter is written down, for a redrive.
    pub(crate) fn keep_next(&mut self, path: PathId) {
        if let Some(ready) = self.ready.unkept(path).filter(|ready| matches!(ready.work, Work::Enter { .. })).cloned() {
            self.bare_fact(Fact::Ready { ready, first: false });
        }
    }

    /// Nothing of this path is ready any more.
    pub(crate) fn forget(&mut self, gone: PathId) {
        self.ready.forget(gone);
    }

    fn iterate(&mut self, path: PathId) {
        let Some(state) = self.state(path) else { return };
        // It may have failed since.
        let Kind::Map(map) = &state.kind else { return };
        let outcome = state::map::go_on(self, path, state, map);
        self.conclude(path, outcome);
    }

    pub(crate) fn enter(&mut self, path: PathId, name: &str, input: Json) {
        let flow = flow::of_path(self.machine, self.execution, path);
        let Some(state) = flow.and_then(|flow| flow.states.get(name)) else {
            return self.break_off(format!("the state machine has no state `{name}` there"));
        };
        let details = StateEntered { name: state.name.clone(), input, input_details: DataDetails::default() };
        self.event(path, state::entered(state), EventDetails::StateEntered(details));
        if let Some(input) = self.inspector.as_ref().and_then(|inspector| inspector.data.input.clone())
            && let Some(position) = self.execution.paths.get_mut(&path).and_then(|path| path.position.as_mut())
        {
            // TestState shows every text as it came, an execution only that of its own input.
            position.input = input;
        }
        self.perform(path);
    }

    /// Does what the state of a path does.
    pub(crate) fn perform(&mut self, path: PathId) {
        let Some(state) = self.state(path) else { return };
        let outcome = match &state.kind {
            Kind::Pass(pass) => state::pass::perform(self, path, state, pass),
            Kind::Choice(choice) => state::choice::perform(self, path, state, choice),
            Kind::Succeed => state::succeed::perform(self, path, state),
            Kind::Fail(fail) => state::fail::perform(self, path, state, fail),
            Kind::Wait(wait) => state::wait::perform(self, path, state, wait),
            Kind::Task(task) => state::task::perform(self, path, state, task),
            Kind::Parallel(parallel) => state::parallel::perform(self, path, state, parallel),
            Kind::Map(map) => state::map::perform(self, path, state, map),
        };
        self.conclude(path, outcome);
    }

    /// Goes on with what a state did.
    pub(crate) fn conclude(&mut self, path: PathId, outcome: Result<Outcome<'machine>, Failure>) {
        match outcome {
            Ok(Outcome::Leave(exit)) => self.leave(path, exit),
            Ok(Outcome::Wait) => {}
            Err(failure) => self.fail(path, failure),
        }
    }

    fn leave(&mut self, path: PathId, exit: Exit<'machine>) {
        if let Err(failure) = self.try_leave(path, exit) {
            self.fail(path, failure);
        }
    }

    pub(crate) fn try_leave(&mut self, path: PathId, exit: Exit<'machine>) -> Result<(), Failure> {
        let Some(state) = self.state(path) else { return Ok(()) };
        let Exit { output, assigned, next } = exit;
        if !self.execution.quotas().allow(&output) {
            return Err(Failure::beyond_limits(&state.name, &output));
        }
        self.spend_bytes(assigned.iter().flat_map(Assigned::values).map(|value| value.text().len()).sum());
        let details = StateExited {
            name: state.name.clone(),
            output: output.clone(),
            output_details: DataDetails::default(),
            assigned_variables_details: assigned.as_ref().map(|_| DataDetails::default()),
            assigned_variables: assigned,
        };
        self.event(path, state::exited(state), EventDetails::StateExited(details));
        if let (Some(inspector), Some(path)) = (&mut self.inspector, self.execution.paths.get(&path)) {
            inspector.left(&output, next, &path.variables);
        }
        match next.filter(|_| self.inspector.is_none()) {
            Some(next) => self.go_to(path, next, output),
            None => self.end_path(path, output),
        }
        Ok(())
    }

    fn end_path(&mut self, path: PathId, output: Json) {
        let Some((parent, _)) = self.path(path).and_then(|path| path.parent) else {
            let previous = self.path(ROOT).map_or(0, |path| path.previous);
            let details = OutputDetails { output, output_details: DataDetails::default() };
            return self.end(EventType::ExecutionSucceeded, previous, EventDetails::ExecutionSucceeded(details));
        };
        let outcome = state::branch::succeeded(self, path, parent);
        self.conclude(parent, outcome);
    }

    // --- Timers and ends ---

    /// Asks for the timers that a path now waits for.
    pub(crate) fn start_timers(&mut self, path: PathId) {
        let Some(path) = self.execution.paths.get(&path) else { return };
        self.step.commands.extend(path.timers().map(|(timer, at)| Command::StartTimer { timer, at }));
    }

    /// Takes back what a path waits for, but for what just came.
    pub(crate) fn cancel(&mut self, path: PathId, came: Came) {
        let Some(path) = self.execution.paths.get(&path) else { return };
        if let Some(task) = path.task()
            && came != Came::Answer
        {
            self.step.commands.push(Command::CancelTask { event_id: task.event_id });
        }
        if let Some((_, arn)) = path.map_run() {
            self.step.commands.push(Command::StopMapRun { arn: arn.to_owned() });
        }
        let timers = path.timers().filter(|(timer, _)| came != Came::Timer(*timer));
        self.step.commands.extend(timers.map(|(timer, _)| Command::CancelTimer { timer }));
    }

    /// The execution ends.
    pub(crate) fn end(&mut self, kind: EventType, previous: u64, details: EventDetails) {
        let paths: Vec<PathId> = self.execution.paths.keys().copied().collect();
        for path in paths {
            self.cancel(path, Came::Nothing);
        }
        if let Some((timer, _)) = self.execution.timeout()
            && kind != EventType::ExecutionTimedOut
        {
            self.command(Command::CancelTimer { timer });
        }
        self.event_after(self.execution.cursor, previous, kind, Some(details));
        if let Some(ended) = self.execution.ended.clone() {
            self.command(Command::CompleteExecution(ended));
        }
    }

    /// The execution is ended from outside.
    pub(crate) fn stop(&mut self, kind: EventType, details: ErrorDetails) {
        let details = match kind {
            EventType::ExecutionTimedOut => EventDetails::ExecutionTimedOut(details),
            _ => EventDetails::ExecutionAborted(details),
        };
        self.end(kind, 0, details);
    }

    /// The time of this step.
    pub(crate) fn now(&self) -> Timestamp {
        self.moment.now
    }
}

/// What just came for a path, so that it need not be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// Nothing: the path is given up.
    Nothing,
    /// The task's answer.
    Answer,
    /// A timer.
    Timer(crate::Timer),
}
