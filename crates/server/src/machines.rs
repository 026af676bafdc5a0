//! The state machines of guardrails and playbooks, put into the engine for every Region in use.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use detection::arn::partition;
use engine::{Engine, engine::Refusal};

/// Which machines are in the engine.
#[derive(Debug)]
pub(crate) struct Machines {
    /// (Region, name) → ARN.
    registered: Mutex<HashMap<(String, String), String>>,
    account: String,
}

impl Machines {
    pub(crate) fn new(account: &str) -> Machines {
        Machines { registered: Mutex::default(), account: account.to_owned() }
    }

    /// The ARN of a machine in a Region, put into the engine the first time it is asked for, and again where it is no longer what it
    /// was: whoever speaks to the API may delete it, or give its name to another.
    pub(crate) async fn machine(
        &self,
        engine: &Engine,
        region: &str,
        name: &str,
        definition: &str,
    ) -> Result<String, Refusal> {
        if !is_region(region) {
            return Err(Refusal::InvalidArn(format!("`{region}` is no AWS Region, and can be in no ARN")));
        }
        let key = (region.to_owned(), name.to_owned());
        let known = self.registered.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(arn) = known {
            match engine.describe_state_machine(&arn).await {
                Ok(machine) if machine.definition == definition => return Ok(arn),
                Ok(_) | Err(Refusal::StateMachineDoesNotExist(_)) => {
                    tracing::warn!(arn, "this machine was deleted or changed; it is made again");
                }
                Err(error) => return Err(error),
            }
        }
        let role_arn = format!("arn:{}:iam::{}:role/rectify", partition(region), self.account);
        let machine = engine.put_state_machine(&self.account, region, name, definition, &role_arn).await?;
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(key, machine.arn.clone());
        Ok(machine.arn)
    }
}

/// Whether a Region may be called so: lower-case letters, digits and hyphens. Which Regions there are, AWS decides.
pub(crate) fn is_region(region: &str) -> bool {
    (1..=64).contains(&region.len())
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_region() {
        let check = |region: &str, expected: bool| assert_eq!(is_region(region), expected, "{region}");
        for region in ["us-east-1", "us-gov-west-1", "local"] {
            check(region, true);
        }
        for region in ["", "us east:1", "us:east", "US-EAST-1", "eu-central-1\n", "ü", &"x".repeat(65)] {
            check(region, false);
        }
    }
}
