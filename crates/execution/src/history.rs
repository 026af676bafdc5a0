//! History events, field for field as `GetExecutionHistory` has them.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html>

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Json;

/// A history event. Serializes as AWS writes it, the timestamp as seconds with a fraction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEvent {
    /// From 1, without a gap.
    pub id: u64,
    /// The event before it on its path.
    pub previous_event_id: u64,
    /// When, to the millisecond.
    #[serde(with = "seconds")]
    pub timestamp: Timestamp,
    /// What.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// More about it.
    #[serde(flatten)]
    pub details: Option<EventDetails>,
}

/// `type` of a history event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is AWS's HistoryEventType of the same name")]
pub enum EventType {
    ActivityFailed,
    ActivityScheduleFailed,
    ActivityScheduled,
    ActivityStarted,
    ActivitySucceeded,
    ActivityTimedOut,
    ChoiceStateEntered,
    ChoiceStateExited,
    EvaluationFailed,
    ExecutionAborted,
    ExecutionFailed,
    ExecutionRedriven,
    ExecutionStarted,
    ExecutionSucceeded,
    ExecutionTimedOut,
    FailStateEntered,
    LambdaFunctionFailed,
    LambdaFunctionScheduled,
    LambdaFunctionStarted,
    LambdaFunctionSucceeded,
    LambdaFunctionTimedOut,
    MapIterationAborted,
    MapIterationFailed,
    MapIterationStarted,
    MapIterationSucceeded,
    MapRunAborted,
    MapRunFailed,
    MapRunRedriven,
    MapRunStarted,
    MapRunSucceeded,
    MapStateAborted,
    MapStateEntered,
    MapStateExited,
    MapStateFailed,
    MapStateStarted,
    MapStateSucceeded,
    ParallelStateAborted,
    ParallelStateEntered,
    ParallelStateExited,
    ParallelStateFailed,
    ParallelStateStarted,
    ParallelStateSucceeded,
    PassStateEntered,
    PassStateExited,
    SucceedStateEntered,
    SucceedStateExited,
    TaskFailed,
    TaskScheduled,
    TaskStarted,
    TaskStateAborted,
    TaskStateEntered,
    TaskStateExited,
    TaskSubmitFailed,
    TaskSubmitted,
    TaskSucceeded,
    TaskTimedOut,
    WaitStateAborted,
    WaitStateEntered,
    WaitStateExited,
}

impl EventType {
    /// Whether the execution ends with it.
    pub fn is_end(self) -> bool {
        matches!(
            self,
            EventType::ExecutionSucceeded
                | EventType::ExecutionFailed
                | EventType::ExecutionTimedOut
                | EventType::ExecutionAborted
        )
    }
}

/// The details of an event, under the key that AWS gives them. Events without a variant here have none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the field of AWS's HistoryEvent that it is renamed to")]
pub enum EventDetails {
    #[serde(rename = "activityFailedEventDetails")]
    ActivityFailed(ErrorDetails),
    #[serde(rename = "activityScheduleFailedEventDetails")]
    ActivityScheduleFailed(ErrorDetails),
    #[serde(rename = "activityScheduledEventDetails")]
    ActivityScheduled(FunctionScheduled),
    #[serde(rename = "activityStartedEventDetails")]
    ActivityStarted(ActivityStarted),
    #[serde(rename = "activitySucceededEventDetails")]
    ActivitySucceeded(OutputDetails),
    #[serde(rename = "activityTimedOutEventDetails")]
    ActivityTimedOut(ErrorDetails),
    #[serde(rename = "evaluationFailedEventDetails")]
    EvaluationFailed(EvaluationFailed),
    #[serde(rename = "executionAbortedEventDetails")]
    ExecutionAborted(ErrorDetails),
    #[serde(rename = "executionFailedEventDetails")]
    ExecutionFailed(ErrorDetails),
    #[serde(rename = "executionRedrivenEventDetails")]
    ExecutionRedriven(ExecutionRedriven),
    #[serde(rename = "executionStartedEventDetails")]
    ExecutionStarted(ExecutionStarted),
    #[serde(rename = "executionSucceededEventDetails")]
    ExecutionSucceeded(OutputDetails),
    #[serde(rename = "executionTimedOutEventDetails")]
    ExecutionTimedOut(ErrorDetails),
    #[serde(rename = "lambdaFunctionFailedEventDetails")]
    LambdaFunctionFailed(ErrorDetails),
    #[serde(rename = "lambdaFunctionScheduledEventDetails")]
    LambdaFunctionScheduled(FunctionScheduled),
    #[serde(rename = "lambdaFunctionSucceededEventDetails")]
    LambdaFunctionSucceeded(OutputDetails),
    #[serde(rename = "lambdaFunctionTimedOutEventDetails")]
    LambdaFunctionTimedOut(ErrorDetails),
    #[serde(rename = "mapIterationAbortedEventDetails")]
    MapIterationAborted(MapIteration),
    #[serde(rename = "mapIterationFailedEventDetails")]
    MapIterationFailed(MapIteration),
    #[serde(rename = "mapIterationStartedEventDetails")]
    MapIterationStarted(MapIteration),
    #[serde(rename = "mapIterationSucceededEventDetails")]
    MapIterationSucceeded(MapIteration),
    #[serde(rename = "mapRunFailedEventDetails")]
    MapRunFailed(ErrorDetails),
    #[serde(rename = "mapRunRedrivenEventDetails")]
    MapRunRedriven(MapRunRedriven),
    #[serde(rename = "mapRunStartedEventDetails")]
    MapRunStarted(MapRunStarted),
    #[serde(rename = "mapStateStartedEventDetails")]
    MapStateStarted(MapStateStarted),
    #[serde(rename = "stateEnteredEventDetails")]
    StateEntered(StateEntered),
    #[serde(rename = "stateExitedEventDetails")]
    StateExited(StateExited),
    #[serde(rename = "taskFailedEventDetails")]
    TaskFailed(TaskFailed),
    #[serde(rename = "taskScheduledEventDetails")]
    TaskScheduled(TaskScheduled),
    #[serde(rename = "taskStartedEventDetails")]
    TaskStarted(TaskStarted),
    #[serde(rename = "taskSubmitFailedEventDetails")]
    TaskSubmitFailed(TaskFailed),
    #[serde(rename = "taskSubmittedEventDetails")]
    TaskSubmitted(TaskOutput),
    #[serde(rename = "taskSucceededEventDetails")]
    TaskSucceeded(TaskOutput),
    #[serde(rename = "taskTimedOutEventDetails")]
    TaskTimedOut(TaskFailed),
}

