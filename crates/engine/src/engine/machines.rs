//! State machines, parsed: the API's side of them, and a cache.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use asl::{
    Diagnostic, Document, Format, StateMachine,
    diagnostic::invalid_definition,
    parse::{AnyResource, Resources, UnknownResource, parse_as},
};
use execution::{Input, Status};

use super::{
    Engine, MachineSettings, MachineType, Refusal, Shared, StateMachineRecord, executions::to_the_millisecond, names,
    names::Qualifier, tags,
};
use crate::{
    ports::{Created, Creation, DefinitionHash, MachineVersion, Put, StoreError},
    sqlite::{hash_of, revision_hash},
};

/// Parsed machines kept, and machines known by ARN: when there are more, all are forgotten and read again.
const CACHE_LIMIT: usize = 4096;

/// Executions of a deleted machine read at once.
const PAGE: usize = 256;
/// The pause before looking again whether executions of deleted machines run, doubled each time up to the limit.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_LIMIT: Duration = Duration::from_secs(300);

/// A machine that executions can begin on.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) record: StateMachineRecord,
    pub(super) hash: DefinitionHash,
    /// What its settings and revision are kept by.
    pub(super) revision: Option<DefinitionHash>,
    pub(super) machine: Arc<StateMachine>,
}

impl Registered {
    /// Its ARN, where it is a version.
    pub(super) fn version_arn(&self) -> Option<String> {
        self.record.version.map(|version| format!("{}:{version}", self.record.arn))
    }
}

/// A state machine to be made.
#[derive(Clone, Debug, Default)]
pub struct NewMachine {
    /// Name.
    pub name: String,
    /// The definition's text: JSON.
    pub definition: String,
    /// `roleArn`.
    pub role_arn: String,
    /// `type`.
    pub machine_type: MachineType,
    /// Everything else it is configured with.
    pub settings: MachineSettings,
    /// Its tags, and whether it is published at once.
    pub creation: Creation,
}

/// What was parsed and read lately.
#[derive(Debug, Default)]
pub(super) struct Machines {
    cache: RwLock<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    by_hash: HashMap<DefinitionHash, Arc<StateMachine>>,
    by_arn: HashMap<String, Arc<Registered>>,
    /// Rises when a machine changes, so that nothing read before is kept after.
    generation: u64,
}

impl Machines {
    /// The machine of a definition that was accepted once.
    pub(super) fn of_definition(
        &self,
        hash: DefinitionHash,
        definition: &str,
    ) -> Result<Arc<StateMachine>, StoreError> {
        if let Some(machine) = self.cache.read().unwrap_or_else(PoisonError::into_inner).by_hash.get(&hash) {
            return Ok(machine.clone());
        }
        let machine = parse(definition, format_of(definition)).map_err(|problems| {
            StoreError::Damaged(format!(
                "a definition that was accepted before is refused now: {}",
                invalid_definition(&problems)
            ))
        })?;
        let machine = Arc::new(machine);
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.by_hash.len() >= CACHE_LIMIT {
            cache.by_hash.clear();
        }
        cache.by_hash.insert(hash, machine.clone());
        Ok(machine)
    }

    fn of_arn(&self, arn: &str) -> Result<Arc<Registered>, u64> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        cache.by_arn.get(arn).cloned().ok_or(cache.generation)
    }

    fn keep(&self, registered: &Arc<Registered>, generation: u64) {
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.by_arn.len() >= CACHE_LIMIT {
            cache.by_arn.clear();
        }
        if cache.generation == generation {
            let arn = registered.version_arn().unwrap_or_else(|| registered.record.arn.clone());
            cache.by_arn.insert(arn, registered.clone());
        }
    }

    /// A machine, or a version of it, is not as it was.
    pub(super) fn changed(&self, arn: &str) {
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        cache.generation = cache.generation.wrapping_add(1);
        let is_version = |kept: &str| kept.strip_prefix(arn).is_some_and(|rest| rest.starts_with(':'));
        cache.by_arn.retain(|kept, _| kept != arn && !is_version(kept));
    }
}

impl Engine {
    /// CreateStateMachine, of one that is not published.
    pub async fn create_state_machine(
        &self,
        account: &str,
        region: &str,
        new: NewMachine,
    ) -> Result<StateMachineRecord, Refusal> {
        Ok(self.create_with_version(account, region, new).await?.0)
    }

