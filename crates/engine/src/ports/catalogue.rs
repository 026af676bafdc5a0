//! The port through which is kept what the API knows by a name or an ARN, beside state machines and executions.
//!
//! Each call is one read or one write: a crash before it, and it never was; after it, it is.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;

/// An activity: a name under which workers ask for tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Activities.
#[async_trait]
pub trait CatalogueStore: Send + Sync {
    /// Keeps an activity; the one that is kept, which may have been there before. `None` where the account and Region have `limit`.
    async fn put_activity(&self, activity: Activity, limit: usize) -> Result<Option<Activity>, StoreError>;

    /// Forgets an activity, not the tasks that wait for its workers.
    async fn delete_activity(&self, arn: &str) -> Result<(), StoreError>;

    /// One activity.
    async fn activity(&self, arn: &str) -> Result<Option<Activity>, StoreError>;

    /// Activities of an account and Region in the order of their ARNs, after the one named.
    async fn activities(
        &self,
        account: &str,
        region: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Activity>, StoreError>;
}
