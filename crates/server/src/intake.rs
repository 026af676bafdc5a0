//! From what a source delivers to what the engine has stored. An event is acknowledged to its source after this, never before.

use std::{borrow::Cow, io::Read as _, sync::Arc};

use aws::Aws;
use aws_lc_rs::digest::{Context, SHA256};
use detection::{
    Event, Source,
    normalize::{self, Notice, Object},
    source::Received,
};
use engine::{
    Engine, FindingStore,
    ports::{Receipt, Responder, StoreError, UnreadableEvent},
};
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use crate::{
    Registry,
    metrics::figures::{Figures, Way},
    objects::{self, Unfetched},
    registry::is_region,
};

/// The largest body that is taken, as it is delivered.
pub const BODY_LIMIT_BYTES: usize = 8 << 20;
/// The largest body once it is inflated: a CloudTrail log object holds some 50 MB at most.
pub const INFLATED_LIMIT_BYTES: usize = 64 << 20;
/// The most JSON values, names among them, of one body: each takes memory, however short it is. CloudTrail's take 12 bytes and more.
const VALUES_LIMIT: usize = 8_000_000;
/// How much of a part that is no event is kept: EventBridge's and SQS's bodies are no longer.
const KEPT_BYTES: usize = 1 << 20;
/// How many events of one body that are in no Region or account are kept one by one; those after are only counted.
const MISPLACED_LIMIT: usize = 100;
/// How many objects are fetched for one body.
const OBJECTS_LIMIT: usize = 100;
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
    /// Fetches log objects.
    aws: Aws,
    /// What makes events of others' documents.
    sources: Arc<[Source]>,
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
        Intake { engine, registry, store, account: account.to_owned(), other_accounts, aws, sources: Arc::from([]) }
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

    /// Takes an event: it, its findings and the responses to start are stored when this is `Ok`.
    pub async fn take_event(&self, event: &Event) -> Result<Receipt, StoreError> {
        let mut responders = Vec::new();
        for (index, sighting) in self.registry.sightings(event) {
            match self.registry.machine(&self.engine, &sighting.region, index).await {
                Ok(state_machine_arn) => responders.push(Responder { sighting, state_machine_arn }),
                Err(engine::engine::Refusal::Store(error)) => return Err(error),
                Err(error) => {
                    self.figures().guardrail_errors.of(&sighting.guardrail).increment();
                    tracing::error!(guardrail = sighting.guardrail, region = sighting.region, %error, "the guardrail's machine was refused; the guardrail is skipped, the others go on");
                }
            }
        }
        self.engine.receive(event, responders).await
    }

    /// Takes a body as a source delivers it: one event or many, gzipped or not, or a notification of log objects, which are fetched.
    /// What can't be read is kept with its reason.
    pub async fn take_body(&self, body: &[u8], origin: &str) -> Result<Taken, NotTaken> {
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
        let body = match readable(body) {
            Ok(readable) => readable,
            Err(reason) => {
                round.refuse(origin, body, reason);
                return Ok(round);
            }
        };
        let mut named = Vec::new();
        for read in self.read(&body, origin, at) {
            match read {
                Ok(event) => {
                    self.take_read(&event, origin, &mut round).await?;
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
        for (number, (object, notification)) in named.into_iter().enumerate() {
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
        let body = match readable(&body) {
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

/// A body as it can be read: inflated, and within the limits.
fn readable(body: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let body = inflate(body)?.map_or(Cow::Borrowed(body), Cow::Owned);
    if values(&body) > VALUES_LIMIT {
        return Err(format!(
            "the body holds more than the {VALUES_LIMIT} JSON values that are taken at once: send it in parts"
        ));
    }
    Ok(body)
}

/// How many JSON values and names a body holds, counted by where they begin, without keeping any.
fn values(body: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped, mut in_word) = (0, false, false, false);
    for byte in body {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        let is_word = byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        in_text = *byte == b'"';
        count += usize::from(in_text || b"{[".contains(byte) || is_word && !in_word);
        in_word = is_word;
    }
    count
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
    fn values_are_counted_without_being_read() {
        let check = |body: &str, expected: usize| assert_eq!(values(body.as_bytes()), expected, "{body}");
        check("", 0);
        check("[1, -2.5e+3, true,null]", 5);
        check(r#"{"a": "b, {c}", "d\\": ["\\\"", {}]}"#, 7);
        check("1 1\n1", 3);
        let ones = format!("[{}1]", "1,".repeat(30 << 20));
        assert!(readable(ones.as_bytes()).unwrap_err().contains("more than the 8000000 JSON values"));
    }

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

    #[test]
    fn gzip_is_inflated_within_limits() {
        assert_eq!(inflate(b"{}"), Ok(None));
        assert_eq!(inflate(&gzip(b"{}")), Ok(Some(b"{}".to_vec())));
        let bomb = gzip(&vec![0; INFLATED_LIMIT_BYTES + 1]);
        assert!(inflate(&bomb).unwrap_err().contains("inflates to more than"), "{} bytes", bomb.len());
        assert!(inflate(&[0x1f, 0x8b, 0, 0]).unwrap_err().contains("can't be inflated"));
    }
}
