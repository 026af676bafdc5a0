//! The one place where an execution changes: a record is applied, the same way live and on replay.

use std::sync::Arc;

use crate::{
    Ended, EventDetails, EventType, Execution, Fact, HistoryEvent, Json, Record, Status,
    execution::Started,
    failure,
    history::{ErrorDetails, FunctionScheduled, MapRunRedriven, TaskScheduled},
    path::{MapRunOfState, Path, PathId, Position, ROOT, Stage, TaskStage},
    record::{BranchEnd, Ready, TaskFact, Work},
    state::task,
};

/// Errors of a map run that a redrive answers with a new run: the old one could only fail once more.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html>
const REDRIVEN_ANEW: [&str; 3] = [failure::ITEM_READER_FAILED, failure::DATA_LIMIT_EXCEEDED, failure::RUNTIME];

impl Execution {
    /// Applies a record. What can't follow the records before it is an error with its reason; the execution is of no use then.
    pub(crate) fn apply(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Event(event) => self.apply_event(event),
            Record::Fact(fact) => self.apply_fact(fact),
        }
    }

    fn apply_event(&mut self, event: &HistoryEvent) -> Result<(), String> {
        if event.id != self.last_event_id + 1 {
            return Err(format!("event {} comes after event {}", event.id, self.last_event_id));
        }
        if self.ended.is_some() && event.kind != EventType::ExecutionRedriven {
            return Err("the execution has ended".to_owned());
        }
        self.last_event_id = event.id;
        match event.kind {
            EventType::ExecutionStarted => self.started(event),
            EventType::ExecutionRedriven => match &event.details {
                Some(EventDetails::ExecutionRedriven(details)) => {
                    self.bring_back(details.redrive_count, event.id, event.timestamp)
                }
                _ => Err("a redrive without its details".to_owned()),
            },
            EventType::ExecutionSucceeded => self.end(event, Status::Succeeded),
            EventType::ExecutionFailed => self.end(event, Status::Failed),
            EventType::ExecutionTimedOut => self.end(event, Status::TimedOut),
            EventType::ExecutionAborted => self.end(event, Status::Aborted),
            EventType::MapIterationSucceeded => {
                self.end_branch(BranchEnd::Succeeded)?;
                // What follows the last iteration points to this, the next iteration to the last event before this.
                self.path()?.previous = event.id;
                Ok(())
            }
            EventType::MapIterationFailed => self.end_branch(BranchEnd::Failed),
            EventType::MapIterationAborted => self.end_branch(BranchEnd::Aborted),
            // These stand beside the chain of their path: the next event points to what they point to.
            EventType::MapStateSucceeded
            | EventType::ParallelStateSucceeded
            | EventType::TaskStateAborted
            | EventType::WaitStateAborted
            | EventType::MapRunAborted
            | EventType::MapStateAborted
            | EventType::ParallelStateAborted => Ok(()),
            _ => self.apply_to_path(event),
        }
    }

    fn apply_to_path(&mut self, event: &HistoryEvent) -> Result<(), String> {
        let path = self.path()?;
        let previous = path.previous;
        path.previous = event.id;
        let details = event.details.as_ref();
        match (event.kind, details) {
            (_, Some(EventDetails::StateEntered(entered))) => {
                path.output = None;
                path.next = None;
                // Only the event of the first state shows the input as its text came.
                let input = if event.id == 2 { entered.input.compact() } else { entered.input.clone() };
                path.position = Some(Position {
                    name: entered.name.clone(),
                    entered_id: event.id,
                    entered_previous: previous,
                    entered_at: event.timestamp,
                    input,
                    retries: Vec::new(),
                    stage: Stage::Entered,
                    map_run: None,
                });
            }
            (_, Some(EventDetails::StateExited(exited))) => {
                path.position = None;
                path.output = Some(exited.output.clone());
                if let Some(assigned) = &exited.assigned_variables {
                    let variables = Arc::make_mut(&mut path.variables);
                    variables.extend(assigned.iter().map(|(name, value)| (name.clone(), value.value().clone())));
                }
                self.forget_stopped(self.cursor);
            }
            (EventType::ParallelStateStarted, _) => {
                self.forget_stopped(self.cursor);
                self.set_stage(Stage::Parallel { outputs: Vec::new() })?;
            }
            (EventType::MapStateStarted, _) => {
                self.forget_stopped(self.cursor);
                self.set_stage(Stage::Map { items: None, max_concurrency: 0, outputs: Vec::new(), last: event.id })?;
            }
            (_, Some(EventDetails::MapRunStarted(started))) => {
                let arn = started.map_run_arn.clone();
                self.set_map_run(event.id, MapRunOfState { arn, redrive_count: 0 })?;
            }
            (_, Some(EventDetails::MapRunRedriven(redriven))) => {
                let MapRunRedriven { map_run_arn: arn, redrive_count } = redriven.clone();
                self.set_map_run(event.id, MapRunOfState { arn, redrive_count })?;
            }
            (EventType::MapRunSucceeded, _) => self.map_run_is_over()?,
            // Of these, a redrive makes a new run.
            (_, Some(EventDetails::MapRunFailed(failed)))
                if failed.error.as_deref().is_some_and(|error| REDRIVEN_ANEW.contains(&error)) =>
            {
                self.map_run_is_over()?;
            }
            (EventType::MapRunFailed, _) => self.set_stage(Stage::Entered)?,
            (_, Some(EventDetails::TaskScheduled(scheduled))) => {
                self.set_task(TaskStage::of_service(event.id, scheduled))?;
            }
            (
                _,
                Some(EventDetails::LambdaFunctionScheduled(scheduled) | EventDetails::ActivityScheduled(scheduled)),
            ) => self.set_task(TaskStage::of_function(event.id, scheduled))?,
            (EventType::ActivityStarted, _) => self.task()?.submitted = true,
            (_, Some(EventDetails::TaskSubmitted(submitted))) => {
                let task = self.task()?;
                task.submitted = true;
                task.job = task::is_job(&task.resource).then(|| submitted.output.clone());
            }
            (
                EventType::TaskSucceeded
                | EventType::TaskFailed
                | EventType::TaskSubmitFailed
                | EventType::TaskTimedOut
                | EventType::LambdaFunctionSucceeded
                | EventType::LambdaFunctionFailed
                | EventType::LambdaFunctionTimedOut
                | EventType::ActivitySucceeded
                | EventType::ActivityFailed
                | EventType::ActivityScheduleFailed
                | EventType::ActivityTimedOut,
                _,
            ) => {
                let event_id = self.task()?.event_id;
                self.tasks.insert(event_id, None);
                self.set_stage(Stage::Entered)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn apply_fact(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Start(start) => self.start = Some((**start).clone()),
            Fact::Path(path) => self.cursor = *path,
            Fact::Begin { path, parent, index } => self.begin(*path, *parent, *index)?,
            Fact::BranchEnded(end) => self.end_branch(*end)?,
            Fact::Task(more) => self.task()?.add(more),
            Fact::Heartbeat { until } => self.task()?.heartbeat_at = Some(*until),
            Fact::Timeout { at } => self.start.as_mut().ok_or("a time-out of nothing")?.timeout_at = Some(*at),
            Fact::Wait { until } => self.set_stage(Stage::Wait { until: *until })?,
            Fact::Retry { retrier, at } => {
                let path = self.path()?;
                let failed = path.previous;
                let position = path.position.as_mut().ok_or("a retry, but no state")?;
                if position.retries.len() <= *retrier {
                    position.retries.resize(retrier.saturating_add(1), 0);
                }
                if let Some(count) = position.retries.get_mut(*retrier) {
                    *count += 1;
                }
                position.stage = Stage::Retry { failed, at: *at };
                self.forget_stopped(self.cursor);
            }
            Fact::Ready { ready, first: true } => self.ready.push_front(ready.clone()),
            Fact::Ready { ready, first: false } => self.ready.push_back(ready.clone()),
            Fact::Taken => _ = self.ready.pop_front().ok_or("nothing is ready")?,
            // A Map that is tried again begins another run.
            Fact::Retried => self.map_run_is_over()?,
            Fact::Items { items: array, max_concurrency: limit } => match &mut self.position()?.stage {
                Stage::Map { items, max_concurrency, .. } => {
                    *items = Some(array.clone());
                    *max_concurrency = *limit;
                }
                _ => return Err("items, but no Map".to_owned()),
            },
        }
        Ok(())
    }

    fn started(&mut self, event: &HistoryEvent) -> Result<(), String> {
        let (Some(EventDetails::ExecutionStarted(details)), Some(_)) = (&event.details, &self.start) else {
            return Err("a start without what was started".to_owned());
        };
        self.started =
            Some(Started { at: event.timestamp, input: details.input.clone(), role_arn: details.role_arn.clone() });
        let variables = Arc::default();
        // The first state entered points to no event.
        self.paths
            .insert(ROOT, Path { parent: None, previous: 0, position: None, output: None, next: None, variables });
        self.next_path = ROOT + 1;
        Ok(())
    }

    fn end(&mut self, event: &HistoryEvent, status: Status) -> Result<(), String> {
        let mut ended = Ended { status, output: None, error: None, cause: None };
        match &event.details {
            Some(EventDetails::ExecutionSucceeded(details)) => ended.output = Some(details.output.value().clone()),
            Some(
                EventDetails::ExecutionFailed(ErrorDetails { error, cause })
                | EventDetails::ExecutionTimedOut(ErrorDetails { error, cause })
                | EventDetails::ExecutionAborted(ErrorDetails { error, cause }),
            ) => {
                ended.error.clone_from(error);
                ended.cause.clone_from(cause);
            }
            _ => return Err("an end without its details".to_owned()),
        }
        self.ended = Some(ended);
        self.tasks.values_mut().for_each(|path| *path = None);
        if status == Status::Succeeded {
            self.stopped.clear();
        } else {
            let paths = std::mem::take(&mut self.paths);
            paths.into_iter().for_each(|(id, path)| self.stop_path(id, path));
        }
        self.paths.clear();
        self.ready.clear();
        Ok(())
    }

    /// Keeps a path that failed or was given up for a redrive, and what it was about to enter.
    fn stop_path(&mut self, id: PathId, mut path: Path) {
        let is_its = |ready: &&Ready| ready.path == id && matches!(ready.work, Work::Enter { .. });
        if let Some(ready) = self.ready.iter().find(is_its) {
            path.next = Some(ready.work.clone());
        }
        self.stopped.insert(id, path);
    }

    fn begin(&mut self, id: u32, parent: u32, index: u64) -> Result<(), String> {
        let outer = self.paths.get_mut(&parent).ok_or("a branch of no path")?;
        let previous = match outer.position.as_mut().map(|position| &mut position.stage) {
            Some(Stage::Parallel { outputs }) => {
                outputs.push(None);
                outer.previous
            }
            Some(Stage::Map { outputs, last, .. }) => {
                outputs.push(None);
                *last
            }
            _ => return Err("a branch of no Parallel and no Map".to_owned()),
        };
        let path = Path {
            parent: Some((parent, index)),
            previous,
            position: None,
            output: None,
            next: None,
            variables: outer.variables.clone(),
        };
        self.paths.insert(id, path);
        self.next_path = id.checked_add(1).ok_or("too many branches")?;
        self.cursor = id;
        Ok(())
    }

    fn end_branch(&mut self, end: BranchEnd) -> Result<(), String> {
        let id = self.cursor;
        let path = self.paths.remove(&id).ok_or("the end of no branch")?;
        let (parent, index) = path.parent.ok_or("the end of a branch, but it is none")?;
        self.tasks.extend(path.task().map(|task| (task.event_id, None)));
        self.cursor = parent;
        let previous = path.previous;
        if end != BranchEnd::Succeeded {
            self.stop_path(id, path.clone());
        }
        self.ready.retain(|ready| ready.path != id);
        let outer = self.paths.get_mut(&parent).ok_or("the end of a branch whose Parallel or Map is gone")?;
        if end == BranchEnd::Aborted {
            return Ok(());
        }
        outer.previous = previous;
        if end == BranchEnd::Failed {
            return Ok(());
        }
        let index = usize::try_from(index).map_err(|error| error.to_string())?;
        let slot = match outer.position.as_mut().map(|position| &mut position.stage) {
            Some(Stage::Parallel { outputs }) => outputs.get_mut(index),
            Some(Stage::Map { outputs, last, .. }) => {
                *last = path.previous;
                outputs.get_mut(index)
            }
            _ => None,
        };
        *slot.ok_or("the end of a branch that was not begun")? = path.output;
        Ok(())
    }

    fn path(&mut self) -> Result<&mut Path, String> {
        self.paths.get_mut(&self.cursor).ok_or_else(|| format!("there is no path {}", self.cursor))
    }

    fn position(&mut self) -> Result<&mut Position, String> {
        self.path()?.position.as_mut().ok_or_else(|| "the path is in no state".to_owned())
    }

    fn set_stage(&mut self, stage: Stage) -> Result<(), String> {
        self.position()?.stage = stage;
        Ok(())
    }

    fn set_map_run(&mut self, event_id: u64, run: MapRunOfState) -> Result<(), String> {
        let position = self.position()?;
        position.stage = Stage::MapRun { event_id, arn: run.arn.clone() };
        position.map_run = Some(run);
        Ok(())
    }

    fn map_run_is_over(&mut self) -> Result<(), String> {
        let position = self.position()?;
        position.stage = Stage::Entered;
        position.map_run = None;
        Ok(())
    }

    fn set_task(&mut self, task: TaskStage) -> Result<(), String> {
        self.tasks.insert(task.event_id, Some(self.cursor));
        self.set_stage(Stage::Task(Box::new(task)))
    }

    fn task(&mut self) -> Result<&mut TaskStage, String> {
        match &mut self.position()?.stage {
            Stage::Task(task) => Ok(task),
            _ => Err("the path waits for no task".to_owned()),
        }
    }
}

impl TaskStage {
    fn new(event_id: u64, arguments: &Json) -> TaskStage {
        TaskStage {
            event_id,
            resource: String::new(),
            arguments: arguments.clone(),
            role_arn: None,
            token: None,
            timeout_seconds: None,
            heartbeat_seconds: None,
            timeout_at: None,
            heartbeat_at: None,
            submitted: false,
            job: None,
        }
    }

    fn of_service(event_id: u64, scheduled: &TaskScheduled) -> TaskStage {
        TaskStage {
            role_arn: scheduled.task_credentials.as_ref().map(|credentials| credentials.role_arn.clone()),
            timeout_seconds: scheduled.timeout_in_seconds,
            heartbeat_seconds: scheduled.heartbeat_in_seconds,
            ..TaskStage::new(event_id, &scheduled.parameters)
        }
    }

    fn of_function(event_id: u64, scheduled: &FunctionScheduled) -> TaskStage {
        TaskStage {
            role_arn: scheduled.task_credentials.as_ref().map(|credentials| credentials.role_arn.clone()),
            timeout_seconds: scheduled.timeout_in_seconds,
            heartbeat_seconds: scheduled.heartbeat_in_seconds,
            ..TaskStage::new(event_id, &scheduled.input)
        }
    }

    fn add(&mut self, more: &TaskFact) {
        self.resource.clone_from(&more.resource);
        self.token.clone_from(&more.token);
        self.timeout_at = more.timeout_at;
        self.heartbeat_at = more.heartbeat_at;
    }
}
