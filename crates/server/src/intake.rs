//! From what a source delivers to what the engine has stored. An event is acknowledged to its source after this, never before.

mod reported;

use std::sync::Arc;

use aws::Aws;
use aws_lc_rs::digest::{Context, SHA256};
use detection::{
    Event, Source,
    normalize::{self, Notice, Object},
    source::Received,
};
use engine::{
    Engine, FindingStore,
    ports::{Reactions, Receipt, Responder, StoreError, UnreadableEvent},
};
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use crate::{
    Playbooks, Registry,
    backlog::Backlog,
    machines::is_region,
    metrics::figures::{Figures, Way},
    objects::{self, Unfetched},
    playbooks::PLAYBOOK_ORIGIN,
    room::Room,
};

/// The largest body that is taken, as it is delivered.
pub const BODY_LIMIT_BYTES: usize = 8 << 20;
/// How much of a part that is no event is kept: EventBridge's and SQS's bodies are no longer.
const KEPT_BYTES: usize = 1 << 20;
/// How many events of one body that are in no Region or account are kept one by one; those after are only counted.
const MISPLACED_LIMIT: usize = 100;
/// How many objects are fetched for one body.
const OBJECTS_LIMIT: usize = 100;

/// Takes events in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    engine: Engine,
    registry: Arc<Registry>,
    playbooks: Arc<Playbooks>,
    store: Arc<dyn FindingStore>,
    /// The account whose credentials this process has, and whether others are reached by role.
    account: String,
    other_accounts: bool,
    /// Fetches log objects.
    aws: Aws,
    /// What makes events of others' documents.
    sources: Arc<[Source]>,
    /// How much is in memory at once.
    room: Arc<Room>,
    /// How far the executions may fall behind.
    backlog: Arc<Backlog>,
}

/// What the origin of a webhook's bodies begins with; the source's id follows.
const WEBHOOK_ORIGIN: &str = "POST /webhooks/";

/// Why a body was not taken: it has to come again.
#[derive(Debug, Error)]
pub enum NotTaken {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object that it names can't be fetched now.
    #[error("{0}")]
    Object(String),
    /// Playbooks can't keep up.
    #[error("{0}")]
    HeldUp(String),
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
    /// `aws` fetches the log objects that S3's notifications name.
    pub fn new(engine: Engine, registry: Arc<Registry>, account: &str, other_accounts: bool, aws: Aws) -> Intake {
        let store = engine.findings();
        Intake {
            engine,
            registry,
            playbooks: Arc::default(),
            store,
            account: account.to_owned(),
            other_accounts,
            aws,
            sources: Arc::from([]),
            room: Arc::default(),
            backlog: Arc::default(),
        }
    }

    /// With the sources that make events of others' documents.
    #[must_use]
    pub fn with_sources(self, sources: Vec<Source>) -> Intake {
        Intake { sources: Arc::from(sources), ..self }
    }

    /// What is counted of events.
    pub fn figures(&self) -> &Figures {
        &self.registry.figures
    }

    /// With the playbooks that events start.
    #[must_use]
    pub fn with_playbooks(self, playbooks: Arc<Playbooks>) -> Intake {
        Intake { playbooks, ..self }
    }

    /// With the executions that may wait for room before nothing more is taken in.
    #[must_use]
    pub fn with_backlog(self, executions: usize) -> Intake {
        Intake { backlog: Arc::new(Backlog::new(executions)), ..self }
    }

    /// Whether events are taken in now: not while playbooks can't keep up.
    pub async fn admit(&self) -> Result<(), NotTaken> {
        self.backlog.is_over(&self.engine).await?.map_or(Ok(()), |reason| Err(NotTaken::HeldUp(reason)))
    }