    /// CreateStateMachine, with the version that is published at once. The same name with the same definition, type, settings and
    /// publishing is the same machine (idempotent), whatever role and tags are named.
    pub async fn create_with_version(
        &self,
        account: &str,
        region: &str,
        new: NewMachine,
    ) -> Result<(StateMachineRecord, Option<MachineVersion>), Refusal> {
        check_role(&new.role_arn)?;
        let (machine, creation) = self.checked(account, region, new, Format::Json)?;
        let arn = machine.arn.clone();
        tags::check(&arn, &creation.tags)?;
        let created = self.shared().store.catalogue().create_machine(machine, creation).await?;
        self.shared().machines.changed(&arn);
        match created {
            Created::Machine(machine, version) => Ok((*machine, version)),
            Created::Other => Err(already_exists(&arn)),
            Created::Deleting => Err(deleting(&arn)),
        }
    }

    /// Makes a machine, or gives it a new definition: running executions keep theirs. For guardrails and playbooks, whose definition
    /// may be YAML too.
    pub async fn put_state_machine(
        &self,
        account: &str,
        region: &str,
        name: &str,
        definition: &str,
        role_arn: &str,
    ) -> Result<StateMachineRecord, Refusal> {
        let new = NewMachine {
            name: name.to_owned(),
            definition: definition.to_owned(),
            role_arn: role_arn.to_owned(),
            ..NewMachine::default()
        };
        let (machine, _) = self.checked(account, region, new, format_of(definition))?;
        let arn = machine.arn.clone();
        let put = self.shared().store.put_state_machine(machine, true).await?;
        self.shared().machines.changed(&arn);
        match put {
            Put::Stored(machine) | Put::Same(machine) => Ok(machine),
            Put::Other => Err(already_exists(&arn)),
        }
    }

    /// DeleteStateMachine, with its versions and aliases. One that is not there is deleted already. Its running executions are
    /// stopped, and until the last of them has ended it is being deleted and nothing begins on it.
    pub async fn delete_state_machine(&self, arn: &str) -> Result<(), Refusal> {
        names::check_unqualified(arn)?;
        let shared = self.shared();
        shared.store.delete_state_machine(arn).await?;
        shared.machines.changed(arn);
        shared.deletions.notify_one();
        Ok(())
    }

    /// A machine that something can be made of or changed about: not one that is being deleted.
    pub(super) async fn writable(&self, arn: &str) -> Result<StateMachineRecord, Refusal> {
        let there = self.shared().store.state_machine(arn).await?.ok_or_else(|| does_not_exist(arn))?;
        if there.is_deleting { Err(deleting(arn)) } else { Ok(there) }
    }

    /// DescribeStateMachine.
    pub async fn describe_state_machine(&self, arn: &str) -> Result<StateMachineRecord, Refusal> {
        Ok(self.registered(arn).await?.record.clone())
    }

    /// ListStateMachines, in the account and Region, after the ARN named.
    pub async fn list_state_machines(
        &self,
        account: &str,
        region: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StateMachineRecord>, Refusal> {
        Ok(self.shared().store.state_machines(account, region, after, limit).await?)
    }

    /// The machine that executions of an ARN begin on, and the ARN of the alias, if it is one.
    pub(super) async fn startable(&self, arn: &str) -> Result<(Arc<Registered>, Option<String>), Refusal> {
        let found = self.resolved(arn).await?;
        if found.0.record.is_deleting { Err(deleting(arn)) } else { Ok(found) }
    }

    /// The same, also of a machine that is being deleted.
    pub(super) async fn resolved(&self, arn: &str) -> Result<(Arc<Registered>, Option<String>), Refusal> {
        let Some((_, Qualifier::Alias(_))) = names::qualified(arn) else {
            return Ok((self.registered(arn).await?, None));
        };
        let version_arn = self.route(arn).await?;
        Ok((self.registered(&version_arn).await?, Some(arn.to_owned())))
    }

    /// The machine of an ARN, parsed: of a version's as it was published.
    pub(super) async fn registered(&self, arn: &str) -> Result<Arc<Registered>, Refusal> {
        let machines = &self.shared().machines;
        let generation = match machines.of_arn(arn) {
            Ok(registered) => return Ok(registered),
            Err(generation) => generation,
        };
        names::check_state_machine_arn(arn)?;
        let store = &self.shared().store;
        let record = match names::qualified(arn) {
            None => store.state_machine(arn).await?,
            Some((machine, Qualifier::Version(number))) => store.catalogue().version(machine, number).await?,
            Some((_, Qualifier::Alias(_))) => None,
        };
        let record = record.ok_or_else(|| does_not_exist(arn))?;
        let hash = hash_of(&record.definition);
        let machine = machines.of_definition(hash, &record.definition)?;
        let revision = revision_hash(&record);
        let registered = Arc::new(Registered { record, hash, revision, machine });
        // One that is being deleted goes without a word.
        if !registered.record.is_deleting {
            machines.keep(&registered, generation);
        }
        Ok(registered)
    }

    fn checked(
        &self,
        account: &str,
        region: &str,
        new: NewMachine,
        format: Format,
    ) -> Result<(StateMachineRecord, Creation), Refusal> {
        let NewMachine { name, definition, role_arn, machine_type, settings, creation } = new;
        names::check_name(&name)?;
        check_definition(&definition, format, machine_type)?;
        let now = to_the_millisecond(self.shared().clock.now());
        let machine = StateMachineRecord {
            arn: names::state_machine_arn(account, region, &name),
            name,
            definition,
            role_arn,
            machine_type,
            settings,
            revision_id: None,
            updated_at: now,
            version: None,
            description: None,
            created_at: now,
            is_deleting: false,
        };
        Ok((machine, creation))
    }
}

/// Stops what runs of the machines that are being deleted, and then forgets those; first what the last process left. Never ends. What
/// is not stopped is tried again, and what began while it was looked for is found the next time.
pub(super) async fn stop_deleted(shared: Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let is_done = stop_all_deleted(&shared).await.unwrap_or_else(|error| {
            tracing::error!(%error, "deleted state machines can't be looked for; trying again");
            false
        });
        if is_done {
            shared.deletions.notified().await;
            pause = FIRST_PAUSE;
        } else if tokio::time::timeout(pause, shared.deletions.notified()).await.is_ok() {
            pause = FIRST_PAUSE;
        } else {
            pause = pause.saturating_mul(2).min(PAUSE_LIMIT);
        }
    }
}

