//! Revisions of state machines, and versions: revisions that were published.

use asl::Format;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Engine, MachineSettings, Refusal, StateMachineRecord,
    executions::to_the_millisecond,
    machines::{check_definition, check_role, does_not_exist},
    names::{self, Qualifier},
};
use crate::ports::{MachineChange, MachineVersion, Published};

/// What UpdateStateMachine did.
#[derive(Clone, Debug)]
pub struct Updated {
    /// The machine as it is now.
    pub machine: StateMachineRecord,
    /// Whether anything about it is different.
    pub changed: bool,
    /// The version that was published with it.
    pub version: Option<MachineVersion>,
    /// When.
    pub at: Timestamp,
}

/// A version to be published with an update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionToPublish {
    /// `versionDescription`.
    pub description: Option<String>,
}

fn version_of(arn: &str, revision_id: Option<&str>, published: Published) -> Result<MachineVersion, Refusal> {
    match published {
        Published::Version(version) => Ok(version),
        Published::NoSuchMachine => Err(does_not_exist(arn)),
        Published::TooMany => {
            Err(Refusal::ServiceQuotaExceeded(format!("'{arn}' has as many versions as a state machine can have")))
        }
        Published::OtherRevision(present) => Err(Refusal::Conflict(format!(
            "Failed to publish the State Machine version for revision {}. The current State Machine revision is {}.",
            revision_id.unwrap_or_default(),
            present.as_deref().unwrap_or("INITIAL")
        ))),
    }
}

impl Engine {
    /// UpdateStateMachine. Running executions keep what they began with.
    pub async fn update_state_machine(
        &self,
        arn: &str,
        definition: Option<String>,
        role_arn: Option<String>,
        settings: MachineSettings,
        publish: Option<VersionToPublish>,
    ) -> Result<Updated, Refusal> {
        names::check_unqualified(arn)?;
        let nothing = definition.is_none() && role_arn.is_none() && settings == MachineSettings::default();
        if nothing {
            let text = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified";
            return Err(Refusal::MissingRequiredParameter(text.to_owned()));
        }
        if let Some(role_arn) = &role_arn {
            check_role(role_arn)?;
        }
        let shared = self.shared();
        let there = self.writable(arn).await?;
        if let Some(definition) = &definition {
            check_definition(definition, Format::Json, there.machine_type)?;
        }
        let (revision_id, at) = (Uuid::new_v4().to_string(), to_the_millisecond(shared.clock.now()));
        let change = MachineChange {
            definition,
            role_arn,
            settings,
            revision_id: revision_id.clone(),
            publish: publish.is_some(),
            version_description: publish.and_then(|version| version.description),
            at,
        };
        let changed = shared.store.catalogue().change_machine(arn, change).await?;
        shared.machines.changed(arn);
        let (machine, published) = changed.ok_or_else(|| does_not_exist(arn))?;
        let version = published.map(|published| version_of(arn, None, published)).transpose()?;
        Ok(Updated { changed: machine.revision_id.as_deref() == Some(&revision_id), machine, version, at })
    }

    /// PublishStateMachineVersion: of the present revision, which has to be the one named, if one is. A revision has one version.
    pub async fn publish_version(
        &self,
        arn: &str,
        revision_id: Option<&str>,
        description: Option<&str>,
    ) -> Result<MachineVersion, Refusal> {
        names::check_unqualified(arn)?;
        self.writable(arn).await?;
        let now = to_the_millisecond(self.shared().clock.now());
        let published = self.shared().store.catalogue().publish(arn, revision_id, description, now).await?;
        version_of(arn, revision_id, published)
    }

    /// ListStateMachineVersions, the newest first, before the one named.
    pub async fn list_versions(
        &self,
        arn: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<MachineVersion>, Refusal> {
        self.registered(arn).await?;
        Ok(self.shared().store.catalogue().versions(arn, before, limit).await?)
    }

    /// DeleteStateMachineVersion. One that is not there is deleted already; running executions go on.
    pub async fn delete_version(&self, version_arn: &str) -> Result<(), Refusal> {
        names::check_state_machine_arn(version_arn)?;
        let Some((arn, Qualifier::Version(number))) = names::qualified(version_arn) else {
            return Err(Refusal::Validation(
                "The state machine version ARN must end in the number of a version".to_owned(),
            ));
        };
        let aliases = self.shared().store.catalogue().delete_version(arn, number).await?;
        self.shared().machines.changed(arn);
        if aliases.is_empty() {
            return Ok(());
        }
        Err(Refusal::Conflict(format!(
            "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [{}]",
            aliases.join(", ")
        )))
    }
}
