//! State machines, parsed: the API's side of them, and a cache.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use asl::{
    Diagnostic, Document, Format, StateMachine,
    diagnostic::invalid_definition,
    parse::{AnyResource, Resources, UnknownResource, parse_as},
};

use super::{
    Engine, MachineSettings, MachineType, Refusal, StateMachineRecord, executions::to_the_millisecond, names,
    names::Qualifier,
};
use crate::{
    ports::{DefinitionHash, Put, StoreError},
    sqlite::{hash_of, revision_hash},
};

/// Parsed machines kept, and machines known by ARN: when there are more, all are forgotten and read again.
const CACHE_LIMIT: usize = 4096;

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
    /// CreateStateMachine. The same name with the same definition, type and settings is the same machine (idempotent), whatever role
    /// is named.
    pub async fn create_state_machine(
        &self,
        account: &str,
        region: &str,
        new: NewMachine,
    ) -> Result<StateMachineRecord, Refusal> {
        check_role(&new.role_arn)?;
        let machine = self.checked(account, region, new, Format::Json)?;
        self.put(machine, false).await
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
        let machine = self.checked(account, region, new, format_of(definition))?;
        self.put(machine, true).await
    }

    /// DeleteStateMachine. One that is not there is deleted already; running executions go on.
    pub async fn delete_state_machine(&self, arn: &str) -> Result<(), Refusal> {
        names::check_state_machine_arn(arn)?;
        self.shared().store.delete_state_machine(arn).await?;
        self.shared().machines.changed(arn);
        Ok(())
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
        machines.keep(&registered, generation);
        Ok(registered)
    }

    fn checked(
        &self,
        account: &str,
        region: &str,
        new: NewMachine,
        format: Format,
    ) -> Result<StateMachineRecord, Refusal> {
        let NewMachine { name, definition, role_arn, machine_type, settings } = new;
        names::check_name(&name)?;
        check_definition(&definition, format, machine_type)?;
        let now = to_the_millisecond(self.shared().clock.now());
        Ok(StateMachineRecord {
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
        })
    }

    async fn put(&self, machine: StateMachineRecord, replace: bool) -> Result<StateMachineRecord, Refusal> {
        let arn = machine.arn.clone();
        let put = self.shared().store.put_state_machine(machine, replace).await?;
        self.shared().machines.changed(&arn);
        match put {
            Put::Stored(machine) | Put::Same(machine) => Ok(machine),
            Put::Other => Err(Refusal::StateMachineAlreadyExists(format!("State Machine Already Exists: '{arn}'"))),
        }
    }
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
