//! The built-in functions, one file each.

use async_trait::async_trait;
use serde_json::Value;
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

/// A reusable step that a playbook invokes. Built in ones are `rectify-NAME`.
#[async_trait]
pub trait Function: Send + Sync {
    /// Its name, without `rectify-`.
    fn name(&self) -> &'static str;

    /// Payload in, result out.
    async fn invoke(&self, payload: Value) -> Result<Value, FunctionError>;
}
mod tags;
/// x
pub struct Tell;
impl Tell {
    pub async fn of_failure(&self, _f: &detection::Finding) -> Result<(), String> {
        Ok(())
    }
}
