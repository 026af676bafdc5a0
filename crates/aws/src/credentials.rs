//! Credentials: the process's own and those of assumed roles, kept as long as they are good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_types::region::Region;
use tokio::sync::{Mutex, MutexGuard};

/// Credentials are fetched anew this long before they end.
const EARLY: Duration = Duration::from_secs(120);
/// Credentials without an end are read again after this long: somebody may have changed them.
const UNBOUNDED: Duration = Duration::from_secs(300);
/// How long "there are none" stands before it is asked again.
const ABSENCE: Duration = Duration::from_secs(5);
/// For the whole chain.
const CHAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Roles whose credentials are kept; beyond it all are forgotten.
const KEPT_ROLES: usize = 1000;

/// One identity's credentials, fetched by one caller at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Fetched>>>);

#[derive(Debug)]
struct Fetched {
    outcome: Result<Credentials, String>,
    at: Instant,
}

impl Fetched {
    fn is_good(&self) -> bool {
        match &self.outcome {
            Ok(credentials) => match credentials.expiry() {
                Some(end) => end.duration_since(SystemTime::now()).is_ok_and(|left| left > EARLY),
                None => self.at.elapsed() < UNBOUNDED,
            },
            Err(_) => self.at.elapsed() < ABSENCE,
        }
    }
}

impl Slot {
    /// What is kept and good; else the place to put it, locked.
    pub async fn get(&self) -> Result<Result<Credentials, String>, Vacancy<'_>> {
        let guard = self.0.lock().await;
        match guard.as_ref().filter(|fetched| fetched.is_good()) {
            Some(fetched) => Ok(fetched.outcome.clone()),
            None => Err(Vacancy(guard)),
        }
    }

    /// Forgets these credentials, which a service refused, unless others have come meanwhile.
    pub async fn forget(&self, refused: &Credentials) {
        let mut guard = self.0.lock().await;
        if guard
            .as_ref()
            .is_some_and(|kept| kept.outcome.as_ref().is_ok_and(|kept| kept.access_key_id() == refused.access_key_id()))
        {
            *guard = None;
        }
    }
}

/// A slot that nobody else fetches for.
pub(crate) struct Vacancy<'a>(MutexGuard<'a, Option<Fetched>>);

impl Vacancy<'_> {
    pub fn fill(mut self, outcome: Result<Credentials, String>) -> Result<Credentials, String> {
        *self.0 = Some(Fetched { outcome: outcome.clone(), at: Instant::now() });
        outcome
    }
}

/// All identities.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    own: Slot,
    roles: SyncMutex<HashMap<String, Slot>>,
}

impl Keys {
    pub fn slot(&self, role: Option<&str>) -> Slot {
        let Some(role) = role else { return self.own.clone() };
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        if roles.len() >= KEPT_ROLES && !roles.contains_key(role) {
            roles.clear();
        }
        roles.entry(role.to_owned()).or_default().clone()
    }

    /// The process's own credentials, from the SDKs' chain.
    pub async fn own(&self, region: &str) -> Result<Credentials, String> {
        match self.own.get().await {
            Ok(kept) => kept,
            Err(vacancy) => vacancy.fill(chain(region).await),
        }
    }
}

/// The chain is built anew each time, so that profiles changed meanwhile are read.
async fn chain(region: &str) -> Result<Credentials, String> {
    let provider = DefaultCredentialsChain::builder().region(Region::new(region.to_owned())).build().await;
    let reason = match tokio::time::timeout(CHAIN_TIMEOUT, provider.provide_credentials()).await {
        Ok(Ok(credentials)) => return Ok(credentials),
        Ok(Err(error)) => sources(&error),
        Err(_) => format!("no answer within {} s", CHAIN_TIMEOUT.as_secs()),
    };
    Err(format!(
        "no AWS credentials: looked at the environment (AWS_ACCESS_KEY_ID), the profile (AWS_PROFILE in ~/.aws/config and \
         ~/.aws/credentials), web identity, the container's and the instance's role ({reason}). Set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY, or AWS_PROFILE after `aws configure` or `aws sso login`"
    ))
}

fn sources(error: &dyn std::error::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(each) = source {
        let text = each.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        source = each.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(id: &str, end: Option<Duration>) -> Credentials {
        Credentials::new(id, "secret", None, end.map(|end| SystemTime::now() + end), "test")
    }

    async fn is_kept(outcome: Result<Credentials, String>) -> bool {
        let slot = Slot::default();
        let vacancy = slot.get().await.err().unwrap();
        let _ = vacancy.fill(outcome);
        slot.get().await.is_ok()
    }

    #[tokio::test]
    async fn credentials_are_kept_until_shortly_before_their_end() {
        assert!(is_kept(Ok(credentials("a", None))).await);
        assert!(is_kept(Ok(credentials("a", Some(EARLY * 2)))).await);
        assert!(!is_kept(Ok(credentials("a", Some(EARLY / 2)))).await);
        assert!(is_kept(Err("none".to_owned())).await);
    }

    #[tokio::test]
    async fn only_refused_credentials_are_forgotten() {
        let keys = Keys::default();
        let slot = keys.slot(Some("arn:aws:iam::123456789012:role/r"));
        let vacancy = slot.get().await.err().unwrap();
        vacancy.fill(Ok(credentials("new", None))).unwrap();
        slot.forget(&credentials("old", None)).await;
        assert!(keys.slot(Some("arn:aws:iam::123456789012:role/r")).get().await.is_ok());
        slot.forget(&credentials("new", None)).await;
        assert!(slot.get().await.is_err());
    }
}