    /// The room that bodies share.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Takes an event: it, its findings and the responses to start are stored when this is `Ok`.
    pub async fn take_event(&self, event: &Event) -> Result<Receipt, StoreError> {
        let mut responders = Vec::new();
        let mut matches = self.registry.matches(event);
        matches.sightings.extend(self.reported(event, &matches.sightings).await?);
        for (index, sighting) in matches.sightings {
            match self.registry.machine(&self.engine, &sighting.region, index).await {
                Ok(state_machine_arn) => responders.push(Responder { sighting, state_machine_arn }),
                Err(engine::engine::Refusal::Store(error)) => return Err(error),
                Err(error) => {
                    self.figures().guardrail_errors.of(&sighting.guardrail).increment();
                    tracing::error!(guardrail = sighting.guardrail, region = sighting.region, %error, "the guardrail's machine was refused; the guardrail is skipped, the others go on");
                }
            }
        }
        let (playbooks, not_started) =
            self.playbooks.starts(&self.engine, event, &matches.rules, &matches.playbooks).await?;
        for (playbook, reason) in not_started {
            // Before the event is acknowledged: so it is not lost.
            self.keep(event.envelope().to_string().as_bytes(), &format!("{PLAYBOOK_ORIGIN}{playbook}"), reason).await?;
        }
        self.engine.receive(event, Reactions { responders, playbooks }).await
    }

    /// Takes a body as a source delivers it: one event or many, gzipped or not, or a notification of log objects, which are fetched.
    /// What can't be read is kept with its reason.
    pub async fn take_body(&self, body: &[u8], origin: &str) -> Result<Taken, NotTaken> {
        self.admit().await?;
        let mut round = self.take(body, origin, Timestamp::now()).await?;
        for refused in round.refused {
            round.taken.unreadable.push(self.keep_refused(refused).await?);
        }
        round.again.map_or(Ok(round.taken), |reason| Err(NotTaken::Object(reason)))
    }

    /// Takes the body of a request to the webhook of a source, in the same way.
    pub async fn take_webhook(&self, body: &[u8], source_id: &str) -> Result<Taken, NotTaken> {
        self.take_body(body, &format!("{WEBHOOK_ORIGIN}{source_id}")).await
    }

    /// Takes what could not be read once more, with the mappings there are now. Where some of it still can't be, it stays as it is, with its id and reason.
    pub async fn retry(&self, kept: &UnreadableEvent) -> Result<Taken, NotTaken> {
        if let Some(playbook) = kept.origin.strip_prefix(PLAYBOOK_ORIGIN) {
            return self.retry_playbook(playbook, kept).await;
        }
        self.admit().await?;
        let mut round = self.take(kept.body.as_bytes(), &kept.origin, kept.received_at).await?;
        if let Some(reason) = round.again {
            return Err(NotTaken::Object(reason));
        }
        if round.refused.is_empty() {
            self.store.forget_unreadable(&kept.id).await?;
        } else {
            round.taken.unreadable.push(KeptUnreadable { id: kept.id.clone(), reason: kept.reason.clone() });
        }
        Ok(round.taken)
    }

    /// Starts a playbook that could not be started by an event, which was stored all the same.
    async fn retry_playbook(&self, playbook: &str, kept: &UnreadableEvent) -> Result<Taken, NotTaken> {
        let event = serde_json::from_str(&kept.body).map_err(|error| error.to_string()).and_then(Event::from_envelope);
        let started = match event {
            Ok(event) => {
                let rules = self.registry.matches(&event).rules;
                self.playbooks.start_again(&self.engine, playbook, &event, &rules).await?
            }
            Err(reason) => Err(reason),
        };
        let mut taken = Taken::default();
        match started {
            Ok(()) => {
                taken.started = 1;
                self.store.forget_unreadable(&kept.id).await?;
            }
            Err(reason) => taken.unreadable.push(KeptUnreadable { id: kept.id.clone(), reason }),
        }
        Ok(taken)
    }

    /// Reads a body that came at a time: as one of the source whose webhook it came by, else by what it says.
    fn read(&self, body: &[u8], origin: &str, at: Timestamp) -> normalize::Read {
        let received = Received { at, account: self.account.clone(), region: self.aws.region().to_owned() };
        let source_id = origin.strip_prefix(WEBHOOK_ORIGIN);
        match source_id.and_then(|id| self.sources.iter().find(|source| source.id == id)) {
            Some(source) => normalize::read_from(source, body, &received),
            None => normalize::read_with(body, &self.sources, &received),
        }
    }

    async fn take(&self, body: &[u8], origin: &str, at: Timestamp) -> Result<Round, StoreError> {
        let mut round = Round::default();
        for (number, (object, notification)) in
            self.take_parts(body, origin, at, &mut round).await?.into_iter().enumerate()
        {
            if number < OBJECTS_LIMIT {
                self.take_object(&object, &notification, origin, at, &mut round).await?;
            } else {
                let reason = format!(
                    "the body names more than the {OBJECTS_LIMIT} objects that are fetched at once: `rectify events retry` this one"
                );
                round.refuse(origin, notification.as_bytes(), reason);
            }
        }
        round.count_misplaced(origin);
        Ok(round)
    }

