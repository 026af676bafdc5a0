//! The port of what the API knows by a name or an ARN, on SQLite.

use async_trait::async_trait;

use jiff::Timestamp;

use super::{SqliteStore, activities, aliases, revisions, state_machines, tags};
use crate::{
    engine::StateMachineRecord,
    ports::{
        Activity, CatalogueStore, Created, Creation, MachineAlias, MachineChange, MachineVersion, Published, Route,
        StoreError,
    },
};

#[async_trait]
impl CatalogueStore for SqliteStore {
    async fn create_machine(&self, machine: StateMachineRecord, creation: Creation) -> Result<Created, StoreError> {
        self.writer.write(move |connection| state_machines::create(connection, machine, &creation)).await
    }

    async fn machines_being_deleted(&self) -> Result<Vec<String>, StoreError> {
        self.readers.read(state_machines::being_deleted).await
    }

    async fn forget_deleted_machines(&self) -> Result<(), StoreError> {
        // Mostly there is none, and a write for nothing waits for the disk.
        match self.readers.read(state_machines::has_deleted).await? {
            true => self.writer.write(state_machines::forget_all_deleted).await,
            false => Ok(()),
        }
    }

    async fn keep_trace_header(&self, execution_arn: &str, trace_header: String) -> Result<(), StoreError> {
        let arn = execution_arn.to_owned();
        self.writer
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE executions SET trace_header = ?2 WHERE arn = ?1")?
                    .execute([arn, trace_header])?;
                Ok(())
            })
            .await
    }

    async fn change_machine(
        &self,
        arn: &str,
        change: MachineChange,
    ) -> Result<Option<(StateMachineRecord, Option<Published>)>, StoreError> {
        let arn = arn.to_owned();
        self.writer.write(move |connection| revisions::change(connection, &arn, change)).await
    }

    async fn publish(
        &self,
        machine_arn: &str,
        revision_id: Option<&str>,
        description: Option<&str>,
        at: Timestamp,
    ) -> Result<Published, StoreError> {
        let arn = machine_arn.to_owned();
        let (revision_id, description) = (revision_id.map(str::to_owned), description.map(str::to_owned));
        self.writer
            .write(move |connection| {
                revisions::publish(connection, &arn, revision_id.as_deref(), description.as_deref(), at)
            })
            .await
    }

    async fn version(&self, machine_arn: &str, number: u64) -> Result<Option<StateMachineRecord>, StoreError> {
        let arn = machine_arn.to_owned();
        self.readers.read(move |connection| revisions::version(connection, &arn, number)).await
    }

    async fn versions(
        &self,
        machine_arn: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<MachineVersion>, StoreError> {
        let arn = machine_arn.to_owned();
        self.readers.read(move |connection| revisions::versions(connection, &arn, before, limit)).await
    }

    async fn delete_version(&self, machine_arn: &str, number: u64) -> Result<Vec<String>, StoreError> {
        let arn = machine_arn.to_owned();
        self.writer.write(move |connection| revisions::delete_version(connection, &arn, number)).await
    }

    async fn put_alias(&self, alias: MachineAlias, limit: usize) -> Result<Option<MachineAlias>, StoreError> {
        self.writer.write(move |connection| aliases::put(connection, alias, limit)).await
    }

    async fn change_alias(
        &self,
        arn: &str,
        description: Option<String>,
        routing: Option<Vec<Route>>,
        at: Timestamp,
    ) -> Result<Option<MachineAlias>, StoreError> {
        let arn = arn.to_owned();
        self.writer.write(move |connection| aliases::change(connection, &arn, description, routing, at)).await
    }

    async fn delete_alias(&self, arn: &str) -> Result<bool, StoreError> {
        let arn = arn.to_owned();
        self.writer.write(move |connection| aliases::delete(connection, &arn)).await
    }

    async fn alias(&self, arn: &str) -> Result<Option<MachineAlias>, StoreError> {
        let arn = arn.to_owned();
        self.readers.read(move |connection| aliases::find(connection, &arn)).await
    }

    async fn aliases(
        &self,
        machine_arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<MachineAlias>, StoreError> {
        let (arn, after) = (machine_arn.to_owned(), after.unwrap_or_default().to_owned());
        self.readers.read(move |connection| aliases::list(connection, &arn, &after, limit)).await
    }

    async fn tag(&self, arn: &str, tags: Vec<(String, String)>, limit: usize) -> Result<bool, StoreError> {
        let arn = arn.to_owned();
        self.writer.write(move |connection| tags::set(connection, &arn, &tags, limit)).await
    }

    async fn untag(&self, arn: &str, keys: Vec<String>) -> Result<(), StoreError> {
        let arn = arn.to_owned();
        self.writer.write(move |connection| tags::remove(connection, &arn, &keys)).await
    }

    async fn tags(&self, arn: &str) -> Result<Vec<(String, String)>, StoreError> {
        let arn = arn.to_owned();
        self.readers.read(move |connection| tags::list(connection, &arn)).await
    }

    async fn put_activity(
        &self,
        activity: Activity,
        tags: Vec<(String, String)>,
        limit: usize,
    ) -> Result<Option<Activity>, StoreError> {
        self.writer.write(move |connection| activities::put(connection, activity, &tags, limit)).await
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
