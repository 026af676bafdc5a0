//! The built-in functions, one file each. What goes over the wire is told in [`detection::finding::request`].

pub mod ask;
pub mod finding;
mod message;
pub mod owner;
mod tags;
pub mod tell;
#[cfg(test)]
pub(crate) mod tests;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use detection::{Finding, FindingInput, Settings, decide::Risk};
use engine::{
    FindingStore,
    ports::{ApplyError, CallKey, StoreError},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Number, Value};
use thiserror::Error;

/// How a function fails: Lambda's error object.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{error_type}: {message}")]
pub struct FunctionError {
    /// `errorType`: becomes the task's `Error`.
    pub error_type: String,
    /// `errorMessage`.
    pub message: String,
}

impl FunctionError {
    fn new(error_type: &str, message: impl Into<String>) -> FunctionError {
        FunctionError { error_type: error_type.to_owned(), message: message.into() }
    }
}

impl From<StoreError> for FunctionError {
    fn from(error: StoreError) -> FunctionError {
        match error {
            StoreError::Unavailable(_) => FunctionError::new("StoreUnavailable", error.to_string()),
            StoreError::Damaged(_) => FunctionError::new("StoreDamaged", error.to_string()),
        }
    }
}

impl From<ApplyError> for FunctionError {
    fn from(error: ApplyError) -> FunctionError {
        match error {
            ApplyError::NoSuchFinding(_) => FunctionError::new("NoSuchFinding", error.to_string()),
            ApplyError::Illegal(_) => FunctionError::new("IllegalFindingInput", error.to_string()),
            ApplyError::Store(error) => error.into(),
        }
    }
}

/// A reusable step that a playbook invokes. Built in ones are `rectify-NAME`.
#[async_trait]
pub trait Function: Send + Sync {
    /// Its name, without `rectify-`.
    fn name(&self) -> &'static str;

    /// Payload in, result out.
    async fn invoke(&self, payload: Value) -> Result<Value, FunctionError>;
}

/// The settings of every guardrail, by its id. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct GuardrailSettings(Arc<BTreeMap<String, Settings>>);

impl GuardrailSettings {
    /// These.
    pub fn new(settings: BTreeMap<String, Settings>) -> GuardrailSettings {
        GuardrailSettings(Arc::new(settings))
    }

    /// A guardrail's. One that is not there any more may do the least: mode `alert`.
    pub fn of(&self, guardrail: &str) -> Settings {
        self.0.get(guardrail).cloned().unwrap_or_else(|| Settings::of_risk(Risk::Disruptive))
    }
}

/// Findings as the functions change them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Records {
    pub(crate) findings: Arc<dyn FindingStore>,
    pub(crate) settings: GuardrailSettings,
}

impl Records {
    async fn finding(&self, id: &str) -> Result<Finding, FunctionError> {
        let finding = self.findings.finding(id).await?;
        finding.ok_or_else(|| ApplyError::NoSuchFinding(id.to_owned()).into())
    }

    async fn apply(&self, finding: &Finding, key: &CallKey, input: &FindingInput) -> Result<Value, FunctionError> {
        let settings = self.settings.of(&finding.guardrail);
        Ok(self.findings.apply(&finding.id, key, input, &settings).await?)
    }
}

/// Who calls: part of every payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Caller {
    finding_id: String,
    /// The execution's ARN.
    execution: String,
    /// The state's name.
    state: String,
    /// How often the response has come round to its beginning.
    round: Number,
}

impl Caller {
    /// The same for a retry of the state, another for another entry of it.
    fn key(&self) -> CallKey {
        CallKey { caller: self.execution.clone(), call: format!("{}#{}", self.state, self.round) }
    }

    /// The key of a second change that belongs to the same call.
    fn key_of(&self, change: &str) -> CallKey {
        CallKey { caller: self.execution.clone(), call: format!("{}#{} {change}", self.state, self.round) }
    }
}

fn parse<T: DeserializeOwned>(payload: &Value) -> Result<T, FunctionError> {
    T::deserialize(payload)
        .map_err(|error| FunctionError::new("InvalidPayload", format!("the payload can't be used: {error}")))
}