/// Whether nothing ran of any machine that is being deleted.
async fn stop_all_deleted(shared: &Shared) -> Result<bool, StoreError> {
    let catalogue = shared.store.catalogue();
    // First, and so a pause after the last stop: a start that was under way when the machine was marked is found until then.
    catalogue.forget_deleted_machines().await?;
    let machines = catalogue.machines_being_deleted().await?;
    for arn in &machines {
        stop_executions(shared, arn).await?;
    }
    Ok(machines.is_empty())
}

/// Stops the running executions of a machine. One that can't be stopped keeps no other from it.
async fn stop_executions(shared: &Shared, arn: &str) -> Result<(), StoreError> {
    let mut after: Option<String> = None;
    loop {
        let page = shared.store.executions(arn, Some(Status::Running), after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.arn.clone());
        for execution in page {
            let stop = Input::StopExecution { error: None, cause: None };
            if let Err(error) = shared.deliver(&execution.arn, stop).await {
                tracing::error!(arn = execution.arn, %error, "an execution of a deleted state machine goes on; it is tried again");
            }
        }
    }
}

fn already_exists(arn: &str) -> Refusal {
    Refusal::StateMachineAlreadyExists(format!("State Machine Already Exists: '{arn}'"))
}

pub(super) fn deleting(arn: &str) -> Refusal {
    Refusal::StateMachineDeleting(format!("State Machine is being deleted: '{arn}'"))
}

pub(super) fn check_role(role_arn: &str) -> Result<(), Refusal> {
    if role_arn.starts_with("arn:") {
        return Ok(());
    }
    Err(Refusal::InvalidArn(format!("Invalid Role Arn: '{role_arn}'")))
}

/// Refuses a definition that AWS refuses, in its words, and one that needs what this program does not have.
pub(super) fn check_definition(definition: &str, format: Format, machine_type: MachineType) -> Result<(), Refusal> {
    Document::parse(definition, format)
        .and_then(|document| parse_as(&document, &RunHere, machine_type.into()))
        .map(drop)
        .map_err(|problems| Refusal::InvalidDefinition(invalid_definition(&problems)))
}

/// Every Resource will do; what can't run here is refused before it fails.
struct RunHere;

impl Resources for RunHere {
    fn check(&self, resource: &str) -> Result<(), UnknownResource> {
        AnyResource.check(resource)
    }

    fn is_as_aws(&self) -> bool {
        false
    }
}

pub(super) fn does_not_exist(arn: &str) -> Refusal {
    Refusal::StateMachineDoesNotExist(format!("State Machine Does Not Exist: '{arn}'"))
}

/// A definition is JSON if it begins as a JSON object does.
fn format_of(definition: &str) -> Format {
    if definition.trim_start().starts_with('{') { Format::Json } else { Format::Yaml }
}

fn parse(definition: &str, format: Format) -> Result<StateMachine, Vec<Diagnostic>> {
    parse_with(definition, format, MachineType::Standard)
}

fn parse_with(definition: &str, format: Format, machine_type: MachineType) -> Result<StateMachine, Vec<Diagnostic>> {
    let document = Document::parse(definition, format)?;
    parse_as(&document, &AnyResource, machine_type.into()).map(|(machine, _)| machine)
}
