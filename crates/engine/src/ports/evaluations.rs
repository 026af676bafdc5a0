//! Invocations of AWS Config's custom rules, until they were answered.

use async_trait::async_trait;
use detection::{Finding, incoming::RuleInvocation};
use jiff::Timestamp;

use super::StoreError;

/// An invocation that waits for its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingEvaluation {
    /// Its number in the store.
    pub number: u64,
    /// What was asked.
    pub invocation: RuleInvocation,
    /// The finding that answers; none where it is gone.
    pub finding: Option<Finding>,
    /// The generation of the finding that the invocation's event made.
    pub generation: u64,
    /// When it came.
    pub received_at: Timestamp,
    /// How often the answer was refused.
    pub attempts: u32,
}

/// The invocations that wait. Each is kept by the write that takes in its event.
#[async_trait]
pub trait EvaluationStore: Send + Sync {
    /// Those that are due, the longest due first.
    async fn pending_evaluations(&self, now: Timestamp, limit: usize) -> Result<Vec<PendingEvaluation>, StoreError>;

    /// Those that are looked at again at a time, each with how often its answer was refused.
    async fn put_off_evaluations(&self, numbers: Vec<(u64, u32)>, until: Timestamp) -> Result<(), StoreError>;

    /// Forgets one: it was answered, or can't be.
    async fn forget_evaluation(&self, number: u64) -> Result<(), StoreError>;
}