/// `inputDetails`, `outputDetails`, `assignedVariablesDetails`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataDetails {
    /// Whether something was left out. Never here.
    pub truncated: bool,
}

/// `executionStartedEventDetails`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct ExecutionStarted {
    pub input: Json,
    pub input_details: DataDetails,
    pub role_arn: String,
}

/// `executionRedrivenEventDetails`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct ExecutionRedriven {
    pub redrive_count: u64,
}

/// What says no more than an output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct OutputDetails {
    pub output: Json,
    pub output_details: DataDetails,
}

/// What says no more than an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct ErrorDetails {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// `stateEnteredEventDetails`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct StateEntered {
    pub name: String,
    pub input: Json,
    pub input_details: DataDetails,
}

/// `stateExitedEventDetails`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct StateExited {
    pub name: String,
    pub output: Json,
    pub output_details: DataDetails,
    /// Variable → the text of its new value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_variables: Option<IndexMap<String, Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_variables_details: Option<DataDetails>,
}

/// `taskCredentials`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct TaskCredentials {
    pub role_arn: String,
}

/// `taskScheduledEventDetails`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct TaskScheduled {
    pub resource_type: String,
    pub resource: String,
    pub region: String,
    pub parameters: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_in_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_credentials: Option<TaskCredentials>,
}

/// `lambdaFunctionScheduledEventDetails`, `activityScheduledEventDetails`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct FunctionScheduled {
    pub resource: String,
    pub input: Json,
    pub input_details: DataDetails,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_in_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_credentials: Option<TaskCredentials>,
}

/// `taskStartedEventDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct TaskStarted {
    pub resource_type: String,
    pub resource: String,
}

/// `activityStartedEventDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct ActivityStarted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_name: Option<String>,
}

/// `taskSubmittedEventDetails`, `taskSucceededEventDetails`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct TaskOutput {
    pub resource_type: String,
    pub resource: String,
    pub output: Json,
    pub output_details: DataDetails,
}

/// `taskFailedEventDetails`, `taskSubmitFailedEventDetails`, `taskTimedOutEventDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct TaskFailed {
    pub resource_type: String,
    pub resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// `mapStateStartedEventDetails`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct MapStateStarted {
    pub length: u64,
}

/// `mapRunRedrivenEventDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct MapRunRedriven {
    pub map_run_arn: String,
    pub redrive_count: u64,
}

/// `mapRunStartedEventDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct MapRunStarted {
    pub map_run_arn: String,
}

/// `mapIteration…EventDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct MapIteration {
    pub name: String,
    pub index: u64,
}

/// `evaluationFailedEventDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "AWS's fields of the same names")]
pub struct EvaluationFailed {
    pub error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    pub location: String,
    pub state: String,
}

mod seconds {
    //! AWS's timestamps: seconds since 1970 as a number with milliseconds.

    use jiff::{SignedDuration, Timestamp};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(timestamp: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(timestamp.as_duration().as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        // A double holds a present-day time to a quarter of a microsecond: half a millisecond more, and truncating rounds.
        let duration = SignedDuration::try_from_secs_f64(seconds + 0.0005).map_err(D::Error::custom)?;
        let milliseconds = i64::try_from(duration.as_millis()).map_err(D::Error::custom)?;
        Timestamp::from_millisecond(milliseconds).map_err(D::Error::custom)
    }
}
