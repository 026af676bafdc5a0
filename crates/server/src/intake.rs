//! From what a source delivers to what the engine has stored. An event is acknowledged to its source after this, never before.

use std::{io::Read as _, sync::Arc};

use detection::{Event, normalize};
use engine::{
    Engine, FindingStore,
    ports::{Receipt, Responder, StoreError, UnreadableEvent},
};
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::Serialize;

use crate::Registry;

/// The largest body that is taken, as it is delivered.
pub const BODY_LIMIT_BYTES: usize = 8 << 20;
/// The largest body once it is inflated: a CloudTrail log object holds some 50 MB at most.
pub const INFLATED_LIMIT_BYTES: usize = 64 << 20;
/// How much of a body that is no event is kept to be looked at.
const KEPT_BODY_BYTES: usize = 64 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Takes events in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    engine: Engine,
    registry: Arc<Registry>,
    store: Arc<dyn FindingStore>,
    /// The account whose credentials this process has, and whether others are reached by role.
    account: String,
    other_accounts: bool,
}

/// What became of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Events that are new.
    pub received: usize,
    /// Events that had been received before.
    pub duplicates: usize,
    /// Responses started.
    pub started: usize,
    /// Parts that could not be read: kept, with their reason.
    pub unreadable: Vec<KeptUnreadable>,
}

/// A part that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptUnreadable {
    /// Under which it is kept: `rectify events show ID`.
    pub id: String,
    /// Why it could not be read.
    pub reason: String,
}

impl Intake {
    /// Takes events into `engine`. `other_accounts` tells whether accounts other than `account` are reached by role.
    pub fn new(engine: Engine, registry: Arc<Registry>, account: &str, other_accounts: bool) -> Intake {
        let store = engine.findings();
        Intake { engine, registry, store, account: account.to_owned(), other_accounts }
    }

    /// Takes an event: it, its findings and the responses to start are stored when this is `Ok`.
    pub async fn take_event(&self, event: &Event) -> Result<Receipt, StoreError> {
        let mut responders = Vec::new();
        for (index, sighting) in self.registry.sightings(event) {
            match self.registry.machine(&self.engine, &sighting.region, index).await {
                Ok(state_machine_arn) => responders.push(Responder { sighting, state_machine_arn }),
                Err(engine::engine::Refusal::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::error!(guardrail = sighting.guardrail, region = sighting.region, %error, "the guardrail's machine was refused; the guardrail is skipped, the others go on");
                }
            }
        }
        self.engine.receive(event, responders).await
    }

    /// Takes a body as a source delivers it: one event or many, gzipped or not. What can't be read is kept with its reason.
    pub async fn take_body(&self, body: &[u8], origin: &str) -> Result<Taken, StoreError> {
        let mut taken = Taken::default();
        let inflated = match inflate(body) {
            Ok(inflated) => inflated,
            Err(reason) => {
                taken.unreadable.push(self.keep(body, origin, reason).await?);
                return Ok(taken);
            }
        };
        let body = inflated.as_deref().unwrap_or(body);
        for read in normalize::read(body) {
            let refused = match read {
                Ok(event) => match self.foreign(&event) {
                    None => {
                        let receipt = self.take_event(&event).await?;
                        taken.received += usize::from(!receipt.duplicate);
                        taken.duplicates += usize::from(receipt.duplicate);
                        taken.started += receipt.started;
                        continue;
                    }
                    Some(reason) => (event.envelope().to_string().into_bytes(), reason),
                },
                Err(unreadable) => (body.to_vec(), unreadable.reason),
            };
            taken.unreadable.push(self.keep(&refused.0, origin, refused.1).await?);
        }
        Ok(taken)
    }

    /// Why an event of another account is not acted on: nobody could say in whose account the fix would be made.
    fn foreign(&self, event: &Event) -> Option<String> {
        let reached = self.other_accounts || event.account == self.account || self.account == UNKNOWN_ACCOUNT;
        (!reached).then(|| {
            format!(
                "the event is of account {}, and this process has the credentials of account {}: name the role to assume there (`accounts: {{role: NAME}}` in rectify.yaml), then `rectify events retry` it",
                event.account, self.account
            )
        })
    }

    /// Keeps a body that is no event, or the beginning of a long one.
    pub async fn keep(&self, body: &[u8], origin: &str, reason: String) -> Result<KeptUnreadable, StoreError> {
        let (kept, reason) = match body.get(..KEPT_BODY_BYTES) {
            Some(beginning) if body.len() > KEPT_BODY_BYTES => {
                (beginning, format!("{reason} (the first {KEPT_BODY_BYTES} of {} bytes are kept)", body.len()))
            }
            _ => (body, reason),
        };
        let id = uuid::Uuid::now_v7().to_string();
        tracing::warn!(
            id,
            origin,
            reason,
            "this could not be read as an event; it is kept: `rectify events show {id}`"
        );
        self.store
            .keep_unreadable(UnreadableEvent {
                id: id.clone(),
                origin: origin.to_owned(),
                body: String::from_utf8_lossy(kept).into_owned(),
                reason: reason.clone(),
                received_at: Timestamp::now(),
            })
            .await?;
        Ok(KeptUnreadable { id, reason })
    }
}

/// The account in ARNs where nobody says which it is.
pub const UNKNOWN_ACCOUNT: &str = "000000000000";

/// The inflated body, or `None` where it is not gzipped.
fn inflate(body: &[u8]) -> Result<Option<Vec<u8>>, String> {
    if !body.starts_with(&GZIP_MAGIC) {
        return Ok(None);
    }
    let mut inflated = Vec::new();
    let limit = u64::try_from(INFLATED_LIMIT_BYTES).unwrap_or(u64::MAX);
    MultiGzDecoder::new(body)
        .take(limit + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| format!("the body begins as gzip does, but can't be inflated: {error}"))?;
    if inflated.len() > INFLATED_LIMIT_BYTES {
        return Err(format!(
            "the gzipped body of {} bytes inflates to more than the {INFLATED_LIMIT_BYTES} bytes that are taken: send it in parts",
            body.len()
        ));
    }
    Ok(Some(inflated))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_inflated_within_limits() {
        assert_eq!(inflate(b"{}"), Ok(None));
        assert_eq!(inflate(&gzip(b"{}")), Ok(Some(b"{}".to_vec())));
        let bomb = gzip(&vec![0; INFLATED_LIMIT_BYTES + 1]);
        assert!(inflate(&bomb).unwrap_err().contains("inflates to more than"), "{} bytes", bomb.len());
        assert!(inflate(&[0x1f, 0x8b, 0, 0]).unwrap_err().contains("can't be inflated"));
    }
}
