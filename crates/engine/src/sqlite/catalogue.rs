//! The port of what the API knows by a name or an ARN, on SQLite.

use async_trait::async_trait;

use super::{SqliteStore, activities};
use crate::ports::{Activity, CatalogueStore, StoreError};

#[async_trait]
impl CatalogueStore for SqliteStore {
    async fn put_activity(&self, activity: Activity, limit: usize) -> Result<Option<Activity>, StoreError> {
        self.writer.write(move |connection| activities::put(connection, activity, limit)).await
    }

    async fn delete_activity(&self, arn: &str) -> Result<(), StoreError> {
        let arn = arn.to_owned();
        self.writer.write(move |connection| activities::delete(connection, &arn)).await
    }

    async fn activity(&self, arn: &str) -> Result<Option<Activity>, StoreError> {
        let arn = arn.to_owned();
        self.readers.read(move |connection| activities::find(connection, &arn)).await
    }

    async fn activities(
        &self,
        account: &str,
        region: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Activity>, StoreError> {
        let (account, region, after) = (account.to_owned(), region.to_owned(), after.unwrap_or_default().to_owned());
        self.readers.read(move |connection| activities::list(connection, &account, &region, &after, limit)).await
    }
}
