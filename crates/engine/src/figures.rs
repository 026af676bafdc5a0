//! What the engine and its store count of themselves.

use std::time::Duration;

use execution::Status;

use crate::{
    measure::{By, ByName, Counter, Histogram, Moments, Responses},
    ports::{ExecutionKind, TaskOutcome},
};

crate::label! {
    /// `type` of an execution's state machine.
    pub enum MachineType {
        /// Durable.
        Standard = "STANDARD",
        /// In memory.
        Express = "EXPRESS",
    }
}

crate::label! {
    /// How an execution ended.
    pub enum EndStatus {
        /// Well.
        Succeeded = "SUCCEEDED",
        /// By an error.
        Failed = "FAILED",
        /// Its time was over.
        TimedOut = "TIMED_OUT",
        /// It was stopped.
        Aborted = "ABORTED",
    }
}

crate::label! {
    /// What became of a task.
    pub enum TaskResult {
        /// It was answered.
        Succeeded = "succeeded",
        /// It was answered with an error.
        Failed = "failed",
        /// Its answer comes later: by its token, or by asking after the job.
        Submitted = "submitted",
    }
}

crate::figures! {
    /// What the engine and its store count of themselves, since the process began.
    pub struct Figures {
        /// Executions that began.
        executions_started: By<MachineType, Counter> = "rectify_executions_started_total" ["type"];
        /// Executions that ended, by how.
        executions_ended: By<MachineType, By<EndStatus, Counter>> = "rectify_executions_ended_total" ["type", "status"];
        /// Executions that ended and are in no trace, as too many waited to be traced.
        executions_untraced: Counter = "rectify_executions_untraced_total" [];
        /// Tasks that were performed, by what became of them. One that is retried is counted each time.
        tasks: By<TaskResult, Counter> = "rectify_tasks_total" ["result"];
        /// How long performing a task took.
        task_duration: Histogram<Moments> = "rectify_task_duration_seconds" [];
        /// Findings that were opened: a guardrail's first sighting of a resource.
        findings_opened: ByName<Counter> = "rectify_findings_opened_total" ["guardrail"];
        /// Fixes that an inspection proved.
        findings_fixed: ByName<Counter> = "rectify_findings_fixed_total" ["guardrail"];
        /// Responses that failed their finding.
        findings_failed: ByName<Counter> = "rectify_findings_failed_total" ["guardrail"];
        /// From the time that an event says it happened to the inspection that proved the fix.
        detection_to_fix: Histogram<Responses> = "rectify_detection_to_fix_seconds" [];
        /// From taking in an event to the first call of its response that leaves this process.
        event_to_first_call: Histogram<Moments> = "rectify_event_to_first_call_seconds" [];
        /// How long a commit of the store took, with all writes in it.
        store_commit: Histogram<Moments> = "rectify_store_commit_duration_seconds" [];
        /// Writes that were in the store's commits.
        store_writes: Counter = "rectify_store_writes_total" [];
        /// Commits that the store refused; what was in them is tried again.
        store_failed_commits: Counter = "rectify_store_failed_commits_total" [];
    }
}

impl From<ExecutionKind> for MachineType {
    fn from(kind: ExecutionKind) -> MachineType {
        match kind {
            ExecutionKind::Standard => MachineType::Standard,
            ExecutionKind::Synchronous | ExecutionKind::Asynchronous | ExecutionKind::MapRunChild => {
                MachineType::Express
            }
        }
    }
}

impl Figures {
    /// An execution has begun.
    pub(crate) fn started(&self, kind: ExecutionKind) {
        self.executions_started.of(kind.into()).increment();
    }

    /// An execution has ended.
    pub(crate) fn ended(&self, kind: ExecutionKind, status: Status) {
        let status = match status {
            Status::Running => return,
            Status::Succeeded => EndStatus::Succeeded,
            Status::Failed => EndStatus::Failed,
            Status::TimedOut => EndStatus::TimedOut,
            Status::Aborted => EndStatus::Aborted,
        };
        self.executions_ended.of(kind.into()).of(status).increment();
    }

    /// A task was performed, and took so long.
    pub(crate) fn performed(&self, outcome: &TaskOutcome, took: Duration) {
        let result = match outcome {
            TaskOutcome::Succeeded(_) => TaskResult::Succeeded,
            TaskOutcome::Failed { .. } | TaskOutcome::ScheduleFailed { .. } => TaskResult::Failed,
            TaskOutcome::Submitted(_) => TaskResult::Submitted,
        };
        self.tasks.of(result).increment();
        self.task_duration.observe(took);
    }
}