    /// Takes what a body holds itself; the log objects that it names, each with the notification that does. The body's room is
    /// free again then, since they need some of their own.
    async fn take_parts(
        &self,
        body: &[u8],
        origin: &str,
        at: Timestamp,
        round: &mut Round,
    ) -> Result<Vec<(Object, String)>, StoreError> {
        let mut named = Vec::new();
        let (body, _held) = match self.room.readable(body).await {
            Ok(readable) => readable,
            Err(reason) => {
                round.refuse(origin, body, reason);
                return Ok(named);
            }
        };
        for read in self.read(&body, origin, at) {
            match read {
                Ok(event) => {
                    self.take_read(&event, origin, round).await?;
                    named.extend(normalize::object(&event).map(|object| (object, event.envelope().to_string())));
                }
                Err(unreadable) => {
                    let part = unreadable.part.as_deref().map_or(&*body, str::as_bytes);
                    match unreadable.notice {
                        Some(Notice::Test) => tracing::info!(origin, "S3 tested its notifications; they arrive"),
                        Some(Notice::Object(object)) => {
                            named.push((object, String::from_utf8_lossy(part).into_owned()))
                        }
                        None => round.refuse(origin, part, unreadable.reason),
                    }
                }
            }
        }
        Ok(named)
    }

    /// Takes an event that was read, unless it is nobody's, or another account's.
    async fn take_read(&self, event: &Event, origin: &str, round: &mut Round) -> Result<(), StoreError> {
        if let Some(reason) = misplaced(event) {
            round.misplaced += 1;
            if round.misplaced <= MISPLACED_LIMIT {
                round.refuse(origin, event.envelope().to_string().as_bytes(), reason);
            }
        } else if let Some(reason) = self.foreign(event) {
            round.refuse(origin, event.envelope().to_string().as_bytes(), reason);
        } else {
            let receipt = self.take_event(event).await?;
            self.figures().received(Way::of(origin), &receipt);
            round.taken.received += usize::from(!receipt.duplicate);
            round.taken.duplicates += usize::from(receipt.duplicate);
            round.taken.started += receipt.started;
        }
        Ok(())
    }

    /// Takes the records of a log object. Where there are none, the notification is refused, so that it can be retried.
    async fn take_object(
        &self,
        object: &Object,
        notification: &str,
        origin: &str,
        at: Timestamp,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        let name = objects::name(object);
        let _held = self.room.object().await;
        let body = match objects::fetch(&self.aws, object).await {
            Ok(body) => body,
            Err(Unfetched::For(reason)) => {
                round.refuse(origin, notification.as_bytes(), reason);
                return Ok(());
            }
            Err(Unfetched::Now(reason)) => {
                round.again.get_or_insert(reason);
                return Ok(());
            }
        };
        let no_log = |reason: &str| format!("`{name}` is no log that can be read: {reason}");
        let (body, _held) = match self.room.readable(&body).await {
            Ok(readable) => readable,
            Err(reason) => {
                round.refuse(origin, notification.as_bytes(), no_log(&reason));
                return Ok(());
            }
        };
        let read = self.read(&body, &name, at);
        if let (false, Some(Err(first))) = (read.iter().any(Result::is_ok), read.first()) {
            round.refuse(origin, notification.as_bytes(), no_log(&first.reason));
            return Ok(());
        }
        for part in read {
            match part {
                Ok(event) => self.take_read(&event, &name, round).await?,
                Err(unreadable) => {
                    let part = unreadable.part.as_deref().map_or(&*body, str::as_bytes);
                    round.refuse(&name, part, unreadable.reason);
                }
            }
        }
        Ok(())
    }

    /// Whether there are credentials for an account.
    fn reaches(&self, account: &str) -> bool {
        self.other_accounts || account == self.account || self.account == UNKNOWN_ACCOUNT
    }

