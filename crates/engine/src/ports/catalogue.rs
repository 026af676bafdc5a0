//! The port through which is kept what the API knows by a name or an ARN, beside state machines and executions.
//!
//! Each call is one read or one write: a crash before it, and it never was; after it, it is.

use async_trait::async_trait;
use jiff::Timestamp;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use crate::engine::{MachineSettings, StateMachineRecord};

/// An activity: a name under which workers ask for tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// `encryptionConfiguration`, as it was given.
    pub encryption: Option<Value>,
}

/// What a state machine is made with, beside itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Creation {
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// It is published as its first version at once.
    pub publish: bool,
    /// `versionDescription` of that version.
    pub version_description: Option<String>,
}

/// What became of a state machine to be made.
#[derive(Clone, Debug)]
pub enum Created {
    /// It was made, or was made by the same request before; with the version that was published with it.
    Machine(Box<StateMachineRecord>, Option<MachineVersion>),
    /// There is another of its name.
    Other,
    /// There is another of its name, which is being deleted.
    Deleting,
}

/// What is to become different about a state machine.
#[derive(Clone, Debug)]
pub struct MachineChange {
    /// Its definition's text.
    pub definition: Option<String>,
    /// `roleArn`.
    pub role_arn: Option<String>,
    /// Those that are given.
    pub settings: MachineSettings,
    /// The `revisionId` that it gets, if anything is different.
    pub revision_id: String,
    /// What it is then is published as a version.
    pub publish: bool,
    /// `versionDescription` of that version.
    pub version_description: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A version of a state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineVersion {
    /// From 1.
    pub number: u64,
    /// When it was published.
    pub created_at: Timestamp,
}

/// What became of a version to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// It was made, or the present revision had one already.
    Version(MachineVersion),
    /// The machine is at another revision than the one named: at this one.
    OtherRevision(Option<String>),
    /// There is no such machine.
    NoSuchMachine,
    /// The machine has so many versions that it can have no more.
    TooMany,
}

/// A part of an alias's `routingConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The version.
    pub state_machine_version_arn: String,
    /// How many of a hundred executions it gets.
    pub weight: u64,
}

/// An alias: a name for one or two versions of a state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineAlias {
    /// ARN.
    pub arn: String,
    /// The machine's ARN.
    pub machine_arn: String,
    /// Name.
    pub name: String,
    /// `description`.
    pub description: Option<String>,
    /// `routingConfiguration`.
    pub routing: Vec<Route>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Revisions, versions and aliases of state machines, activities, and the tags of all.
#[async_trait]
pub trait CatalogueStore: Send + Sync {
    /// Makes a state machine with its tags and its first version, in one write.
    async fn create_machine(&self, machine: StateMachineRecord, creation: Creation) -> Result<Created, StoreError>;

    /// The ARNs of the state machines that are being deleted and of which executions run.
    async fn machines_being_deleted(&self) -> Result<Vec<String>, StoreError>;

    /// Forgets the state machines that are being deleted and of which no execution runs any more.
    async fn forget_deleted_machines(&self) -> Result<(), StoreError>;

    /// Changes a state machine, if anything about it is different then, and publishes it, if that is asked; as it is afterwards.
    async fn change_machine(
        &self,
        arn: &str,
        change: MachineChange,
    ) -> Result<Option<(StateMachineRecord, Option<Published>)>, StoreError>;

    /// Keeps the `traceHeader` that an execution was started with.
    async fn keep_trace_header(&self, execution_arn: &str, trace_header: String) -> Result<(), StoreError>;

    /// Publishes the present revision of a state machine, if it is the one named; each once.
    async fn publish(
        &self,
        machine_arn: &str,
        revision_id: Option<&str>,
        description: Option<&str>,
        at: Timestamp,
    ) -> Result<Published, StoreError>;

    /// A version, as the machine was then.
    async fn version(&self, machine_arn: &str, number: u64) -> Result<Option<StateMachineRecord>, StoreError>;

    /// Versions of a machine, the newest first, before the one named.
    async fn versions(
        &self,
        machine_arn: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<MachineVersion>, StoreError>;

    /// Forgets a version, unless aliases lead to it: their names.
    async fn delete_version(&self, machine_arn: &str, number: u64) -> Result<Vec<String>, StoreError>;

    /// Keeps an alias, if there is none of its ARN; the one that is kept. `None` where the machine has `limit`.
    async fn put_alias(&self, alias: MachineAlias, limit: usize) -> Result<Option<MachineAlias>, StoreError>;

    /// Changes what is given of an alias; as it is afterwards.
    async fn change_alias(
        &self,
        arn: &str,
        description: Option<String>,
        routing: Option<Vec<Route>>,
        at: Timestamp,
    ) -> Result<Option<MachineAlias>, StoreError>;

    /// Forgets an alias. Whether there was one.
    async fn delete_alias(&self, arn: &str) -> Result<bool, StoreError>;

    /// One alias.
    async fn alias(&self, arn: &str) -> Result<Option<MachineAlias>, StoreError>;

    /// Aliases of a machine in the order of their ARNs, after the one named.
    async fn aliases(
        &self,
        machine_arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<MachineAlias>, StoreError>;

    /// Sets tags of a thing, by its ARN. Whether it has no more than `limit` then; else nothing was set.
    async fn tag(&self, arn: &str, tags: Vec<(String, String)>, limit: usize) -> Result<bool, StoreError>;

    /// Removes tags, those that are there.
    async fn untag(&self, arn: &str, keys: Vec<String>) -> Result<(), StoreError>;

    /// The tags of a thing, in the order of their keys.
    async fn tags(&self, arn: &str) -> Result<Vec<(String, String)>, StoreError>;

    /// Keeps an activity, with its tags; or the one that is kept, which was there before, with those that it has. `None` where the
    /// account and Region have `limit`.
    async fn put_activity(
        &self,
        activity: Activity,
        tags: Vec<(String, String)>,
        limit: usize,
    ) -> Result<Option<Activity>, StoreError>;

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
