//! Failures of states, with AWS's names and texts.

use query::{ErrorKind, Language};

use crate::{Json, Limits, history::ErrorDetails};

pub(crate) const ALL: &str = "States.ALL";
pub(crate) const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
pub(crate) const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";
pub(crate) const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
pub(crate) const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
pub(crate) const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";
pub(crate) const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
pub(crate) const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";
pub(crate) const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
pub(crate) const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";
pub(crate) const RUNTIME: &str = "States.Runtime";
pub(crate) const TASK_FAILED: &str = "States.TaskFailed";
pub(crate) const TIMEOUT: &str = "States.Timeout";

/// Why a state failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its name; who answers a task by its token may leave it out.
    pub(crate) error: Option<String>,
    /// What happened.
    pub(crate) cause: Option<String>,
    /// The state's name and event are still to be put before the cause.
    pub(crate) within_state: bool,
    /// A JSONata field failed: which, for `EvaluationFailed`.
    pub(crate) location: Option<String>,
    /// It was a heartbeat that was missed, which AWS calls a time-out as well.
    pub(crate) heartbeat: bool,
}

impl Failure {
    /// A failure that is passed on as it came.
    pub(crate) fn given(error: Option<String>, cause: Option<String>) -> Failure {
        Failure { error, cause, within_state: false, location: None, heartbeat: false }
    }

    /// A failure of the state itself.
    pub(crate) fn of_state(error: &str, cause: String) -> Failure {
        Failure { within_state: true, ..Failure::given(Some(error.to_owned()), Some(cause)) }
    }

    /// `States.Runtime`: nothing retries or catches it.
    pub(crate) fn runtime(cause: String) -> Failure {
        Failure::of_state(RUNTIME, cause)
    }

    /// A JSONata field that gave what it may not give.
    pub(crate) fn jsonata(location: &str, cause: String) -> Failure {
        Failure { location: Some(location.to_owned()), ..Failure::of_state(QUERY_EVALUATION_ERROR, cause) }
    }

    /// In a JSONata state a JSONata failure, in a JSONPath one `States.Runtime`.
    pub(crate) fn of_field(language: Language, field: &str, cause: String) -> Failure {
        match language {
            Language::Jsonata => Failure::jsonata(field, cause),
            Language::JsonPath => Failure::runtime(cause),
        }
    }

    /// A JSONata expression of another type than the field wants.
    pub(crate) fn unexpected_type(expression: &str, field: &str, wanted: &str, value: &serde_json::Value) -> Failure {
        let cause = format!(
            "The JSONata expression '{expression}' specified for the field '{field}' returned an unexpected result type. \
             Expected '{wanted}', but was '{}' for value: {value}",
            type_name(value)
        );
        Failure::jsonata(field, cause)
    }

    /// A payload beyond the limit. `what` is the service, the ARN or the state.
    pub(crate) fn data_limit(what: &str) -> Failure {
        let cause = format!(
            "The state/task '{what}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        Failure::given(Some(DATA_LIMIT_EXCEEDED.to_owned()), Some(cause))
    }

    /// A payload that is not within the limits: too long, as AWS says it, or too deep, which is a limit of this program.
    pub(crate) fn beyond_limits(what: &str, payload: &Json) -> Failure {
        let (deep, most) = (payload.depth(), Limits::AWS.depth);
        if deep <= most {
            return Failure::data_limit(what);
        }
        let cause = format!(
            "The state/task '{what}' returned a result whose arrays and objects nest {deep} levels deep, and {most} are allowed."
        );
        Failure::given(Some(DATA_LIMIT_EXCEEDED.to_owned()), Some(cause))
    }

    /// An expression that failed, in this field of a state.
    pub(crate) fn of_query(error: query::Error, field: &str) -> Failure {
        let cause = error.sentence(field);
        match error.kind {
            ErrorKind::Jsonata => Failure::jsonata(&error.place(field), cause),
            ErrorKind::Path => Failure::runtime(cause),
            ErrorKind::Intrinsic => Failure::of_state(INTRINSIC_FAILURE, cause),
            ErrorKind::ResultPath => Failure::of_state(RESULT_PATH_MATCH_FAILURE, cause),
        }
    }

    /// Puts the state's name and event before the cause.
    pub(crate) fn placed(mut self, state: &str, entered_id: u64) -> Failure {
        if self.within_state {
            let cause = self.cause.take().unwrap_or_default();
            self.cause = Some(format!(
                "An error occurred while executing the state '{state}' (entered at the event id #{entered_id}). {cause}"
            ));
            self.within_state = false;
        }
        self
    }

    /// Whether nothing retries or catches it.
    pub(crate) fn is_fatal(&self) -> bool {
        self.error.as_deref() == Some(RUNTIME)
    }

    /// Whether one of these `ErrorEquals` names it.
    pub(crate) fn is_named_by(&self, error_equals: &[String]) -> bool {
        let error = self.error.as_deref();
        error_equals.iter().any(|name| match name.as_str() {
            ALL => !matches!(error, Some(DATA_LIMIT_EXCEEDED | RUNTIME)),
            TASK_FAILED => !matches!(error, Some(DATA_LIMIT_EXCEEDED | RUNTIME | TIMEOUT)),
            HEARTBEAT_TIMEOUT if self.heartbeat => true,
            name => error == Some(name),
        })
    }

    /// As events show it.
    pub(crate) fn details(&self) -> ErrorDetails {
        ErrorDetails { error: self.error.clone(), cause: self.cause.clone() }
    }
}

/// JSON's name of a value's type.
pub(crate) fn type_name(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "boolean",
        serde_json::Value::Number(_) => "number",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Array(_) => "array",
        serde_json::Value::Object(_) => "object",
    }
}
