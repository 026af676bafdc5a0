//! What the driver tells of a state while it is tested.

use serde_json::{Map, Value};

use crate::{
    Ended, Json,
    context::Item,
    failure::Failure,
    inspection::{Inspection, InspectionData, InspectionErrorDetails, Mock, TestStatus, Trial},
};

/// Watches the one state of an execution.
#[derive(Clone, Debug)]
pub(crate) struct Inspector {
    pub(crate) data: InspectionData,
    /// Why the test makes no sense after all.
    pub(crate) refusal: Option<String>,
    /// The context object, or what of it is the same for all states.
    pub(crate) context: Value,
    /// It was given as a whole: nothing is added to it but the item of a Map's own ItemSelector.
    pub(crate) is_context_given: bool,
    /// The first item, where the state is within a Map.
    item: Option<Json>,
    pub(crate) mock: Option<Mock>,
    pub(crate) retry_count: u64,
    pub(crate) failed_iterations: Option<u64>,
    pub(crate) item_reader_data: Option<String>,
    output: Option<Json>,
    next_state: Option<String>,
    failure: Option<Failure>,
    is_retriable: bool,
}

impl Inspector {
    pub(crate) fn of(trial: &Trial, input: &str) -> Inspector {
        let input = Json::parse(input).ok();
        let from_context = trial.context.as_ref().and_then(|context| context.pointer("/State/RetryCount"));
        Inspector {
            data: InspectionData { input: input.clone(), ..InspectionData::default() },
            refusal: None,
            context: Value::Null,
            is_context_given: trial.context.is_some(),
            item: input.filter(|_| trial.within_map),
            mock: trial.mock.clone(),
            retry_count: trial.retry_count.or_else(|| from_context?.as_u64()).unwrap_or(0),
            failed_iterations: trial.failed_iterations,
            item_reader_data: trial.item_reader_data.clone(),
            output: None,
            next_state: None,
            failure: None,
            is_retriable: false,
        }
    }

    /// The item of the iteration that the state is taken to be in.
    pub(crate) fn item(&self) -> Option<Item<'_>> {
        self.item.as_ref().map(|item| Item { index: 0, value: item.value() })
    }

    /// The state is left.
    pub(crate) fn left(&mut self, output: &Json, next: Option<&str>, variables: &Map<String, Value>) {
        self.output = Some(output.clone());
        self.next_state = next.map(str::to_owned);
        self.data.variables = (!variables.is_empty()).then(|| Json::new(Value::Object(variables.clone())));
    }

    /// The state would be tried again.
    pub(crate) fn retried(&mut self, retry_index: usize, pause: jiff::SignedDuration, failure: &Failure) {
        self.is_retriable = true;
        self.failure = Some(failure.clone());
        self.data.error_details = Some(InspectionErrorDetails {
            retry_index: Some(retry_index),
            retry_backoff_interval_seconds: Some(pause.as_secs().unsigned_abs()),
            catch_index: None,
        });
    }

    /// The state was left by its Catch.
    pub(crate) fn caught(&mut self, catch_index: usize, failure: &Failure) {
        self.failure = Some(failure.clone());
        self.data.error_details =
            Some(InspectionErrorDetails { catch_index: Some(catch_index), ..InspectionErrorDetails::default() });
    }

    /// What TestState answers, once the state is done with.
    pub(crate) fn inspection(&self, ended: Option<&Ended>) -> Option<Inspection> {
        if self.is_retriable {
            return Some(self.answer(TestStatus::Retriable, self.failure.as_ref()));
        }
        let ended = ended?;
        let status = TestStatus::from(ended.status);
        Some(match (status, &self.failure) {
            (TestStatus::Succeeded, Some(failure)) => self.answer(TestStatus::CaughtError, Some(failure)),
            (TestStatus::Succeeded, None) => self.answer(status, None),
            _ => self.failed(&Failure::given(ended.error.clone(), ended.cause.clone())),
        })
    }

    /// What TestState answers of a state that failed, and nothing took that.
    pub(crate) fn failed(&self, failure: &Failure) -> Inspection {
        self.answer(TestStatus::Failed, Some(failure))
    }

    fn answer(&self, status: TestStatus, failure: Option<&Failure>) -> Inspection {
        Inspection {
            output: self.output.clone(),
            error: failure.and_then(|failure| failure.error.clone()),
            cause: failure.and_then(|failure| failure.cause.clone()),
            inspection_data: Some(Box::new(self.data.clone())),
            next_state: self.next_state.clone(),
            status,
        }
    }
}
