//! Aliases: names for one or two versions of a state machine, by weight.

use super::{
    Engine, Refusal,
    executions::to_the_millisecond,
    machines::does_not_exist,
    names::{self, Qualifier},
};
use crate::ports::{MachineAlias, Route};

/// Aliases of a machine, at most.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html>
const ALIASES: usize = 100;
/// What the weights of an alias add up to.
const WHOLE: u64 = 100;

impl Engine {
    /// CreateStateMachineAlias. The same again is the same alias.
    pub async fn create_alias(
        &self,
        name: &str,
        description: Option<String>,
        routing: Vec<Route>,
    ) -> Result<MachineAlias, Refusal> {
        names::check_name(name)?;
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::Validation("An alias name can't be a number: it would name a version".to_owned()));
        }
        let machine_arn = self.machine_of_routing(&routing).await?;
        let now = to_the_millisecond(self.shared().clock.now());
        let alias = MachineAlias {
            arn: format!("{machine_arn}:{name}"),
            machine_arn,
            name: name.to_owned(),
            description,
            routing,
            created_at: now,
            updated_at: now,
        };
        match self.shared().store.catalogue().put_alias(alias.clone(), ALIASES).await? {
            Some(there) if there.description == alias.description && there.routing == alias.routing => Ok(there),
            Some(_) => {
                let text = "Failed to create alias because an alias with the same name and a different routing configuration already exists.";
                Err(Refusal::Conflict(text.to_owned()))
            }
            None => Err(Refusal::ServiceQuotaExceeded(format!("a state machine has at most {ALIASES} aliases"))),
        }
    }

    /// UpdateStateMachineAlias: what is given.
    pub async fn update_alias(
        &self,
        arn: &str,
        description: Option<String>,
        routing: Option<Vec<Route>>,
    ) -> Result<MachineAlias, Refusal> {
        names::check_state_machine_arn(arn)?;
        if description.is_none() && routing.is_none() {
            let text = "Either the description or the RoutingConfiguration must be specified";
            return Err(Refusal::Validation(text.to_owned()));
        }
        let there = self.describe_alias(arn).await?;
        if let Some(routing) = &routing
            && self.machine_of_routing(routing).await? != there.machine_arn
        {
            let text = "Routing configuration must contain versions of the state machine of the alias";
            return Err(Refusal::Validation(text.to_owned()));
        }
        let now = to_the_millisecond(self.shared().clock.now());
        let alias = self.shared().store.catalogue().change_alias(arn, description, routing, now).await?;
        alias.ok_or_else(no_such_resource)
    }

    /// DescribeStateMachineAlias.
    pub async fn describe_alias(&self, arn: &str) -> Result<MachineAlias, Refusal> {
        names::check_state_machine_arn(arn)?;
        self.shared().store.catalogue().alias(arn).await?.ok_or_else(no_such_resource)
    }

    /// DeleteStateMachineAlias. One that is not there is deleted already; running executions go on.
    pub async fn delete_alias(&self, arn: &str) -> Result<(), Refusal> {
        names::check_state_machine_arn(arn)?;
        if !matches!(names::qualified(arn), Some((_, Qualifier::Alias(_)))) {
            return Err(Refusal::Validation(format!("'{arn}' is no ARN of an alias")));
        }
        self.shared().store.catalogue().delete_alias(arn).await?;
        Ok(())
    }

    /// ListStateMachineAliases of a machine, or those that lead to a version, after the ARN named.
    pub async fn list_aliases(
        &self,
        arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<MachineAlias>, Refusal> {
        self.registered(arn).await?;
        let Some((machine_arn, _)) = names::qualified(arn) else {
            return Ok(self.shared().store.catalogue().aliases(arn, after, limit).await?);
        };
        // A machine has so few aliases that they are read at once.
        let mut aliases = self.shared().store.catalogue().aliases(machine_arn, after, ALIASES).await?;
        aliases.retain(|alias| alias.routing.iter().any(|route| route.state_machine_version_arn == arn));
        aliases.truncate(limit);
        Ok(aliases)
    }

    /// The version that an execution of an alias begins on: by weight, at random.
    pub(super) async fn route(&self, alias_arn: &str) -> Result<String, Refusal> {
        names::check_state_machine_arn(alias_arn)?;
        let alias = self.shared().store.catalogue().alias(alias_arn).await?.ok_or_else(|| does_not_exist(alias_arn))?;
        let [a, b, c, d, ..] = self.shared().clock.seed();
        let mut drawn = u64::from(u32::from_be_bytes([a, b, c, d])) % WHOLE;
        for route in &alias.routing {
            match drawn.checked_sub(route.weight) {
                Some(rest) => drawn = rest,
                None => return Ok(route.state_machine_version_arn.clone()),
            }
        }
        Err(does_not_exist(alias_arn))
    }

    /// Refuses a routing configuration that AWS refuses, in its words; the machine whose versions it names.
    async fn machine_of_routing(&self, routing: &[Route]) -> Result<String, Refusal> {
        let arns: Vec<&str> = routing.iter().map(|route| route.state_machine_version_arn.as_str()).collect();
        let received = || format!("Received: [{}]", arns.join(", "));
        arns.iter().try_for_each(|arn| names::check_state_machine_arn(arn))?;
        let machine_of = |arn: &str| match names::qualified(arn) {
            Some((machine, Qualifier::Version(_))) => Some(machine.to_owned()),
            _ => None,
        };
        let machines: Option<Vec<String>> = arns.iter().map(|arn| machine_of(arn)).collect();
        let refused = |text: String| Err(Refusal::Validation(text));
        let Some(machines) = machines else {
            return refused(format!("Routing configuration must contain state machine version ARNs. {}", received()));
        };
        let Some(machine) = machines.first().filter(|first| machines.iter().all(|machine| machine == *first)) else {
            return refused(format!(
                "Routing configuration must contain versions of one state machine. {}",
                received()
            ));
        };
        if let [first, second] = arns.as_slice()
            && first == second
        {
            return refused(format!(
                "Routing configuration must contain distinct state machine version ARNs. {}",
                received()
            ));
        }
        let weights: Vec<u64> = routing.iter().map(|route| route.weight).collect();
        if weights.iter().sum::<u64>() != WHOLE {
            let weights: Vec<String> = weights.iter().map(ToString::to_string).collect();
            return refused(format!(
                "Sum of routing configuration weights must equal 100. Received: [{}]",
                weights.join(", ")
            ));
        }
        let as_told = |refusal: Refusal| match refusal {
            Refusal::StateMachineDoesNotExist(_) => no_such_resource(),
            other => other,
        };
        self.writable(machine).await.map_err(as_told)?;
        for arn in &arns {
            self.registered(arn).await.map_err(as_told)?;
        }
        Ok(machine.clone())
    }
}

fn no_such_resource() -> Refusal {
    Refusal::ResourceNotFound("Request references a resource that does not exist.".to_owned())
}