    /// Why an event of another account is not acted on: nobody could say in whose account the fix would be made.
    fn foreign(&self, event: &Event) -> Option<String> {
        (!self.reaches(&event.account)).then(|| {
            format!(
                "the event is of account {}, and this process has the credentials of account {}: name the role to assume there (`accounts: {{role: NAME}}` in rectify.yaml), then `rectify events retry` it",
                event.account, self.account
            )
        })
    }

    /// Keeps a body that is no event, or the beginning of a long one.
    pub async fn keep(&self, body: &[u8], origin: &str, reason: String) -> Result<KeptUnreadable, StoreError> {
        self.keep_refused(Refused::new(origin, body, reason)).await
    }

    async fn keep_refused(&self, refused: Refused) -> Result<KeptUnreadable, StoreError> {
        let Refused { origin, text, reason } = refused;
        self.figures().unreadable(Way::of(&origin));
        let id = id_of(&origin, &text);
        tracing::warn!(
            id,
            origin,
            reason,
            "this could not be read as an event; it is kept: `rectify events show {id}`"
        );
        let received_at = Timestamp::now();
        self.store
            .keep_unreadable(UnreadableEvent {
                id: id.clone(),
                origin,
                body: text,
                reason: reason.clone(),
                received_at,
            })
            .await?;
        Ok(KeptUnreadable { id, reason })
    }
}

/// What came of a body so far.
#[derive(Default)]
struct Round {
    taken: Taken,
    refused: Vec<Refused>,
    misplaced: usize,
    /// Why it has to come again.
    again: Option<String>,
}

impl Round {
    fn refuse(&mut self, origin: &str, part: &[u8], reason: String) {
        self.refused.push(Refused::new(origin, part, reason));
    }

    fn count_misplaced(&mut self, origin: &str) {
        if let Some(more) = self.misplaced.checked_sub(MISPLACED_LIMIT).filter(|more| *more > 0) {
            let reason = format!("{more} more events of this body are in no AWS Region or account");
            self.refuse(origin, b"", reason);
        }
    }
}

/// A part that is to be kept.
struct Refused {
    origin: String,
    text: String,
    reason: String,
}

impl Refused {
    fn new(origin: &str, part: &[u8], reason: String) -> Refused {
        // What is no UTF-8 gets longer as text.
        let mut text = String::from_utf8_lossy(part.get(..=KEPT_BYTES).unwrap_or(part)).into_owned();
        let mut reason = reason;
        if text.len() > KEPT_BYTES {
            let end = (0..=KEPT_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            reason = format!(
                "{reason} (the first {end} of {} bytes are kept, so that it can't be retried from here)",
                part.len()
            );
        }
        Refused { origin: origin.to_owned(), text, reason }
    }
}

/// The same part from the same origin has the same id, so that one that comes again and again is kept once.
fn id_of(origin: &str, text: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(origin.as_bytes());
    context.update(&[0]);
    context.update(text.as_bytes());
    let digest = context.finish();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(byte, of_digest)| *byte = *of_digest);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// Why an event can be in no ARN.
fn misplaced(event: &Event) -> Option<String> {
    if !is_region(&event.region) {
        return Some(format!("`region` is no AWS Region: `{}`; expected one like `us-east-1`", event.region));
    }
    let is_account = event.account.len() == 12 && event.account.bytes().all(|byte| byte.is_ascii_digit());
    (!is_account).then(|| format!("`account` is no AWS account: `{}`; expected twelve digits", event.account))
}

/// The account in ARNs where nobody says which it is.
pub const UNKNOWN_ACCOUNT: &str = "000000000000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let check = |part: &[u8], kept: usize, is_cut: bool| {
            let refused = Refused::new("o", part, "why".to_owned());
            assert_eq!((refused.text.len(), refused.reason.contains("can't be retried")), (kept, is_cut));
        };
        check(&vec![b'x'; KEPT_BYTES], KEPT_BYTES, false);
        check(&vec![b'x'; KEPT_BYTES + 1], KEPT_BYTES, true);
        check(format!("x{}", "ä".repeat(KEPT_BYTES)).as_bytes(), KEPT_BYTES - 1, true);
        check(&vec![0xff; KEPT_BYTES], KEPT_BYTES - 1, true);
    }

    #[test]
    fn ids_are_of_what_is_kept() {
        assert_eq!(id_of("a", "b"), id_of("a", "b"));
        assert_ne!(id_of("a", "bc"), id_of("ab", "c"));
    }
}
